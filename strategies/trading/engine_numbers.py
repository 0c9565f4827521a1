"""The engine's fixed-point numbers as floats."""

from typing import Any, Final

from nautilus_trader.model import FIXED_PRECISION

_ONE: Final = 10**FIXED_PRECISION


def nearest(value: Any) -> float:
    """Return the float nearest to a `Price` or `Quantity`, so that `repr` shows its decimals.

    `float(price)` may miss it by one unit in the last place.

    Examples
    --------
    >>> from nautilus_trader.model import Price
    >>> float(Price.from_str("59969.00")), nearest(Price.from_str("59969.00"))
    (59968.99999999999, 59969.0)
    """
    return float(value.raw / _ONE)
