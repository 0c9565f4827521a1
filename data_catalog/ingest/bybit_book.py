"""Import one order-book archive of Bybit: a zip of JSON lines, of any depth and any size."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.errors import BadInputError
from fathom.data_catalog.ingest.archive import Advance, zip_chunks
from fathom.data_catalog.ingest.bybit_lines import (
    BACKWARDS,
    BREAKS,
    HELD,
    LEVELS,
    LINES,
    MESSAGES,
    MS,
    OTHER_DAY,
    PADDING,
    SNAPSHOTS,
    UNANCHORED,
    Patterns,
    new_state,
    parse_lines,
)
from fathom.data_catalog.ingest.bybit_message import MessageError, read_message
from fathom.data_catalog.ingest.decimal_text import Step
from fathom.data_catalog.ingest.odd_rows import Odd
from fathom.data_catalog.ingest.unsure import Guard
from fathom.data_catalog.instruments import Grid
from fathom.market.events import EVENT
from fathom.pages.formats import counted
from fathom.settings.times import time_text

_MAX_LINE_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Timing:
    """How the times of a file become times of the catalog.

    Parameters
    ----------
    latency_ns : int, default 0
        Feed latency: ts_init = the venue's stamp plus this.
    tolerance_ns : int, default 10_000_000
        How far a stamp may lie before the one before it; such a row keeps its ts_event, its ts_init does not go back.

    Examples
    --------
    >>> Timing(latency_ns=5_000_000).tolerance_ns
    10000000
    """

    latency_ns: int = 0
    tolerance_ns: int = 10 * MS


class BookFile:
    """The rows of an order-book archive.

    Parameters
    ----------
    path : Path
        Such as ``2024-12-01_XRPUSDT_ob500.data.zip``.
    symbol : str
        That every message must have.
    grid : Grid
        Of the instrument.
    timing : Timing
    day : date, optional
        That its name states: every stamp must lie within a day of it.

    Examples
    --------
    >>> import tempfile, zipfile
    >>> path = Path(tempfile.mkdtemp()) / "2024-12-01_XRPUSDT_ob500.data.zip"
    >>> line = '{"topic":"orderbook.500.XRPUSDT","type":"delta","ts":7,"data":{"s":"XRPUSDT","b":[["1.9531","6203"]],"a":[],"u":1,"seq":2}}'
    >>> with zipfile.ZipFile(path, "w") as archive:
    ...     archive.writestr("2024-12-01_XRPUSDT_ob500.data", line + "\\n")
    >>> grid = Grid("XRPUSDT-LINEAR.BYBIT", tick_raw=10**12, lot_raw=10**16, price_precision=4, size_precision=0)
    >>> book = BookFile(path, "XRPUSDT", grid, Timing())
    >>> [(int(row["price"]), int(row["size"])) for rows in book.read(lambda size: None) for row in rows]
    [(19531, 6203)]
    >>> book.warnings()
    ['1 change before the first snapshot (from line 1 on): the book is incomplete there']
    """  # noqa: E501

    def __init__(self, path: Path, symbol: str, grid: Grid, timing: Timing, day: date | None = None) -> None:
        self.path = path
        self.symbol = symbol
        self.grid = grid
        self.timing = timing
        self._guard = Guard(grid)
        spans = () if day is None else (*times_near(day), *times_of(day))
        self.state = new_state(*(time // MS for time in spans))

    @property
    def messages(self) -> int:
        """Messages read so far."""
        return int(self.state[MESSAGES])

    @property
    def levels(self) -> int:
        """Level changes read so far."""
        return int(self.state[LEVELS])

    @property
    def breaks(self) -> int:
        """Changes read so far whose update id does not follow the one before."""
        return int(self.state[BREAKS])

    def read(self, advance: Advance) -> Iterator[NDArray[np.void]]:
        """Yield the rows (`EVENT`), which are overwritten at the next step; raises `BadInputError` with the line."""
        rest = b""
        for chunk in zip_chunks(self.path, advance):
            end = chunk.rfind(b"\n") + 1
            if end:
                yield from self._rows(b"".join((rest, chunk[:end])))
                rest = chunk[end:]
            else:
                rest += chunk
            if len(rest) > _MAX_LINE_BYTES:
                raise BadInputError(
                    "Expected lines of JSON, was a line of over 64 MiB.", file=self.path, line=self._line
                )
        if rest.strip():
            yield from self._rows(rest + b"\n")

    def faults(self) -> list[str]:
        """Return what no file should hold, in words with line and value."""
        found, early = [], int(self.state[UNANCHORED])
        if early:
            found.append(
                f"{counted(early, 'change')} before the first snapshot (from line 1 on): the book is incomplete there"
            )
        for kind, noun, what in (
            (BREAKS, "break", "in the update ids (changes are missing or doubled)"),
            (BACKWARDS, "message", "with a sequence less than the one before"),
            (OTHER_DAY, "message", "of another day than the file's name"),
        ):
            count, line, value, before = self.state[kind : kind + 4].tolist()
            if count:
                shown = time_text(value) if kind == OTHER_DAY else f"{value} after {before}"
                found.append(Odd(count, line, shown).words(noun, what))
        return found + self._guard.warnings()

    def warnings(self) -> list[str]:
        """Return what a user should know of the file, in words: its faults, and what was put right."""
        held = int(self.state[HELD])
        words = f"{counted(held, 'message')} stamped a little before the one before; their ts_init was held"
        return self.faults() + [words] * bool(held)

    @property
    def _line(self) -> int:
        return int(self.state[LINES]) + 1

    def _rows(self, text: bytes) -> Iterator[NDArray[np.void]]:
        buffer = np.frombuffer(b"".join((text, bytes(PADDING))), dtype=np.uint8)
        rows: NDArray[np.void] = np.empty(len(text) // 9 + 8, dtype=EVENT)
        patterns = Patterns.of(self.symbol)
        steps = Step.of_price(self.grid.tick_raw), Step.of_size(self.grid.lot_raw)
        times = self.timing.latency_ns, self.timing.tolerance_ns
        at = 0
        while at < len(text):
            at, count, stuck = parse_lines(buffer, at, len(text), patterns, *steps, *times, self.state, rows, 0)
            if count:
                yield self._guard.passed(rows[:count])
            if stuck:
                end = text.index(b"\n", at)
                careful = self._careful(text[at:end])
                if len(careful):
                    yield careful
                at = end + 1

    def _careful(self, line: bytes) -> NDArray[np.void]:
        rows: NDArray[np.void] = np.empty(0, dtype=EVENT)
        if line.strip():
            try:
                rows = read_message(
                    line, self.symbol, self.grid, self.timing.latency_ns, self.timing.tolerance_ns, self.state
                )
            except MessageError as error:
                raise BadInputError(str(error), file=self.path, line=self._line) from None
        self.state[LINES] += 1
        return self._guard.passed(rows)

    @property
    def snapshots(self) -> int:
        """Snapshots read so far."""
        return int(self.state[SNAPSHOTS])


def times_of(day: date) -> tuple[int, int]:
    """Return the first time of a day, and the first time after it, in ns.

    Examples
    --------
    >>> times_of(date(1970, 1, 2))
    (86400000000000, 172800000000000)
    """
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    return start * 10**9, (start + 86_400) * 10**9


def times_near(day: date) -> tuple[int, int]:
    """Return the first and the last time, in ns, that a file of a day may hold: from the day before to the day after.

    Examples
    --------
    >>> times_near(date(1970, 1, 2))
    (0, 259200000000000)
    """
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    earliest, latest = (int((start + timedelta(days=days)).timestamp()) for days in (-1, 2))
    return max(earliest, 0) * 10**9, latest * 10**9
