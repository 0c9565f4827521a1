"""How a command refuses, is stopped, and prints for a person or a machine."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from fathom.commands.console import Terminal, command
from fathom.settings.errors import FathomError


def run(action: Any, *arguments: str) -> Result:
    @command(kept="Half of it stays.")
    def probe(terminal: Terminal) -> None:
        action(terminal)

    return CliRunner().invoke(probe, list(arguments))


def fail(error: BaseException) -> Any:
    def action(terminal: Terminal) -> None:
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FathomError("Expected 2, was 3."), "Error: Expected 2, was 3.\n"),
        (ValueError("Expected a grid_ms of 500, was 3"), "Error: Expected a grid_ms of 500, was 3\n"),
        (FileNotFoundError("Expected a run directory, was 'x'."), "Error: Expected a run directory, was 'x'.\n"),
        (
            PermissionError(13, "Permission denied", "c/x"),
            "Error: Expected to read and write c/x, was: Permission denied.",
        ),
        (ModuleNotFoundError("No", name="mlflow.x"), "Error: Expected the package mlflow, was not installed. Install "),
    ],
)
def test_what_is_refused_is_one_line_and_1(error: Exception, words: str) -> None:
    result = run(fail(error))
    assert result.exit_code == 1
    assert result.stderr.startswith(words)
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_defect_is_not_hidden() -> None:
    result = run(fail(ZeroDivisionError("x")))
    assert isinstance(result.exception, ZeroDivisionError)
    assert isinstance(run(fail(ValueError("could not broadcast"))).exception, ValueError)
    assert isinstance(run(fail(ModuleNotFoundError("No", name="fathom.x"))).exception, ModuleNotFoundError)


def test_ctrl_c_is_130_and_says_what_is_kept() -> None:
    result = run(fail(KeyboardInterrupt()))
    assert result.exit_code == 130
    assert result.stderr == "Stopped by Ctrl-C. Half of it stays.\n"
    wrapped = FathomError("Stopped at noon.")
    wrapped.__cause__ = KeyboardInterrupt()
    assert run(fail(wrapped)).stderr == "Stopped by Ctrl-C. Stopped at noon. Half of it stays.\n"


def test_sigterm_is_143_and_the_handler_goes() -> None:
    def action(terminal: Terminal) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10.0)

    before = signal.getsignal(signal.SIGTERM)
    result = run(action)
    assert result.exit_code == 143
    assert result.stderr == "Stopped by SIGTERM. Half of it stays.\n"
    assert signal.getsignal(signal.SIGTERM) is before


_PROBE = """
from fathom.commands.console import command
@command()
def probe(terminal):
    exec("import os, signal, time; os.kill(os.getpid(), signal.SIGTERM); time.sleep(10)")
probe()
"""


def test_a_signal_while_text_is_executed_keeps_its_exit_code(tmp_path: Path) -> None:
    (tmp_path / "stopped_probe.py").write_text(_PROBE)
    ended = subprocess.run(
        [sys.executable, "-m", "stopped_probe"],
        cwd=tmp_path,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(tmp_path), *sys.path]))},
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (143, b"Stopped by SIGTERM. Nothing was changed.\n")


def test_json_is_all_that_stands_on_standard_output() -> None:
    def action(terminal: Terminal) -> None:
        print("a library's words")
        terminal.say("text")
        terminal.warn("warning")
        terminal.note("Wrote a page")
        terminal.table(("a",), [("b",)])
        terminal.answer({"path": Path("x"), "value": np.float64(1.5), "nothing": float("nan"), "all": np.arange(2)})

    result = run(action, "--json")
    assert json.loads(result.stdout) == {"path": "x", "value": 1.5, "nothing": None, "all": [0, 1]}
    assert result.stderr == "a library's words\n"
    text = run(action)
    assert text.stdout == "a library's words\ntext\nwarning\na\nb\n"
    assert text.stderr == "Wrote a page\n"


def test_the_log_level_is_that_of_libraries_too() -> None:
    def action(terminal: Terminal) -> None:
        import logging

        logging.getLogger("library").warning("something odd")
        logging.getLogger("library").debug("detail")

    assert run(action).stderr == ""
    assert "WARNING library: something odd" in run(action, "--log-level", "WARNING").stderr
    both = run(action, "--log-level", "debug").stderr
    assert "something odd" in both
    assert "DEBUG library: detail" in both


def test_an_unknown_level_is_2() -> None:
    assert run(fail(click.ClickException("x")), "--log-level", "loud").exit_code == 2
