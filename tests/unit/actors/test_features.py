"""The feature actor in the engine: what it publishes, records, stores, saves and refuses."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nautilus_trader.backtest import BacktestEngine, BacktestEngineConfig
from nautilus_trader.execution import MakerTakerFeeModel
from nautilus_trader.model import (
    AccountType,
    BookType,
    Currency,
    CustomData,
    DataType,
    Money,
    OmsType,
    OrderBookDeltas,
    Venue,
)
from nautilus_trader.persistence import ParquetDataCatalog

from fathom.actors.features import FeatureActor, FeatureActorConfig
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import default_instruments
from fathom.data_catalog.messages.trade_flags import TradeFlags
from fathom.data_catalog.store.arrow import BAR as STORED
from fathom.market import Flag, Kind
from fathom.ml.features import FeatureConfig, FeatureSet
from fathom.ml.features.micro_price import fit_micro_price
from tests.makers.feature_replay import QUIET, Collector, assert_same, make_actor, offline, replay, stacked
from tests.makers.random_market import random_market
from tests.makers.small_market import BTC, ETH, SECOND, START

SECONDS = 75
CONFIG = FeatureConfig(max_silence_ms=6_000)
BARS = "5-SECOND-LAST-EXTERNAL"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalog")
    for seed, symbol in enumerate(("BTCUSDT", "ETHUSDT")):
        instrument, rows = default_instruments()[symbol], random_market(seed, seconds=SECONDS)
        for name in ("ts_init", "ts_event"):
            rows[name] += START - 1_700_000_000 * SECOND
        with Catalog(folder).book_writer(instrument) as book:
            book.write(rows[rows["kind"] == Kind.BOOK])
        with Catalog(folder).trade_writer(instrument) as trades:
            rows = rows[rows["kind"] == Kind.TRADE]
            trades.write(rows, [f"t{i}" for i in range(len(rows))])
    bars = np.zeros(SECONDS // 5, STORED)
    bars["ts_event"] = bars["ts_init"] = START + np.arange(1, len(bars) + 1) * 5 * SECOND
    bars["open"] = bars["low"] = 99_900 + np.arange(len(bars)) % 7
    bars["high"] = bars["close"] = bars["open"] + 1 + np.arange(len(bars)) % 3
    bars["volume"] = 100 + np.arange(len(bars))
    with Catalog(folder).bar_writer(f"{BTC}-{BARS}") as writer:
        writer.write(bars)
    return folder


def assert_published(collector: Collector, catalog: Path, name: str, config: FeatureConfig = CONFIG) -> None:
    """Check that the vectors of the bus are those of the batch, up to what a timer adds at the end."""
    want, got = offline(catalog, name, config), collector.of(name)
    assert len(want.ts) > 40
    assert len(got.ts) - len(want.ts) in (0, 1)
    assert_same(type(got)(got.ts[: len(want.ts)], got.values[: len(want.ts)]), want)


@pytest.mark.parametrize("kinds", [("book", "trades"), ("trades", "book")])
def test_vectors_of_several_instruments_are_those_of_the_batch(catalog: Path, kinds: tuple[str, str]) -> None:
    actor = make_actor(BTC, ETH, features=CONFIG, flags_from=str(catalog))
    collector = replay(catalog, actor, kinds=kinds)
    for name in (BTC, ETH):
        assert_published(collector, catalog, name)
    shares = offline(catalog, BTC, FeatureConfig(features=("rpi_share",)))
    assert np.nanmax(shares.values) > 0  # the flags are in it


def test_vectors_say_what_they_are(catalog: Path) -> None:
    actor = make_actor(BTC, features=CONFIG, timer_delay_ms=30)
    vectors = replay(catalog, actor).vectors[BTC]
    schema = actor.streams[BTC].features.schema
    ages = np.array([vector.ts_init - vector.ts_event for vector in vectors])
    assert {vector.schema_hash for vector in vectors} == {schema.hash}
    assert {len(vector.values) for vector in vectors} == {len(schema)}
    assert not any(vector.values.flags.writeable for vector in vectors)
    assert (ages >= 0).all()
    assert ages.max() == 30_000_000  # the timer, where no event has come before
    assert (ages < 30_000_000).any()  # an event


def test_a_grid_finer_than_the_market_is_served_by_the_timer(catalog: Path) -> None:
    config = FeatureConfig(grid_ms=100, max_silence_ms=6_000)
    collector = replay(catalog, make_actor(BTC, features=config, flags_from=str(catalog)))
    want, got = offline(catalog, BTC, config), collector.of(BTC)
    assert_same(type(got)(got.ts[: len(want.ts)], got.values[: len(want.ts)]), want)


def test_recorded_vectors_are_those_of_the_bus(catalog: Path, tmp_path: Path) -> None:
    collector = replay(catalog, make_actor(BTC, ETH, features=CONFIG, record=True))
    for name in (BTC, ETH):
        assert_same(stacked([one.data for one in collector.custom[name]]), collector.of(name))
    plain = replay(catalog, make_actor(BTC, features=CONFIG))
    assert plain.custom[BTC] == []


def test_bars_come_from_outside(catalog: Path) -> None:
    config = FeatureConfig(bars="outside", bar_ms=5_000, max_silence_ms=6_000)
    actor = make_actor(BTC, features=config, bar_type=BARS, flags_from=str(catalog))
    got = replay(catalog, actor, kinds=("book", "trades", "bars")).of(BTC)
    want = offline(catalog, BTC, config, bar_type=BARS)
    assert_same(type(got)(got.ts[: len(want.ts)], got.values[: len(want.ts)]), want)
    assert not np.isnan(got.values[-1, actor.streams[BTC].features.schema.index("close")])


def test_flags_come_as_custom_data(catalog: Path) -> None:
    """Replay what `BacktestNode` cannot: the low-level engine takes custom data beside the engine's own."""
    actor, collector = make_actor(BTC, features=CONFIG), Collector([BTC])
    engine = BacktestEngine(BacktestEngineConfig(logging=QUIET, run_analysis=False, shutdown_on_error=True))
    engine.add_venue(
        Venue("BYBIT"),
        OmsType.NETTING,
        AccountType.MARGIN,
        [Money(1_000_000, Currency.from_str("USDT"))],
        book_type=BookType.L2_MBP,
        fee_model=MakerTakerFeeModel(Decimal(0), Decimal(0)),
    )
    instrument = default_instruments()["BTCUSDT"]
    engine.add_instrument(instrument)
    stored = ParquetDataCatalog(str(catalog))
    deltas, messages, held = stored.query_order_book_deltas([BTC]), [], []
    for delta in deltas:
        held.append(delta)
        if delta.flags & Flag.LAST:
            messages.append(OrderBookDeltas(delta.instrument_id, held))
            held = []
    rows = np.concatenate(list(Catalog(catalog).events(BTC, book=False)))
    flags_of: Any = TradeFlags  # the engine's decorator puts two arguments before its fields
    flags = [
        CustomData(
            DataType("TradeFlags", identifier=BTC),
            flags_of(
                int(row["ts_event"]),
                int(row["ts_init"]),
                instrument_id=instrument.id,
                trade_id=f"t{i}",
                flags=int(row["flags"]),
            ),
        )
        for i, row in enumerate(rows)
        if row["flags"]
    ]
    assert len(flags) > 5
    for data in (stored.query_trade_ticks([BTC]), flags, messages):
        engine.add_data(data)
    engine.add_actors([collector, actor])
    engine.run()
    engine.dispose()
    assert_published(collector, catalog, BTC)


