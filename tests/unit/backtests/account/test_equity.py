"""The account on the grid, where several strategies hold one instrument: equity by the balance and by the fills."""

import numpy as np
import pytest

from fathom.backtests.account.equity import Curve, trace
from fathom.backtests.account.ledger import keep
from fathom.backtests.account.marks import Marks
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


def test_a_balance_that_the_fills_do_not_explain_is_an_error() -> None:
    with pytest.raises(RunError, match=r"Expected the engine's equity to equal the sum of its fills .* at sample 2"):
        traced([fill(1, "BUY", 1.0, 100.0)], [(0, 1_000.0), (2, 999.0)], [100.0, 100.0, 100.0])
