"""Volume Profile: profile, value area and events against the definition; what stops and targets are made of."""

import numpy as np
import pytest

from fathom.strategies.policy.policy import MarketBar
from fathom.strategies.policy.price_profile import HIGH_NODE, LOW_NODE, RANGE
from fathom.strategies.policy.volume_profile import VolumeProfileParameters, VolumeProfilePolicy, run
from tests.makers.market_bars import market_bars, rows, told, volume_profile
from tests.twins.naive_policies import profile_events, value_area


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("tick", [0.25, 1e-6])
def test_profile_and_events_are_those_of_the_definition(seed: int, tick: float) -> None:
    bars = np.ascontiguousarray(rows(seed, 260, tick)[:, :4])
    policy = volume_profile()
    got = np.empty((len(bars), 4))
    run(policy.state, policy.params, bars, got)
    listed = [tuple(row) for row in bars.tolist()]
    assert got[:, 0].tolist() == profile_events(listed, 40, 16, 0.7, 3, 0.5)
    assert {abs(event) for event in got[:, 0]} == {0.0, 1.0, 2.0}
    assert np.isnan(got[:40, 1:]).all()
    for at in range(40, len(bars)):
        area = value_area(listed[at - 40 : at], 16, 0.7, bars[at, 2])
        assert area is not None
        np.testing.assert_allclose(got[at, 1:], [area.control, area.bottom, area.top], rtol=1e-9)


def test_the_profile_holds_the_volume_of_the_session_and_its_area_the_share() -> None:
    policy = volume_profile()
    bars = market_bars(3, 120)
    for at, bar in enumerate(bars):
        policy.decide(bar)
        profile = policy.profile
        if at < 40:
            assert profile is None
            continue
        assert profile is not None
        total = sum(b.volume for b in bars[at - 40 : at])
        assert profile.volumes.sum() == pytest.approx(total)
        inside = (profile.prices > profile.low_edge) & (profile.prices < profile.high_edge)
        assert profile.volumes[inside].sum() >= 0.7 * total * (1 - 1e-12)
        assert profile.point_of_control in profile.prices[np.isclose(profile.volumes, profile.volumes.max())]
        assert set(profile.high_nodes) <= set(profile.prices)
        assert not set(profile.high_nodes) & set(profile.low_nodes)


def test_by_time_each_bar_counts_the_same() -> None:
    bars = market_bars(4, 300)
    quiet = [bar._replace(volume=0.0) for bar in bars]
    assert told(volume_profile(), quiet) == []
    timed = told(volume_profile(by="time"), quiet)
    assert timed == told(volume_profile(), [bar._replace(volume=1.0) for bar in bars])
    assert len(timed) >= 3


def test_a_reversion_aims_at_the_control_with_the_stop_beyond_the_excursion() -> None:
    policy = volume_profile(min_reward=0.0)
    bars = market_bars(5, 400)
    found = 0
    for at, bar in enumerate(bars):
        signal = policy.decide(bar)
        profile = policy.profile
        if signal is None or profile is None or signal.target != profile.point_of_control:
            continue
        if not profile.low_edge <= bar.close <= profile.high_edge:
            continue
        found += 1
        reach = np.mean([b.high - b.low for b in bars[at - 40 : at]])
        recent = bars[at - 3 : at + 1]
        furthest = [min(b.low for b in recent[-n:]) if signal.direction > 0 else max(b.high for b in recent[-n:])
                    for n in (2, 3, 4)]  # fmt: skip
        assert any(signal.stop == pytest.approx(price - signal.direction * reach) for price in furthest)
    assert found >= 3


def steady(policy: VolumeProfilePolicy, closes: list[float]) -> list[tuple[int, str, float, float]]:
    found: list[tuple[int, str, float, float]] = []
    for at, close in enumerate(closes):
        signal = policy.decide(MarketBar(close + 0.5, close - 0.5, close, 1.0, ts_init=at))
        if signal is not None:
            found.append((at, signal.side, signal.stop, signal.target))
    return found


def test_a_breakout_is_accepted_on_the_bar_that_completes_it_and_only_then() -> None:
    session = [100.0 + (i % 5) - 2.0 for i in range(40)]
    for accept in (2, 3):
        policy = volume_profile(acceptance=accept, min_reward=0.0)
        found = steady(policy, [*session, 104.0, 104.5, 105.0, 105.5])
        assert [(at, side) for at, side, *_ in found] == [(39 + accept, "BUY")]
        profile = policy.profile
        assert profile is not None
        at, _, stop, target = found[0]
        fresh = volume_profile(acceptance=accept, min_reward=0.0)
        steady(fresh, [*session, 104.0, 104.5, 105.0, 105.5][: at + 1])
        edges = fresh.profile
        assert edges is not None
        assert np.isnan(fresh.state[HIGH_NODE])  # nothing ever traded up there
        assert target == pytest.approx(2 * edges.high_edge - edges.low_edge)
        behind = edges.high_edge if np.isnan(fresh.state[LOW_NODE]) else fresh.state[LOW_NODE]
        assert stop == pytest.approx(behind - fresh.state[RANGE])


def test_a_thick_bin_on_the_way_is_the_target_and_a_thin_one_the_place_of_the_stop() -> None:
    # Most traded at 100, much at 104, little between them: the area holds both. Some traded at 112.
    session = [100.0] * 17 + [102.0] + [104.0] * 13 + [112.0] * 9
    policy = volume_profile(acceptance=2, min_reward=0.0, extension=5.0)
    ((_, side, stop, target),) = steady(policy, [*session, 106.0, 107.0])
    profile = policy.profile
    assert profile is not None
    assert side == "BUY"
    assert profile.low_edge < 100.0 < 104.0 < profile.high_edge
    assert target == min(price for price in profile.high_nodes if price > 107.0)
    assert 111.5 <= target <= 112.5
    thin = max(price for price in profile.low_nodes if profile.point_of_control < price < profile.high_edge)
    assert 101.0 < thin < 104.0
    assert stop == pytest.approx(thin - policy.state[RANGE])


def test_min_reward_only_removes() -> None:
    bars = market_bars(6, 500)
    free, strict = told(volume_profile(min_reward=0.0), bars), told(volume_profile(min_reward=1.0), bars)
    assert 0 < len(strict) < len(free)
    assert all(signal in free for signal in strict)
    assert all(abs(s.target - s.entry) >= s.risk for s in strict)


def test_an_odd_number_of_bins_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected an even number of bins, at least 4, was 7"):
        VolumeProfilePolicy(
            "A.B",
            VolumeProfileParameters(
                session=10,
                bins=7,
                by="volume",
                value_share=0.7,
                high_node=1.5,
                low_node=0.5,
                acceptance=3,
                volume_ratio=1.0,
                stop_ranges=1.0,
                extension=1.0,
                min_reward=1.0,
                reversion=True,
                breakout=True,
            ),
        )
