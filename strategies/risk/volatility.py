"""The volatility of a price that is looked at now and then, as an exponentially weighted mean of squared returns."""

import math
from typing import Final

import msgspec

from fathom.settings.times import SECOND

_DAY_SECS: Final = 86_400.0


class Volatility(msgspec.Struct, kw_only=True):
    """Squared log returns per second, weighted down by half every `half_life_secs` of their age.

    Looks less than `step_ns` after the last one are left out, so that the bounce between bid and ask weighs little.
    The weights are those of RiskMetrics (1996, section 5.2) in continuous time, divided by their sum.

    Attributes
    ----------
    half_life_secs, step_ns
        Parameters.
    first, last
        Times of the first and the last look (ns).
    price
        At the last look.
    rate
        Weighted sum of the squared returns per second.

    Examples
    --------
    >>> volatility = Volatility(half_life_secs=2.0, step_ns=1)
    >>> for second, price in enumerate([100.0, 101.0, 100.0, 101.0]):
    ...     volatility.look(second * 10**9, price)
    >>> round(volatility.daily, 3), round(0.00995 * 86_400**0.5, 3)
    (2.925, 2.925)
    """

    half_life_secs: float
    step_ns: int
    first: int = -1
    last: int = -1
    price: float = math.nan
    rate: float = 0.0

    def look(self, now: int, price: float) -> None:
        """Take the price at a time; one that is no positive number is ignored."""
        if not (price > 0.0 and math.isfinite(price)):
            return
        if self.first < 0:
            self.first = self.last = now
            self.price = price
            return
        if now - self.last < max(1, self.step_ns):
            return
        secs = (now - self.last) / SECOND
        weight = 1.0 - 0.5 ** (secs / self.half_life_secs)
        self.rate += weight * (math.log(price / self.price) ** 2 / secs - self.rate)
        self.last, self.price = now, price

    @property
    def daily(self) -> float:
        """Standard deviation of the return over a day; NaN until one half-life was seen."""
        secs = (self.last - self.first) / SECOND
        if secs < self.half_life_secs:
            return math.nan
        return math.sqrt(self.rate / (1.0 - 0.5 ** (secs / self.half_life_secs)) * _DAY_SECS)
