"""The life of orders: reprice and cross, trailing stops, partial fills, rejections, restarts, nothing after stop."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fathom.backtests import run
from fathom.backtests.setup.run_files import RunFiles
from tests.makers.bracket_script import DIRECTED, RAN, REFUSED, TOLD, Step
from tests.makers.small_market import SECOND, START, config_file, make_market, zigzag

MORE = "notional = 60000.0\nentry = '{entry}'\nsteps = {steps}\n"


def rises(seconds: float) -> int:
    """Mid of 60,000, and from 10.5 s on a dollar a second more: nobody sells at a price of before."""
    return 600_000 + (round(10 * (seconds - 10.5)) if seconds > 10.5 else 0)


def play(
    folder: Path,
    steps: str,
    *,
    mid: Callable[[float], int] = rises,
    entry: str = "limit",
    seconds: float = 40.0,
    more: str = "",
    sets: tuple[str, ...] = (),
) -> tuple[list[Step], RunFiles]:
    """Return what the strategy was told, and the files of its run."""
    TOLD.clear()
    REFUSED.clear()
    RAN.clear()
    catalog = folder / "catalog"
    if not catalog.exists():
        make_market(catalog, seconds=seconds, mid=mid)
    text = MORE.format(entry=entry, steps=steps) + more
    config = config_file(folder, catalog, strategy=DIRECTED, more=text)
    files = RunFiles(run([config], out=folder / "runs", assignments=sets, pages=False).path)
    return list(TOLD), files


def rows_of(files: RunFiles, role: str, table: str = "orders") -> list[dict[str, Any]]:
    return [row for row in files.table(table).to_pylist() if row["role"] == role]


def stages(told: list[Step]) -> list[str]:
    return [step.stage for step in told]


def test_an_entry_that_nobody_takes_follows_the_price_and_is_given_up(tmp_path: Path) -> None:
    more = "entry_timeout_secs = 3.0\nreprices = 2"
    told, files = play(tmp_path, '[[10, "buy", 100.0, 100.0]]', more=more)
    assert stages(told) == ["approved", "submitted", "approved", "repriced", "approved", "repriced", "cancelled"]
    assert [step.second for step in told if step.stage != "approved"] == [10.0, 13.0, 16.0, 19.02]
    assert {step.signal_id for step in told} == {"Directed-BTCUSDT-1"}
    first, second, third = (step.price for step in told if step.stage in ("submitted", "repriced"))
    assert first is not None and second is not None and third is not None  # noqa: PT018
    assert first < second < third
    (entry,) = rows_of(files, "ENTRY")
    assert (entry["status"], entry["filled_qty"], entry["price"]) == ("CANCELED", 0.0, pytest.approx(third))
    assert {order["status"] for order in files.table("orders").to_pylist()} == {"CANCELED"}
    assert files.table("fills").num_rows == 0


def test_the_last_try_crosses_the_spread_where_it_is_wished(tmp_path: Path) -> None:
    more = "entry_timeout_secs = 3.0\nreprices = 1\nentry_last = 'market'"
    told, files = play(tmp_path, '[[10, "buy", 100.0, 100.0]]', more=more)
    assert stages(told)[:3] == ["approved", "submitted", "approved"]
    assert [step.stage for step in told if step.stage in ("cancelled", "filled", "exited")] == [
        "cancelled",
        "filled",
        "exited",
    ]
    passive, crossing = rows_of(files, "ENTRY")
    assert (passive["type"], passive["status"]) == ("LIMIT", "CANCELED")
    assert (crossing["type"], crossing["status"]) == ("MARKET", "FILLED")
    assert (crossing["ts_init"].value - START) / SECOND == 16.02
    assert passive["signal_id"] == crossing["signal_id"] == "Directed-BTCUSDT-1"


def test_a_repriced_entry_is_asked_for_anew_and_may_be_refused(tmp_path: Path) -> None:
    more = "entry_timeout_secs = 3.0\nreprices = 5"
    told, files = play(tmp_path, '[[10, "buy", 100.0, 4.0]]', more=more)  # the target is at 60,004
    assert stages(told) == ["approved", "submitted", "approved", "repriced", "refused", "cancelled"]
    assert told[-2].reason.startswith("price: stop")
    assert REFUSED == [("Directed-BTCUSDT-1", "price")]
    assert rows_of(files, "ENTRY")[0]["status"] == "CANCELED"


def test_a_repriced_entry_may_become_smaller_but_never_larger(tmp_path: Path) -> None:
    more = "entry_timeout_secs = 3.0\nreprices = 1\nmax_leverage = 0.6"
    sets = ("strategies.0.parameters.notional=60000000",)
    told, files = play(tmp_path, '[[10, "buy", 100.0, 100.0]]', more=more, sets=sets)
    amounts = [step.quantity for step in told if step.stage in ("submitted", "repriced")]
    assert amounts == [1.0, pytest.approx(0.999)]
    assert rows_of(files, "ENTRY")[0]["quantity"] == 0.999
    assert {order["quantity"] for order in files.table("orders").to_pylist()} == {0.999}  # stop and target follow


def test_the_rest_of_the_system_counts_a_repriced_entry_as_large_as_it_is(tmp_path: Path) -> None:
    def sinks(seconds: float) -> int:
        return 600_000 - (round(100 * (seconds - 10.5)) if seconds > 10.5 else 0)

    more = "entry_timeout_secs = 3.0\nreprices = 2\nmax_leverage = 20.0"
    sets = ("strategies.0.parameters.notional=600000",)
    told, files = play(tmp_path, '[[10.1, "sell", 100.0, 900.0]]', mid=sinks, more=more, sets=sets)
    first, *later = [step.quantity for step in told if step.stage == "approved"]
    assert first is not None
    assert all(quantity is not None and quantity > first for quantity in later)  # the same notional at a lower price
    assert [step.quantity for step in told if step.stage in ("submitted", "repriced")] == [first] * 3
    assert rows_of(files, "ENTRY")[0]["quantity"] == first


def test_a_refused_post_only_entry_is_tried_again_at_the_price_of_then(tmp_path: Path) -> None:
    def jumps(seconds: float) -> int:  # down before the order arrives: the entry would take
        return 600_000 if seconds < 10.1 else 599_500

    sets = ("venue.latency.base_ms=400",)
    more = "reprices = 1\nrisk.max_spread_bps = 5.0"  # a limit for which the strategy holds the book
    told, files = play(tmp_path, '[[10, "buy", 100.0, 100.0]]', mid=jumps, more=more, sets=sets)
    assert stages(told)[:6] == ["approved", "submitted", "rejected", "approved", "repriced", "filled"]
    assert "TAKER" in told[2].reason
    first, second = rows_of(files, "ENTRY")
    assert first["status"] == "REJECTED"
    assert (second["price"], second["filled_qty"] > 0.0) == (59_950.0, True)
    told, files = play(tmp_path, '[[10, "buy", 100.0, 100.0]]', sets=sets)
    assert stages(told) == ["approved", "submitted", "rejected"]


def test_an_amendment_that_would_take_leaves_the_order_where_it_was(tmp_path: Path) -> None:
    def mid(seconds: float) -> int:  # up, so that it is repriced at 13 s, and back before the amendment arrives
        if seconds < 13.1:
            return 600_000 + (100 if seconds > 10.5 else 0)
        return 600_050 if seconds < 14.5 else 599_500

    more = "entry_timeout_secs = 3.0\nreprices = 1"
    sets = ("venue.latency.base_ms=300",)
    told, files = play(tmp_path, '[[10, "buy", 100.0, 100.0]]', mid=mid, more=more, sets=sets)
    (entry,) = rows_of(files, "ENTRY")
    assert "repriced" in stages(told)
    assert entry["status"] == "FILLED"
    assert entry["avg_px"] <= 60_000.0
    claim = RAN[0].risk.claim
    assert claim is not None
    assert claim.entry == entry["price"]


@pytest.mark.parametrize(("side", "sign"), [("buy", 1), ("sell", -1)])
def test_the_stop_is_trailed_one_way_only(tmp_path: Path, side: str, sign: int) -> None:
    def mid(seconds: float) -> int:
        return (
            600_000 + sign * round(10 * min(seconds, 25.0)) - sign * (round(20 * (seconds - 25)) if seconds > 25 else 0)
        )

    at = [60_000.0 + sign * change for change in (5.0, 2.0, 10.0, 23.0)]
    steps = [(10, side, 50.0, 500.0), *((15.0 + 2 * number, "trail", price, 0.0) for number, price in enumerate(at))]
    text = str([list(step) for step in steps]).replace("'", '"')
    told, files = play(tmp_path, text, mid=mid, entry="market")
    stops = rows_of(files, "STOP")  # not back, and not through the market: also not when it gets there
    assert [stop["trigger_price"] for stop in stops][1:] == [at[0], at[2]]
    assert [stop["status"] for stop in stops] == ["CANCELED", "CANCELED", "FILLED"]
    for before, after in itertools.pairwise(stops):  # the next one is accepted before the last one is cancelled
        assert (before["ts_last"] - after["ts_init"]).value == 2 * 20 * 10**6
    assert (told[-1].stage, told[-1].signal_id) == ("stopped", "Directed-BTCUSDT-1")
    (trip,) = files.table("positions").to_pylist()
    assert told[-1].pnl == pytest.approx(trip["pnl_net"], abs=1e-6)
    assert told[-1].price == pytest.approx(trip["avg_px_close"])


def test_a_partly_filled_entry_keeps_what_it_has_and_loses_the_rest(tmp_path: Path) -> None:
    def mid(seconds: float) -> int:  # touches the price of the entry once more, and leaves
        return 600_000 if seconds < 11.0 else 600_030

    more = "entry_timeout_secs = 5.0\nmax_leverage = 20.0"
    sets = ("strategies.0.parameters.notional=600000", "venue.fill.queue_position=false")
    told, files = play(tmp_path, '[[10, "buy", 100.0, 100.0]]', mid=mid, more=more, sets=sets)
    (entry,) = rows_of(files, "ENTRY")
    assert entry["status"] == "CANCELED"
    assert 0.0 < entry["filled_qty"] < entry["quantity"]
    filled = sum(step.quantity or 0.0 for step in told if step.stage == "filled")
    assert filled == pytest.approx(entry["filled_qty"])
    assert "cancelled" in stages(told)
    (trip,) = files.table("positions").to_pylist()
    assert trip["peak_quantity"] == pytest.approx(filled)
    assert files.summary()["trades"]["open"] == 0


def test_signal_ids_join_orders_fills_and_round_trips(tmp_path: Path) -> None:
    steps = '[[5, "buy", 300.0, 300.0], [15, "sell", 300.0, 300.0], [25, "buy", 1.0, 300.0], [27, "buy", 1.0, 300.0]]'
    told, files = play(tmp_path, steps, mid=zigzag, entry="market")
    trips = files.table("positions").to_pylist()
    assert [trip["signal_id"] for trip in trips][:3] == [f"Directed-BTCUSDT-{number}" for number in (1, 2, 3)]
    for trip in trips:
        fills = [fill for fill in files.table("fills").to_pylist() if fill["signal_id"] == trip["signal_id"]]
        orders = [order for order in files.table("orders").to_pylist() if order["signal_id"] == trip["signal_id"]]
        assert {fill["position"] for fill in fills} == {trip["position"]}
        assert {order["role"] for order in orders} >= {"ENTRY", "STOP", "TARGET"}
        entry = next(fill for fill in fills if fill["role"] == "ENTRY")
        submitted = next(s for s in told if s.stage == "submitted" and s.signal_id == trip["signal_id"])
        assert entry["decision_price"] == submitted.price
        assert None not in (entry["arrival_mid"], entry["decision_slippage_bps"], entry["commission"])
    assert sum(step.stage == "filled" for step in told) == len(rows_of(files, "ENTRY", "fills"))


def test_what_is_dropped_is_told_with_its_reason(tmp_path: Path) -> None:
    steps = '[[5, "buy", 300.0, 300.0], [6, "buy", 300.0, 300.0]]'
    told, _ = play(tmp_path, steps, entry="market")
    assert [(step.signal_id[-1], step.reason) for step in told if step.stage == "refused"] == [("2", "held")]
    told, _ = play(tmp_path, '[[5, "sell", 300.0, 300.0]]', entry="market", more='direction = "long"')
    assert [step.reason for step in told] == ["direction: long only"]


def test_a_position_is_closed_at_the_end_of_its_horizon(tmp_path: Path) -> None:
    steps = '[[5, "buy", 300.0, 300.0], [9, "buy", 300.0, 300.0], [20, "sell", 300.0, 300.0]]'
    told, files = play(tmp_path, steps, mid=zigzag, entry="market", more="horizon_secs = 8.5", seconds=60.0)
    trips = files.table("positions").to_pylist()
    assert [(trip["side"], trip["exit_role"]) for trip in trips] == [("LONG", "EXIT"), ("SHORT", "EXIT")]
    lives = [(trip["ts_closed"].value - START) / SECOND for trip in trips]
    assert lives == pytest.approx([13.5, 28.5], abs=0.05)  # what was held at 9 s prolongs nothing
    exits = [step for step in told if step.stage == "exited"]
    assert [(step.signal_id[-1], step.reason) for step in exits] == [
        ("1", "at the end of its horizon"),
        ("3", "at the end of its horizon"),
    ]
    assert {order["status"] for role in ("STOP", "TARGET") for order in rows_of(files, role)} == {"CANCELED"}


def test_an_entry_is_cancelled_at_the_end_of_its_horizon(tmp_path: Path) -> None:
    more = "horizon_secs = 4.0\nentry_timeout_secs = 3.0\nreprices = 5"
    told, files = play(tmp_path, '[[10, "buy", 100.0, 100.0]]', more=more)
    assert stages(told) == ["approved", "submitted", "approved", "repriced", "cancelled"]
    assert told[-1].second == pytest.approx(14.02)
    assert files.table("fills").num_rows == 0


def test_a_restart_forgets_no_horizon(tmp_path: Path) -> None:
    steps, more = '[[5, "buy", 300.0, 300.0], [15, "sell", 300.0, 300.0]]', "horizon_secs = 6.3\n"
    told, whole = play(tmp_path, steps, mid=zigzag, entry="market", more=more)
    for every, saves in ((0.7, "true"), (3.3, "false")):
        restarts = f"{more}restart_every = {every}\nsaves = {saves}"
        again, cut = play(tmp_path, steps, mid=zigzag, entry="market", more=restarts)
        assert again == told
        assert cut.table("positions").equals(whole.table("positions"))
    assert [trip["exit_role"] for trip in whole.table("positions").to_pylist()] == ["EXIT", "EXIT"]


@pytest.mark.parametrize(("every", "saves"), [(0.7, "true"), (1.0, "false"), (3.3, "false")])
@pytest.mark.parametrize("entry", ["market", "limit"])
def test_a_restart_at_any_point_changes_nothing(tmp_path: Path, every: float, saves: str, entry: str) -> None:
    def mid(seconds: float) -> int:
        return zigzag(seconds) + round(30 * (seconds * 7 % 1))

    steps = '[[5, "buy", 15.0, 25.0], [15, "sell", 8.0, 9.0], [21, "buy", 20.0, 20.0], [23, "trail", 59985.0, 0.0]]'
    more = "entry_timeout_secs = 2.0\nreprices = 3\nentry_last = 'market'\n"
    sets = ("venue.latency.base_ms=270", "risk.max_daily_loss=0.5")
    told, whole = play(tmp_path, steps, mid=mid, entry=entry, more=more, sets=sets)
    again, cut = play(
        tmp_path, steps, mid=mid, entry=entry, more=f"{more}restart_every = {every}\nsaves = {saves}", sets=sets
    )
    assert len([step for step in told if step.stage == "filled"]) >= 2
    assert again == told
    for table in ("orders", "fills", "positions"):
        assert cut.table(table).equals(whole.table(table))


def test_a_strategy_that_forgot_all_still_claims_what_is_open(tmp_path: Path) -> None:
    steps = '[[5, "buy", 100.0, 3.0], [6, "amnesia", 0.0, 0.0]]'
    told, files = play(tmp_path, steps, entry="market")
    (trip,) = files.table("positions").to_pylist()
    assert trip["exit_role"] == "TARGET"
    assert {order["role"]: order["status"] for order in files.table("orders").to_pylist()} == {
        "ENTRY": "FILLED",
        "STOP": "CANCELED",
        "TARGET": "FILLED",
    }
    assert told[-1].stage == "target"
    told, files = play(tmp_path, '[[10, "buy", 100.0, 100.0], [10.5, "amnesia", 0.0, 0.0]]')
    (entry,) = rows_of(files, "ENTRY")
    assert entry["status"] == "CANCELED"  # after three decisions, as configured


def test_nothing_is_sent_after_the_stop(tmp_path: Path) -> None:
    steps = '[[5, "buy", 100.0, 100.0], [29.5, "sell", 100.0, 100.0], [31, "buy", 100.0, 100.0]]'
    sets = ("data.end=2024-08-09T00:00:30Z", "venue.latency.base_ms=900")
    told, files = play(tmp_path, steps, entry="market", sets=sets)
    orders = files.table("orders").to_pylist()
    assert max(order["ts_init"].value for order in orders) <= START + 30 * SECOND
    assert [order["role"] for order in orders if order["ts_init"].value > START + 29 * SECOND] == ["EXIT", "EXIT"]
    assert files.summary()["trades"]["open"] == 0
    assert [(step.stage, step.reason) for step in told if step.signal_id.endswith("2")] == [("refused", "stopped")]
    (strategy,) = RAN  # it was asked to buy and to trail after its stop
    assert (strategy.timers_left, strategy.bracket.trade.wish) == ([], None)
