"""The laws of the policies, bitwise: loop = run, prefix = prefix, restored = never stopped, mirrored = mirrored."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fathom.market.saved_arrays import pack_all, unpack_all
from fathom.strategies.policy import momentum, order_flow, sar_wave, volume_profile
from fathom.strategies.policy.policy import Policy
from tests.makers.market_bars import (
    POLICIES,
    market_bars,
    mirrored,
    rows,
    told,
)
from tests.makers.market_bars import momentum as make_momentum
from tests.makers.market_bars import sar_wave as make_sar_wave
from tests.makers.market_bars import volume_profile as make_volume_profile

MakePolicy = Callable[[], Policy]
KERNELS: tuple[tuple[Any, MakePolicy, int, int], ...] = (
    (momentum, make_momentum, 5, 6),
    (sar_wave, make_sar_wave, 3, 5),
    (volume_profile, make_volume_profile, 4, 4),
)
NAMES = ["momentum", "sar_wave", "volume_profile"]


@pytest.mark.parametrize(("kernel", "make", "fields", "columns"), KERNELS, ids=NAMES)
def test_a_loop_of_steps_is_a_run_in_any_chunks(kernel: Any, make: MakePolicy, fields: int, columns: int) -> None:
    bars = np.ascontiguousarray(rows(31, 400)[:, :fields])
    whole, policy = np.empty((len(bars), columns)), make()
    kernel.run(policy.state, policy.params, bars, whole)
    one = make()
    events = [kernel.step(one.state, one.params, *bar) for bar in bars.tolist()]
    np.testing.assert_array_equal(whole[:, 0], events)
    assert one.state.tobytes() == policy.state.tobytes()
    assert np.count_nonzero(events) >= 5
    chunked, parts = make(), np.empty_like(whole)
    for first, end in ((0, 1), (1, 150), (150, 151), (151, 400)):
        kernel.run(chunked.state, chunked.params, bars[first:end], parts[first:end])
    assert parts.tobytes() == whole.tobytes()


@pytest.mark.parametrize(("kernel", "make", "fields", "columns"), KERNELS, ids=NAMES)
def test_a_prefix_of_bars_gives_a_prefix_of_rows(kernel: Any, make: MakePolicy, fields: int, columns: int) -> None:
    bars = np.ascontiguousarray(rows(32, 300)[:, :fields])
    whole, policy = np.empty((len(bars), columns)), make()
    kernel.run(policy.state, policy.params, bars, whole)
    for k in (1, 41, 150, 299):
        part, policy = np.empty((k, columns)), make()
        kernel.run(policy.state, policy.params, bars[:k], part)
        assert part.tobytes() == whole[:k].tobytes()


@pytest.mark.parametrize("make", POLICIES)
def test_a_policy_restored_in_mid_stream_goes_on_the_same(make: MakePolicy) -> None:
    bars = market_bars(33, 300)
    policy = make()
    expected = [policy.decide(bar) for bar in bars]
    assert sum(signal is not None for signal in expected) >= 3
    policy = make()
    for at, bar in enumerate(bars):  # at any point: a restart between any two bars
        fresh = make()
        fresh.restore(unpack_all(pack_all(policy.snapshot())))
        policy = fresh
        assert policy.decide(bar) == expected[at]


@pytest.mark.parametrize("make", POLICIES)
@pytest.mark.parametrize("seed", [34, 35, 36])
def test_negated_prices_give_mirrored_signals(make: MakePolicy, seed: int) -> None:
    bars = market_bars(seed, 600)
    there, here = told(make(), mirrored(bars)), told(make(), bars)
    assert len(here) >= 3
    assert {signal.side for signal in here} == {"BUY", "SELL"}
    assert [(-s.direction, s.strength, -s.entry, -s.stop, -s.target, s.ts_init) for s in there] == [
        (s.direction, s.strength, s.entry, s.stop, s.target, s.ts_init) for s in here
    ]


def test_a_snapshot_of_other_settings_is_refused() -> None:
    other = make_sar_wave()
    other.params[0] = 0.03
    with pytest.raises(ValueError, match="Expected the snapshot of a SarWavePolicy with the same settings"):
        make_sar_wave().restore(other.snapshot())


def quotes(seed: int, count: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    bid = 100.0 + 0.5 * np.cumsum(rng.integers(-1, 2, count))
    ask = bid + 0.5 * rng.integers(1, 3, count)
    return np.column_stack([bid, rng.integers(0, 9, count), ask, rng.integers(0, 9, count)]).astype(np.float64)


def test_the_flow_of_mirrored_quotes_is_the_flow_turned_around() -> None:
    rows_ = quotes(37, 500)
    cuts = np.array([0, 3, 3, 100, 401], np.float64)
    flows, turned = np.empty(5), np.empty(5)
    order_flow.run(order_flow.OrderFlow().state, rows_, cuts, flows)
    mirror = np.ascontiguousarray(np.column_stack([-rows_[:, 2], rows_[:, 3], -rows_[:, 0], rows_[:, 1]]))
    order_flow.run(order_flow.OrderFlow().state, mirror, cuts, turned)
    np.testing.assert_array_equal(turned, -flows)
    online, taken = order_flow.OrderFlow(), list[float]()
    for at in range(len(rows_) + 1):
        taken += [online.take() for _ in range(int(np.count_nonzero(cuts == at)))]
        if at < len(rows_):
            online.update(*rows_[at])
            again = order_flow.OrderFlow()
            again.restore(online.snapshot())
            online = again
    np.testing.assert_array_equal(taken, flows)
