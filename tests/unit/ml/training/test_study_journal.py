"""A study survives kill -9 at any moment: its locks, its journal, and the trials of dead workers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.trial import TrialState

from fathom.ml.training import tuning
from fathom.ml.training.study_journal import JOURNAL, Journal, Leases
from fathom.ml.training.tune_config import load_tune_config
from fathom.ml.training.tuning import open_study
from tests.makers import training_problem as problem

HOLD = """
import os, signal, sys
from pathlib import Path
from fathom.ml.training import study_journal as journal

def stop(*_):
    print("here", flush=True)
    sys.stdin.read()

moment, path = sys.argv[1], Path(sys.argv[2])
made = journal.Journal(path)
made.append_logs([{"a": 1}])
if moment == "before the line":
    journal._cut_torn_line = stop
elif moment == "in the line":
    with path.open("ab") as file:
        file.write(b'{"a": ')
    journal.os.fsync = stop
elif moment == "after the line":
    os.fsync = stop
elif moment == "with a lease":
    lease = journal.Leases(path.parent / "leases").take(3)
    if os.fork() == 0:  # a loader of data outlives its parent
        sys.stdin.read()
        os._exit(0)
    stop()
made.append_logs([{"a": 2}])
"""


def held(moment: str, path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, moment, path.name], cwd=path.parent, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    return process


def killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(10)
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()


@pytest.mark.parametrize("moment", ["before the line", "in the line", "after the line"])
def test_a_kill_while_writing_blocks_nobody(tmp_path: Path, moment: str) -> None:
    path = tmp_path / JOURNAL
    killed(held(moment, path))
    journal = Journal(path)
    began = time.monotonic()
    journal.append_logs([{"a": 3}])
    assert time.monotonic() - began < 5.0
    logs = [log["a"] for log in journal.read_logs(0)]
    assert logs == ([1, 3] if moment == "before the line" else [1, 2, 3])


def test_a_lock_of_an_earlier_version_blocks_nobody(tmp_path: Path) -> None:
    (tmp_path / f"{JOURNAL}.lock").symlink_to(Path("runs") / "study" / JOURNAL)  # relative to nothing that is
    Journal(tmp_path / JOURNAL).append_logs([{"a": 1}])
    assert [*Journal(tmp_path / JOURNAL).read_logs(0)] == [{"a": 1}]


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_torn_last_line_is_taken_up(tmp_path: Path, cut: int) -> None:
    path = tmp_path / JOURNAL
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(study_name="x", storage=JournalStorage(Journal(path)))
    for _ in range(3):
        study.ask()
    path.write_bytes(path.read_bytes()[:-cut])
    again = optuna.load_study(study_name="x", storage=JournalStorage(Journal(path)))
    again.ask()
    assert len(again.get_trials(states=(TrialState.RUNNING,))) == 3
    assert all(line.endswith(b"}") for line in path.read_bytes().splitlines())


def test_a_lease_ends_with_its_process_and_not_with_its_children(tmp_path: Path) -> None:
    leases = Leases(tmp_path / "leases")
    process = held("with a lease", tmp_path / JOURNAL)
    assert not leases.is_dead(3)
    killed(process)
    assert leases.is_dead(3)
    leases.wait(3)
    leases.clear(3)
    assert list((tmp_path / "leases").iterdir()) == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    space = '[space."fit.learning_rate"]\nlow = 1e-3\nhigh = 1e-2\nlog = true\n'
    return problem.write_tuning(tmp_path_factory.mktemp("killed"), 300, space)


WORK = """
import os, signal, sys
from fathom.ml.training import tuning
from fathom.ml.training.tune_config import load_tune_config

moment = sys.argv[1]

def stop(*_, **__):
    print("here", flush=True)
    sys.stdin.read()

tuning._trained = stop if moment == "at work" else lambda trial, config, chosen, out: 0.5
if moment == "between asking and the lease":
    tuning.Leases.take = stop
tuning.tune(load_tune_config("tune.toml"), sys.argv[2], worker=1)
"""


@pytest.mark.parametrize("moment", ["at work", "between asking and the lease"])
def test_the_trial_of_a_killed_worker_is_given_to_another(
    folder: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = folder / moment.replace(" ", "-")
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, moment, out.name], cwd=folder, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    ended = []

    def on_trial(tried: object) -> None:
        ended.append(tried)
        if len(ended) == 2 and process.returncode is None:  # the last trial of the study is that of the other worker
            os.kill(process.pid, signal.SIGKILL)

    if moment == "between asking and the lease":
        killed(process)  # it asks under a lock, for which others wait
    monkeypatch.setattr(tuning, "_trained", lambda trial, config, chosen, out: chosen["fit.learning_rate"])
    tried = tuning.tune(load_tune_config(folder / "tune.toml"), out, on_trial=on_trial)
    process.wait(10)
    assert sorted(trial.state for trial in tried) == ["complete", "complete", "complete", "fail"]
    assert open_study(out, "tiny").get_trials(states=(TrialState.RUNNING, TrialState.WAITING)) == []
    assert list((out / "leases").iterdir()) == []
    if moment != "between asking and the lease":
        again = open_study(out, "tiny").get_trials()[3]
        assert again.params == open_study(out, "tiny").get_trials()[0].params
        killed(process)
