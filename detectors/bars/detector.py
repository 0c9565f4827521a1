"""Bars as the bar detectors read them, and the driver that all bar detectors share."""

import copy
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, ClassVar, Final, NamedTuple, Protocol, Self, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.detectors.errors import DetectorError

FloatArray = NDArray[np.float64]

HIGH: Final = 0
LOW: Final = 1
CLOSE: Final = 2
VOLUME: Final = 3
BID_WALL: Final = 4
BID_WALL_RATIO: Final = 5
ASK_WALL: Final = 6
ASK_WALL_RATIO: Final = 7
BAR_FIELDS: Final = 8


class Bar(NamedTuple):
    """One closed bar: a span of time, or the sampled mid (high = low = close), in any unit of price.

    Parameters
    ----------
    high, low, close : float
        Highest, lowest and last price.
    volume : float
        Traded volume, in any unit that stays the same.
    bid_wall, ask_wall : float
        Price of the largest resting size near the touch of each side at the close; NaN where it is not known.
    bid_wall_ratio, ask_wall_ratio : float
        That size over the mean size of the levels around it; NaN where it is not known.

    Examples
    --------
    >>> Bar(high=101.0, low=99.0, close=100.5).volume
    0.0
    """

    high: float
    low: float
    close: float
    volume: float = 0.0
    bid_wall: float = float("nan")
    bid_wall_ratio: float = float("nan")
    ask_wall: float = float("nan")
    ask_wall_ratio: float = float("nan")


def bars_of(close: FloatArray, high: FloatArray | None = None, low: FloatArray | None = None) -> FloatArray:
    """Return rows of bars, shape (n, 8), from arrays of prices; high and low default to the close."""
    close = np.asarray(close, dtype=np.float64)
    bars = np.full((len(close), BAR_FIELDS), np.nan)
    bars[:, HIGH] = close if high is None else high
    bars[:, LOW] = close if low is None else low
    bars[:, CLOSE] = close
    bars[:, VOLUME] = 0.0
    return bars


class Run(Protocol):
    """Continue from `state` over rows of bars and write one row of readings for each."""

    def __call__(self, state: FloatArray, params: FloatArray, bars: FloatArray, out: FloatArray) -> None: ...


class WatchSettings(Protocol):
    """The settings of a `detectors.MarketWatch`, as a detector reads them."""

    @property
    def nearest(self) -> int: ...

    @property
    def level_step(self) -> float: ...

    def settings_of(self, detector: type["BarDetector[Any]"]) -> Any:
        """Return the `Config` of a detector."""


class BarDetector[Reading]:
    """A detector over closed bars: one compiled recurrence, driven bar by bar or many bars at once.

    Not used by itself: `Regime`, `FlatMarket`, `ElliottWave` and `SupportResistance` are the detectors.

    Attributes
    ----------
    columns : tuple of str
        Names of the numbers in a row of `update_many`.
    name : str
        Of the detector in a `MarketWatch`; and of the table and the topic of its news.
    Config : type
        Its settings, a msgspec structure: the one argument of the constructor.
    News : type
        What it publishes when that has changed: a named tuple of numbers, flags and texts. The reading by default.
    message : str or None
        "module:Class" of the message that carries the news. By default one is made of the fields of `News`; with None
        nothing is published.

    Examples
    --------
    One of your own (decorate `run` with `fathom.market.kernel_cache.cached`, and it is fast):

    >>> class Highest(NamedTuple):
    ...     price: float
    >>> def run(state, params, bars, out):
    ...     for i in range(len(bars)):
    ...         state[0] = out[i, 0] = max(state[0], bars[i, HIGH])
    >>> class HighestPrice(BarDetector[Highest]):
    ...     name, columns, News = "highest", ("price",), Highest
    ...     def __init__(self, config=None):
    ...         super().__init__(np.zeros(1), np.zeros(0), run, lambda values: Highest(*values))
    >>> HighestPrice().update(Bar(high=101.0, low=99.0, close=100.5))
    Highest(price=101.0)
    """

    columns: tuple[str, ...] = ()
    name: ClassVar[str] = ""
    Config: ClassVar[type[msgspec.Struct]]
    News: ClassVar[type[Any]]
    message: ClassVar[str | None] = ""

    def __init__(self, state: FloatArray, params: FloatArray, run: Run, read: Callable[[list[float]], Reading]) -> None:
        self._state = state
        self._params = params
        self._run = run
        self._read = read
        self._one = np.empty((1, BAR_FIELDS))
        self._out = np.empty((1, len(self.columns)))

    @classmethod
    def watching(cls, settings: WatchSettings) -> Self:
        """Return the detector of a `MarketWatch` with these settings."""
        make: Any = cls
        return cast(Self, make(settings.settings_of(cls)))

    def news(self, bar: Bar, readings: Mapping[str, Any]) -> Any:
        """Return the `News` after a bar, by the readings of all detectors by their names; None for nothing to say."""
        return readings[self.name]

    def changed(self, old: Any, new: Any) -> bool:
        """Tell whether news differs from what was published last, which is None at first."""
        return old is None or any(a != b and (a == a or b == b) for a, b in zip(old, new, strict=True))

    def update(self, bar: Bar) -> Reading:
        """Take the next closed bar and return what the detector now holds to be true."""
        self._one[0] = bar
        if not (all(map(isfinite, bar[: VOLUME + 1])) and bar.high >= bar.low):
            self.check(self._one)
        return self.take(self._one)

    def take(self, bar: FloatArray) -> Reading:
        """Take one bar of shape (1, 8) that is known to hold finite prices, high >= low; as `update` but unchecked."""
        self._run(self._state, self._params, bar, self._out)
        return self._read(self._out[0].tolist())

    def update_many(self, bars: FloatArray) -> FloatArray:
        """Take bars of shape (n, 8), fields in the order of `Bar`, and return readings of shape (n, columns)."""
        bars = np.ascontiguousarray(bars, dtype=np.float64)
        if bars.ndim != 2 or bars.shape[1] != BAR_FIELDS:
            raise DetectorError(f"Expected bars of shape (n, {BAR_FIELDS}), was {bars.shape}. Build them with bars_of.")
        self.check(bars)
        out = np.empty((len(bars), len(self.columns)))
        self._run(self._state, self._params, bars, out)
        return out

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return a copy of the whole state."""
        return {"state": self._state.copy(), "params": self._params.copy()}

    def restore(self, snapshot: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a `snapshot` of a detector with the same settings."""
        state, params = (np.asarray(snapshot[name], dtype=np.float64) for name in ("state", "params"))
        if state.shape != self._state.shape or not np.array_equal(params, self._params):
            raise DetectorError(
                f"Expected the snapshot of a {type(self).__name__} with the same settings, was another. "
                "Restore it into a detector built from the configuration that was saved, or start afresh."
            )
        self._state[:] = state

    def copy(self) -> "BarDetector[Reading]":
        """Return an independent detector in the same state."""
        return copy.deepcopy(self)

    @staticmethod
    def check(bars: FloatArray) -> None:
        """Raise a `DetectorError` where bars of shape (n, 8) lack finite prices and volume with high >= low."""
        prices = bars[:, : VOLUME + 1]
        bad = ~np.isfinite(prices).all(axis=1) | (prices[:, HIGH] < prices[:, LOW])
        if bad.any():
            row = int(bad.argmax())
            raise DetectorError(
                f"Expected finite prices and volume with high >= low, was {prices[row].tolist()} in bar {row}. "
                "Leave out bars without a price."
            )
