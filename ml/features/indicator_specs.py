"""What each technical indicator is: name, unit, warm-up, definition and source, in the order of the values."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from fathom.ml.features.spec import FeatureSpec, bar_spec

ACCUMULATION: Final = 200
"""Bars over which OBV and A/D accumulate. A running sum since the start would depend on when the stream was joined."""

TRADED_PRICE: Final = 60
"""Bars of the rolling VWAP. A market that never closes has no session at which to begin."""

_WILDER = "Wilder 1978, New Concepts in Technical Trading Systems"
_BOLLINGER = "Bollinger 2001, Bollinger on Bollinger Bands"
_KELTNER = "Keltner 1960, How to Make Money in Commodities; with ATR after Raschke"
_HOSODA = "Hosoda 1969 (Ichimoku Kinko Hyo)"
_CHAIKIN = "Chaikin (Accumulation/Distribution, Money Flow), as in TA-Lib"
_FLAT = "no price moved in the bars it reads"
_IDLE = "nothing traded in the bars it reads"


_spec = partial(bar_spec, "indicators", stationary=False)


def _average(length: int) -> FeatureSpec:
    formula = f"mean of C over {length} bars"
    return _spec("trend", f"sma_{length}", "price", length, formula, "Simple moving average.", "TA-Lib SMA")


def _exponential(length: int) -> FeatureSpec:
    formula = f"E += (C - E) 2 / ({length} + 1), from the mean of the first {length} closes of the window"
    return _spec("trend", f"ema_{length}", "price", length, formula, "Exponential moving average.", "TA-Lib EMA")


def _strength(length: int) -> FeatureSpec:
    return _spec(
        "momentum",
        f"rsi_{length}",
        "percent",
        length + 1,
        f"100 G / (G + L), with G and L Wilder's averages over {length} of rises and falls of C",
        "Relative strength: 100 where only rises, 0 where only falls.",
        _WILDER,
        nan_rule="no close moved in the window",
        stationary=True,
    )


def _directional(name: str, sign: str) -> FeatureSpec:
    return _spec(
        "trend",
        name,
        "percent",
        15,
        f"100 times Wilder's sum over 14 of {sign} moves / Wilder's sum of the true range",
        f"Share of the range that moves {sign} reach beyond the bar before.",
        _WILDER,
        nan_rule=_FLAT,
        stationary=True,
    )


RAW: Final = (
    *(_average(length) for length in (10, 20, 50, 100, 200)),
    *(_exponential(length) for length in (10, 20, 50)),
    _spec("trend", "macd", "price", 34, "EMA(C, 12) - EMA(C, 26)", "Convergence of two averages.", "Appel 1979"),
    _spec("trend", "macd_signal", "price", 34, "EMA(macd, 9)", "Average of the MACD line.", "Appel 1979"),
    _spec("trend", "macd_histogram", "price", 34, "macd - macd_signal", "Turn of the MACD.", "Aspray 1986"),
    _spec(
        "trend",
        "adx",
        "percent",
        28,
        "Wilder's average over 14 of 100 |+DI - -DI| / (+DI + -DI)",
        "Strength of the trend, whatever its direction.",
        _WILDER,
        stationary=True,
    ),
    _directional("plus_di", "upward"),
    _directional("minus_di", "downward"),
    _strength(14),
    _strength(28),
    _spec(
        "momentum",
        "stochastic_k",
        "percent",
        16,
        "mean over 3 bars of 100 (C - L14) / (H14 - L14)",
        "Where the close lies in the range of 14 bars, smoothed (slow %K).",
        "Lane 1984",
        nan_rule="no price moved in 14 bars, at one of the bars it averages",
        stationary=True,
    ),
    _spec(
        "momentum",
        "stochastic_d",
        "percent",
        18,
        "mean of stochastic_k over 3 bars",
        "Signal line of the slow stochastic.",
        "Lane 1984",
        nan_rule="no price moved in 14 bars, at one of the bars it averages",
        stationary=True,
    ),
    _spec(
        "momentum",
        "williams_r",
        "percent",
        14,
        "-100 (H14 - C) / (H14 - L14)",
        "Where the close lies in the range of 14 bars, from -100 (low) to 0 (high).",
        "Williams 1973",
        nan_rule=_FLAT,
        stationary=True,
    ),
    _spec(
        "momentum",
        "cci",
        "-",
        20,
        "(P - mean P) / (0.015 mean |P - mean P|) over 20 bars, P = (H + L + C) / 3",
        "Distance from the mean in units of its usual size.",
        "Lambert 1980",
        nan_rule=_FLAT,
        stationary=True,
    ),
    _spec("momentum", "momentum_10", "price", 11, "C - C[10]", "Change over ten bars.", "TA-Lib MOM"),
    _spec("volatility", "bollinger_upper", "price", 20, "m + 2 s", "Upper Bollinger band.", _BOLLINGER),
    _spec("volatility", "bollinger_middle", "price", 20, "m = mean of C over 20 bars", "Middle band.", _BOLLINGER),
    _spec("volatility", "bollinger_lower", "price", 20, "m - 2 s", "Lower Bollinger band.", _BOLLINGER),
    _spec(
        "volatility",
        "bollinger_width",
        "bps",
        20,
        "10^4 (upper - lower) / middle",
        "Width of the bands; s is the population standard deviation of 20 closes.",
        _BOLLINGER,
        stationary=True,
    ),
    _spec(
        "volatility",
        "bollinger_pct",
        "-",
        20,
        "(C - lower) / (upper - lower)",
        "Where the close lies between the bands: 0 at the lower, 1 at the upper, beyond outside.",
        _BOLLINGER,
        nan_rule="20 equal closes",
        stationary=True,
    ),
    _spec("volatility", "atr_14", "price", 15, "Wilder's average over 14 of TR", "Average true range.", _WILDER),
    _spec("volatility", "keltner_upper", "price", 20, "EMA(C, 20) + 2 ATR(10)", "Upper Keltner band.", _KELTNER),
    _spec("volatility", "keltner_lower", "price", 20, "EMA(C, 20) - 2 ATR(10)", "Lower Keltner band.", _KELTNER),
    _spec(
        "volume",
        "obv",
        "base units",
        ACCUMULATION + 1,
        "sum over 200 bars of sign(C - C[1]) V",
        "On-balance volume, rolling.",
        "Granville 1963",
    ),
    _spec(
        "volume",
        "vwap",
        "price",
        TRADED_PRICE,
        "sum(price x size) / sum(size) of the trades of 60 bars",
        "Volume-weighted average price, rolling; of typical prices where bars from outside tell no turnover.",
        "Berkowitz, Logue and Noser 1988, doi:10.1111/j.1540-6261.1988.tb02591.x",
        nan_rule=_IDLE,
    ),
    _spec(
        "volume",
        "ad_line",
        "base units",
        ACCUMULATION,
        "sum over 200 bars of V ((C - L) - (H - C)) / (H - L); 0 for a bar without range",
        "Accumulation/distribution, rolling.",
        _CHAIKIN,
    ),
    _spec(
        "volume",
        "cmf",
        "-",
        20,
        "the sum of ad_line over 20 bars / sum of V over 20 bars",
        "Chaikin money flow in [-1, 1].",
        _CHAIKIN,
        nan_rule=_IDLE,
        stationary=True,
    ),
    _spec(
        "volume",
        "mfi",
        "percent",
        15,
        "100 U / (U + D), U and D the sums of P V over 14 bars where P = (H + L + C) / 3 rose and fell",
        "Money flow index. TA-Lib answers 0 where U + D < 1; here the size of the unit does not matter.",
        "Quong and Soudack 1989",
        nan_rule="nothing traded at a new typical price in 14 bars",
        stationary=True,
    ),
    _spec("trend", "parabolic_sar", "price", 2, "SAR, step 0.02, limit 0.2", "Stop and reverse level.", _WILDER),
    _spec(
        "trend",
        "supertrend",
        "price",
        11,
        "(H + L) / 2 -+ 3 ATR(10), moved only towards the price, until a close breaks through",
        "Trailing band: below the price in a rising trend, above it in a falling one.",
        "Seban 2007",
    ),
    _spec("ichimoku", "ichimoku_tenkan", "price", 9, "(H9 + L9) / 2", "Conversion line.", _HOSODA),
    _spec("ichimoku", "ichimoku_kijun", "price", 26, "(H26 + L26) / 2", "Base line.", _HOSODA),
    _spec(
        "ichimoku",
        "ichimoku_senkou_a",
        "price",
        52,
        "(tenkan + kijun) / 2 of 26 bars ago",
        "Leading span A as it is drawn at the current bar.",
        _HOSODA,
    ),
    _spec(
        "ichimoku",
        "ichimoku_senkou_b",
        "price",
        78,
        "(H52 + L52) / 2 of 26 bars ago",
        "Leading span B as it is drawn at the current bar.",
        _HOSODA,
    ),
    _spec(
        "ichimoku",
        "ichimoku_chikou",
        "price",
        27,
        "C[26]",
        "The price beside which the lagging line's newest point (the close) is drawn; no later price is read.",
        _HOSODA,
    ),
)
"""The 41 indicators of the list. X[k] is X of k bars ago; Hn and Ln are the extremes of n bars; EMA, ATR as above."""

_LEVELS: Final = (
    *(f"sma_{length}" for length in (10, 20, 50, 100, 200)),
    *(f"ema_{length}" for length in (10, 20, 50)),
    "bollinger_upper",
    "bollinger_lower",
    "keltner_upper",
    "keltner_lower",
    "vwap",
    "parabolic_sar",
    "supertrend",
    "ichimoku_tenkan",
    "ichimoku_kijun",
    "ichimoku_senkou_a",
    "ichimoku_senkou_b",
    "ichimoku_chikou",
)
_DIFFERENCES: Final = ("macd", "macd_signal", "macd_histogram", "momentum_10", "atr_14")
_SUMS: Final = ("obv", "ad_line")
_BY_NAME: Final = {spec.name: spec for spec in RAW}


def _stationary(name: str, suffix: str, unit: str, formula: str, text: str) -> FeatureSpec:
    raw = _BY_NAME[name]
    nan_rule = _IDLE if suffix == "share" else raw.nan_rule
    subgroup = raw.group.partition(".")[2]
    return _spec(
        subgroup,
        f"{name}_{suffix}",
        unit,
        raw.warm_up,
        formula,
        text,
        raw.source,
        nan_rule=nan_rule,
        stationary=True,
        of=name,
    )


STATIONARY: Final = (
    *(_stationary(n, "bps", "bps", f"10^4 ({n} / C - 1)", f"`{n}`, seen from the close.") for n in _LEVELS),
    *(_stationary(n, "bps", "bps", f"10^4 {n} / C", f"`{n}`, relative to the close.") for n in _DIFFERENCES),
    *(
        _stationary(n, "share", "-", f"{n} / sum of V over 200 bars", f"`{n}` as a share of the volume, in [-1, 1].")
        for n in _SUMS
    ),
)
"""The stationary form of each indicator that is a price, a difference of prices or a volume."""

SPECS: Final = (*RAW, *STATIONARY)
"""The indicator features, in the order in which `fathom.ml.features.indicators.indicator_values` writes them."""

NEUTRAL: Final[Mapping[str, float]] = {
    "rsi_14": 50.0,
    "rsi_28": 50.0,
    "stochastic_k": 50.0,
    "stochastic_d": 50.0,
    "williams_r": -50.0,
    "cci": 0.0,
    "plus_di": 0.0,
    "minus_di": 0.0,
    "bollinger_pct": 0.5,
    "cmf": 0.0,
    "mfi": 50.0,
    "vwap_bps": 0.0,
    "obv_share": 0.0,
    "ad_line_share": 0.0,
}
"""Values that say "nothing happened" where a feature is undefined after its warm-up (see `ml.features.filling`)."""
