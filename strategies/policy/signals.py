"""What a policy says: a signal, in plain numbers, without the engine."""

from typing import Literal

import msgspec

type Side = Literal["BUY", "SELL"]


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """An opinion about one instrument, with the prices at which it is right or wrong.

    Attributes
    ----------
    instrument_id
        The engine's id as text.
    side
        `BUY` or `SELL`.
    strength
        Conviction, 0 to 1.
    entry, stop, target
        Prices: on which the decision was taken, where it is given up, where the profit is taken.
    horizon_secs
        For how long the opinion holds; 0 where the policy does not say.
    ts_init
        When it was formed (ns).
    source
        The policy's name.

    Examples
    --------
    >>> up = Signal(instrument_id="BTCUSDT-LINEAR.BYBIT", side="BUY", strength=0.7, entry=100.0, stop=98.0,
    ...             target=103.0, horizon_secs=0.0, ts_init=0, source="supertrend")
    >>> up.direction, up.risk
    (1, 2.0)
    """

    instrument_id: str
    side: Side
    strength: float
    entry: float
    stop: float
    target: float
    horizon_secs: float
    ts_init: int
    source: str

    @property
    def direction(self) -> int:
        """1 for `BUY`, -1 for `SELL`."""
        return 1 if self.side == "BUY" else -1

    @property
    def risk(self) -> float:
        """Loss per unit of size at the stop, in quote currency."""
        return abs(self.entry - self.stop)
