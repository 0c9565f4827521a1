"""The ledger of trials: every trial counts once, whoever writes it."""

import subprocess
import sys
from pathlib import Path

import pytest

from fathom.ml.errors import TrainingError
from fathom.ml.training.trial_ledger import TrialLedger

_WRITER = """
import sys
from fathom.ml.training.trial_ledger import TrialLedger
for number in range(20):
    TrialLedger(sys.argv[1]).record("data", "tune", f"{sys.argv[2]}-{number}", "x", {"padding": "y" * 300})
    TrialLedger(sys.argv[1]).record("data", "tune", f"shared-{number}", "x")
"""


def test_processes_that_write_at_once_lose_nothing(project: Path, tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(path), str(writer)], cwd=project) for writer in range(3)
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert TrialLedger(path).count("data") == 3 * 20 + 20


def test_the_same_on_other_data_is_another_trial(tmp_path: Path) -> None:
    ledger = TrialLedger(tmp_path / "deep" / "trials.jsonl")
    assert ledger.trials() == []
    assert [ledger.record(data, "tune", "a", "x") for data in ("one", "two", "one")] == [True, True, False]
    assert (ledger.count("one"), len(ledger.trials())) == (1, 2)


def test_a_line_cut_off_by_a_crash_is_passed_over(tmp_path: Path) -> None:
    ledger = TrialLedger(tmp_path / "trials.jsonl")
    ledger.record("one", "tune", "a", "x")
    ledger.path.write_bytes(ledger.path.read_bytes() + b'{"dataset": "one", "ki')
    assert ledger.count("one") == 1
    assert ledger.record("one", "tune", "b", "x")
    assert ledger.count("one") == 2


def test_a_line_that_is_no_trial_is_told(tmp_path: Path) -> None:
    ledger = TrialLedger(tmp_path / "trials.jsonl")
    ledger.path.write_text('{"hello": 1}\n')
    with pytest.raises(TrainingError, match=r"trials.jsonl, line 1: Expected a trial"):
        ledger.count("one")
