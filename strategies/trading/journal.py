"""The journal of a strategy: for each signal one row that tells its whole life, and why it ended where it did."""

from collections.abc import Callable
from typing import Any, Final, Literal, get_args

import msgspec
import pyarrow as pa

from fathom.data_catalog.messages.signals import Signal, ValidatedSignal
from fathom.strategies.trading.commands import Step

type Stage = Literal["error", "signal", "validated", "cleared", "approved", "ordered", "filled", "closed"]

STEPS: Final[tuple[str, ...]] = get_args(Stage.__value__)
"""How far a signal may come, in order. `cleared`: the manipulation filter let it pass; `error`: the policy failed."""

_ROLES: Final = {"stopped": "STOP", "target": "TARGET", "exited": "EXIT"}
_ENDS: Final = {"refused": "risk", "rejected": "rejected", "cancelled": "cancelled", "halted": "halted"}
_KEPT: Final = 100_000
_LIVES: Final = 1_000
_OF_SIGNAL: Final = ("signal_id", "source", "side", "strength", "entry", "stop", "target")
_NAN: Final = float("nan")
_TIME: Final = pa.timestamp("ns", tz="UTC")
_TYPES: Final[dict[Any, pa.DataType]] = {float: pa.float64(), int: pa.int64(), bool: pa.bool_(), str: pa.string()}


