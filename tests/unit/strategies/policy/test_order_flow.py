"""Order flow between bars, against its definition."""

import math

import numpy as np
import pytest

from fathom.strategies.policy.order_flow import OrderFlow, run
from tests.twins.naive_policies import order_flow


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_flow_is_that_of_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bid = 100.0 + 0.5 * np.cumsum(rng.integers(-1, 2, 400))
    ask = bid + 0.5 * rng.integers(1, 3, 400)
    quotes = np.column_stack([bid, rng.integers(1, 9, 400), ask, rng.integers(1, 9, 400)]).astype(np.float64)
    cuts = np.array([0, 1, 1, 60, 61, 300, 400], np.float64)
    got = np.empty(len(cuts))
    run(OrderFlow().state, quotes, cuts, got)
    first = [0, 0, *cuts[1:-1].astype(int)]
    rows = [tuple(row) for row in quotes.tolist()]
    want = [order_flow(rows, a, int(b)) for a, b in zip(first, cuts, strict=True)]
    np.testing.assert_allclose(got, want, rtol=1e-12)
    assert math.isnan(got[0])
    assert got[1] == got[2] == 0.0


def test_an_empty_touch_is_no_flow() -> None:
    flow = OrderFlow()
    flow.update(1.0, 0.0, 2.0, 0.0)
    flow.update(1.0, 0.0, 2.0, 0.0)
    assert flow.take() == 0.0
