"""Candles and indicators as one group of a feature set: both read the same window of closed bars."""

from collections.abc import Mapping
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from fathom.market.bar_rows import (
    CLOSED,
    END,
    HELD,
    INTERVAL,
    add_bars,
    add_trades,
    close_until,
    new_clock,
    new_columns,
)
from fathom.market.kernel_cache import cached
from fathom.ml.features import candles, indicators
from fathom.ml.features.config import FeatureConfig
from fathom.ml.features.group import Group
from fathom.ml.features.micro_price import MicroPriceTable
from fathom.ml.features.spec import FeatureSpec
from fathom.settings.times import MS

SPECS: Final = (*candles.SPECS, *indicators.SPECS)
VERSIONS: Final[Mapping[str, int]] = {"candles": 1, "indicators": 1}

_CANDLES = len(candles.SPECS)


@cached
def _refresh(columns, clock, seen, scale, values):  # type: ignore[no-untyped-def]
    if seen[0] == clock[CLOSED]:
        return
    seen[0] = clock[CLOSED]
    end = clock[END]
    start = end - clock[HELD]
    open_ = columns[0, start:end]
    high = columns[1, start:end]
    low = columns[2, start:end]
    close = columns[3, start:end]
    volume = columns[4, start:end]
    turnover = columns[5, start:end]
    candles.candle_values(open_, high, low, close, volume, values[:_CANDLES])
    indicators.indicator_values(high, low, close, volume, turnover, values[_CANDLES:])
    for i in range(len(values)):
        values[i] *= scale[i]


@cached
def _sample(columns, clock, forming, seen, scale, values, ts_ns, out):  # type: ignore[no-untyped-def]
    close_until(columns, clock, forming, ts_ns)
    _refresh(columns, clock, seen, scale, values)
    out[:] = values


@cached
def _run(columns, clock, forming, seen, scale, values, rows, times, cuts, out):  # type: ignore[no-untyped-def]
    done = 0
    for i in range(len(times)):
        add_trades(columns, clock, forming, rows, done, cuts[i])
        done = cuts[i]
        _sample(columns, clock, forming, seen, scale, values, times[i], out[i])
    add_trades(columns, clock, forming, rows, done, len(rows))


@cached
def _run_bars(columns, clock, seen, scale, values, bars, times, cuts, out):  # type: ignore[no-untyped-def]
    done = 0
    for i in range(len(times)):
        add_bars(columns, clock, bars, done, cuts[i])
        done = cuts[i]
        _refresh(columns, clock, seen, scale, values)
        out[i] = values
    add_bars(columns, clock, bars, done, len(bars))


