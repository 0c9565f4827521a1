"""Momentum: price, signed volume and order flow of the last bars, each in units of its own usual size."""

from typing import Annotated, Final

import msgspec
import numpy as np
from msgspec import Meta

from fathom.data_catalog.messages.signals import Signal
from fathom.market.kernel import kernel
from fathom.strategies.policy.policy import Floats, MarketBar, Policy

COUNT: Final = 0
CLOSE: Final = 1
SIDE: Final = 2
SCORE: Final = 3
PRICE: Final = 4
VOLUME: Final = 5
FLOW: Final = 6
DEVIATION: Final = 7
RINGS: Final = 8
"""Where the numbers lie in the state; from `RINGS` on, three rings of the last `window` increments."""

_LOOKBACK, _WINDOW, _PRICE_WEIGHT, _VOLUME_WEIGHT, _FLOW_WEIGHT, _LEAST, _AGAIN = range(7)


@kernel
def _sums(ring: Floats, lookback: int, count: int, known: Floats) -> float:
    # Sum of the last `lookback` increments, NaN where one is unknown; `known[0]` becomes their root mean square.
    window = len(ring)
    squares = 0.0
    n = 0
    for i in range(min(count, window)):
        if not np.isnan(ring[i]):
            squares += ring[i] * ring[i]
            n += 1
    known[0] = np.sqrt(squares / n) if n > 0 else 0.0
    total = 0.0
    for back in range(lookback):
        total += ring[(count - 1 - back) % window]
    return total


@kernel
def _score(total: float, size: float, lookback: int) -> float:
    # A random walk of the usual step has a standardised sum of variance 1.
    if np.isnan(total) or size <= 0.0:
        return 0.0
    return np.tanh(total / (size * np.sqrt(lookback)) / 2.0)  # type: ignore[no-any-return]


@kernel
def step(state: Floats, params: Floats, high: float, low: float, close: float, volume: float, flow: float) -> int:
    """Take one closed bar; return 1 or -1 on the bar whose score reaches the minimum on that side, else 0."""
    seen = int(state[COUNT])
    last = state[CLOSE]
    state[COUNT] = seen + 1
    state[CLOSE] = close
    if seen == 0:
        return 0
    lookback, window = int(params[_LOOKBACK]), int(params[_WINDOW])
    move = close - last
    reach = max(high, last) - min(low, last)
    at = (seen - 1) % window
    prices = state[RINGS : RINGS + window]
    volumes = state[RINGS + window : RINGS + 2 * window]
    flows = state[RINGS + 2 * window : RINGS + 3 * window]
    prices[at] = move
    volumes[at] = volume * (move / reach) if reach > 0.0 else 0.0
    flows[at] = flow
    if seen < window:
        return 0
    size = state[DEVIATION : DEVIATION + 1]
    total = _sums(volumes, lookback, seen, size)
    state[VOLUME] = _score(total, size[0], lookback)
    total = _sums(flows, lookback, seen, size)
    state[FLOW] = _score(total, size[0], lookback)
    total = _sums(prices, lookback, seen, size)  # last: its size stays as the deviation of a bar
    state[PRICE] = _score(total, size[0], lookback)
    score = (
        params[_PRICE_WEIGHT] * state[PRICE]
        + params[_VOLUME_WEIGHT] * state[VOLUME]
        + params[_FLOW_WEIGHT] * state[FLOW]
    )
    state[SCORE] = score
    side = 1.0 if score > 0.0 else -1.0
    if abs(score) >= params[_LEAST]:
        if side != state[SIDE]:
            state[SIDE] = side
            return int(side)
    elif abs(score) < params[_LEAST] * params[_AGAIN]:
        state[SIDE] = 0.0
    return 0


@kernel
def run(state: Floats, params: Floats, bars: Floats, out: Floats) -> None:
    """Take bars (n, 5) of high, low, close, volume, flow; write rows of side, score, its three parts, deviation.

    All but the side are NaN in the warm-up.
    """
    for i in range(len(bars)):
        out[i, 0] = step(state, params, bars[i, 0], bars[i, 1], bars[i, 2], bars[i, 3], bars[i, 4])
        warm = state[COUNT] > params[_WINDOW]
        for j in range(5):
            out[i, 1 + j] = state[SCORE + j] if warm else np.nan


class MomentumParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `MomentumPolicy`.

    Attributes
    ----------
    lookback, window
        Bars over which momentum is measured, and over which its usual size is.
    price_weight, volume_weight, flow_weight
        Weights of the parts, 1 in sum.
    min_score
        Smallest absolute score of a signal.
    entry_deviations, stop_deviations, target_deviations
        The entry lies so far before the close (0: at it), stop and target so far from the entry.
    """

    lookback: Annotated[int, Meta(ge=1)] = 10
    window: Annotated[int, Meta(ge=2)] = 60
    price_weight: Annotated[float, Meta(ge=0, le=1)] = 0.4
    volume_weight: Annotated[float, Meta(ge=0, le=1)] = 0.3
    flow_weight: Annotated[float, Meta(ge=0, le=1)] = 0.3
    min_score: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    entry_deviations: Annotated[float, Meta(ge=0)] = 0.0
    stop_deviations: Annotated[float, Meta(gt=0)] = 1.0
    target_deviations: Annotated[float, Meta(gt=0)] = 2.0

    def __post_init__(self) -> None:
        total = self.price_weight + self.volume_weight + self.flow_weight
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"Expected price_weight + volume_weight + flow_weight = 1, was {total:g}")
        if self.lookback > self.window:
            raise ValueError(f"Expected lookback up to window, was {self.lookback} over {self.window}")


_DEFAULTS: Final = MomentumParameters()


class MomentumPolicy(Policy):
    """Follow a move that price, volume and order flow agree on.

    Each part is the sum of the last `lookback` increments over what such a sum usually is: the root mean square of the
    last `window` increments times sqrt(lookback). An increment is the change of the close; volume times that change
    over the true range; the order-flow imbalance. tanh(z / 2) brings each into -1 to 1, and the score is their weighted
    sum. Its sign gives the side. A part that is not known (no book, no trades) counts 0: it cannot be made up for.

    A signal comes with the bar whose score reaches `min_score`; the same side again only after the score was below half
    of it. Entry, stop and target are distances in the deviation of a `lookback`, so that they grow with volatility.

    Warm-up: no signal in the first `window` bars.

    Parameters
    ----------
    instrument_id
        What the signals are about.
    parameters
        By default those of `MomentumParameters`.

    Examples
    --------
    >>> policy = MomentumPolicy("A.B", MomentumParameters(lookback=3, window=6))
    >>> closes = [100, 101, 100, 101, 100, 101, 100, 102, 105, 107]
    >>> bars = [MarketBar(c + 0.5, c - 0.5, c, 1.0, ts_init=i, flow=c - 101.0) for i, c in enumerate(closes)]
    >>> [signal.side for signal in map(policy.decide, bars) if signal]
    ['BUY']
    """

    source = "momentum"

    def __init__(self, instrument_id: str, parameters: MomentumParameters = _DEFAULTS) -> None:
        self.parameters = parameters
        weights = (parameters.price_weight, parameters.volume_weight, parameters.flow_weight)
        settings = (parameters.lookback, parameters.window, *weights, parameters.min_score, 0.5)
        super().__init__(instrument_id, np.zeros(RINGS + 3 * parameters.window), settings)

    @property
    def score(self) -> float:
        """The last score, -1 to 1; 0 in the warm-up."""
        return float(self.state[SCORE])

    def decide(self, bar: MarketBar) -> Signal | None:
        side = int(step(self.state, self.params, bar.high, bar.low, bar.close, bar.volume, bar.flow))
        scale = float(self.state[DEVIATION]) * self.parameters.lookback**0.5
        if side == 0 or scale <= 0.0:
            return None
        entry = bar.close - side * self.parameters.entry_deviations * scale
        return self._signal(
            side,
            bar,
            strength=abs(self.score),
            entry=entry,
            stop=entry - side * self.parameters.stop_deviations * scale,
            target=entry + side * self.parameters.target_deviations * scale,
        )
