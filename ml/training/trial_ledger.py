"""The ledger of trials: every model that was ever scored on a dataset, so that the best of many is known as such."""

import datetime
import fcntl
import os
from pathlib import Path
from typing import Any

import msgspec

from fathom.ml.errors import TrainingError


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One model that was trained and scored.

    Parameters
    ----------
    dataset : str
        Hash of the arrays (`fathom.ml.samples.datasets.ArrayFacts.hash`).
    kind : str
        What tried it: ``walk-forward``, ``tune``.
    key : str
        What was tried, as a hash of its settings: the same again is no new trial.
    name : str
        Of the configuration and the model, for people.
    at : str
        When, UTC.
    settings : dict
        Whatever tells the trials apart.

    Examples
    --------
    >>> Trial(dataset="ab", kind="tune", key="0", name="edge compact", at="2026-01-01T00:00:00Z").settings
    {}
    """

    dataset: str
    kind: str
    key: str
    name: str
    at: str
    settings: dict[str, Any] = {}


class TrialLedger:
    """A file of trials, one JSON object a line, only ever appended to.

    Several processes may write at once: each line is written whole, under a lock.

    Parameters
    ----------
    path : Path or str
        Made at the first trial.

    Examples
    --------
    >>> import tempfile
    >>> ledger = TrialLedger(Path(tempfile.mkdtemp()) / "trials.jsonl")
    >>> ledger.record("ab", "tune", "0", "edge compact"), ledger.record("ab", "tune", "0", "edge compact")
    (True, False)
    >>> ledger.count("ab"), ledger.count("cd")
    (1, 0)
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def record(self, dataset: str, kind: str, key: str, name: str, settings: dict[str, Any] | None = None) -> bool:
        """Write down a trial before its score is known; return whether it is new.

        Parameters
        ----------
        dataset, kind, key, name, settings
            See `Trial`.
        """
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        trial = Trial(dataset=dataset, kind=kind, key=key, name=name, at=at, settings=settings or {})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            content = file.read()
            if any((known.dataset, known.key) == (dataset, key) for known in self._decoded(content)):
                return False
            # A process that died while writing left a line without an end: it is not continued.
            begin = b"" if not content or content.endswith(b"\n") else b"\n"
            file.write(begin + msgspec.json.encode(trial) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return True

    def trials(self, dataset: str | None = None) -> list[Trial]:
        """Return the trials of a dataset, or all, in the order in which they were written."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        return [trial for trial in self._decoded(content) if dataset in (None, trial.dataset)]

    def count(self, dataset: str) -> int:
        """Return how many different models were ever tried on a dataset."""
        return len(self.trials(dataset))

    def _decoded(self, content: bytes) -> list[Trial]:
        found = []
        *lines, rest = content.split(b"\n")
        for number, line in enumerate([*lines, rest], start=1):
            if not line:
                continue
            try:
                found.append(msgspec.json.decode(line, type=Trial))
            except msgspec.DecodeError as error:
                if number == len(lines) + 1 or not line.endswith(b"}"):
                    continue  # cut off by a crash
                raise TrainingError(f"{self.path}, line {number}: Expected a trial, was: {error}.") from None
        return found
