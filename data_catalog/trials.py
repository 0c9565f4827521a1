"""The ledger of trials: everything that was ever scored on the data of a catalog.

The best of many trials looks better than it is, so a result is worth nothing without the number of trials behind it
(Bailey and Lopez de Prado 2014, doi:10.3905/jpm.2014.40.5.094). The ledger lies with the data, not in the folder from
which somebody works. A trial counts for each dataset that shares an instrument and more than a tenth of its time.
"""

import datetime
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import msgspec

from fathom.data_catalog.errors import CatalogError
from fathom.settings.owner import locked
from fathom.settings.urls import redacted_values
from fathom.settings.whole_files import write_whole

LEDGER: Final = "fathom/trials.sqlite"
"""Where it lies in a catalog or in a folder of arrays."""

SHARED: Final = 0.1
"""Share of the shorter span that two datasets must have in common to be the same data."""

_COUNT: Final = "fathom/trials.count"
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS trials (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, at TEXT NOT NULL,
    instruments TEXT NOT NULL, first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, settings TEXT NOT NULL,
    outcome TEXT, UNIQUE (key, instruments, first_ns, last_ns)
)"""


_UNWRITABLE: Final = (OSError, sqlite3.OperationalError)


class LedgerUnwritableError(CatalogError):
    """The ledger of a folder cannot be written: the folder is read-only, or the disk is full."""


class DataSpan(msgspec.Struct, frozen=True):
    """Which data of a catalog were looked at.

    Parameters
    ----------
    instruments : tuple of str
    first_ns, last_ns : int
        First and last time.

    Examples
    --------
    >>> monday, tuesday = DataSpan(("A",), 0, 100), DataSpan(("A", "B"), 95, 200)
    >>> monday.shares(tuesday), monday.shares(DataSpan(("A",), 80, 200)), monday.shares(DataSpan(("B",), 0, 100))
    (False, True, False)
    """

    instruments: tuple[str, ...]
    first_ns: int
    last_ns: int

    def shares(self, other: "DataSpan") -> bool:
        """Return whether both have an instrument, and more than a tenth of the shorter span, in common."""
        common = min(self.last_ns, other.last_ns) - max(self.first_ns, other.first_ns)
        shorter = min(self.last_ns - self.first_ns, other.last_ns - other.first_ns)
        return bool({*self.instruments} & {*other.instruments}) and common >= 0 and common >= SHARED * shorter


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried and scored.

    Parameters
    ----------
    kind : str
        What tried it: ``walk-forward``, ``tune``, ``backtest``, ``ablate``, ``scorecard``.
    key : str
        What was tried, as a hash of its settings and code: the same again is no new trial.
    name : str
        For people.
    at : str
        When, UTC.
    data : DataSpan
    settings : dict
        Whatever tells the trials apart.
    outcome : dict
        Its score; empty where it never came to one.
    """

    kind: str
    key: str
    name: str
    at: str
    data: DataSpan
    settings: dict[str, Any] = {}
    outcome: dict[str, Any] = {}


class _OldTrial(msgspec.Struct, frozen=True, kw_only=True):
    dataset: str
    kind: str
    key: str
    name: str
    at: str
    settings: dict[str, Any] = {}


