"""What holds of every command: options of the same names, help with an example, JSON, completion."""

import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from fathom.commands.console import Command
from fathom.commands.main import main


def leaves(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from leaves(inner, (*words, name))
    else:
        yield " ".join(words), command


LEAVES = dict(leaves(main))
SHARED = ("--json", "--log-level", "--set", "--print-config", "--jobs", "--store", "--max-hole")
"""Options that mean the same, to the letter, wherever they are."""


def options_of(command: click.Command) -> dict[str, click.Option]:
    return {name: option for option in command.params if isinstance(option, click.Option) for name in option.opts}


def test_the_tree_is_whole() -> None:
    assert {"backtest run", "data import bybit", "data download bybit", "train tune", "demo"} <= LEAVES.keys()
    assert len(LEAVES) >= 30


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_has_the_shared_options_and_an_example(name: str) -> None:
    command = LEAVES[name]
    options = options_of(command)
    assert isinstance(command, Command)
    assert {"--json", "--log-level"} <= options.keys()
    assert command.kept.endswith(".")
    assert command.help is not None
    assert "Example" in command.help
    assert f"fathom {name}" in command.help
    assert ("--set" in options) <= ("--print-config" in options)
    takes_config = any(param.name in ("config", "configs") for param in command.params)
    assert takes_config <= ("--print-config" in options)


@pytest.mark.parametrize("name", LEAVES)
def test_help_fits_every_terminal(name: str) -> None:
    for width in (60, 80, 200):
        arguments = [*name.split(), "--help"]
        result = CliRunner().invoke(main, arguments, terminal_width=width, env={"COLUMNS": str(width)})
        assert result.exit_code == 0, result.output
        for option in options_of(LEAVES[name]):
            assert option in result.output.replace("\n", ""), option


def test_the_same_options_are_of_the_same_kind() -> None:
    kinds: dict[str, set[tuple[object, ...]]] = {}
    for command in LEAVES.values():
        for name, option in options_of(command).items():
            says = option.help if name in SHARED and name not in ("--jobs", "--max-hole", "--print-config") else ""
            if name in (*SHARED, "--catalog", "--seed", "--instruments"):
                kind = type(option.type).__name__
                kinds.setdefault(name, set()).add((kind, option.is_flag, option.multiple, option.metavar, says))
    assert set(SHARED) <= kinds.keys()
    assert {name: kind for name, kind in kinds.items() if len(kind) > 1} == {}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_completes(shell: str) -> None:
    script = CliRunner().invoke(main, ["completion", shell])
    assert script.exit_code == 0
    assert "_FATHOM_COMPLETE" in script.stdout
    environment = os.environ | {
        "_FATHOM_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "fathom backtest a",
        "COMP_CWORD": "2",
    }
    if shell == "fish":
        environment["COMP_CWORD"] = "a"
    code = "import sys; sys.argv[0] = 'fathom'; from fathom.commands.main import main; main(prog_name='fathom')"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "ablate" in done.stdout, done.stderr
    assert "compare" not in done.stdout
