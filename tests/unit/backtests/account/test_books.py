"""The books of a run: average cost, round trips, splits through zero, reference prices, funding."""

import math

import pytest

from fathom.backtests.account.ledger import Books, keep, reference_price
from fathom.backtests.engine.records import Fill, Order, Payment, Records

NAN = float("nan")


def order(
    name: str = "O-1",
    side: str = "BUY",
    kind: str = "MARKET",
    *,
    price: float | None = None,
    trigger: float | None = None,
    instrument: str = "X",
) -> Order:
    return Order(
        ts_init=0,
        ts_last=0,
        instrument_id=instrument,
        strategy_id="S-1",
        client_order_id=name,
        signal_id=f"signal of {name}",
        role="ENTRY",
        side=side,
        type=kind,
        time_in_force="GTC",
        post_only=False,
        reduce_only=False,
        quantity=1.0,
        filled_qty=1.0,
        price=price,
        trigger_price=trigger,
        avg_px=None,
        decision_price=None,
        status="FILLED",
        reason=None,
    )


def fill(time: int, side: str, quantity: float, price: float, *, fee: float = 0.0, instrument: str = "X") -> Fill:
    return Fill(
        ts_event=time,
        sequence=time,
        order=order(side=side, instrument=instrument),
        liquidity="TAKER",
        quantity=quantity,
        price=price,
        commission=fee,
        currency="USDT",
    )


def books(*fills: Fill, payments: tuple[Payment, ...] = (), arrival: float = 100.0, multiplier: float = 1.0) -> Books:
    records = Records([], list(fills), list(payments), [(0, 1_000.0)])
    return keep(records, {"O-1": arrival}, {"X": multiplier, "Y": multiplier})


def test_average_cost_and_realised_profit() -> None:
    made = books(fill(1, "BUY", 1, 100), fill(2, "BUY", 3, 104), fill(3, "SELL", 2, 110), fill(4, "SELL", 2, 90))
    assert [entry.average for entry in made.entries] == [100.0, 103.0, 103.0, 0.0]
    assert [entry.realized for entry in made.entries] == [0.0, 0.0, 14.0, -26.0]
    assert [entry.after for entry in made.entries] == [1.0, 4.0, 2.0, 0.0]
    assert [(trip.number, trip.closed) for trip in made.trips] == [(0, True)]


def test_a_short_earns_when_the_price_falls() -> None:
    made = books(fill(1, "SELL", 2, 100), fill(2, "BUY", 2, 95), multiplier=10.0)
    assert made.entries[1].realized == 100.0


def test_a_fill_through_zero_is_split_with_its_fee() -> None:
    made = books(fill(1, "BUY", 1, 100), fill(2, "SELL", 4, 101, fee=0.1), fill(3, "BUY", 3, 99))
    assert [(entry.position, entry.quantity, entry.after) for entry in made.entries] == [
        (0, 1.0, 1.0),
        (0, 1.0, 0.0),
        (1, 3.0, -3.0),
        (1, 3.0, 0.0),
    ]
    assert [entry.commission for entry in made.entries] == [0.0, 0.025, 0.075, 0.0]
    assert [entry.realized for entry in made.entries] == [0.0, 1.0, 0.0, 6.0]


def test_sizes_that_floats_cannot_add_still_end_flat() -> None:
    made = books(fill(1, "BUY", 0.1, 100), fill(2, "BUY", 0.2, 100), fill(3, "SELL", 0.3, 100))
    assert made.entries[-1].after == 0.0
    assert made.trips[0].closed


def test_instruments_have_books_of_their_own() -> None:
    made = books(fill(1, "BUY", 1, 100), fill(2, "SELL", 1, 50, instrument="Y"), fill(3, "SELL", 1, 101))
    assert [(trip.instrument_id, trip.closed) for trip in made.trips] == [("X", True), ("Y", False)]


def test_funding_goes_to_the_round_trip_that_was_open() -> None:
    made = books(
        fill(1, "BUY", 1, 100),
        fill(5, "SELL", 1, 100),
        fill(8, "BUY", 1, 100),
        payments=(Payment(3, "X", "S-1", -0.5), Payment(9, "X", "S-1", 0.25), Payment(10, "X", "S-1", 0.25)),
    )
    assert [(trip.funding, trip.payments) for trip in made.trips] == [(-0.5, 1), (0.5, 2)]


@pytest.mark.parametrize(
    ("placed", "reference"),
    [
        (order(kind="MARKET"), 100.0),
        (order(kind="LIMIT", price=97.0), 97.0),
        (order(kind="STOP_MARKET", trigger=95.0), 95.0),
        (order(kind="STOP_LIMIT", trigger=95.0, price=94.0), 95.0),
    ],
)
def test_slippage_counts_from_the_price_that_the_order_asked_for(placed: Order, reference: float) -> None:
    assert reference_price(placed, 99.0, 100.0) == reference


def test_slippage_is_positive_when_it_costs_and_not_claimed_where_unknown() -> None:
    assert books(fill(1, "BUY", 2, 101)).entries[0].slippage == 2.0
    assert books(fill(1, "SELL", 2, 101)).entries[0].slippage == -2.0
    assert math.isclose(books(fill(1, "BUY", 2, 101), arrival=NAN).entries[0].slippage, 0.0)
