"""Candle features by hand, and what they are when there is nothing to see."""

import math

import numpy as np
import pytest

from fathom.ml.features.candles import NEUTRAL, SPECS, candle_values

LIST = """
    open high low close volume returns log_returns high_low_range close_open_diff upper_shadow lower_shadow
    body_size realized_volatility parkinson_volatility garman_klass_volatility volume_ma_ratio
    volume_change_rate price_volume_trend doji_strength hammer_strength
""".split()  # noqa: SIM905


def values(*bars: tuple[float, float, float, float, float]) -> dict[str, float]:
    columns = [np.array(column, np.float64) for column in zip(*bars, strict=True)]
    out = np.empty(len(SPECS))
    candle_values(columns[0], columns[1], columns[2], columns[3], columns[4], out)
    return dict(zip(LIST, out.tolist(), strict=True))


def test_the_list_is_complete() -> None:
    assert [spec.name for spec in SPECS] == LIST
    assert len(LIST) == 20


def test_one_bar_by_hand() -> None:
    found = values((100.0, 110.0, 96.0, 104.0, 8.0))
    want = {
        "open": 100.0,
        "high": 110.0,
        "low": 96.0,
        "close": 104.0,
        "volume": 8.0,
        "high_low_range": 1e4 * 14 / 104,
        "close_open_diff": 1e4 * 4 / 104,
        "upper_shadow": 1e4 * 6 / 104,
        "lower_shadow": 1e4 * 4 / 104,
        "body_size": 1e4 * 4 / 104,
        "doji_strength": 1 - 4 / 14,
        "hammer_strength": (4 - 6) / 14,
    }
    assert {name: found[name] for name in want} == pytest.approx(want)
    assert all(math.isnan(found[name]) for name in set(LIST) - set(want))


def test_two_bars_by_hand() -> None:
    found = values((100.0, 100.0, 100.0, 100.0, 3.0), (100.0, 102.0, 100.0, 102.0, 1.0))
    assert found["returns"] == pytest.approx(0.02)
    assert found["log_returns"] == pytest.approx(math.log(1.02))
    assert found["volume_change_rate"] == -0.5
    assert found["hammer_strength"] == 0.0
    assert found["doji_strength"] == 0.0


@pytest.mark.parametrize(("o", "h", "low", "c", "sign"), [(10, 10, 5, 10, 1), (10, 15, 10, 10, -1)])
def test_a_hammer_and_a_shooting_star(o: float, h: float, low: float, c: float, sign: float) -> None:
    found = values((o, h, low, c, 1.0))
    assert found["hammer_strength"] == sign
    assert found["doji_strength"] == 1.0


def test_volatilities_of_a_random_walk_agree() -> None:
    rng = np.random.default_rng(11)
    estimates = []
    for _ in range(300):
        path = np.cumsum(rng.normal(0.0, 1e-5, (21, 3_600)).ravel()).reshape(21, 3_600)
        before = np.concatenate([[0.0], path[:-1, -1]])
        whole = 1e5 * np.exp(np.column_stack([before, path]))
        bars = [(x[0], x.max(), x.min(), x[-1], 1.0) for x in whole]
        found = values(*bars)
        estimates.append([found[f"{name}_volatility"] for name in ("realized", "parkinson", "garman_klass")])
    mean = np.mean(np.square(estimates), axis=0)
    want = 3_600 * 1e-10 * 1e8
    # Ranges of 3,600 discrete steps are a few per cent too short.
    np.testing.assert_allclose(np.sqrt(mean / want), 1.0, atol=0.05)
    spread = np.std(np.square(estimates), axis=0)
    assert spread[1] < spread[0] / 1.8  # Parkinson: 4.9 times as efficient
    assert spread[2] < spread[1]  # Garman and Klass: 7.4 times


def test_bars_without_trades_have_prices_but_no_shape() -> None:
    found = values(*[(100.0, 100.0, 100.0, 100.0, 0.0)] * 25)
    undefined = {name for name, value in found.items() if math.isnan(value)}
    assert undefined == set(NEUTRAL)
    assert found["realized_volatility"] == 0.0


def test_no_bar_no_value() -> None:
    out = np.zeros(len(SPECS))
    none = np.zeros(0)
    candle_values(none, none, none, none, none, out)
    assert np.isnan(out).all()
