"""The command itself: quick, light, and honest about what it can do."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from fathom.commands import main as fathom

HEAVY = ("nautilus_trader", "torch", "numba", "numpy", "pandas", "pyarrow", "matplotlib", "mlflow")


def _modules_after(*arguments: str) -> set[str]:
    code = (
        "import sys\n"
        "from fathom.commands import main as fathom\n"
        "try:\n    fathom.main(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "print('\\n@', *sys.modules, sep='\\n@')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(fathom.__file__).parent,
    )
    return {line[1:].split(".")[0] for line in done.stdout.splitlines() if line.startswith("@")}


@pytest.mark.parametrize("arguments", [["--help"], ["data", "--help"], ["backtest", "--help"], ["demo", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    loaded = _modules_after(*arguments)
    assert "click" in loaded
    assert not loaded.intersection(HEAVY)


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(fathom.main, ["--help"])
    assert result.exit_code == 0
    for name, (_, summary) in fathom.COMMANDS.items():
        assert name in result.output
        assert summary in result.output


@pytest.mark.parametrize("name", sorted(fathom.COMMANDS))
def test_every_command_exists_and_its_help_teaches(name: str) -> None:
    result = CliRunner().invoke(fathom.main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "fathom" in result.output


def test_unknown_command_names_the_nearest() -> None:
    result = CliRunner().invoke(fathom.main, ["backtst"])
    assert result.exit_code == 2
    assert "Did you mean 'backtest'?" in result.output
