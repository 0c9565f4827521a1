"""Every detector over a catalog, in batch: what they find, and the book around the strongest alerts."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
from nautilus_trader.persistence import ParquetDataCatalog
from numpy.typing import NDArray

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.instruments import Grid
from fathom.data_catalog.messages.detections import BUILT_IN, Detection, ManipulationAlert
from fathom.data_catalog.messages.findings import SureAlerts, message_kinds, messages_of, messages_table
from fathom.data_catalog.store.engine_path import engine_path
from fathom.data_catalog.store.layout import BOOK, ENGINE_DATA, OWN_DATA, folder_of
from fathom.detectors import MarketWatch, RpiReading
from fathom.market import EVENT, Action, Kind
from fathom.market.follow import BookFollower
from fathom.settings.whole_files import whole_file
from fathom.studies.detection.config import DetectionConfig

MARGIN_NS: Final = 1_500_000_000
"""Time shown before and after an episode, at most."""

_TICKS: Final = 12  # shown beyond the orders and the touch
_MOST_TICKS: Final = 4_000

type Progress = Callable[[str, int, int], None]


@dataclass
class Market:
    """What the detectors found in one instrument.

    Attributes
    ----------
    grid : Grid
    found : dict
        Class of messages -> messages, in the order of time.
    rows, first_ns, last_ns : int
        Events read, and their span.
    rpi : RpiReading or None
        Trades against retail price improvement orders, at the end of the span.
    begins_whole : bool
        Whether the first message of the book is a snapshot; else levels are missing at first.

    Examples
    --------
    >>> from fathom.data_catalog.instruments import default_instruments
    >>> Market(Grid.of(default_instruments()["BTCUSDT"])).hours
    0.0
    """

    grid: Grid
    found: dict[type[Detection], list[Any]] = field(default_factory=lambda: {kind: [] for kind in BUILT_IN})
    rows: int = 0
    first_ns: int = 0
    last_ns: int = 0
    rpi: RpiReading | None = None
    begins_whole: bool = True

    @property
    def alerts(self) -> list[ManipulationAlert]:
        """The alerts."""
        return self.found[ManipulationAlert]

    @property
    def hours(self) -> float:
        """Length of the span."""
        return (self.last_ns - self.first_ns) / 3.6e12


@dataclass
class Episode:
    """The book around an alert.

    Attributes
    ----------
    alert : ManipulationAlert
    start_ns, end_ns : int
        Venue times that are shown.
    low : int
        Lowest price shown, in ticks.
    ladder : ndarray
        Lots at `start_ns`, bids first: shape (2, prices).
    rows : ndarray
        The events shown (`EVENT`).
    """

    alert: ManipulationAlert
    start_ns: int
    end_ns: int
    low: int = 0
    ladder: NDArray[np.int64] | None = None
    rows: NDArray[Any] = field(default_factory=lambda: np.zeros(0, EVENT))


def detect(config: DetectionConfig, on_progress: Progress | None = None) -> list[Market]:
    """Run the detectors over the instruments of a catalog.

    Parameters
    ----------
    config : DetectionConfig
    on_progress : callable, optional
        Called with the instrument's id, rows done and rows in all.

    Raises
    ------
    CatalogError
        The catalog lacks an instrument, has no order book, or nothing in the span.
    """
    catalog = Catalog(config.catalog)
    totals = {span.identifier: span.rows for span in catalog.spans() if span.data_type == BOOK}
    names = config.instruments or tuple(totals)
    if not names:
        raise CatalogError(f"Expected an order book in {config.catalog}, was none. Import one: fathom data import.")
    return [_market(catalog, name, config, totals.get(name, 0), on_progress) for name in names]


def _market(catalog: Catalog, name: str, config: DetectionConfig, total: int, on_progress: Progress | None) -> Market:
    market = Market(Grid.of(catalog.instrument(name)), {kind: [] for kind in message_kinds(config.watch)})
    watch, sure = MarketWatch(config.watch), SureAlerts(config.min_confidence)
    start_ns, end_ns = config.span_ns
    seen = False
    for rows in catalog.events(name, start_ns=start_ns, end_ns=end_ns):
        book = rows[rows["kind"] == Kind.BOOK]
        if len(book) and not seen:
            seen, market.begins_whole = True, bool(book["action"][0] == Action.CLEAR)
        for message in messages_of(watch.update(rows), market.grid):
            kept = sure.take(message) if isinstance(message, ManipulationAlert) else message
            if kept is not None:
                market.found[type(kept)].append(kept)
        market.first_ns = market.first_ns or int(rows["ts_init"][0])
        market.last_ns = int(rows["ts_init"][-1])
        market.rows += len(rows)
        if on_progress is not None:
            on_progress(name, market.rows, max(total, market.rows))
    if not market.rows:
        raise CatalogError(
            f"Expected events of {name} from {config.start or 'the beginning'} to {config.end or 'the end'}, was none: "
            "see fathom data list for what the catalog holds."
        )
    market.rpi = watch.rpi
    return market


def warnings_of(markets: list[Market]) -> tuple[str, ...]:
    """Return what a reader of the alerts must know of the data, in sentences."""
    partial = ", ".join(market.grid.instrument_id for market in markets if not market.begins_whole)
    if not partial:
        return ()
    return (
        f"The book of {partial} begins without a snapshot: until its levels change, they are missing, and alerts may "
        "be of what was there before. Begin start where a file begins.",
    )


def strongest(market: Market, count: int) -> list[ManipulationAlert]:
    """Return the alerts of highest confidence, the strongest first, one of each series."""
    order = sorted(market.alerts, key=lambda alert: (-alert.confidence, alert.ts_event))
    chosen: list[ManipulationAlert] = []
    for alert in order:
        near = (one for one in chosen if one.kind == alert.kind and one.side == alert.side)
        if all(abs(one.ts_event - alert.ts_event) > 2 * MARGIN_NS for one in near):
            chosen.append(alert)
        if len(chosen) == count:
            break
    return chosen


def episodes(config: DetectionConfig, market: Market, alerts: list[ManipulationAlert]) -> list[Episode]:
    """Return the book around alerts, in their order; reads the events once more."""
    shown = [_span(alert) for alert in alerts]
    waiting = sorted(shown, key=lambda episode: episode.start_ns)
    if not waiting:
        return []
    book = BookFollower()
    start_ns, end_ns = config.span_ns
    last_ns = max(episode.end_ns for episode in shown)
    open_: list[Episode] = []
    for rows in Catalog(config.catalog).events(market.grid.instrument_id, start_ns=start_ns, end_ns=end_ns):
        ts, done = rows["ts_event"], 0
        while waiting and waiting[0].start_ns <= ts[-1]:
            episode = waiting.pop(0)
            cut = max(int(np.argmax(ts >= episode.start_ns)), done)
            book.update(rows[done:cut])
            done = cut
            _look(episode, book, market.grid)
            open_.append(episode)
        book.update(rows[done:])
        for episode in open_:
            here = rows[(ts >= episode.start_ns) & (ts < episode.end_ns)]
            if len(here):
                episode.rows = np.frombuffer(episode.rows.tobytes() + here.tobytes(), EVENT)
        open_ = [episode for episode in open_ if episode.end_ns > ts[-1]]
        if not waiting and not open_ and ts[-1] > last_ns:
            break
    return shown


def _span(alert: ManipulationAlert) -> Episode:
    length = max(alert.removed - alert.placed, 0)
    margin = min(max(length // 2, 400_000_000), MARGIN_NS)
    first = alert.placed or alert.ts_event
    return Episode(alert, first - margin, max(alert.removed, first) + margin)


def _look(episode: Episode, book: BookFollower, grid: Grid) -> None:
    alert = episode.alert
    prices = [
        *(book.touch or ()),
        *(round(price / grid.tick) for price in (alert.price_low, alert.price_high) if price),
    ]
    low, high = (min(prices), max(prices)) if prices else (1, 1)
    room = max(_TICKS, (high - low) // 8)
    episode.low = max(low - room, 1)
    episode.ladder = book.ladder(episode.low, min(high + room + 1, episode.low + _MOST_TICKS))


def write_tables(folder: Path, markets: list[Market]) -> list[Path]:
    """Write a table a kind of messages, such as `alerts.parquet`: all of them, or none where one cannot be written."""
    written = []
    with ExitStack() as files:
        for kind in dict.fromkeys(kind for market in markets for kind in market.found):
            messages = [message for market in markets for message in market.found[kind]]
            path = folder / f"{kind.TOPIC}.parquet"
            file = files.enter_context(whole_file(path))
            pq.write_table(messages_table(kind, messages), file, compression="zstd")
            written.append(path)
    return written


def store(catalog: Path | str, markets: list[Market]) -> int:
    """Store the messages in the catalog as custom data, all of them or none; return how many.

    Raises
    ------
    CatalogError
        The catalog already holds messages of these kinds: two opinions of the same span would be read as one.
    """
    for market in markets:
        for kind in market.found:
            folder = Path(catalog) / ENGINE_DATA / "custom" / kind.__name__ / folder_of(market.grid.instrument_id)
            if any(folder.glob("*.parquet")):
                raise CatalogError(
                    f"Expected no {kind.__name__} of {market.grid.instrument_id} in the catalog yet, was some in "
                    f"{folder}. Remove that folder, or run with store = false."
                )
    count, staging = 0, Path(catalog) / OWN_DATA / ".detections.part"
    shutil.rmtree(staging, ignore_errors=True)  # of a process that was killed
    try:
        for market in markets:
            for messages in market.found.values():
                if messages:
                    ordered = sorted(messages, key=lambda message: message.ts_init)
                    staging.mkdir(parents=True, exist_ok=True)
                    ParquetDataCatalog(engine_path(staging)).write_custom_data(
                        [message.custom_data() for message in ordered]
                    )
                    count += len(ordered)
        for file in sorted(staging.rglob("*.parquet")):
            place = Path(catalog) / file.relative_to(staging)
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return count
