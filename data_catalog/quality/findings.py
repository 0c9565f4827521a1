"""What a check of market data can find, how much each finding matters, and the report of what was found."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

type Severity = Literal["error", "warning", "info"]

CHECKS: Final[Mapping[str, tuple[Severity, str]]] = {
    # the files
    "unreadable": ("error", "the file cannot be read"),
    "instrument_missing": ("error", "the catalog does not define the instrument of these data"),
    "definition_mismatch": ("error", "the file was written for another tick or lot precision than the instrument's"),
    "file_name_wrong": ("error", "the file's name states other times than its rows: the engine would miss data"),
    "import_warning": ("warning", "what the import said of the source file"),
    "update_ids_broken": ("error", "the source file's update ids have breaks: changes are missing or doubled"),
    # every kind of data
    "time_backwards": ("error", "ts_init decreases: the engine replays rows in that order"),
    "event_time_backwards": ("info", "ts_event decreases: the venue's clock or its matching engines' order"),
    "known_before_it_happened": ("warning", "ts_init lies before ts_event: a backtest would look ahead"),
    "price_off_tick": ("error", "the price is no multiple of the instrument's tick"),
    "size_off_lot": ("error", "the size is no multiple of the instrument's lot"),
    "size_negative": ("error", "the size is below 0"),
    "side_missing": ("error", "a level without a side"),
    "hole": ("warning", "no data for longer than --max-hole"),
    # order books
    "sequence_backwards": ("error", "the venue's sequence number decreases without a snapshot"),
    "sequence_jump": ("error", "the sequence counts messages one by one, and leaves some out here"),
    "sequence_skipped": ("warning", "the sequence leaves some out before a snapshot: messages were lost until then"),
    "sequence_repeated": ("warning", "two messages have the same sequence number"),
    "message_duplicated": ("error", "a message comes twice in a row"),
    "message_unterminated": ("error", "a message does not end with a LAST flag: the engine joins it to the next"),
    "crossed": ("error", "the best bid is above the best ask at the end of a message"),
    "locked": ("warning", "the best bid equals the best ask at the end of a message"),
    "unsure": ("warning", "the book is unknown from here to the next snapshot: a gap or a bad snapshot in the source"),
    "one_sided": ("warning", "the book has no bid or no ask at the end of a message"),
    "no_snapshot_first": ("warning", "the data do not begin with a snapshot: the book is incomplete at first"),
    "unknown_level_deleted": (
        "info",
        "a level is deleted that was not there: some venues send that, gaps cause it",
    ),
    "snapshot_level_repeated": ("warning", "a snapshot states a level twice"),
    "level_repeated": ("info", "a message changes a level twice"),
    "size_zero": ("warning", "a level is added or updated with size 0 instead of being deleted"),
    # trades
    "trade_size_zero": ("error", "a trade of size 0"),
    "aggressor_missing": ("info", "a trade without an aggressor side"),
    "trade_id_repeated": ("error", "two trades of a file have the same id"),
    "no_trades": ("info", "no trade for longer than --max-hole"),
    # bars
    "bar_contradicts_itself": ("error", "high or low do not bound the bar's other prices"),
    "bars_overlap": ("error", "a bar closes less than its length after the one before"),
    "bars_missing": ("warning", "bars are missing between two bars"),
}
"""Every check: how much it matters, and what it means. Only errors make `fathom data check` fail."""


class Example(msgspec.Struct, frozen=True):
    """One place where a check failed.

    Examples
    --------
    >>> Example(time="2024-08-08T23:54:16.501Z", file="a.parquet", row=7, detail="bid 2, ask 1").row
    7
    """

    time: str
    file: str
    row: int
    detail: str


class Finding(msgspec.Struct, frozen=True):
    """One check that failed on the data of one type and instrument; `row` of an example counts from 0.

    Examples
    --------
    >>> Finding("BTCUSD.BITSTAMP", "trades", "trade_size_zero", 3, []).severity
    'error'
    """

    identifier: str
    data_type: str
    check: str
    count: int
    examples: list[Example]

    @property
    def severity(self) -> Severity:
        """Return how much it matters."""
        return CHECKS[self.check][0]

    @property
    def meaning(self) -> str:
        """Return what it means."""
        return CHECKS[self.check][1]


class Checked(msgspec.Struct, frozen=True):
    """What was looked at; `messages` is 0 but for order books.

    Examples
    --------
    >>> Checked("BTCUSD.BITSTAMP", "trades", files=1, rows=4251, messages=0).rows
    4251
    """

    identifier: str
    data_type: str
    files: int
    rows: int
    messages: int


class Report(msgspec.Struct, frozen=True):
    """The outcome of a check.

    Examples
    --------
    >>> Report([], []).worst is None
    True
    """

    checked: list[Checked]
    findings: list[Finding]

    @property
    def worst(self) -> Severity | None:
        """Return the severest severity that was found, None if nothing was."""
        found = {finding.severity for finding in self.findings}
        order: tuple[Severity, ...] = ("error", "warning", "info")
        return next((severity for severity in order if severity in found), None)
