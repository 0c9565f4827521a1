"""The account on the grid, where several strategies hold one instrument: equity by the balance and by the fills."""

import numpy as np
import pytest
from numpy.typing import NDArray

from fathom.backtests.account import depths
from fathom.backtests.account.equity import Curve, trace
from fathom.backtests.account.ledger import keep
from fathom.backtests.account.marks import Marks
from fathom.backtests.account.performance import figures
from fathom.backtests.account.periods import fitting_period
from fathom.backtests.engine.records import Fill, Records
from fathom.backtests.errors import RunError
from tests.unit.backtests.account.test_books import fill


def of(strategy: str, made: Fill) -> Fill:
    return made._replace(order=made.order._replace(strategy_id=strategy))


def traced(fills: list[Fill], balances: list[tuple[int, float]], marks: list[float]) -> Curve:
    grid = np.arange(len(marks), dtype=np.int64)
    records = Records([], fills, [], balances)
    mark = np.array(marks)
    priced = Marks(grid, mark, mark, mark)
    return trace(grid, records, keep(records, {"O-1": np.nan}, {"X": 1.0}), {"X": priced}, {"X": 1.0}, 1e-8)


def test_strategies_of_opposite_positions_are_flat_together_and_keep_what_lies_between_their_prices() -> None:
    fills = [
        of("A", fill(1, "BUY", 0.3, 100.0)),
        of("B", fill(2, "BUY", 0.1, 104.0)),
        of("C", fill(3, "SELL", 0.4, 110.0)),
        of("C", fill(5, "BUY", 0.4, 120.0)),
    ]
    curve = traced(fills, [(0, 1_000.0), (5, 996.0)], [100.0, 101.0, 104.0, 110.0, 115.0, 120.0])
    assert curve.holdings["X"].position.tolist() == [0.0, 0.3, 0.4, 0.0, 0.0, 0.4]
    assert curve.columns["net_exposure"][3:5].tolist() == [0.0, 0.0]
    assert curve.columns["unrealized"].round(9).tolist() == [0.0, 0.3, 1.2, 3.6, 3.6, 7.6]
    assert curve.columns["equity"].round(9).tolist() == [1_000.0, 1_000.3, 1_001.2, 1_003.6, 1_003.6, 1_003.6]
    assert curve.largest_difference < 1e-9


def test_the_drawdown_is_of_every_mark_and_not_of_the_grid() -> None:
    """Bought at 100 at second 1; between two seconds the price is 130, then 70, and 100 again on the grid."""
    fills = [fill(1, "BUY", 1.0, 100.0), fill(6, "SELL", 1.0, 100.0)]
    records = Records([], fills, [], [(0, 1_000.0)])
    grid, hundred = np.array([0, 5, 10]), np.full(5, 100.0)
    path = np.array([2, 3, 4, 7]), np.array([130.0, 70.0, 100.0, 10.0])
    times = np.array([0, 1, 5, 6, 10])
    marks = Marks(times, hundred, hundred, hundred, path_ns=path[0], path=path[1])
    curve = trace(grid, records, keep(records, {"O-1": np.nan}, {"X": 1.0}), {"X": marks}, {"X": 1.0}, 1e-8)
    assert curve.columns["equity"].tolist() == [1_000.0] * 3
    assert curve.columns["drawdown"].tolist() == pytest.approx([0.0, 970.0 / 1_030.0 - 1.0, 1_000.0 / 1_030.0 - 1.0])
    assert curve.columns["drawdown_money"].tolist() == [0.0, -60.0, -30.0]
    found = figures(grid, curve.columns["equity"], np.zeros(2), fitting_period(10), _depths_of(curve))
    assert found.max_drawdown == pytest.approx(-60.0 / 1_030.0)
    assert found.max_drawdown_money == -60.0


def _depths_of(curve: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return curve.columns["drawdown"], curve.columns["drawdown_money"]


@pytest.mark.parametrize("block", [1, 7, 1_000])
def test_depths_in_blocks_are_those_of_a_loop(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(block)
    times = np.sort(rng.choice(10_000, 400, replace=False)).astype(np.int64)
    values = 100.0 + np.cumsum(rng.normal(size=400))
    grid = np.arange(int(times[0]), int(times[-1]) + 500, 500)
    grid = np.unique(np.append(grid[grid < times[-1]], times[-1]))
    monkeypatch.setattr(depths, "_BLOCK", block)
    meter = depths.DepthMeter(grid)
    none = Marks(times, values, values, values)
    for part in depths.moments(grid, {"X": none._replace(path_ns=times)}):
        meter.add(part, values[np.searchsorted(times, part, side="right") - 1])
    peak, expected = -np.inf, np.zeros(grid.size)
    for time in np.unique(np.concatenate([times, grid])):
        value = values[np.searchsorted(times, time, side="right") - 1]
        peak = max(peak, value)
        row = np.searchsorted(grid, time)
        expected[row] = min(expected[row], value / peak - 1.0)
    np.testing.assert_array_equal(meter.depths.share, expected)


def test_a_balance_that_the_fills_do_not_explain_is_an_error() -> None:
    with pytest.raises(RunError, match=r"Expected the engine's equity to equal the sum of its fills .* at sample 2"):
        traced([fill(1, "BUY", 1.0, 100.0)], [(0, 1_000.0), (2, 999.0)], [100.0, 100.0, 100.0])
