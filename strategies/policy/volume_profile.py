"""Volume Profile: what a close outside the value area of a rolling session means, rejection or acceptance.

References
----------
Dalton, Jones & Dalton (1990), Mind Over Markets: rejection at the edges of the value area, acceptance beyond them.
"""

from typing import Annotated, Final, Literal

import msgspec
import numpy as np
from msgspec import Meta

from fathom.data_catalog.messages.signals import Signal
from fathom.market.kernel import kernel
from fathom.strategies.policy.policy import Floats, MarketBar, Policy
from fathom.strategies.policy.price_profile import (
    CENTRE,
    COUNT,
    EXTREME,
    HIGH_EDGE,
    HIGH_NODE,
    LOW_EDGE,
    LOW_NODE,
    MEAN_VOLUME,
    POC,
    RANGE,
    RINGS,
    SIDE,
    STREAK,
    STREAK_VOLUME,
    WIDTH,
    Profile,
    fill,
    find_area,
    find_nodes,
    is_high_node,
    is_low_node,
)

_SESSION, _BINS, _SHARE, _THICK, _THIN, _ACCEPT, _VOLUME_RATIO, _BY_TIME = range(8)

REVERSION: Final = 1
BREAKOUT: Final = 2


@kernel
def step(state: Floats, params: Floats, high: float, low: float, close: float, volume: float) -> int:
    """Take one closed bar; return the side of the trade times `REVERSION` or `BREAKOUT`, 0 for no event.

    The profile is that of the `session` bars before: a bar is not measured against itself.
    """
    session, count = int(params[_SESSION]), int(params[_BINS])
    seen = int(state[COUNT])
    weight = 1.0 if params[_BY_TIME] > 0.0 else volume
    highs = state[RINGS : RINGS + session]
    lows = state[RINGS + session : RINGS + 2 * session]
    volumes = state[RINGS + 2 * session : RINGS + 3 * session]
    bins = state[RINGS + 3 * session : RINGS + 3 * session + count]
    event = 0
    if seen >= session:
        total = fill(state, highs, lows, volumes, bins)
        if total > 0.0 and state[WIDTH] > 0.0:
            find_area(state, bins, total, params[_SHARE], close)
            event = _take(state, params, bins, high, low, close, weight, total)
    at = seen % session
    highs[at], lows[at], volumes[at] = high, low, weight
    state[COUNT] = seen + 1
    return event


@kernel
def _take(
    state: Floats,
    params: Floats,
    bins: Floats,
    high: float,
    low: float,
    close: float,
    weight: float,
    total: float,
) -> int:
    before = state[SIDE]
    side = 1.0 if close > state[HIGH_EDGE] else -1.0 if close < state[LOW_EDGE] else 0.0
    event = 0
    if before > 0.0:
        state[EXTREME] = max(state[EXTREME], high)
    elif before < 0.0:
        state[EXTREME] = min(state[EXTREME], low)
    if side == 0.0:
        if before != 0.0 and state[STREAK] < params[_ACCEPT]:
            event = -int(before) * REVERSION
        state[SIDE] = state[STREAK] = state[STREAK_VOLUME] = 0.0
        return event
    if side != before:
        state[SIDE] = side
        state[STREAK] = state[STREAK_VOLUME] = 0.0
        state[EXTREME] = high if side > 0.0 else low
    state[STREAK] += 1.0
    state[STREAK_VOLUME] += weight
    least = params[_VOLUME_RATIO] * state[STREAK] * state[MEAN_VOLUME]
    if state[STREAK] == params[_ACCEPT] and state[STREAK_VOLUME] >= least:
        event = int(side) * BREAKOUT
        find_nodes(state, bins, params[_THICK], params[_THIN], side, close, total)
    return event


@kernel
def run(state: Floats, params: Floats, bars: Floats, out: Floats) -> None:
    """Take bars (n, 4) of high, low, close, volume; write rows of event, point of control, low edge, high edge.

    All but the event are NaN in the first `session` bars.
    """
    for i in range(len(bars)):
        out[i, 0] = step(state, params, bars[i, 0], bars[i, 1], bars[i, 2], bars[i, 3])
        known = state[COUNT] > params[_SESSION] and state[WIDTH] > 0.0
        out[i, 1] = state[POC] if known else np.nan
        out[i, 2] = state[LOW_EDGE] if known else np.nan
        out[i, 3] = state[HIGH_EDGE] if known else np.nan


class VolumeProfileParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `VolumeProfilePolicy`.

    Attributes
    ----------
    session, bins
        Bars of the rolling session; bins of its range (an even number).
    by
        `volume`, or `time`: each bar counts 1 (for bars of quotes, which have no volume).
    value_share
        Share of the volume inside the value area.
    high_node, low_node
        A bin is thick from `high_node` times the mean of all bins on, and thin up to `low_node` times.
    acceptance, volume_ratio, stop_ranges, extension, min_reward
        See `VolumeProfilePolicy`.
    reversion, breakout
        Whether each of the two is traded.
    """

    session: Annotated[int, Meta(ge=2)] = 240
    bins: Annotated[int, Meta(ge=4, le=1000, multiple_of=2)] = 40
    by: Literal["volume", "time"] = "volume"
    value_share: Annotated[float, Meta(gt=0, lt=1)] = 0.7
    high_node: Annotated[float, Meta(ge=1)] = 1.5
    low_node: Annotated[float, Meta(ge=0, le=1)] = 0.5
    acceptance: Annotated[int, Meta(ge=1)] = 3
    volume_ratio: Annotated[float, Meta(ge=0)] = 1.0
    stop_ranges: Annotated[float, Meta(ge=0)] = 1.0
    extension: Annotated[float, Meta(gt=0)] = 1.0
    min_reward: Annotated[float, Meta(ge=0)] = 1.0
    reversion: bool = True
    breakout: bool = True

    def __post_init__(self) -> None:
        if self.bins < 4 or self.bins % 2:
            raise ValueError(f"Expected an even number of bins, at least 4, was {self.bins}.")


_DEFAULTS: Final = VolumeProfileParameters()


class VolumeProfilePolicy(Policy):
    """Fade a failed excursion from the value area, and follow an accepted one.

    The volume of each of the last `session` bars is spread evenly over its range, into `bins` bins of the session's
    range. The value area grows from the fullest bin (the point of control) to the fuller neighbour until it holds
    `value_share` of the volume.

    - *Reversion*: the close was outside for fewer than `acceptance` bars and is inside again. Target: the point of
      control. Stop: `stop_ranges` mean bar ranges beyond the furthest price of the excursion.
    - *Breakout*: the close is outside for the `acceptance`-th time in a row, on at least `volume_ratio` times the mean
      volume. Stop: `stop_ranges` mean ranges behind the thin bin nearest to the edge (the edge, where none is). Target:
      `extension` value areas beyond the edge, or the nearest thick bin before that.

    Either is a signal only if its target is at least `min_reward` times as far as its stop.

    Warm-up: no signal in the first `session` bars.

    Parameters
    ----------
    instrument_id
        What the signals are about.
    parameters
        By default those of `VolumeProfileParameters`.

    Examples
    --------
    >>> short = VolumeProfileParameters(session=8, bins=8, volume_ratio=0.0, stop_ranges=0.5, min_reward=0.2)
    >>> policy = VolumeProfilePolicy("A.B", short)
    >>> closes = [100, 103, 97, 100, 99, 98, 99, 99, 102.5, 101]
    >>> bars = [MarketBar(c + 1.0, c - 1.0, c, 1.0, ts_init=i) for i, c in enumerate(closes)]
    >>> [(signal.side, signal.target) for signal in map(policy.decide, bars) if signal]
    [('SELL', 99.5)]
    """

    source = "volume_profile"

    def __init__(self, instrument_id: str, parameters: VolumeProfileParameters = _DEFAULTS) -> None:
        self.parameters = given = parameters
        nodes = (given.value_share, given.high_node, given.low_node)
        settings = (given.session, given.bins, *nodes, given.acceptance, given.volume_ratio, float(given.by == "time"))
        super().__init__(instrument_id, np.zeros(RINGS + 3 * given.session + given.bins), settings)

    @property
    def profile(self) -> Profile | None:
        """The profile that the last bar was measured against; None in the warm-up."""
        session, count = int(self.params[_SESSION]), int(self.params[_BINS])
        state = self.state
        if not (state[COUNT] > session and state[WIDTH] > 0.0):
            return None
        bins = state[RINGS + 3 * session :].copy()
        prices = state[CENTRE] + (np.arange(count) + 0.5 - count // 2) * state[WIDTH]
        mean = state[MEAN_VOLUME] * session / count
        thick = [k for k in range(count) if is_high_node(bins, k, self.params[_THICK] * mean)]
        thin = [k for k in range(count) if is_low_node(bins, k, self.params[_THIN] * mean)]
        edges = (float(state[POC]), float(state[LOW_EDGE]), float(state[HIGH_EDGE]))
        return Profile(prices, bins, *edges, prices[thick], prices[thin])

    def decide(self, bar: MarketBar) -> Signal | None:
        event = int(step(self.state, self.params, bar.high, bar.low, bar.close, bar.volume))
        if event == 0:
            return None
        side = 1 if event > 0 else -1
        state = self.state
        margin = self.parameters.stop_ranges * float(state[RANGE])
        if abs(event) == REVERSION:
            if not self.parameters.reversion:
                return None
            stop, target = float(state[EXTREME]) - side * margin, float(state[POC])
        else:
            if not self.parameters.breakout:
                return None
            edge = float(state[HIGH_EDGE] if side > 0 else state[LOW_EDGE])
            thin, thick = float(state[LOW_NODE]), float(state[HIGH_NODE])
            stop = (edge if np.isnan(thin) else thin) - side * margin
            target = edge + side * self.parameters.extension * float(state[HIGH_EDGE] - state[LOW_EDGE])
            if side * (target - thick) > 0.0:  # NaN: there is none
                target = thick
        risk, reward = side * (bar.close - stop), side * (target - bar.close)
        if risk <= 0.0 or reward < self.parameters.min_reward * risk or reward <= 0.0:
            return None
        strength = reward / (reward + risk)
        return self._signal(side, bar, strength=strength, stop=stop, target=target)