class TrialLedger:
    """The trials on the data of a folder: a SQLite database that several processes may write at once.

    Parameters
    ----------
    folder : Path or str
        A catalog, or a folder of arrays. The database is made at the first trial.

    Examples
    --------
    >>> import tempfile
    >>> ledger = TrialLedger(tempfile.mkdtemp())
    >>> week = DataSpan(("BTCUSDT-LINEAR.BYBIT",), 0, 7)
    >>> ledger.record("tune", "0", "edge compact", week), ledger.record("tune", "0", "edge compact", week)
    (True, False)
    >>> ledger.complete("0", week, {"net_bps": -1.5})
    >>> ledger.count(week), ledger.trials()[0].outcome
    (1, {'net_bps': -1.5})
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.path = self.folder / LEDGER

    def record(self, kind: str, key: str, name: str, data: DataSpan, settings: Mapping[str, Any] | None = None) -> bool:
        """Write down a trial before its score is known; return whether it is new.

        Raises
        ------
        LedgerUnwritableError
            The folder cannot be written.
        CatalogError
            The ledger cannot be read, or it was deleted after it had held trials.
        """
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        row = (kind, key, name, at, *_place(data), _json(redacted_values(settings or {})))
        with self._open(write=True) as database:
            added = database.execute(
                "INSERT OR IGNORE INTO trials (kind, key, name, at, instruments, first_ns, last_ns, settings) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            ).rowcount
            if added:
                number = database.execute("SELECT COUNT(*) FROM trials").fetchone()[0]
                write_whole(self.folder / _COUNT, f"{number}\n")
        return bool(added)

    def import_lines(self, file: Path, dataset: str, data: DataSpan, leave_out: frozenset[str] = frozenset()) -> int:
        """Take over the trials of a dataset from a ``trials.jsonl`` of Fathom 0.1; return how many were new.

        Parameters
        ----------
        file : Path
            One JSON object a line; a last line that was cut off is passed over.
        dataset : str
            Hash of the arrays; trials of other datasets stay where they are.
        data : DataSpan
            What those arrays hold.
        leave_out : frozenset of str
            Models that do not count.

        Raises
        ------
        CatalogError
            A line is no trial, or the file cannot be read.
        """
        try:
            lines = file.read_bytes().split(b"\n")
        except OSError as error:
            raise CatalogError(f"Expected the old ledger of trials {file}, was: {error}.") from error
        new = 0
        for number, line in enumerate(lines, start=1):
            try:
                old = msgspec.json.decode(line, type=_OldTrial) if line else None
            except msgspec.DecodeError as error:
                if number == len(lines) or not line.endswith(b"}"):
                    continue
                raise CatalogError(f"{file}, line {number}: Expected a trial, was: {error}.") from error
            if old is not None and old.dataset == dataset and old.settings.get("model") not in leave_out:
                new += self.record(old.kind, old.key, old.name, data, old.settings)
        return new

    def complete(self, key: str, data: DataSpan, outcome: Mapping[str, Any]) -> None:
        """Write the score of a trial that was recorded before."""
        with self._open(write=True) as database:
            database.execute(
                "UPDATE trials SET outcome = ? WHERE key = ? AND instruments = ? AND first_ns = ? AND last_ns = ?",
                (_json(outcome), key, *_place(data)),
            )

    def trials(self, data: DataSpan | None = None) -> list[Trial]:
        """Return the trials that count for some data, or all, in the order in which they were written."""
        if not self.path.is_file():
            self._refuse_deleted()
            return []
        with self._open() as database:
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'trials'").fetchone():
                return []  # another process has just begun the file
            rows = database.execute(
                "SELECT kind, key, name, at, instruments, first_ns, last_ns, settings, outcome FROM trials ORDER BY id"
            ).fetchall()
        trials = [
            Trial(
                kind=kind,
                key=key,
                name=name,
                at=at,
                data=DataSpan(tuple(msgspec.json.decode(instruments)), first_ns, last_ns),
                settings=msgspec.json.decode(settings),
                outcome=msgspec.json.decode(outcome) if outcome else {},
            )
            for kind, key, name, at, instruments, first_ns, last_ns, settings, outcome in rows
        ]
        return [trial for trial in trials if data is None or trial.data.shares(data)]

    def count(self, data: DataSpan) -> int:
        """Return how many different things were ever tried on some data."""
        return len({trial.key for trial in self.trials(data)})

    @contextmanager
    def _open(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        try:
            if write:
                self._refuse_deleted()
                self.path.parent.mkdir(parents=True, exist_ok=True)
            # In a folder that cannot be written, SQLite reads only what it may take for unchanging.
            reading = "mode=ro" if os.access(self.path.parent, os.W_OK) else "mode=ro&immutable=1"
            place = self.path if write else f"{self.path.resolve().as_uri()}?{reading}"
            # SQLite waits for no other writer while the file becomes a WAL one, or is left by its last reader.
            alone = locked(self.path.with_name(".trials.lock")) if write else nullcontext()
            with alone, closing(sqlite3.connect(place, uri=not write, timeout=60.0)) as database:
                if write:
                    database.execute("PRAGMA journal_mode=WAL")
                    database.execute("PRAGMA synchronous=FULL")
                    database.execute(_TABLE)
                with database:
                    if write:
                        database.execute("BEGIN IMMEDIATE")
                    yield database
        except (OSError, sqlite3.Error) as error:
            known = LedgerUnwritableError if write and isinstance(error, _UNWRITABLE) else CatalogError
            raise known(
                f"Expected to {'write' if write else 'read'} the ledger of trials {self.path}, was: {error}. "
                "`ledger` in the configuration of a training names another folder; `ledger = false` in that of a "
                "backtest goes without."
            ) from error

    def _refuse_deleted(self) -> None:
        count = self.folder / _COUNT
        if not self.path.is_file() and count.is_file():
            raise CatalogError(
                f"Expected the ledger of trials {self.path}, which held {count.read_text().strip()} trials, was "
                f"deleted. Restore it; or delete {count} too, to say that the trials are forgotten on purpose."
            )


def _place(data: DataSpan) -> tuple[str, int, int]:
    return _json(sorted(data.instruments)), data.first_ns, data.last_ns


def _json(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
