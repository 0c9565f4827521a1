import numpy as np
import pytest

from fathom.detectors import Bar, DetectorError, FlatMarket, FlatMarketConfig, Regime, bars_of


def test_bars_default_to_the_close() -> None:
    bars = bars_of(np.array([1.0, 2.0]))
    assert bars[:, :4].tolist() == [[1, 1, 1, 0], [2, 2, 2, 0]]
    assert np.isnan(bars[:, 4:]).all()


@pytest.mark.parametrize(
    "bar", [Bar(1.0, 2.0, 1.0), Bar(1.0, 1.0, float("nan")), Bar(1.0, 1.0, 1.0, volume=float("inf"))]
)
def test_a_bar_without_a_price_is_refused_and_changes_nothing(bar: Bar) -> None:
    detector = FlatMarket()
    detector.update(Bar(3.0, 2.0, 2.5))
    before = detector.snapshot()["state"]
    with pytest.raises(DetectorError, match="Expected finite prices and volume with high >= low, was"):
        detector.update(bar)
    assert np.array_equal(detector.snapshot()["state"], before)


def test_bars_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(DetectorError, match=r"Expected bars of shape \(n, 8\), was \(3, 4\)"):
        Regime().update_many(np.zeros((3, 4)))


def test_a_snapshot_of_other_settings_is_refused() -> None:
    with pytest.raises(DetectorError, match="Expected the snapshot of a FlatMarket with the same settings"):
        FlatMarket(FlatMarketConfig(window=30)).restore(FlatMarket().snapshot())
    with pytest.raises(DetectorError, match="same settings"):
        FlatMarket(FlatMarketConfig(enter=0.6)).restore(FlatMarket().snapshot())
