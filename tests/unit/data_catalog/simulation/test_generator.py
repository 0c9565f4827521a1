"""Feed conventions, determinism and the books kept inside, for every scenario of the project."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from fathom.data_catalog.simulation.config import Feed, InstrumentSpec, Price, Simulation, Takers
from fathom.data_catalog.simulation.generator import Generator
from fathom.data_catalog.simulation.kinds import Channel
from fathom.data_catalog.simulation.loading import load_scenario
from fathom.data_catalog.simulation.memory import Market
from fathom.market.events import Action, Flag, Kind, Side
from tests.makers.simulated_features import simulate_arrays

SCENARIOS = ("null", "edge", "regimes", "manipulated", "stress", "demo")
HONEST = tuple(name for name in SCENARIOS if name != "stress")


def scenario(project: Path, name: str) -> Simulation:
    return load_scenario(project / "configs" / "simulation" / f"{name}.toml")


def check_message(rows: Any, books: dict[int, dict[int, int]]) -> None:
    """Apply one message as a consumer would, strictly."""
    flags = rows["flags"].tolist()
    snapshot = rows["action"][0] == Action.CLEAR
    base = Flag.SNAPSHOT | Flag.MBP if snapshot else Flag.MBP
    assert flags[:-1] == ([Flag.SNAPSHOT] if snapshot else [base]) * (len(flags) > 1) + [base] * (len(flags) - 2)
    assert flags[-1] == base | Flag.LAST
    assert len(set(rows["sequence"].tolist())) == len(set(rows["ts_init"].tolist())) == 1
    seen = set()
    for row in rows.tolist():
        _, _, _, price, size, kind, action, side, _ = row
        assert kind == Kind.BOOK
        if action == Action.CLEAR:
            for book in books.values():
                book.clear()
            continue
        assert (side, price) not in seen
        seen.add((side, price))
        book = books[side]
        assert (price in book) == (action != Action.ADD)
        assert (size == 0) == (action == Action.DELETE)
        if size:
            book[price] = size
        else:
            del book[price]


@pytest.mark.parametrize("name", HONEST)
def test_the_feed_keeps_the_conventions_of_an_exchange(project: Path, name: str) -> None:
    config = scenario(project, name)
    secs = 600.0 if name == "demo" else 20.0
    book, trades, truth = simulate_arrays(config, 5, secs)
    books: dict[int, dict[int, int]] = {int(Side.BUY): {}, int(Side.SELL): {}}
    lasts = np.flatnonzero(book["flags"] & Flag.LAST)
    assert book["action"][0] == Action.CLEAR
    assert (book["action"] == Action.CLEAR).sum() == 1
    path = truth[truth["channel"] == Channel.PRICE]
    start, mids = 0, []
    for last in lasts.tolist():
        check_message(book[start : last + 1], books)
        bid, ask = max(books[Side.BUY]), min(books[Side.SELL])
        assert bid < ask
        assert len(books[Side.BUY]) <= config.feed.depth >= len(books[Side.SELL])
        mids.append(bid + ask)
        start = last + 1
    assert start == len(book)
    sequence = book["sequence"][lasts]
    assert (np.diff(sequence) == 1).all()
    assert (np.diff(book["ts_init"][lasts]) > 0).all()
    assert (book["ts_init"] >= book["ts_event"]).all()
    assert (np.diff(trades["ts_init"]) >= 0).all()
    assert (trades["ts_init"] >= trades["ts_event"]).all()
    assert (trades["sequence"] == np.arange(trades["sequence"][0], trades["sequence"][0] + len(trades))).all()
    # The mid that is shown is the efficient price: what the truth file says is what a consumer sees.
    at = np.searchsorted(path["ts"], book["ts_event"][lasts] + 999_999, side="right") - 1
    assert np.mean(np.array(mids) == 2 * path["price"][at] + 1) > 0.99


@pytest.mark.parametrize("name", ["null", "manipulated", "stress"])
def test_rows_do_not_depend_on_the_batches(project: Path, name: str) -> None:
    config = scenario(project, name)
    whole = [a.tobytes() for a in simulate_arrays(config, 3, 30.0)]
    generator = Generator(config, 0, 3, batch_rows=70_000)
    batches = [batch for step in (0.001, 7.25, 12.749, 10.0) for batch in generator.run(step)]
    parts = [b"".join(getattr(batch, name).tobytes() for batch in batches) for name in ("book", "trades", "truth")]
    assert parts == whole
    assert [a.tobytes() for a in simulate_arrays(config, 4, 30.0)] != whole


def test_the_price_is_told_nothing_by_the_flow() -> None:
    quiet = Simulation(scenario="x", takers=Takers(orders_per_sec=1.0), feed=Feed(depth=20, interval_ms=500))
    busy = Simulation(scenario="x", takers=Takers(orders_per_sec=90.0, size_lots=500))
    paths = []
    for config in (quiet, busy):
        truth = simulate_arrays(config, 9, 120.0)[2]
        paths.append(truth[truth["channel"] == Channel.PRICE][["ts", "price"]].tobytes())
    assert len(paths[0]) > 50 * 16
    assert paths[0] == paths[1]


def test_trades_take_what_they_trade_from_the_touch(project: Path) -> None:
    config = msgspec.structs.replace(scenario(project, "null"), feed=Feed(interval_ms=0, trades="with_book"))
    book, trades, _ = simulate_arrays(config, 2, 20.0)
    assert len(trades) > 300
    printed: dict[int, dict[tuple[int, int], int]] = defaultdict(lambda: defaultdict(int))
    order: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for trade in trades:
        resting = int(Side.SELL if trade["side"] == Side.BUY else Side.BUY)
        key = (resting, int(trade["price"]))
        if key not in printed[int(trade["ts_init"])]:
            order[int(trade["ts_init"])].append(key)
        printed[int(trade["ts_init"])][key] += int(trade["size"])
    books: dict[int, dict[int, int]] = {int(Side.BUY): {}, int(Side.SELL): {}}
    start = 0
    for last in np.flatnonzero(book["flags"] & Flag.LAST).tolist():
        rows = book[start : last + 1]
        time = int(rows["ts_init"][0])
        before = {side: dict(levels) for side, levels in books.items()}
        check_message(rows, books)
        for n, (side, price) in enumerate(order.pop(time, [])):
            best = max(before[side]) if side == Side.BUY else min(before[side])
            assert price == best  # then the next level, where a move trades through several
            taken = before[side].pop(price) - books[side].get(price, 0)
            assert taken == printed[time][side, price]
            assert n == 0 or price not in books[side]
        start = last + 1
    assert not order


def check_market(m: Market) -> None:
    """Recount the order book from its queues."""
    s = m.scalars[0]
    live = 0
    for index in np.flatnonzero(m.levels["count"]).tolist():
        level = m.levels[index]
        k, before, count, total, owned = int(level["head"]), -1, 0, 0, 0
        while k >= 0:
            order = m.orders[k]
            assert order["prev"] == before
            assert order["price"] & s["mask"] == index
            assert order["size"] > 0
            assert m.lists[order["population"], order["slot"]] == k
            side = m.sides[order["side"]]
            assert (order["price"] - side["best"]) * (-1 if order["side"] == Side.BUY else 1) >= 0
            count, total, owned = count + 1, total + int(order["size"]), owned + (order["owner"] >= 0)
            before, k = k, int(order["next"])
        assert (level["tail"], level["count"], level["total"], level["owned"]) == (before, count, total, owned)
        live += count
    assert live == m.counts.sum() == len(m.orders) - s["n_free"]
    for side, sign in ((Side.BUY, -1), (Side.SELL, 1)):
        assert m.levels[m.sides[side]["best"] & s["mask"]]["count"] > 0
        half = m.sides[side]
        reach = (half["bound"] - half["best"]) * sign
        prices = [int(m.orders[m.levels[i]["head"]]["price"]) for i in np.flatnonzero(m.levels["count"])]
        inside = [price for price in prices if 0 <= (price - half["best"]) * sign <= reach]
        assert len(inside) == m.sides[side]["inside"]


@pytest.mark.parametrize("name", ["regimes", "manipulated", "stress"])
def test_queues_levels_and_lists_agree(project: Path, name: str) -> None:
    generator = Generator(scenario(project, name), 0, 8)
    for secs in (5.0, 13.0, 90.0):
        list(generator.run(secs))
        check_market(generator.market)
    assert generator.market.scalars["refused"][0] == 0


def test_instruments_that_share_moves_correlate() -> None:
    pair = (InstrumentSpec(symbol="A"), InstrumentSpec(symbol="B", volatility_scale=2.0))
    for share, low, high in ((0.0, -0.1, 0.1), (0.6, 0.5, 0.7), (1.0, 0.99, 1.0001)):
        config = Simulation(
            scenario="x", instruments=pair, price=Price(correlation=share, moves_per_sec=5.0, tail=0.5),
            populations=(msgspec.structs.replace(Simulation(scenario="x").populations[0], orders_per_sec=1.0),),
            takers=Takers(orders_per_sec=0.1), feed=Feed(interval_ms=1000),
        )  # fmt: skip
        paths = []
        for number in range(2):
            truth = np.concatenate([batch.truth for batch in Generator(config, number, 4).run(3000.0)])
            path = truth[truth["channel"] == Channel.PRICE]
            grid = path["ts"][0] + np.arange(3000) * 1_000_000_000
            paths.append(np.diff(path["price"][np.searchsorted(path["ts"], grid, side="right") - 1]))
        assert low < np.corrcoef(paths)[0, 1] < high
