"""The twenty candle features: what the last closed bars look like, alone and beside the bars before."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Final

from fathom.market.kernel_cache import cached
from fathom.ml.features.bar_kernels.averages import mean
from fathom.ml.features.bar_kernels.oscillators import ratio
from fathom.ml.features.bar_kernels.shapes import garman_klass, parkinson, realized, weighted_return
from fathom.ml.features.spec import bar_spec

BARS: Final = 20
"""Bars over which volatilities, the mean volume and the price-volume trend look back."""

_NISON = "Nison 1991, Japanese Candlestick Charting Techniques"


_spec = partial(bar_spec, "candles", stationary=True)

SPECS: Final = (
    _spec("bar", "open", "price", 1, "O", "First price of the last closed bar.", stationary=False),
    _spec("bar", "high", "price", 1, "H", "Highest price of the last closed bar.", stationary=False),
    _spec("bar", "low", "price", 1, "L", "Lowest price of the last closed bar.", stationary=False),
    _spec("bar", "close", "price", 1, "C", "Last price of the last closed bar.", stationary=False),
    _spec("bar", "volume", "base units", 1, "V", "Traded volume of the last closed bar.", stationary=False),
    _spec("return", "returns", "-", 2, "C / C[1] - 1", "Simple return over one bar.", of="close"),
    _spec("return", "log_returns", "-", 2, "ln(C / C[1])", "Logarithmic return over one bar; adds up over time."),
    _spec("shape", "high_low_range", "bps", 1, "10^4 (H - L) / C", "Range of the bar, relative to its close."),
    _spec("shape", "close_open_diff", "bps", 1, "10^4 (C - O) / C", "Signed body, relative to the close.", of="open"),
    _spec("shape", "upper_shadow", "bps", 1, "10^4 (H - max(O, C)) / C", "Reach above the body.", of="high"),
    _spec("shape", "lower_shadow", "bps", 1, "10^4 (min(O, C) - L) / C", "Reach below the body.", of="low"),
    _spec("shape", "body_size", "bps", 1, "10^4 |C - O| / C", "Size of the body, relative to the close."),
    _spec(
        "volatility",
        "realized_volatility",
        "bps per bar",
        BARS + 1,
        "10^4 sqrt(mean of ln(C / C[1])^2 over 20 bars)",
        "Realised volatility from closes; the mean return is taken as zero.",
        source="Andersen, Bollerslev, Diebold and Labys 2003, doi:10.1111/1468-0262.00418",
    ),
    _spec(
        "volatility",
        "parkinson_volatility",
        "bps per bar",
        BARS,
        "10^4 sqrt(mean of ln(H / L)^2 over 20 bars / (4 ln 2))",
        "Volatility from ranges: about five times as efficient as from closes, too low where prices are few.",
        source="Parkinson 1980, doi:10.1086/296071",
    ),
    _spec(
        "volatility",
        "garman_klass_volatility",
        "bps per bar",
        BARS,
        "10^4 sqrt(mean of (ln(H / L)^2 / 2 - (2 ln 2 - 1) ln(C / O)^2) over 20 bars)",
        "Volatility from ranges and bodies (their practical estimator, without the gap between bars).",
        source="Garman and Klass 1980, doi:10.1086/296072",
    ),
    _spec(
        "volume",
        "volume_ma_ratio",
        "-",
        BARS,
        "V / mean(V over 20 bars)",
        "Volume of the bar relative to the usual.",
        nan_rule="nothing traded in 20 bars",
        of="volume",
    ),
    _spec(
        "volume",
        "volume_change_rate",
        "-",
        2,
        "(V - V[1]) / (V + V[1])",
        "Change of volume in [-1, 1]. The usual (V - V[1]) / V[1] has no value after a bar without trades.",
        nan_rule="nothing traded in two bars",
    ),
    _spec(
        "volume",
        "price_volume_trend",
        "bps",
        BARS + 1,
        "10^4 sum(V (C / C[1] - 1)) / sum(V) over 20 bars",
        "Price-volume trend, bounded: the usual running sum depends on where it began.",
        nan_rule="nothing traded in 20 bars",
    ),
    _spec(
        "pattern",
        "doji_strength",
        "-",
        1,
        "1 - |C - O| / (H - L)",
        "1 where the bar closes at its open in spite of a range, 0 where the body fills the range.",
        source=_NISON,
        nan_rule="the bar has no range",
    ),
    _spec(
        "pattern",
        "hammer_strength",
        "-",
        1,
        "(lower shadow - upper shadow) / (H - L)",
        "1 for a hammer (all the range lies below the body), -1 for a shooting star.",
        source=_NISON,
        nan_rule="the bar has no range",
    ),
)
"""The candle features, in the order in which `candle_values` writes them. X[1] is X of the bar before."""

NEUTRAL: Final[Mapping[str, float]] = {
    "volume_ma_ratio": 0.0,
    "volume_change_rate": 0.0,
    "price_volume_trend": 0.0,
    "doji_strength": 0.0,
    "hammer_strength": 0.0,
}
"""Values that say "nothing happened" where a feature is undefined after its warm-up (see `ml.features.filling`)."""


@cached
def candle_values(open_, high, low, close, volume, out):  # type: ignore[no-untyped-def]
    """Write the candle features of the window of closed bars (oldest first) into `out`, in the order of `SPECS`.

    The window holds ticks and lots; what `SPECS` states in units of price or volume is written in ticks or lots.
    """
    out[:] = math.nan
    if len(close) == 0:
        return
    o, h, l, c, v = open_[-1], high[-1], low[-1], close[-1], volume[-1]  # noqa: E741
    bps = 1e4 / c
    reach = h - l
    upper = h - max(o, c)
    lower = min(o, c) - l
    out[0] = o
    out[1] = h
    out[2] = l
    out[3] = c
    out[4] = v
    out[7] = reach * bps
    out[8] = (c - o) * bps
    out[9] = upper * bps
    out[10] = lower * bps
    out[11] = abs(c - o) * bps
    out[12] = 1e4 * realized(close, BARS)
    out[13] = 1e4 * parkinson(high, low, BARS)
    out[14] = 1e4 * garman_klass(open_, high, low, close, BARS)
    out[15] = ratio(v, mean(volume, BARS))
    out[17] = 1e4 * weighted_return(close, volume, BARS)
    if reach > 0.0:
        out[18] = 1.0 - abs(c - o) / reach
        out[19] = (lower - upper) / reach
    if len(close) > 1:
        out[5] = c / close[-2] - 1.0
        out[6] = math.log(c / close[-2])
        out[16] = ratio(v - volume[-2], v + volume[-2])