def test_the_micro_price_table_is_read(catalog: Path, tmp_path: Path) -> None:
    rows = np.concatenate(list(Catalog(catalog).events(BTC, trades=False)))
    table = fit_micro_price(rows, instrument=BTC)
    (tmp_path / "table.json").write_bytes(table.to_json())
    actor = make_actor(BTC, features=CONFIG, micro_price={BTC: str(tmp_path / "table.json")}, flags_from=str(catalog))
    got, want = replay(catalog, actor).of(BTC), offline(catalog, BTC, CONFIG, micro_price=table)
    assert "stoikov_micro_price" in actor.streams[BTC].features.schema.names
    assert_same(type(got)(got.ts[: len(want.ts)], got.values[: len(want.ts)]), want)


def test_a_restart_goes_on_where_it_was(catalog: Path) -> None:
    whole = replay(catalog, make_actor(BTC, ETH, features=CONFIG))
    cut = START + 33 * SECOND + 400_000_000
    first, second = (make_actor(BTC, ETH, features=CONFIG) for _ in range(2))
    before = replay(catalog, first, end_ns=cut)
    second.load(first.save())
    after = replay(catalog, second, start_ns=cut + 1)
    for name in (BTC, ETH):
        assert len(before.vectors[name]) > 20
        assert_same(stacked([*before.vectors[name], *after.vectors[name]]), whole.of(name))


def test_vectors_go_into_the_store(catalog: Path) -> None:
    class Keeping(FeatureActor):
        def on_stop(self) -> None:
            assert self._store is not None
            self.found = self._store.window(BTC, 5)
            super().on_stop()

    actor = Keeping(FeatureActorConfig(instruments=(BTC,), features=CONFIG, store="memory"))
    vectors = replay(catalog, actor).vectors[BTC][-5:]
    schema = FeatureSet(CONFIG, price_increment=0.1, size_increment=0.001).schema
    assert [one.timestamp_ms for one in actor.found] == [vector.ts_event // 1_000_000 for vector in vectors]
    for one, vector in zip(actor.found, vectors, strict=True):
        assert one.values(schema).tobytes() == vector.values.tobytes()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"bar_type": BARS}, 'Expected bar_type with bars = "outside"'),
        ({"features": FeatureConfig(bars="outside")}, "and only then; was None"),
        ({"micro_price": {ETH: "x.json"}}, "Expected micro_price tables of the instruments, was one of ETHUSDT"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError) as caught:
        FeatureActorConfig(instruments=(BTC,), **settings)
    assert told in str(caught.value)
