"""The books that fills met: one that cannot be, or is old, makes a result that no venue would have given."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple, Self

import numpy as np

from fathom.backtests.account.marks import Marks
from fathom.backtests.engine.records import Fill
from fathom.pages.formats import counted
from fathom.settings.times import iso


class BookState(StrEnum):
    """What is wrong with a book, the gravest first.

    Examples
    --------
    >>> [state.value for state in BookState]
    ['crossed', 'unsure', 'stale', 'hole', 'sound']
    """

    CROSSED = "crossed"
    UNSURE = "unsure"
    STALE = "stale"
    HOLE = "hole"
    SOUND = "sound"

    @property
    def meaning(self) -> str:
        """In words."""
        return {
            "unsure": "an unsure book: a gap or a bad snapshot came before, and no good snapshot since",
            "crossed": "a crossed book: its best bid lay above its best ask",
            "stale": "a book older than venue.stale_book_secs",
            "hole": "a hole of the data: the next change of the book came later than venue.stale_book_secs",
            "sound": "a sound book",
        }[self.value]


class MetBook(NamedTuple):
    """The book that a fill met.

    Attributes
    ----------
    state
        None where the data have no book.
    age_secs
        Time since the last change of the book; NaN where there was none.
    detail
        The prices or times that show what is wrong.
    """

    state: BookState | None
    age_secs: float
    detail: str = ""

    @classmethod
    def of(cls, marks: Marks, ts_ns: int, stale_secs: float) -> Self:
        """Look at the book at a time of which the marks were asked."""
        [place] = marks.places(np.array([ts_ns])).tolist()
        before, after = (int(times[place]) if times.size else -1 for times in (marks.before_ns, marks.after_ns))
        if before < 0:
            return cls(None, np.nan)
        age, bid, ask = (ts_ns - before) / 1e9, float(marks.bid[place]), float(marks.ask[place])
        if bid > ask:
            return cls(BookState.CROSSED, age, f"bid {bid:.12g}, ask {ask:.12g}")
        if marks.unsure[place]:
            return cls(BookState.UNSURE, age, f"bid {bid:.12g}, ask {ask:.12g}")
        if age > stale_secs:
            return cls(BookState.STALE, age, f"{age:,.1f} s old")
        if after >= 0 and (after - before) / 1e9 > stale_secs:
            return cls(BookState.HOLE, age, f"no change from {iso(before)} to {iso(after)}")
        return cls(BookState.SOUND, age)


def met_books(fills: Iterable[Fill], marks: Mapping[str, Marks], stale_secs: float) -> dict[Fill, MetBook]:
    """Return the book that each fill met."""
    return {fill: MetBook.of(marks[fill.order.instrument_id], fill.ts_event, stale_secs) for fill in fills}


def notes_of(met: Mapping[Fill, MetBook], marks: Mapping[str, Marks]) -> list[str]:
    """Return a sentence for each book that was unsure, and for each thing that was wrong with the books of fills.

    Examples
    --------
    >>> notes_of({}, {})
    []
    """
    notes = []
    for name, instrument in marks.items():
        times, unsure_ns, first_ns = instrument.unsure_ns
        if times:
            notes.append(
                f"The book of {name} was unsure {counted(times, 'time')} after gaps or bad snapshots, first at "
                f"{iso(first_ns)}, for {unsure_ns / 1e9:,.1f} s in all: no feature and no alert then."
            )
    for state in BookState:
        wrong = [(fill, book) for fill, book in met.items() if book.state == state]
        if wrong and state != BookState.SOUND:
            fill, book = wrong[0]
            notes.append(
                f"{len(wrong):,} of {len(met):,} fills met {state.meaning}, first {fill.order.instrument_id} at "
                f"{iso(fill.ts_event)} ({book.detail}). What they earned is not to be had."
            )
    return notes
