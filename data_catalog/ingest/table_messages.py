"""Rows of a book table as messages: rows that belong together, with the engine's actions and flags."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.ingest.unsure import GAP
from fathom.market.events import EVENT, Action, Flag, Kind

RAW: Final = np.dtype([*((name, EVENT[name]) for name in EVENT.names or ()), ("line", "<i8")], align=True)
"""A row of a book table before it is part of a message: `EVENT`, and the line of the file; sizes are absolute.

Its `flags` say what the file says: `Flag.SNAPSHOT` of the rows of a snapshot, `GAP` where rows before it are missing.
"""


def as_messages(
    changes: Iterator[NDArray[np.void]], *, continues: bool = False, reconnects: bool = True
) -> Iterator[NDArray[np.void]]:
    """Group book rows into messages and give them the engine's actions and flags.

    Rows of the same ts_init, sequence and kind (snapshot or change) are one message. A snapshot becomes a CLEAR, whose
    `size` is its line (see `unsure.Guard`), and levels, without those of size 0.

    Parameters
    ----------
    changes : iterator of RAW or EVENT arrays
        Book rows in order of ts_init.
    continues : bool, default False
        Whether the first message is what its flags say; else it is a snapshot.
    reconnects : bool, default True
        Whether a snapshot that follows changes means that the feed was broken before it: it gets `GAP`.

    Yields
    ------
    EVENT array
        Whole messages.

    Examples
    --------
    >>> rows = np.zeros(3, dtype=EVENT)
    >>> rows["ts_init"], rows["size"] = [10, 10, 20], [5, 6, 0]
    >>> for message in as_messages(iter([rows[:1], rows[1:]])):
    ...     print(message["ts_init"], message["action"], message["flags"])
    [10 10 10] [4 1 1] [ 32  48 176]
    [20] [3] [144]
    """
    held: NDArray[np.void] | None = None
    first, after_change = not continues, False
    for rows in changes:
        rows = rows if held is None else np.concatenate([held, rows])
        ends = _ends(rows)
        whole = int(ends[-2]) + 1 if len(ends) > 1 else 0  # the last message may go on in the next batch
        held = rows[whole:]
        if whole:
            yield _messages(rows[:whole], ends[:-1], first, reconnects, after_change)
            after_change, first = not rows[whole - 1]["flags"] & Flag.SNAPSHOT and not (first and len(ends) == 2), False
    if held is not None and len(held):
        yield _messages(held, np.array([len(held) - 1]), first, reconnects, after_change)


def _ends(rows: NDArray[np.void]) -> NDArray[np.int64]:
    marks = rows["flags"] & Flag.SNAPSHOT
    same = (rows["ts_init"][1:] == rows["ts_init"][:-1]) & (rows["sequence"][1:] == rows["sequence"][:-1])
    return np.append(np.flatnonzero(~(same & (marks[1:] == marks[:-1]))), len(rows) - 1)


def _messages(
    rows: NDArray[np.void], ends: NDArray[np.int64], first: bool, reconnects: bool, after_change: bool
) -> NDArray[np.void]:
    starts = np.append(0, ends[:-1] + 1)
    snapshots = (rows["flags"][starts] & Flag.SNAPSHOT) != 0
    snapshots[0] |= first
    parts, at = [], 0
    for number in np.flatnonzero(snapshots).tolist():
        start, end = int(starts[number]), int(ends[number]) + 1
        if start > at:
            parts.append(_as_changes(rows[at:start]))
        broken = reconnects and (after_change if number == 0 else not snapshots[number - 1])
        parts.append(_as_snapshot(rows[start:end], broken=broken))
        at = end
    if at < len(rows):
        parts.append(_as_changes(rows[at:]))
    return np.concatenate(parts)


def _as_snapshot(rows: NDArray[np.void], *, broken: bool) -> NDArray[np.void]:
    levels = rows[rows["size"] > 0]
    message = _plain(np.concatenate([rows[:1], levels]))
    message["action"] = Action.ADD
    message["flags"] = Flag.SNAPSHOT | Flag.MBP
    for field in ("price", "size", "side"):
        message[field][0] = 0
    message["size"][0] = rows["line"][0] if "line" in (rows.dtype.names or ()) else 0
    message["action"][0] = Action.CLEAR
    message["flags"][0] = Flag.SNAPSHOT | (GAP if broken or rows["flags"][0] & GAP else 0)
    message["flags"][-1] |= np.uint8(Flag.LAST)
    return message


def _as_changes(rows: NDArray[np.void]) -> NDArray[np.void]:
    message = _plain(rows)
    message["action"] = np.where(rows["size"] == 0, Action.DELETE, Action.UPDATE)
    message["flags"] = Flag.MBP | (rows["flags"] & GAP)
    message["flags"][_ends(rows)] |= np.uint8(Flag.LAST)
    return message


def _plain(rows: NDArray[np.void]) -> NDArray[np.void]:
    plain: NDArray[np.void] = np.zeros(len(rows), EVENT)
    for name in EVENT.names or ():
        plain[name] = rows[name]
    plain["kind"] = Kind.BOOK
    return plain
