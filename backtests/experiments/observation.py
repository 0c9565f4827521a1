"""What a backtest said and did, and when: on less data it must have said and done the same until they end."""

import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.actors.detection import DetectionActorConfig
from fathom.backtests.engine.simulation import simulate
from fathom.backtests.engine.witness import Witness
from fathom.backtests.experiments.mounts import show_instead
from fathom.backtests.setup.config import load
from fathom.backtests.setup.data_feed import open_feed
from fathom.data_catalog.messages.features import FEATURES_TOPIC, SCHEMAS_TOPIC
from fathom.data_catalog.messages.findings import message_kinds
from fathom.data_catalog.messages.signals import SIGNALS_TOPIC, VALIDATED_TOPIC
from fathom.data_catalog.store.cut import cut_catalog
from fathom.strategies.system_config import Actor


class Features(NamedTuple):
    """The feature vectors of an instrument: names, grid times (ns) and values of shape (times, names)."""

    names: list[str]
    times: NDArray[np.int64]
    values: NDArray[np.float64]


class Event(NamedTuple):
    """Something that a component said or did: a message, a decision or an order.

    Attributes
    ----------
    kind : str
        ``detection``, ``signal``, ``decision`` or ``order``.
    name : str
        Topic of a message, or strategy.
    ts_ns : int
    text : str
        Its content.
    """

    kind: str
    name: str
    ts_ns: int
    text: str


class Observation(NamedTuple):
    """What a run said and did.

    Attributes
    ----------
    start_ns, end_ns : int
        Time of the first and the last event of its data.
    features : dict
        Instrument id -> `Features`.
    events : list of Event
        In order of time.
    """

    start_ns: int
    end_ns: int
    features: dict[str, Features]
    events: list[Event]


class Cut(NamedTuple):
    """A catalog, and the first time (ns) that a run does not see."""

    catalog: Path
    end_ns: int


_SIGNALS = (SIGNALS_TOPIC, VALIDATED_TOPIC)
_DECIDED = ("signal_id", "instrument", "source", "side", "strength", "entry", "stop", "target", "decision_price")
_SENT = ("client_order_id", "instrument_id", "role", "side", "type", "time_in_force", "post_only", "reduce_only")
_ENDED = ("client_order_id", "quantity", "price", "trigger_price")  # what may be amended until the order ends


def observe(
    files: Sequence[Path | str | Mapping[str, Any]], assignments: Sequence[str] = (), cut: Cut | None = None
) -> Observation:
    """Run a backtest and return what it said and did; nothing is written, and no trial is counted.

    Parameters
    ----------
    files, assignments
        See `fathom.backtests.setup.config.load`.
    cut
        The run sees the catalog without what came at or after a time. After `separate_mounts`, who opens the files of
        the catalog sees the same; else, only who was told its place by the configuration.

    Raises
    ------
    BacktestError
        The configuration is wrong, or the simulation failed.
    """
    with tempfile.TemporaryDirectory(prefix="fathom-cut-") as scratch:
        if cut is not None:
            catalog, shorter = cut.catalog.resolve(), Path(scratch).resolve() / "catalog"
            cut_catalog(catalog, shorter, cut.end_ns)
            shown = show_instead(shorter, catalog)  # before a module of the user is imported, which may read files
        resolved = load(files, assignments)
        if cut is not None and not shown:
            resolved = load([_moved(tomllib.loads(resolved.text), catalog, shorter)])
        feed, witness = open_feed(resolved.config), Witness(_topics(resolved.actors))
        finished = simulate(resolved, feed, watchers=[witness])
    features = {
        name: Features(witness.names[name], np.array([ts for ts, _ in pairs]), np.array([row for _, row in pairs]))
        for name, pairs in witness.vectors.items()
    }
    events = [
        Event("signal" if topic.partition(".")[0] in _SIGNALS else "detection", topic, ts_ns, text)
        for topic, ts_ns, text in witness.sayings
    ]
    if "decisions" in finished.tables:
        rows = finished.tables["decisions"].to_pylist()
        events += [Event("decision", row["strategy"], row["ts"].value, _text(row, _DECIDED)) for row in rows]
    for order in finished.records.orders:
        row = order._asdict()
        events.append(Event("order", order.strategy_id, order.ts_init, _text(row, _SENT)))
        events.append(Event("order", order.strategy_id, order.ts_last, _text(row, _ENDED)))
    return Observation(feed.start_ns, feed.end_ns, features, sorted(events, key=lambda event: event.ts_ns))


def _topics(actors: Sequence[Actor]) -> list[str]:
    heard = [SCHEMAS_TOPIC, FEATURES_TOPIC, SIGNALS_TOPIC, VALIDATED_TOPIC]
    for actor in actors:
        if isinstance(actor.parameters, DetectionActorConfig):
            heard += [kind.TOPIC for kind in message_kinds(actor.parameters.watch)]
    return [f"{topic}.*" for topic in dict.fromkeys(heard)]


def _moved(settings: Any, catalog: Path, cut: Path) -> Any:
    """Name the cut catalog wherever the settings name the catalog."""
    match settings:
        case dict():
            return {key: _moved(value, catalog, cut) for key, value in settings.items()}
        case list():
            return [_moved(value, catalog, cut) for value in settings]
        case str() if Path(settings).is_relative_to(catalog):
            return str(cut / Path(settings).relative_to(catalog))
    return settings


def _text(row: Mapping[str, Any], names: Sequence[str]) -> str:
    return ", ".join(f"{name} {row[name]}" for name in names)
