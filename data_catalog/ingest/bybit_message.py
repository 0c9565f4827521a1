"""Read one order-book message of Bybit carefully: any valid JSON of it, or an error that says what is wrong."""

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from fathom.data_catalog.errors import CatalogError, InstrumentError
from fathom.data_catalog.ingest.bybit_lines import EARLIEST, LAST_TS, LAST_U, LATEST, MS, OK, accept, finish_message
from fathom.data_catalog.instruments import Grid
from fathom.market.events import EVENT, Action, Side
from fathom.settings.times import time_text


class MessageError(CatalogError):
    """What is wrong with a message, without the place where it stands."""


def read_message(
    line: bytes, symbol: str, grid: Grid, latency: int, tolerance: int, state: NDArray[np.int64]
) -> NDArray[np.void]:
    """Return the rows of one message and take it into the state.

    Parameters
    ----------
    line : bytes
        JSON, keys in any order, blanks allowed.
    symbol : str
        The symbol that it must have.
    grid : Grid
        Of the instrument.
    latency, tolerance : int
        As in `bybit_lines.parse_lines`, ns.
    state : int64 array
        As in `bybit_lines.new_state`.

    Returns
    -------
    EVENT array

    Raises
    ------
    MessageError
        With field and value.
    """
    message = _json(line)
    topic = _field(message, "topic", str)
    parts = topic.split(".")
    if len(parts) != 3 or parts[0] != "orderbook" or not (parts[1].isascii() and parts[1].isdigit()):
        raise MessageError(f"Expected topic 'orderbook.DEPTH.{symbol}', was '{topic}'.")
    kind = _field(message, "type", str)
    if kind not in ("snapshot", "delta"):
        raise MessageError(f"Expected type 'snapshot' or 'delta', was '{kind}'.")
    snapshot = kind == "snapshot"
    ts = _stamp(message, "ts", state)
    cross_time = _stamp(message, "cts", state) if "cts" in message else ts
    data = _field(message, "data", dict)
    for name, found in (("topic", parts[2]), ("data.s", _field(data, "s", str, "data."))):
        if found != symbol:
            raise MessageError(f"Expected symbol {symbol} in '{name}', was '{found}'. Name the file by its symbol.")
    update, sequence = _count(data, "u", "data."), _count(data, "seq", "data.")
    levels = [
        _level(level, f"data.{name}[{number}]", side, grid, snapshot)
        for name, side in (("b", Side.BUY), ("a", Side.SELL))
        for number, level in enumerate(_field(data, name, list, "data."))
    ]
    if accept(state, ts * MS, update, sequence, snapshot, len(levels), latency, tolerance) != OK:
        back = milliseconds(int(state[LAST_TS]) - ts * MS)
        remedy = f"If the recording's clock is known to step, allow it with --max-clock-step-ms {back}."
        if update <= state[LAST_U]:  # the ids went back with the clock
            remedy = (
                f"The update id goes back too, to {update} after {state[LAST_U]}: lines stand twice, or out of order."
            )
        raise MessageError(
            f"Expected 'ts' not to run backwards, was {ts} ({time_text(ts * MS)}), {back} ms before the message "
            f"above it. {remedy}"
        )
    rows = np.zeros(snapshot + len(levels), dtype=EVENT)
    if snapshot:
        rows["action"][0] = Action.CLEAR
    for row, level in enumerate(levels, start=int(snapshot)):
        rows["side"][row], rows["price"][row], rows["size"][row], rows["action"][row] = level
    finish_message(rows, 0, len(rows), cross_time * MS, sequence, snapshot, state)
    return rows


def milliseconds(time_ns: int) -> str:
    """Return a time span in ms, exactly.

    Examples
    --------
    >>> milliseconds(3_599_900_000_500)
    '3599900.0005'
    """
    return f"{time_ns / MS:.6f}".rstrip("0").rstrip(".")


def _json(line: bytes) -> dict[str, Any]:
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise MessageError(
            f"Expected a JSON object, was {_shorten(line)}: {error.msg} at byte {error.pos}. "
            "The file may be damaged: download it again."
        ) from None
    if not isinstance(message, dict):
        raise MessageError(f"Expected a JSON object, was {_shorten(line)}.")
    return message


def _shorten(line: bytes) -> str:
    text = line[:60].decode("utf-8", "replace")
    return f"'{text}...'" if len(line) > 60 else f"'{text}'"


def _field(message: dict[str, Any], name: str, kind: type, prefix: str = "") -> Any:
    if name not in message:
        raise MessageError(f"Expected field '{prefix}{name}', was none. Fields: {', '.join(message)}.")
    value = message[name]
    if type(value) is not kind:
        words: dict[type, str] = {str: "text", dict: "an object", list: "a list"}
        raise MessageError(f"Expected {words[kind]} in '{prefix}{name}', was {value!r}.")
    return value


def _count(message: dict[str, Any], name: str, prefix: str) -> int:
    if name not in message:
        raise MessageError(f"Expected field '{prefix}{name}', was none. Fields: {', '.join(message)}.")
    value = message[name]
    if type(value) is not int or not 0 <= value < 2**63:
        raise MessageError(f"Expected a whole number from 0 to {2**63 - 1} in '{prefix}{name}', was {value!r}.")
    return value


def _stamp(message: dict[str, Any], name: str, state: NDArray[np.int64]) -> int:
    value = _count(message, name, "")
    earliest, latest = int(state[EARLIEST]), int(state[LATEST])
    if not earliest <= value <= latest:
        raise MessageError(
            f"Expected milliseconds from {earliest} ({time_text(earliest * MS)}) to {latest} "
            f"({time_text(latest * MS)}) in '{name}', was {value}. Check its unit, and the day in the file's name."
        )
    return value


def _level(level: Any, place: str, side: Side, grid: Grid, snapshot: bool) -> tuple[int, int, int, int]:
    if not (isinstance(level, list) and len(level) == 2 and all(type(part) is str for part in level)):
        raise MessageError(f'Expected ["price","size"] in {place}, was {level!r}.')
    try:
        price, size = grid.ticks(level[0]), grid.lots(level[1])
    except InstrumentError as error:
        raise MessageError(f"{place}: {error} Check tick and lot of the instrument (--instruments FILE).") from None
    if price <= 0:
        raise MessageError(f"Expected a price above 0 in {place}, was '{level[0]}'.")
    if size < 0 or (snapshot and size == 0):
        raise MessageError(
            f"Expected a size {'above 0 in a snapshot' if snapshot else 'of 0 or more'} in {place}, was '{level[1]}'."
        )
    action = Action.ADD if snapshot else Action.UPDATE if size else Action.DELETE
    return int(side), price, size, int(action)
