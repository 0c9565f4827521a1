"""Ground truth against what the rows show: episodes, hidden RPI size, faults, spells."""

import io
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from fathom.data_catalog.simulation.config import DISTURBANCE_KINDS, EPISODE_KINDS, Simulation
from fathom.data_catalog.simulation.generator import Generator
from fathom.data_catalog.simulation.loading import load_scenario
from fathom.data_catalog.simulation.truth import truth_files
from fathom.market.events import Action, Flag, Side, TradeFlag

type Run = tuple[Simulation, dict[str, Any], dict[str, pd.DataFrame]]


def run(config: Simulation, seed: int, secs: float) -> Run:
    batches = list(Generator(config, 0, seed).run(secs))
    rows = {name: np.concatenate([getattr(b, name) for b in batches]) for name in ("book", "trades", "truth")}
    files = truth_files(config, 0, rows["truth"], batches[-1].now_ns)
    tables = {
        name.removesuffix(".parquet"): pq.read_table(io.BytesIO(content)).to_pandas()
        for name, content in files.items()
        if name.endswith(".parquet")
    }
    return config, rows, tables


@pytest.fixture(scope="module")
def manipulated() -> Run:
    project = Path(__file__).resolve().parents[4]
    return run(load_scenario(project / "configs" / "simulation" / "manipulated.toml"), 6, 1800.0)


@pytest.fixture(scope="module")
def stressed() -> Run:
    project = Path(__file__).resolve().parents[4]
    return run(load_scenario(project / "configs" / "simulation" / "stress.toml"), 6, 1200.0)


def test_every_kind_of_episode_happens(manipulated: Run) -> None:
    episodes = manipulated[2]["episodes"]
    assert set(episodes["kind"]) == set(EPISODE_KINDS)
    assert (episodes["manipulation"] == ~episodes["kind"].str.startswith("decoy_")).all()
    assert episodes["episode_id"].is_unique
    assert (episodes["ts_to"] >= episodes["ts_from"]).all()


def test_what_an_episode_placed_was_filled_or_cancelled(manipulated: Run) -> None:
    tables = manipulated[2]
    ended = tables["episodes"].loc[tables["episodes"]["ended"]]
    assert len(ended) > 60
    assert ended["place_size"].to_numpy() == pytest.approx((ended["fill_size"] + ended["cancel_size"]).to_numpy())
    actions = tables["episode_actions"]
    sign = actions["action"].map({"place": 1, "fill": -1, "cancel": -1}).fillna(0.0)
    moved = actions.assign(signed=actions["size"] * sign)
    moved = moved.loc[moved["episode_id"].isin(ended["episode_id"])]
    left = moved.groupby(["episode_id", "side", "price"])["signed"].sum()
    assert left.abs().max() < 1e-9


def test_manipulators_trade_the_other_way_and_then_pull(manipulated: Run) -> None:
    episodes = manipulated[2]["episodes"]
    bait = episodes.loc[episodes["kind"].isin(["spoofing", "layering"]) & episodes["ended"]]
    assert 0.5 < bait["benefit"].mean() < 1.0
    traded = bait.loc[bait["benefit"]]
    assert (traded["benefit_side"] != traded["side"]).all()
    assert (traded["benefit_ts"] >= traded["ts_from"]).all()
    assert ((traded["ts_to"] - traded["benefit_ts"]) < pd.Timedelta(milliseconds=130)).all()
    assert bait["cancel_size"].sum() > 5 * bait["fill_size"].sum()
    decoys = episodes.loc[~episodes["manipulation"]]
    assert not decoys["benefit"].any()
    large = episodes.loc[episodes["kind"] == "decoy_large_trade"]
    assert large["fill_size"].sum() > large["cancel_size"].sum()


def test_size_alone_does_not_tell_bait_from_honest_orders(manipulated: Run) -> None:
    episodes = manipulated[2]["episodes"].set_index("kind")
    kinds = ("spoofing", "decoy_large_cancel")
    biggest = {kind: [max(sizes) for sizes in episodes.loc[[kind], "sizes"]] for kind in kinds}
    low, high = (np.quantile(biggest["spoofing"], q) for q in (0.25, 0.75))
    assert low < np.median(biggest["decoy_large_cancel"]) < high


def test_benefit_trades_are_on_the_tape(manipulated: Run) -> None:
    config, rows, tables = manipulated
    trades, tick, lot = rows["trades"], float(config.instruments[0].tick_size), float(config.instruments[0].lot_size)
    episodes = tables["episodes"]
    for _, row in episodes.loc[episodes["benefit"]].iterrows():
        stamp = row["benefit_ts"].value // 1_000_000 * 1_000_000
        side = Side.BUY if row["benefit_side"] == "BUY" else Side.SELL
        ticks = round(row["benefit_price"] / tick)
        at = (trades["ts_event"] == stamp) & (trades["side"] == side) & (trades["price"] == ticks)
        assert trades["size"][at].sum() >= round(row["benefit_size"] / lot)


def test_scrolled_levels_left_the_book_without_their_owner(manipulated: Run) -> None:
    config, rows, tables = manipulated
    book, tick = rows["book"], float(config.instruments[0].tick_size)
    actions = tables["episode_actions"]
    scrolled = actions.loc[(actions["action"] == "scroll_out") & (actions["kind"] == "decoy_scroll")]
    assert len(scrolled) > 10
    deletes = book[book["action"] == Action.DELETE]
    for _, row in scrolled.iterrows():
        stamp = row["ts"].value // 1_000_000 * 1_000_000
        assert ((deletes["ts_event"] == stamp) & (deletes["price"] == round(row["price"] / tick))).any()


