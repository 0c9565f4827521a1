"""How large a position may be: by the money at risk between entry and stop, or by a fixed notional."""

import math


def position_lots(
    *,
    equity: float,
    entry: float,
    stop: float,
    lot: float,
    risk_fraction: float,
    notional: float | None,
    max_leverage: float,
    min_lots: int = 1,
    min_notional: float = 0.0,
) -> int:
    """Return the size in lots, rounded down; 0 where the smallest order is too large or a price makes no sense.

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
    max_leverage
        Cap on entry * size / equity.
    min_lots, min_notional
        The venue's smallest order.

    Examples
    --------
    One percent of 10,000 at risk over a distance of 50 is a size of 2, capped at 100,000 of notional:

    >>> position_lots(equity=10_000, entry=60_000, stop=59_950, lot=0.001, risk_fraction=0.01, notional=None,
    ...               max_leverage=10)
    1666
    >>> position_lots(equity=10_000, entry=60_000, stop=59_000, lot=0.001, risk_fraction=0.01, notional=None,
    ...               max_leverage=10)
    100
    """
    if not (equity > 0.0 and entry > 0.0 and lot > 0.0 and math.isfinite(stop)):
        return 0
    distance = abs(entry - stop)
    if notional is None and not distance > 0.0:
        return 0
    wished = notional / entry if notional is not None else equity * risk_fraction / distance
    lots = math.floor(min(wished, equity * max_leverage / entry) / lot * (1.0 + 1e-12))
    return lots if lots >= max(1, min_lots) and lots * lot * entry >= min_notional else 0