class BarGroup(Group):
    """Compute the candle features and the indicators of one instrument.

    The bars are built from the trades among the rows, by event time: a bar of ``interval_ns`` holds the trades with
    ``ts_init`` in [start, end) of its interval and is closed for every grid time T >= end, whether or not anything has
    happened since. Intervals without a trade give bars without volume at the last close; before the first trade there
    is no bar. Values change once per closed bar, never per tick.

    With ``outside=True`` trades are ignored and closed bars come from `absorb_bars` instead.

    Parameters
    ----------
    price_increment : float
        Price of one tick.
    size_increment : float
        Size of one lot.
    interval_ns : int
        Length of a bar.
    outside : bool
        Whether closed bars come from outside.

    Examples
    --------
    >>> from fathom.market import EVENT, Kind
    >>> trades = np.zeros(3, EVENT)
    >>> trades["kind"] = Kind.TRADE
    >>> trades["ts_init"] = [100, 900, 2500]
    >>> trades["price"] = [50, 60, 70]
    >>> trades["size"] = 2
    >>> group = BarGroup(price_increment=0.5, size_increment=0.1, interval_ns=1000)
    >>> group.absorb(trades)
    >>> out = np.empty(len(group.specs))
    >>> group.sample(3000, out)
    >>> dict(zip([spec.name for spec in group.specs[:5]], out[:5].tolist()))
    {'open': 35.0, 'high': 35.0, 'low': 35.0, 'close': 35.0, 'volume': 0.2}
    """

    specs: tuple[FeatureSpec, ...] = SPECS
    versions: Mapping[str, int] = VERSIONS
    neutral: Mapping[str, float] = {**candles.NEUTRAL, **indicators.NEUTRAL}
    alike: Mapping[tuple[str, str], str] = {
        ("returns", "log_returns"): "They differ by half their square: 5e-9 for a move of 1 bps. Both are on the list.",
        ("returns", "close_open_diff"): "A busy market opens a bar where the last one closed; a quiet one does not.",
        ("log_returns", "close_open_diff"): "As `returns` and `close_open_diff`.",
    }
    reads_book = False

    @classmethod
    def of(
        cls,
        config: FeatureConfig,
        *,
        price_increment: float,
        size_increment: float,
        micro_price: MicroPriceTable | None = None,
    ) -> Self:
        return cls(
            price_increment=price_increment,
            size_increment=size_increment,
            interval_ns=config.bar_ms * MS,
            outside=config.bars == "outside",
        )

    @classmethod
    def settings(cls, config: FeatureConfig) -> Mapping[str, int | float | str]:
        return {"bar_ms": config.bar_ms, "bars": config.bars}

    def __init__(
        self, *, price_increment: float, size_increment: float, interval_ns: int, outside: bool = False
    ) -> None:
        if interval_ns <= 0:
            raise ValueError(f"Expected a bar length above 0 ns, was {interval_ns}")
        if not (price_increment > 0.0 and size_increment > 0.0):
            raise ValueError(f"Expected increments above 0, were {price_increment} (price) and {size_increment} (size)")
        self.outside = outside
        self._columns = new_columns()
        self._clock = new_clock(interval_ns)
        self._forming = np.zeros(6)
        self._seen = np.full(1, -1, np.int64)
        self._values = np.full(len(SPECS), np.nan)
        increments = {"price": price_increment, "base units": size_increment}
        self._scale = np.array([increments.get(spec.unit, 1.0) for spec in SPECS])

    @property
    def bars_closed(self) -> int:
        """Bars closed so far, those without trades included."""
        return int(self._clock[CLOSED])

    def absorb(self, rows: NDArray[np.void]) -> None:
        if not self.outside:
            add_trades(self._columns, self._clock, self._forming, rows, 0, len(rows))

    def absorb_bars(self, bars: NDArray[np.void]) -> None:
        """Take closed bars (`fathom.market.bar_rows.BAR`) from outside.

        Raises
        ------
        ValueError
            Where the group builds its bars from trades.
        """
        if not self.outside:
            raise ValueError('Expected no bars, as they are built from trades here; set bars = "outside" to feed them')
        add_bars(self._columns, self._clock, bars, 0, len(bars))

    def sample(self, ts_ns: int, out: NDArray[np.float64]) -> None:
        if self.outside:
            _refresh(self._columns, self._clock, self._seen, self._scale, self._values)
            out[:] = self._values
        else:
            _sample(self._columns, self._clock, self._forming, self._seen, self._scale, self._values, ts_ns, out)

    def run(
        self,
        rows: NDArray[np.void],
        times: NDArray[np.int64],
        cuts: NDArray[np.int64],
        out: NDArray[np.float64],
    ) -> None:
        if self.outside:
            rows, cuts = rows[:0], np.zeros_like(cuts)
        state = (self._columns, self._clock, self._forming, self._seen, self._scale, self._values)
        _run(*state, rows, times, cuts, out)

    def run_bars(
        self,
        bars: NDArray[np.void],
        times: NDArray[np.int64],
        cuts: NDArray[np.int64],
        out: NDArray[np.float64],
    ) -> None:
        """Do what `run` does with closed bars from outside: row i of `out` is sampled after ``bars[:cuts[i]]``."""
        state = (self._columns, self._clock, self._seen, self._scale, self._values)
        _run_bars(*state, bars, times, cuts, out)

    def snapshot(self) -> dict[str, NDArray[Any]]:
        held, end = int(self._clock[HELD]), int(self._clock[END])
        clock = self._clock.copy()
        clock[END] = held
        return {
            "bars": self._columns[:, end - held : end].copy(),
            "clock": clock,
            "forming": self._forming.copy(),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        clock, bars = state["clock"], state["bars"]
        if clock[INTERVAL] != self._clock[INTERVAL]:
            raise ValueError(
                f"Expected a state with bars of {self._clock[INTERVAL]} ns, was {clock[INTERVAL]} ns: "
                "restore it into a set with the same bar_ms"
            )
        self._clock[:] = clock
        self._columns[:] = 0.0
        self._columns[:, : bars.shape[1]] = bars
        self._forming[:] = state["forming"]
        self._seen[0] = -1
