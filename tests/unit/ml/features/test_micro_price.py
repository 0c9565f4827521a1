import numpy as np
import pytest

from fathom.market.events import EVENT, Action, Flag, Kind, Side
from fathom.ml.features.errors import FeatureError
from fathom.ml.features.micro_price import MicroPriceTable, fit_micro_price, quotes
from fathom.ml.features.orderbook import OrderBookFeatures


def stream(states: np.ndarray) -> np.ndarray:
    """Rows of a book whose best quotes take the states (bid, ask, bid lots, ask lots) one after the other."""
    rows = np.zeros(4 * len(states), EVENT)
    rows["kind"] = Kind.BOOK
    before = np.vstack([states[:1], states[:-1]])
    for at, (price, size, side) in enumerate(
        [
            (before[:, 0], 0, Side.BUY),
            (before[:, 1], 0, Side.SELL),
            (states[:, 0], states[:, 2], Side.BUY),
            (states[:, 1], states[:, 3], Side.SELL),
        ]
    ):
        rows["price"][at::4], rows["size"][at::4], rows["side"][at::4] = price, size, side
    rows["action"] = np.where(rows["size"] == 0, Action.DELETE, Action.UPDATE)
    rows["flags"][3::4] = Flag.LAST
    rows["ts_init"] = rows["ts_event"] = np.repeat(np.arange(len(states)) * 1_000_000, 4)
    return rows


def chain(steps: int, seed: int = 1) -> np.ndarray:
    """A one-tick market: with imbalance high the mid goes up a tick with probability 0.3, with imbalance low down."""
    rng = np.random.default_rng(seed)
    bid, high = 1_000, True
    states = np.empty((steps, 4), np.int64)
    for i in range(steps):
        states[i] = (bid, bid + 1, 9, 1) if high else (bid, bid + 1, 1, 9)
        if rng.random() < 0.3:
            bid += 1 if high else -1
            high = not high  # after a move the book leans the other way
        elif rng.random() < 0.1:
            high = not high
    return states


def test_quotes_are_read_message_by_message() -> None:
    states = chain(50)
    found = quotes(stream(states))
    np.testing.assert_array_equal(found[:, :4], states)
    assert not found[:, 4].any()


def test_the_fit_finds_the_adjustment_of_a_known_chain() -> None:
    table = fit_micro_price(stream(chain(20_000)), instrument="X", imbalance_buckets=2, spreads=1)
    # By hand: from `high` a step moves up with 0.3, flips with 0.07, stays with 0.63. By symmetry the first move is
    # g1 = 0.3 + 0.63 g1 - 0.07 g1, so g1 = 0.3 / 0.44; each later move begins in the state that the one before it left.
    # b = P(next move begins high) - P(low), starting high: b = -0.3 + 0.63 b - 0.07 b, so b = -0.3 / 0.44.
    first, lean = 0.3 / 0.44, -0.3 / 0.44
    expected = first / (1.0 - lean)
    low, high = table.adjustments[0]
    assert high == pytest.approx(expected, rel=0.05)
    assert low == pytest.approx(-high, abs=1e-12)
    # The micro-price is a martingale: over the chain it is, on average, the mid long after.
    states = chain(200_000, seed=2)
    mid = states[:, 0] + 0.5
    adjusted = mid + np.where(states[:, 2] == 9, high, low)
    start = np.flatnonzero(states[:-60, 2] == 9)
    assert np.mean(mid[start + 50] - adjusted[start]) == pytest.approx(0.0, abs=0.1)
    assert np.mean(mid[start + 50] - mid[start]) > 0.3


def test_states_that_were_never_seen_adjust_nothing() -> None:
    table = fit_micro_price(stream(chain(2_000)), instrument="X", imbalance_buckets=10, spreads=3)
    array = table.array()
    assert array.shape == (3, 10)
    assert not array[1:].any()
    assert not array[0, 2:8].any()


def test_too_short_a_span_and_bad_settings_are_refused() -> None:
    with pytest.raises(FeatureError, match="at least 100 pairs of successive quotes, were 49"):
        fit_micro_price(stream(chain(50)), instrument="X")
    with pytest.raises(FeatureError, match="imbalance_buckets >= 2"):
        fit_micro_price(stream(chain(50)), instrument="X", imbalance_buckets=1)
    with pytest.raises(FeatureError, match="micro-price table"):
        MicroPriceTable.from_json(b'{"instrument": "X"}')
    with pytest.raises(FeatureError, match="rows of equal length"):
        MicroPriceTable.from_json(
            b'{"instrument": "X", "adjustments": [[1.0], []], "transitions": 1, "first_ns": 0, "last_ns": 0}'
        )


def test_the_features_read_the_table() -> None:
    rows = stream(np.array([[100, 101, 9, 1], [100, 104, 9, 1]]))
    table = MicroPriceTable(
        instrument="X", adjustments=((-0.25, 0.25), (-0.75, 0.75)), transitions=1, first_ns=0, last_ns=0
    )
    features = OrderBookFeatures(price_increment=0.5, size_increment=1.0, micro_price=table)
    assert features.names[-2:] == ("stoikov_micro_price", "stoikov_micro_price_offset")
    out = np.empty((2, len(features.specs)))
    features.run(rows, np.array([1_000_000, 1_000_000_000]), np.array([4, 8]), out)
    assert out[0, -2] == 0.5 * (100.5 + 0.25)
    assert out[1, -2:].tolist() == [0.5 * (102.0 + 0.75), 1e4 * 0.75 / 102.0]
