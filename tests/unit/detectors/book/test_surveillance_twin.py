"""`Surveillance` against a plain-Python twin: every withdrawn order it weighs, and all evidence against it."""

from pathlib import Path

import numpy as np
import pytest

from fathom.data_catalog.simulation.injection.simulated import simulated
from fathom.data_catalog.simulation.loading import load_scenario
from fathom.detectors import LayeringConfig, SpoofingConfig, Surveillance, SurveillanceConfig
from fathom.detectors.book.evidence import SPOOFING
from fathom.market.events import Side
from tests.makers.random_market import random_market
from tests.makers.raw_books import perp_events
from tests.twins.naive_surveillance import NaiveWatch


def config(percentile: float, depth: int) -> SurveillanceConfig:
    return SurveillanceConfig(
        depth=depth,
        spoofing=SpoofingConfig(size_percentile=percentile, min_distance_ticks=0),
        layering=LayeringConfig(size_percentile=percentile - 5),
    )


def assert_twin_agrees(rows: np.ndarray, settings: SurveillanceConfig, least: int) -> NaiveWatch:
    watch = Surveillance(settings, keep_candidates=True)
    watch.update(rows)
    log, evidence = watch.candidates()
    mine = log["kind"] == 1
    log, evidence = log[mine], evidence[mine]
    twin = NaiveWatch(settings).read(rows)
    assert len(twin.found) >= least
    told = []
    for found in twin.found:
        o = found.order
        side, price = (Side.BUY, -o.key) if o.side == 0 else (Side.SELL, o.key)
        low = max(0, o.removed_after - o.placed)
        high = max(low, o.removed - o.placed_after)
        told.append((found.message, side, price, o.lots, o.placed, o.removed, low, high))
    columns = ["message", "side", "price_low", "lots", "placed", "removed", "life_low", "life_high"]
    np.testing.assert_array_equal(np.column_stack([log[column] for column in columns]), np.array(told))
    for k, name in enumerate(SPOOFING):
        want = [found.evidence[name] for found in twin.found]
        np.testing.assert_allclose(evidence[:, k], want, rtol=1e-7, atol=1e-7, err_msg=name)
    return twin


@pytest.mark.parametrize(("seed", "depth"), [(31, 0), (32, 8)])
def test_random_markets(seed: int, depth: int) -> None:
    rows = random_market(seed, seconds=150, depth=depth, message_ms=(20, 120))
    twin = assert_twin_agrees(rows, config(40.0, depth), least=100)
    orders = [order for order in twin.orders if order is not None]
    # The markets must have led into every corner of the bookkeeping.
    assert any(order.retail for order in orders)
    assert any(order.explained_late for order in orders)
    assert any(order.scrolled for order in orders) == (depth > 0)
    assert any(found.evidence["moved"] for found in twin.found)
    assert any(found.evidence["twins"] for found in twin.found)
    assert any(found.evidence["same_size"] for found in twin.found)


def test_a_simulated_market_with_manipulation(project: Path) -> None:
    scenario = load_scenario(project / "configs" / "simulation" / "manipulated.toml")
    rows = simulated(scenario, 0, seed=41, secs=30.0).rows
    assert_twin_agrees(rows, config(90.0, scenario.feed.depth), least=20)


@pytest.mark.real_data
@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_recorded_perpetuals(real_data: Path, symbol: str) -> None:
    assert_twin_agrees(perp_events(real_data, symbol)[:30_000], config(90.0, 0), least=100)
