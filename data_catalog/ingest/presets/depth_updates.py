"""Binance's `depthUpdate` messages, as lines of JSON or as a table with their fields: a row a message."""

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from fathom.data_catalog.errors import BadInputError, EmptyFileError, InstrumentError
from fathom.data_catalog.ingest.table_file import OnProgress, TableFile
from fathom.data_catalog.ingest.table_messages import RAW
from fathom.data_catalog.ingest.unsure import GAP
from fathom.data_catalog.instruments import Grid
from fathom.market.events import Flag, Side

MESSAGE: Final = ("E", "U", "u", "b", "a")
MESSAGE_OPTIONAL: Final = ("T", "pu", "s")
_LARGEST: Final = 2**63 - 1
_MS: Final = 1_000_000
_EARLIEST_MS: Final = 946_684_800_000  # the year 2000


def is_lines(path: Path) -> bool:
    """Return whether a file is lines of JSON, by its name."""
    return path.name.removesuffix(".gz").endswith((".jsonl", ".json", ".ndjson"))


def depth_rows(file: Path, grid: Grid, on_progress: OnProgress | None) -> Iterator[NDArray[np.void]]:
    """Yield the rows (`RAW`) of each message; ts_init is the time E, ts_event is T, the sequence is u.

    A line with `lastUpdateId`, `bids`, `asks` is a snapshot, as the REST endpoint gives it; messages that it holds
    already are left out. A message is missing where `pu` is not the `u` before, or, without `pu`, where U is not the
    next. A snapshot without a time has that of the message after it.
    """
    last, fresh, symbol = -1, False, ""
    waiting: tuple[int, dict[str, Any]] | None = None
    for line, record in _lines(file) if is_lines(file) else _table(file, on_progress):
        place = _Place(file, line)
        if "lastUpdateId" in record:
            if "E" not in record:
                waiting = (line, record)
                continue
            last, fresh = place.whole(record, "lastUpdateId"), True
            yield _rows(place, record, grid, last, Flag.SNAPSHOT, ("bids", "asks"))
            continue
        if waiting is not None:
            held = _Place(file, waiting[0])
            last, fresh = held.whole(waiting[1], "lastUpdateId"), True
            snapshot = waiting[1] | {name: record[name] for name in ("E", "T") if name in record}
            yield _rows(held, snapshot, grid, last, Flag.SNAPSHOT, ("bids", "asks"))
            waiting = None
        symbol = place.same_symbol(record, symbol)
        first, newest = place.whole(record, "U"), place.whole(record, "u")
        if newest <= last:
            continue
        before = place.whole(record, "pu") if record.get("pu") is not None and not fresh else None
        missing = last >= 0 and (before != last if before is not None else first > last + 1)
        last, fresh = newest, False
        rows = _rows(place, record, grid, newest, GAP if missing else 0, ("b", "a"))
        if len(rows):
            yield rows


class _Place:
    """A line of a file, for errors."""

    def __init__(self, file: Path, line: int) -> None:
        self.file, self.line = file, line

    def bad(self, problem: str) -> BadInputError:
        return BadInputError(problem, file=self.file, line=self.line)

    def whole(self, record: Mapping[str, Any], name: str) -> int:
        value = record.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value)
        if type(value) is not int or not -1 <= value <= _LARGEST:
            raise self.bad(f"Expected a whole number in '{name}', was {value!r}.")
        return value

    def time_ns(self, record: Mapping[str, Any], name: str) -> int:
        value = self.whole(record, name)
        if not _EARLIEST_MS <= value <= _LARGEST // _MS:
            raise self.bad(f"Expected milliseconds since 1970 in '{name}', was {value}.")
        return value * _MS

    def same_symbol(self, record: Mapping[str, Any], symbol: str) -> str:
        found = str(record.get("s", symbol))
        if symbol and found != symbol:
            raise self.bad(f"Expected messages of one symbol, was {symbol} and {found}. Filter the file.")
        return found


def _rows(
    place: _Place, record: Mapping[str, Any], grid: Grid, sequence: int, flags: int, names: tuple[str, str]
) -> NDArray[np.void]:
    found = []
    for name, side in zip(names, (Side.BUY, Side.SELL), strict=True):
        levels = record.get(name)
        if isinstance(levels, str):  # of a CSV file
            try:
                levels = orjson.loads(levels)
            except orjson.JSONDecodeError:
                levels = None
        if not isinstance(levels, list):
            raise place.bad(f"Expected a list of [price, size] in '{name}', was {record.get(name)!r}.")
        for number, level in enumerate(levels):
            try:
                price, size = level
                ticks, lots = grid.ticks(str(price)), grid.lots(str(size))
            except InstrumentError as error:
                raise place.bad(f"{name}[{number}]: {error} Check tick and lot (--instruments FILE).") from None
            except (TypeError, ValueError):
                raise place.bad(f"Expected [price, size] in {name}[{number}], was {level!r}.") from None
            if ticks <= 0 or lots < 0:
                raise place.bad(f"Expected a price above 0 and a size of 0 or more in {name}[{number}], was {level!r}.")
            found.append((int(side), ticks, lots))
    if not found and flags & Flag.SNAPSHOT:
        found = [(int(Side.BUY), 0, 0)]  # an empty snapshot is one too
    rows: NDArray[np.void] = np.zeros(len(found), RAW)
    if found:
        rows["side"], rows["price"], rows["size"] = np.array(found, np.int64).T
    ts = place.time_ns(record, "E")
    rows["ts_init"], rows["sequence"], rows["line"] = ts, sequence, place.line
    rows["ts_event"] = place.time_ns(record, "T") if record.get("T") is not None else ts
    rows["flags"] = int(flags) & int(Flag.SNAPSHOT)
    rows["flags"][:1] |= np.uint8(int(flags) & GAP)
    return rows


def _lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    open_file: Any = gzip.open if file.suffix == ".gz" else open
    with open_file(file, "rb") as lines:
        try:
            number = 0
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                record = orjson.loads(line)
                record = record.get("data", record) if isinstance(record, dict) else record
                if not isinstance(record, dict):
                    raise BadInputError("Expected an object of JSON.", file=file, line=number)
                yield number, record
        except (orjson.JSONDecodeError, OSError, EOFError) as error:
            problem = f"Expected a line of JSON, was broken: {error}. Fetch the file again."
            raise BadInputError(problem, file=file, line=number + isinstance(error, OSError | EOFError)) from error
    if not number:
        raise EmptyFileError("Expected at least one message, was none.", file=file)


def _table(file: Path, on_progress: OnProgress | None) -> Iterator[tuple[int, dict[str, Any]]]:
    table = TableFile(file, MESSAGE, MESSAGE_OPTIONAL, ignores_rest=True)
    for first, batch in table.batches(on_progress):
        for index, record in zip(range(first, first + batch.num_rows), batch.to_pylist(), strict=True):
            yield index + table.first_line, record