class Decision(msgspec.Struct, kw_only=True):
    """One row of the journal: a signal and what became of it.

    Times are ns (0: did not happen), numbers are NaN and texts empty where a step was not reached or not asked for.

    Attributes
    ----------
    ts, instrument, strategy, signal_id, source, side, strength, entry, stop, target
        The signal, as the policy made it.
    decision_price
        On which it was decided.
    ts_validated, model_direction, confidence, expected_return_bps, blended, aligned, model_version, inference_ms,
    fallback, validation
        The model's answer (see `fathom.data_catalog.messages.signals.ValidatedSignal`), and its reason in words.
    filter, filter_reason, alert_trace_id
        `passed`, `blocked` or `scaled` by the manipulation filter, why, and the alert that decided.
    placed_stop, placed_target
        The prices of the bracket, after supports and resistances.
    weight
        The confidence with which it went to the risk gate.
    risk, risk_reason
        `approved` or `refused`, and why.
    order_id, ts_ordered, quantity
        The entry order.
    ts_filled, fill_price, filled
        Its first fill, average price, and size.
    arrival_mid, slippage_bps
        Mid when the order was sent; what the fill cost against the decision price (positive: a cost). Of a backtest.
    fees
        Paid on entry and exit, in quote currency.
    ts_closed, exit_role, exit_price, pnl
        How the position ended (`STOP`, `TARGET`, `EXIT`), at which average price, and its result, fees included.
    stage
        The furthest of `STEPS`.
    ended
        Which step refused it: `policy`, `validation`, `filter`, `risk`, `rejected`, `cancelled`, `superseded`,
        `halted`; `vote` where it became the vote of an ensemble's member; empty where none did.
    reason
        Of the last step, in words.

    Examples
    --------
    >>> Decision(ts=1, instrument="A.B", strategy="Mine-B", stage="signal").pnl
    nan
    """

    ts: int
    instrument: str
    strategy: str
    signal_id: str = ""
    source: str = ""
    side: str = ""
    strength: float = _NAN
    entry: float = _NAN
    stop: float = _NAN
    target: float = _NAN
    decision_price: float = _NAN
    ts_validated: int = 0
    model_direction: int = 0
    confidence: float = _NAN
    expected_return_bps: float = _NAN
    blended: float = _NAN
    aligned: bool = False
    model_version: str = ""
    inference_ms: float = _NAN
    fallback: str = ""
    validation: str = ""
    filter: str = ""
    filter_reason: str = ""
    alert_trace_id: str = ""
    placed_stop: float = _NAN
    placed_target: float = _NAN
    weight: float = _NAN
    risk: str = ""
    risk_reason: str = ""
    order_id: str = ""
    ts_ordered: int = 0
    quantity: float = _NAN
    ts_filled: int = 0
    fill_price: float = _NAN
    filled: float = 0.0
    arrival_mid: float = _NAN
    slippage_bps: float = _NAN
    fees: float = 0.0
    ts_closed: int = 0
    exit_role: str = ""
    exit_price: float = _NAN
    pnl: float = _NAN
    stage: Stage
    ended: str = ""
    reason: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more can happen to it."""
        return self.ended != "" or self.stage == "closed"

    def reach(self, stage: Stage, reason: str = "") -> None:
        """Note that it came this far."""
        if STEPS.index(stage) > STEPS.index(self.stage):
            self.stage = stage
        self.reason = reason

    def end(self, by: str, reason: str) -> None:
        """Note that it goes no further, which step decided so, and why."""
        if not self.over:
            self.ended, self.reason = by, reason


class Journal:
    """The rows of one strategy, oldest first.

    Parameters
    ----------
    strategy, instrument
        Whose, about what.
    now
        Returns the time (ns).

    Examples
    --------
    >>> journal = Journal("Mine-B", "A.B", now=lambda: 7)
    >>> up = Signal(instrument_id="A.B", side="BUY", strength=0.7, entry=100.0, stop=98.0, target=103.0,
    ...             horizon_secs=0.0, ts_init=5, source="mine", signal_id="Mine-B-1")
    >>> journal.open(up, 100.0).reach("cleared")
    >>> journal.step(Step("Mine-B-1", "refused", "daily loss 2.1 % over 2 %"))
    >>> journal.table().select(["signal_id", "stage", "ended", "reason"]).to_pylist()
    [{'signal_id': 'Mine-B-1', 'stage': 'cleared', 'ended': 'risk', 'reason': 'daily loss 2.1 % over 2 %'}]
    """

    def __init__(self, strategy: str, instrument: str, now: Callable[[], int]) -> None:
        self.strategy = strategy
        self.instrument = instrument
        self.now = now
        self.rows: list[Decision] = []
        self._lives: dict[str, Decision] = {}

    def open(self, signal: Signal, price: float) -> Decision:
        """Begin the row of a signal."""
        row = Decision(
            ts=signal.ts_init,
            instrument=self.instrument,
            strategy=self.strategy,
            decision_price=price,
            stage="signal",
            **{name: getattr(signal, name) for name in _OF_SIGNAL},
        )
        self._take_up(row)
        return row

    def error(self, reason: str) -> None:
        """Add a row for an exception of the policy: there is no signal."""
        row = Decision(ts=self.now(), instrument=self.instrument, strategy=self.strategy, stage="error")
        row.ended, row.reason = "policy", reason
        self._append(row)

    def of(self, signal_id: str) -> Decision | None:
        """Return the row of a signal; None where it is not known, or was long ago."""
        return self._lives.get(signal_id)

    def validated(self, row: Decision, answer: ValidatedSignal) -> None:
        """Write down what the model said."""
        row.ts_validated = answer.ts_init
        row.model_direction, row.confidence = answer.model_direction, answer.confidence
        row.expected_return_bps, row.blended, row.aligned = answer.expected_return_bps, answer.blended, answer.aligned
        row.model_version, row.inference_ms, row.fallback = answer.model_version, answer.inference_ms, answer.fallback
        row.validation = answer.reason

    def step(self, step: Step) -> None:
        """Write down a step in the life of a signal; a signal that is not known is left out."""
        row = self._lives.get(step.signal_id)
        if row is None:
            return
        stage, reason, price, quantity, pnl = step[1:]
        if stage == "approved":
            row.ended, row.risk, row.risk_reason = "", "approved", reason
            row.reach("approved", reason)
        elif stage in ("submitted", "repriced"):
            row.ended, row.ts_ordered = "", self.now()
            row.quantity = row.quantity if quantity is None else quantity
            row.reach("ordered", reason or stage)
        elif stage == "filled":
            row.ended = ""
            row.reach("filled", reason)
        elif stage in _ROLES:
            row.ts_closed, row.exit_role = self.now(), _ROLES[stage]
            row.exit_price = row.exit_price if price is None else price
            row.pnl = row.pnl if pnl is None else pnl
            row.reach("closed", reason or _ROLES[stage].lower())
        elif stage in _ENDS:
            if stage == "refused":
                row.risk, row.risk_reason = "refused", reason
            if row.stage != "filled":  # the rest of a partly filled entry is cancelled too
                row.end(_ENDS[stage], reason or stage)

    def order(self, signal_id: str, client_order_id: str) -> None:
        """Note the entry order of a signal."""
        row = self._lives.get(signal_id)
        if row is not None:
            row.order_id = client_order_id

    def fill(self, signal_id: str, role: str, price: float, quantity: float, fee: float, ts_ns: int) -> None:
        """Note a fill of an order of a signal."""
        row = self._lives.get(signal_id)
        if row is None:
            return
        row.fees += fee
        if role != "ENTRY":
            return
        before = row.filled * row.fill_price if row.filled else 0.0
        row.ts_filled = row.ts_filled or ts_ns
        row.filled += quantity
        row.fill_price = (before + quantity * price) / row.filled
        direction = 1.0 if row.side == "BUY" else -1.0
        row.slippage_bps = direction * (row.fill_price - row.decision_price) / row.decision_price * 1e4
        row.reach("filled", row.reason)

    def table(self) -> pa.Table:
        """Return the rows in the columns of `Decision`, in order of time; times that did not happen are null."""
        return decision_table(self.rows)

    def save(self) -> list[Decision]:
        """Return the rows whose life goes on, for `load`."""
        return [row for row in self._lives.values() if not row.over]

    def load(self, rows: list[Decision]) -> None:
        """Go on with rows that `save` returned."""
        for row in rows:
            self._take_up(row)

    def _take_up(self, row: Decision) -> None:
        if len(self._lives) >= _LIVES:
            # A refused order may be tried again, so that what is over is not forgotten at once.
            self._lives = {name: life for name, life in self._lives.items() if not life.over}
        self._lives[row.signal_id] = row
        self._append(row)

    def _append(self, row: Decision) -> None:
        self.rows.append(row)
        if len(self.rows) > _KEPT + _KEPT // 10:  # a live strategy runs for months
            del self.rows[: len(self.rows) - _KEPT]


def decision_table(rows: list[Decision]) -> pa.Table:
    """Return rows in the columns of `Decision`.

    Examples
    --------
    >>> decision_table([]).schema.field("ts_filled").type
    TimestampType(timestamp[ns, tz=UTC])
    """
    columns = {}
    for field in msgspec.structs.fields(Decision):
        values = [getattr(row, field.name) for row in rows]
        if field.name == "ts" or field.name.startswith("ts_"):
            columns[field.name] = pa.array([value or None for value in values], _TIME)
        else:
            columns[field.name] = pa.array(values, _TYPES.get(field.type, pa.string()))
    return pa.table(columns)