def test_rpi_trades_are_flagged_and_take_hidden_size(manipulated: Run) -> None:
    config, rows, tables = manipulated
    lot = float(config.instruments[0].lot_size)
    flagged = rows["trades"][(rows["trades"]["flags"] & TradeFlag.RPI) > 0]
    assert 0.01 < len(flagged) / len(rows["trades"]) < 0.1
    hidden = tables["rpi"]
    assert (hidden["hidden_size"] >= 0).all()
    taken = 0.0
    for side in ("BUY", "SELL"):
        one = hidden.loc[hidden["side"] == side]
        fell = -one["hidden_size"].diff()
        taken += fell[(one["action"] == "fill").to_numpy()].sum()
    # The first fill of a side has no line before it.
    assert taken == pytest.approx(flagged["size"].sum() * lot, rel=0.01)


def test_every_kind_of_fault_happens_and_shows(stressed: Run) -> None:
    _, rows, tables = stressed
    book, faults = rows["book"], tables["disturbances"]
    assert set(faults["kind"]) == set(DISTURBANCE_KINDS)
    lasts = np.flatnonzero(book["flags"] & Flag.LAST)
    message = np.diff(lasts, prepend=-1)
    event, arrival, sequence = (book[name][lasts] for name in ("ts_event", "ts_init", "sequence"))
    jumps = np.flatnonzero(np.diff(sequence) > 1)
    by_kind = {kind: faults.loc[faults["kind"] == kind] for kind in DISTURBANCE_KINDS}
    gaps = by_kind["gap"].dropna(subset="sequence_after")
    assert {int(b) for b in gaps["sequence_before"]} == {int(s) for s in sequence[jumps]}
    clears = book["ts_event"][book["action"] == Action.CLEAR]
    ended_halts = by_kind["halt"].loc[by_kind["halt"]["ts_to"] < faults["ts_to"].max()]
    assert len(clears) >= 1 + len(gaps) + len(ended_halts) - 1
    for _, halt in by_kind["halt"].iterrows():
        inside = (arrival > halt["ts_from"].value + 50_000_000) & (arrival < halt["ts_to"].value)
        assert not inside.any()
    repeats = np.flatnonzero(np.diff(sequence) == 0)
    assert len(repeats) >= len(by_kind["duplicate"]) - 2
    for i in repeats:
        first = book[lasts[i] - message[i] + 1 : lasts[i] + 1][["price", "size", "side", "action", "ts_event"]]
        again = book[lasts[i] + 1 : lasts[i + 1] + 1][["price", "size", "side", "action", "ts_event"]]
        assert (first == again).all()
    steps = np.abs(np.diff(event.astype(np.int64)))
    assert (steps > 700_000_000).sum() >= len(by_kind["clock_step"])
    assert set(np.abs(by_kind["clock_step"]["clock_step_ns"])) == {800_000_000}
    assert (np.diff(book["ts_init"]) >= 0).all()


def test_faults_of_the_book_are_where_the_truth_says(stressed: Run) -> None:
    _, rows, tables = stressed
    book, faults = rows["book"], tables["disturbances"]
    spans = {
        kind: [(r["ts_from"].value, r["ts_to"].value) for _, r in faults.loc[faults["kind"] == kind].iterrows()]
        for kind in DISTURBANCE_KINDS
    }
    books: dict[int, dict[int, int]] = {1: {}, 2: {}}
    crossed = one_sided = 0
    slack = 1_000_000_000  # the feed's interval, and clock steps
    for i, row in enumerate(book.tolist()):
        event, _, _, price, size, _, action, side, flags = row
        if action == Action.CLEAR:
            books = {1: {}, 2: {}}
            continue
        if size:
            books[side][price] = size
        else:
            books[side].pop(price, None)
        if not flags & Flag.LAST:
            continue
        if not books[1] or not books[2]:
            one_sided += 1
            assert any(a - slack <= event <= b + slack for a, b in spans["one_sided"]), i
        elif max(books[1]) >= min(books[2]):
            crossed += 1
            assert any(a - slack <= event <= b + slack for a, b in spans["crossed"]), i
    assert crossed >= len(spans["crossed"]) - 2
    assert one_sided >= len(spans["one_sided"]) - 2


def test_spells_tile_the_span(project: Path) -> None:
    config = load_scenario(project / "configs" / "simulation" / "regimes.toml", ["feed.interval_ms=1000"])
    thin = msgspec.structs.replace(config.populations[0], orders_per_sec=2.0)
    config = msgspec.structs.replace(config, populations=(thin,))
    _, rows, tables = run(config, 2, 20_000.0)
    states = tables["states"]
    assert set(states["state"]) == {state.name for state in config.states}
    assert (states["ts_from"].iloc[1:].to_numpy() == states["ts_to"].iloc[:-1].to_numpy()).all()
    span = (states["ts_to"].iloc[-1] - states["ts_from"].iloc[0]).total_seconds()
    assert span == pytest.approx(20_000.0)
    # The mid drifts as its label says, spell by spell.
    price = tables["price"]
    times = price["ts"].dt.tz_localize(None).to_numpy().astype(np.int64)
    for name, sign in (("trend_up", 1), ("crash", -1)):
        change = 0.0
        for _, spell in states.loc[states["state"] == name].iterrows():
            ends = np.searchsorted(times, [spell["ts_from"].value, spell["ts_to"].value], side="right")
            change += float(np.diff(price["mid"].to_numpy()[ends - 1])[0])
        assert change * sign > 0
    assert len(rows["book"]) > 1000
