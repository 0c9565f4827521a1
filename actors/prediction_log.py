"""What was predicted for which signal: one row for each model that was asked, kept for the run directory."""

from typing import Any, Final

import msgspec
import pyarrow as pa

_KEPT: Final = 100_000
_VECTORS: Final = 2_000
_NAN: Final = float("nan")
_TIME: Final = pa.timestamp("ns", tz="UTC")
_TYPES: Final[dict[Any, pa.DataType]] = {float: pa.float64(), int: pa.int64(), bool: pa.bool_(), str: pa.string()}


class PredictionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One model asked about one signal.

    Attributes
    ----------
    ts
        When the signal came (ns).
    instrument, signal_id, source, side
        Of the signal.
    role
        `champion` or `challenger`.
    answered
        Whether the validator's answer rests on it: a challenger in shadow never answers.
    window_end
        Grid time of the last vector of its window (ns); 0 where there was none.
    model_version
        Empty where the model is not known.
    direction, p_hold, p_buy, p_sell, confidence, expected_return_bps
        The prediction (see `fathom.ml.models.inference.Prediction`); NaN where there is none.
    inference_ms
        Time charged to the clock; 0 for a challenger in shadow.
    breaker
        State of its circuit breaker when it was asked.
    error
        Why there is no prediction; empty where there is one.
    vector
        The last vector of the window, of the model's features in its order; empty where it is not kept.

    Examples
    --------
    >>> PredictionRow(ts=1, instrument="A.B", signal_id="S-1", source="mine", side="BUY", role="champion",
    ...               answered=True, breaker="CLOSED").error
    ''
    """

    ts: int
    instrument: str
    signal_id: str
    source: str
    side: str
    role: str
    answered: bool
    window_end: int = 0
    model_version: str = ""
    direction: int = 0
    p_hold: float = _NAN
    p_buy: float = _NAN
    p_sell: float = _NAN
    confidence: float = _NAN
    expected_return_bps: float = _NAN
    inference_ms: float = 0.0
    breaker: str = ""
    error: str = ""
    vector: tuple[float, ...] = ()


class PredictionLog:
    """The last 100,000 rows, oldest first; the last 2,000 with the vector that was looked at.

    Examples
    --------
    >>> log = PredictionLog()
    >>> log.table().num_rows, log.table().schema.field("ts").type
    (0, TimestampType(timestamp[ns, tz=UTC]))
    """

    def __init__(self) -> None:
        self.rows: list[PredictionRow] = []

    def add(self, row: PredictionRow) -> None:
        """Add a row; of very many the oldest are forgotten."""
        self.rows.append(row)
        if len(self.rows) > _VECTORS:
            at = len(self.rows) - _VECTORS - 1
            self.rows[at] = msgspec.structs.replace(self.rows[at], vector=())
        if len(self.rows) > _KEPT + _KEPT // 10:  # a live actor runs for months
            del self.rows[: len(self.rows) - _KEPT]

    def table(self) -> pa.Table:
        """Return the rows as the table `predictions`."""
        columns = {}
        for field in msgspec.structs.fields(PredictionRow):
            values = [getattr(row, field.name) for row in self.rows]
            if field.name in ("ts", "window_end"):
                columns[field.name] = pa.array([value or None for value in values], _TIME)
            else:
                columns[field.name] = pa.array(values, _TYPES.get(field.type, pa.list_(pa.float64())))
        return pa.table(columns)
