"""Indicators against TA-Lib over the same window, and against published numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import talib
from numpy.typing import NDArray

from fathom.market import EVENT
from fathom.market.bar_rows import WINDOW
from fathom.ml.features import BAR, FeatureConfig, FeatureSet
from fathom.ml.features.indicators import NEUTRAL, RAW, SPECS, STATIONARY, indicator_values
from tests.makers import raw_books, trade_streams
from tests.makers.trade_streams import SECOND
from tests.twins import naive_bars

Array = NDArray[np.float64]
NAMES = [spec.name for spec in SPECS]

LIST = """
    sma_10 sma_20 sma_50 sma_100 sma_200 ema_10 ema_20 ema_50 macd macd_signal macd_histogram adx plus_di
    minus_di rsi_14 rsi_28 stochastic_k stochastic_d williams_r cci momentum_10 bollinger_upper
    bollinger_middle bollinger_lower bollinger_width bollinger_pct atr_14 keltner_upper keltner_lower obv
    vwap ad_line cmf mfi parabolic_sar supertrend ichimoku_tenkan ichimoku_kijun ichimoku_senkou_a
    ichimoku_senkou_b ichimoku_chikou
""".split()  # noqa: SIM905


class Bars:
    """Columns of a window, in ticks and lots."""

    def __init__(self, bars: list[naive_bars.Bar]) -> None:
        columns = [np.array(column) for column in zip(*bars, strict=True)]
        _, self.high, self.low, self.close, self.volume, self.turnover = columns

    def values(self) -> dict[str, float]:
        out = np.empty(len(SPECS))
        indicator_values(self.high, self.low, self.close, self.volume, self.turnover, out)
        return dict(zip(NAMES, out.tolist(), strict=True))


def _atr(b: Bars, length: int) -> Array:
    return np.asarray(talib.ATR(b.high, b.low, b.close, length))


def _bands(b: Bars) -> tuple[Array, Array, Array]:
    upper, middle, lower = talib.BBANDS(b.close, 20, 2, 2)
    return np.asarray(upper), np.asarray(middle), np.asarray(lower)


def _stochastic(b: Bars) -> tuple[Array, Array]:
    simple: Any = 0
    k, d = talib.STOCH(b.high, b.low, b.close, 14, 3, simple, 3, simple)
    return np.asarray(k), np.asarray(d)


def _obv(b: Bars) -> Array:
    total = talib.OBV(b.close[-201:], b.volume[-201:])
    return np.asarray(total - total[0])


ORACLE: dict[str, Callable[[Bars], Array]] = {
    **{f"sma_{n}": lambda b, n=n: talib.SMA(b.close, n) for n in (10, 20, 50, 100, 200)},  # type: ignore[misc]
    **{f"ema_{n}": lambda b, n=n: talib.EMA(b.close, n) for n in (10, 20, 50)},  # type: ignore[misc]
    "macd": lambda b: talib.MACD(b.close, 12, 26, 9)[0],
    "macd_signal": lambda b: talib.MACD(b.close, 12, 26, 9)[1],
    "macd_histogram": lambda b: talib.MACD(b.close, 12, 26, 9)[2],
    "adx": lambda b: talib.ADX(b.high, b.low, b.close, 14),
    "plus_di": lambda b: talib.PLUS_DI(b.high, b.low, b.close, 14),
    "minus_di": lambda b: talib.MINUS_DI(b.high, b.low, b.close, 14),
    "rsi_14": lambda b: talib.RSI(b.close, 14),
    "rsi_28": lambda b: talib.RSI(b.close, 28),
    "stochastic_k": lambda b: _stochastic(b)[0],
    "stochastic_d": lambda b: _stochastic(b)[1],
    "williams_r": lambda b: talib.WILLR(b.high, b.low, b.close, 14),
    "cci": lambda b: talib.CCI(b.high, b.low, b.close, 20),
    "momentum_10": lambda b: talib.MOM(b.close, 10),
    "bollinger_upper": lambda b: _bands(b)[0],
    "bollinger_middle": lambda b: _bands(b)[1],
    "bollinger_lower": lambda b: _bands(b)[2],
    "bollinger_width": lambda b: 1e4 * (_bands(b)[0] - _bands(b)[2]) / _bands(b)[1],
    "bollinger_pct": lambda b: (b.close - _bands(b)[2]) / (_bands(b)[0] - _bands(b)[2]),
    "atr_14": lambda b: _atr(b, 14),
    "keltner_upper": lambda b: talib.EMA(b.close, 20) + 2 * _atr(b, 10),
    "keltner_lower": lambda b: talib.EMA(b.close, 20) - 2 * _atr(b, 10),
    "obv": _obv,
    "ad_line": lambda b: talib.AD(b.high[-200:], b.low[-200:], b.close[-200:], b.volume[-200:]),
    "cmf": lambda b: talib.AD(*(x[-20:] for x in (b.high, b.low, b.close, b.volume))) / b.volume[-20:].sum(),
    "mfi": lambda b: talib.MFI(b.high, b.low, b.close, b.volume, 14),
    "parabolic_sar": lambda b: talib.SAR(b.high, b.low, 0.02, 0.2),
    "ichimoku_tenkan": lambda b: talib.MIDPRICE(b.high, b.low, 9),
    "ichimoku_kijun": lambda b: talib.MIDPRICE(b.high, b.low, 26),
    "ichimoku_senkou_a": lambda b: (talib.MIDPRICE(b.high, b.low, 9) + talib.MIDPRICE(b.high, b.low, 26))[:-26] / 2,
    "ichimoku_senkou_b": lambda b: talib.MIDPRICE(b.high, b.low, 52)[:-26],
}
NO_ORACLE = {"vwap", "supertrend", "ichimoku_chikou"}  # TA-Lib has none of these; their naive twins stand alone


@pytest.fixture(scope="module")
def markets() -> list[list[naive_bars.Bar]]:
    made = []
    for seed, count in ((1, 20_000), (2, 2_000)):
        rows = trade_streams.busy(seed, count)
        made.append(naive_bars.bars_before(rows, int(rows["ts_init"][-1]), SECOND))
    return made


def test_the_list_is_complete() -> None:
    assert [spec.name for spec in RAW] == LIST
    assert len(LIST) == 41
    assert set(ORACLE) | NO_ORACLE == set(LIST)


def test_what_is_not_stationary_has_a_stationary_form() -> None:
    forms = {spec.stationary_of for spec in STATIONARY}
    # The middle Bollinger band is the simple average of 20 closes, whose form it shares.
    assert {spec.name for spec in RAW if not spec.stationary} - forms == {"bollinger_middle"}
    assert all(spec.stationary for spec in STATIONARY)


def _compare(name: str, bars: Bars, got: float) -> bool:
    with np.errstate(invalid="ignore"):
        want = float(ORACLE[name](bars)[-1])
    if np.isnan(got):
        # Ours says nothing moved; TA-Lib counts that as 0 (in one of the bars of a stochastic, too), or 0 / 0.
        assert name in NEUTRAL
        assert want == 0.0 or np.isnan(want) or name.startswith("stochastic")
        return False
    scale = max(abs(want), bars.close[-1])
    assert got == pytest.approx(want, rel=1e-9, abs=1e-9 * scale)
    return True


@pytest.mark.parametrize("name", list(ORACLE))
def test_equals_talib_over_the_same_window(name: str, markets: list[list[naive_bars.Bar]]) -> None:
    compared = 0
    for bars in markets:
        for end in range(202, len(bars), 7):
            window = Bars(bars[max(0, end - WINDOW) : end])
            compared += _compare(name, window, window.values()[name])
    assert compared > 20


@pytest.mark.real_data
@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_equals_talib_on_a_recorded_market(symbol: str, real_data: Path) -> None:
    rows = raw_books.perp_trades(real_data, symbol)
    bars = naive_bars.bars_before(rows, int(rows["ts_init"][-1]), SECOND)
    for end in range(210, len(bars), 40):
        window = Bars(bars[max(0, end - WINDOW) : end])
        values = window.values()
        assert all(_compare(name, window, values[name]) for name in ORACLE)


@pytest.mark.real_data
def test_equals_talib_on_recorded_minute_bars(real_data: Path) -> None:
    table = pd.read_csv(real_data / "bars" / "btc-perp-20211231-20220201_1m.csv.gz", nrows=12_000)
    bars = np.zeros(len(table), BAR)
    for name in ("open", "high", "low", "close"):
        bars[name] = np.rint(10 * table[name])
    bars["volume"] = np.rint(1e4 * table["volume"])
    bars["turnover"] = np.nan
    bars["ts_init"] = pd.to_datetime(table["timestamp"]).astype("datetime64[ns]").astype(np.int64)
    config = FeatureConfig(groups=("indicators",), bars="outside", grid_ms=60_000, bar_ms=60_000)
    features = FeatureSet(config, price_increment=1.0, size_increment=1.0)
    _, values = features.update_many(np.zeros(0, EVENT), bars)
    for row in range(300, len(values), 391):
        # The vector of a grid time has the bars before it.
        window = Bars([naive_bars.Bar(*map(float, list(bar)[2:])) for bar in bars[row + 1 - WINDOW : row + 1]])
        assert all(_compare(name, window, values[row, NAMES.index(name)]) for name in ORACLE)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_first_value_comes_after_the_warm_up(spec: object, markets: list[list[naive_bars.Bar]]) -> None:
    name, warm_up = spec.name, spec.warm_up  # type: ignore[attr-defined]
    bars = markets[0]
    if warm_up > 1:
        assert np.isnan(Bars(bars[: warm_up - 1]).values()[name])
    assert not np.isnan(Bars(bars[:warm_up]).values()[name])


def test_a_market_that_does_not_move_is_undefined_not_oversold() -> None:
    flat = naive_bars.Bar(100.0, 100.0, 100.0, 100.0, 0.0, 0.0)
    values = Bars([flat] * WINDOW).values()
    undefined = {name for name, value in values.items() if np.isnan(value)}
    assert undefined == set(NEUTRAL) | {"vwap"}
    assert values["sma_200_bps"] == 0.0
    assert values["adx"] == 0.0


def test_wilder_rsi_as_published() -> None:
    # Wilder's worksheet as StockCharts' ChartSchool reprints it (cs-rsi.xls): 14 changes, RSI 70.53, then 66.32.
    prices = np.array(
        [
            *(44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245),
            *(45.8433, 46.0826, 45.8931, 46.0328, 45.6140, 46.2820, 46.2820, 46.0028),
        ]
    )
    for end, want in ((15, 70.53), (16, 66.32)):
        flat = prices[:end]
        bars = Bars([naive_bars.Bar(p, p, p, p, 1.0, p) for p in flat.tolist()])
        assert bars.values()["rsi_14"] == pytest.approx(want, abs=0.005)
