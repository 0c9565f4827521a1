"""Replay a catalog through the engine with a `FeatureActor`, and collect what it publishes."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import numpy as np
from nautilus_trader.backtest import (
    BacktestDataConfig,
    BacktestEngineConfig,
    BacktestNode,
    BacktestRunConfig,
    BacktestVenueConfig,
)
from nautilus_trader.common import DataActor, DataActorConfig, LoggerConfig, LogLevel
from nautilus_trader.execution import MakerTakerFeeModel
from nautilus_trader.model import ActorId, InstrumentId, NautilusDataType

from fathom.actors.features import FeatureActor, FeatureActorConfig
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.messages.features import FeatureVector
from fathom.data_catalog.replay.rows_of_objects import closed_bars
from fathom.ml.features import BAR, FeatureConfig, FeatureSet, Vectors
from fathom.ml.features.micro_price import MicroPriceTable

VENUE = BacktestVenueConfig(
    "BYBIT",
    "NETTING",
    "MARGIN",
    ["1000000 USDT"],
    book_type="L2_MBP",
    fee_model=MakerTakerFeeModel(Decimal("0.0002"), Decimal("0.00055")),
)
_TYPES = {"book": NautilusDataType.OrderBookDelta, "trades": NautilusDataType.TradeTick, "bars": NautilusDataType.Bar}
QUIET = LoggerConfig(stdout_level=LogLevel.ERROR, print_config=False)


class Collector(DataActor):
    """Keeps every vector of the bus, and every one published as custom data."""

    def __new__(cls, instruments: Sequence[str]) -> Self:
        return super().__new__(cls, DataActorConfig(actor_id=ActorId("Collector-001")))  # type: ignore[call-arg]

    def __init__(self, instruments: Sequence[str]) -> None:
        super().__init__()
        self.instruments = instruments
        self.vectors: dict[str, list[FeatureVector]] = {name: [] for name in instruments}
        self.custom: dict[str, list[Any]] = {name: [] for name in instruments}

    def on_start(self) -> None:
        self.subscribe_topic("features.*", self.keep)
        for name in self.instruments:
            self.subscribe_data(FeatureVector.data_type(name))

    def keep(self, message: object) -> None:
        assert isinstance(message, FeatureVector)
        self.vectors[message.instrument_id].append(message)

    def on_data(self, data: Any) -> None:
        self.custom[data.data.instrument_id].append(data)

    def of(self, name: str) -> Vectors:
        """Return the vectors of one instrument that came over the bus."""
        return stacked(self.vectors[name])


def stacked(vectors: Sequence[FeatureVector]) -> Vectors:
    """Return vectors of the bus as arrays."""
    ts = np.array([vector.ts_event for vector in vectors], np.int64)
    return Vectors(ts, np.array([vector.values for vector in vectors]))


def replay(
    catalog: Path,
    actor: FeatureActor,
    *,
    kinds: Sequence[str] = ("book", "trades"),
    start_ns: int | None = None,
    end_ns: int | None = None,
    chunk_size: int | None = None,
) -> Collector:
    """Run the engine over the data of the actor's instruments; `kinds` are told to it in this order."""
    collector, settings = Collector(actor.settings.instruments), actor.settings
    play(catalog, settings.instruments, [collector, actor], kinds, settings.bar_type, start_ns, end_ns, chunk_size)
    return collector


def play(
    catalog: Path,
    instruments: Sequence[str],
    actors: Sequence[DataActor],
    kinds: Sequence[str] = ("book", "trades"),
    bar_type: str | None = None,
    start_ns: int | None = None,
    end_ns: int | None = None,
    chunk_size: int | None = None,
) -> None:
    """Run the engine with actors over the data of instruments; `kinds` are told to it in this order."""
    data = []
    for name in instruments:
        for kind in kinds:
            bars = [f"{name}-{bar_type}"] if kind == "bars" else None
            data.append(
                BacktestDataConfig(
                    _TYPES[kind],
                    str(catalog),
                    instrument_id=None if bars else InstrumentId.from_str(name),
                    bar_types=bars,
                    batch_deltas=kind == "book",
                    start_time=start_ns,
                    end_time=end_ns,
                )
            )
    engine = BacktestEngineConfig(logging=QUIET, run_analysis=False, shutdown_on_error=True)
    run = BacktestRunConfig(
        [VENUE], data, engine=engine, chunk_size=chunk_size, raise_exception=True, dispose_on_completion=False, id="run"
    )
    node = BacktestNode([run])
    node.build()
    for actor in actors:
        node.add_actor("run", actor)
    (result,) = node.run()
    assert result.iterations > 0
    node.dispose()


def make_actor(*instruments: str, **settings: Any) -> FeatureActor:
    """Return an actor of these instruments."""
    return FeatureActor(FeatureActorConfig(instruments=instruments, **settings))


def offline(
    catalog: Path,
    name: str,
    config: FeatureConfig | None = None,
    *,
    bar_type: str | None = None,
    micro_price: MicroPriceTable | None = None,
) -> Vectors:
    """Return the vectors of one instrument by the batch driver, from the catalog's tables."""
    opened = Catalog(catalog)
    grid = Grid.of(opened.instrument(name))
    features = FeatureSet(config, price_increment=grid.tick, size_increment=grid.lot, micro_price=micro_price)
    bars = np.zeros(0, BAR) if bar_type is None else closed_bars(opened.bar_rows(f"{name}-{bar_type}"))
    events = list(opened.events(name))
    rows = np.concatenate(events)
    return features.update_many(rows, bars)


def assert_same(got: Vectors, want: Vectors) -> None:
    """Check that two streams of vectors are equal in every bit."""
    np.testing.assert_array_equal(got.ts, want.ts)
    np.testing.assert_array_equal(got.values.view(np.int64), want.values.view(np.int64))
