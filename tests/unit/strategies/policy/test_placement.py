"""Stops behind levels and targets before them: the same for both sides, and never through the entry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathom.data_catalog.messages.signals import Side, Signal
from fathom.strategies.policy.placement import PlacementConfig, place

BOTH = PlacementConfig(stops=True, targets=True, margin_bps=10.0)


def signal(side: Side = "BUY", stop: float = 2.0, target: float = 4.0) -> Signal:
    sign = 1 if side == "BUY" else -1
    return Signal(
        instrument_id="A.B",
        side=side,
        strength=0.5,
        entry=100.0,
        stop=100.0 - sign * stop,
        target=100.0 + sign * target,
        horizon_secs=0.0,
        ts_init=0,
        source="test",
    )


def test_nothing_moves_unless_configured_or_without_levels() -> None:
    levels = [(98.5, 1.0)], [(103.0, 1.0)]
    assert place(signal(), *levels, PlacementConfig()) == (98.0, 104.0, "")
    assert place(signal(), [], [], BOTH) == (98.0, 104.0, "")
    assert place(signal(), *levels, PlacementConfig(stops=True)).target == 104.0
    assert place(signal(), *levels, PlacementConfig(targets=True)).stop == 98.0


def test_a_level_out_of_reach_moves_nothing() -> None:
    assert place(signal(), [(99.5, 1.0), (96.0, 1.0)], [(101.0, 1.0), (106.0, 1.0)], BOTH) == (98.0, 104.0, "")


def test_a_weak_level_moves_nothing() -> None:
    strict = PlacementConfig(stops=True, least_strength=0.5)
    assert place(signal(), [(98.5, 0.4)], [], strict).stop == 98.0
    assert place(signal(), [(98.5, 0.5)], [], strict).stop < 98.5


def test_the_target_goes_before_the_first_level_and_never_farther() -> None:
    found = place(signal(), [], [(103.5, 1.0), (102.5, 1.0), (104.5, 1.0)], BOTH)
    assert found.target == pytest.approx(102.5 * 0.999)
    assert place(signal(), [], [(105.0, 1.0)], BOTH).target == 104.0


LEVELS = st.lists(st.tuples(st.floats(90.0, 110.0), st.floats(0.0, 1.0)), max_size=6)


@given(LEVELS, st.floats(0.1, 5.0), st.floats(0.1, 8.0))
def test_both_sides_are_mirror_images_and_the_order_of_prices_holds(
    levels: list[tuple[float, float]], stop: float, target: float
) -> None:
    below = [level for level in levels if level[0] < 100.0]
    above = [level for level in levels if level[0] > 100.0]
    config = PlacementConfig(stops=True, targets=True, margin_bps=0.0)
    found = place(signal("BUY", stop, target), below, above, config)
    assert found.stop < 100.0 < found.target
    assert 0.5 * stop - 1e-9 <= 100.0 - found.stop <= 1.5 * stop + 1e-9
    assert 0.5 * target - 1e-9 <= found.target - 100.0 <= target + 1e-9
    supports, resistances = ([(200.0 - price, strength) for price, strength in zone] for zone in (above, below))
    mirrored = place(signal("SELL", stop, target), supports, resistances, config)
    assert mirrored.stop == pytest.approx(200.0 - found.stop, abs=1e-6)
    assert mirrored.target == pytest.approx(200.0 - found.target, abs=1e-6)
