"""How large a position may be: by the money at risk between entry and stop or by a fixed notional, within caps."""

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

_ROUNDING: Final = 1.0 + 1e-12


class Size(NamedTuple):
    """A size in lots, and what bounds it: `wish` or the name of a cap; 0 lots where nothing may be sent.

    Examples
    --------
    >>> Size(3, "max_notional").lots
    3
    """

    lots: int
    bound: str


def sized(
    *,
    equity: float,
    entry: float,
    stop: float,
    lot: float,
    risk_fraction: float,
    notional: float | None,
    scale: float = 1.0,
    caps: Mapping[str, float] | None = None,
    min_lots: int = 1,
    min_notional: float = 0.0,
    multiplier: float = 1.0,
) -> Size:
    """Return the largest whole number of lots within the wish and every cap, and which of them binds.

    Parameters
    ----------
    equity
        The account, in quote currency.
    entry, stop
        Prices.
    lot
        Size increment, in base currency.
    risk_fraction
        Share of the equity that is lost at the stop, before fees and slippage.
    notional
        If given, the size in quote currency, instead of by risk.
    scale
        The wish is multiplied by it, such as by a confidence from 0 to 1; caps are not.
    caps
        Name -> largest size in base currency. A NaN or negative cap allows nothing.
    min_lots, min_notional
        The venue's smallest order: below it the size is 0, and `bound` says what made it so small.
    multiplier
        Value of one unit of size per unit of price.

    Examples
    --------
    >>> sized(equity=10_000, entry=100.0, stop=99.0, lot=0.1, risk_fraction=0.01, notional=None,
    ...       caps={"max_notional": 5_000 / 100.0})
    Size(lots=500, bound='max_notional')
    >>> sized(equity=10_000, entry=100.0, stop=99.0, lot=0.1, risk_fraction=0.01, notional=None, scale=0.25)
    Size(lots=250, bound='wish')
    """
    if not (equity > 0.0 and entry > 0.0 and lot > 0.0 and math.isfinite(stop)):
        return Size(0, "wish")
    distance = abs(entry - stop)
    if notional is None and not distance > 0.0:
        return Size(0, "wish")
    wished = notional / (entry * multiplier) if notional is not None else equity * risk_fraction / distance / multiplier
    size, bound = wished * scale, "wish"
    for name, cap in (caps or {}).items():
        if not cap >= size:
            size, bound = (max(0.0, cap)), name
    if not size > 0.0:
        return Size(0, bound)
    lots = math.floor(size / lot * _ROUNDING)
    large = lots >= max(1, min_lots) and lots * lot * entry * multiplier >= min_notional
    return Size(lots if large else 0, bound)
