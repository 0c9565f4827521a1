"""The page of a run of the detectors: alerts in numbers and time, and the book around the strongest."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from markupsafe import Markup

from fathom.data_catalog.messages.detections import BUILT_IN, LevelUpdate, ManipulationAlert, RegimeChange
from fathom.pages import Page, Section, Tile
from fathom.pages.bars import shares
from fathom.pages.formats import UNDEFINED, duration, integer, number, percent, precise_utc, significant, utc
from fathom.pages.tables import Cell, Row, empty, table
from fathom.settings.whole_files import write_whole
from fathom.studies.detection.config import DetectionConfig
from fathom.studies.detection.figures import COLORS, alerts_over_time, heat_map
from fathom.studies.detection.run import Episode, Market, warnings_of

MOST_ROWS: Final = 200
"""Alerts in the table of the page; the file holds all."""

_BANDS: Final = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)
_REGIMES: Final = ("trend_up", "trend_down", "range", "volatile", "crash")


def write_page(
    path: Path, config: DetectionConfig, markets: Sequence[Market], shown: Mapping[str, Sequence[Episode]], name: str
) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
    config : DetectionConfig
    markets : sequence of Market
    shown : Mapping
        Instrument id -> the episodes to draw.
    name : str
        Title of the page.
    """
    write_whole(path, detection_html(config, markets, shown, name))


def detection_html(
    config: DetectionConfig, markets: Sequence[Market], shown: Mapping[str, Sequence[Episode]], name: str
) -> str:
    """Return the page as text; arguments as for `write_page`."""
    sections = [_counts(markets)]
    for market in markets:
        instrument = market.grid.instrument_id
        sections.append(_time(market))
        found = shown.get(instrument, ())
        if found:
            sections.append(_episodes(market, found))
    sections += [_table(markets), _regimes(markets), *_own(markets), _rpi(markets)]
    tables = [f"{kind.TOPIC}.parquet" for kind in markets[0].found]
    first, last = min(market.first_ns for market in markets), max(market.last_ns for market in markets)
    page = Page(
        kind="Detection",
        title=name,
        subtitle=f"{utc(first)} to {utc(last)} UTC · {', '.join(market.grid.instrument_id for market in markets)}",
        tiles=_tiles(markets),
        facts=_facts(config, markets),
        warnings=(
            *warnings_of(list(markets)),
            "An alert is an opinion: a recorded market does not tell who meant what. What a confidence is worth, and "
            "which manipulation cannot be found, docs/detectors.md measures where the truth is known.",
        ),
        sections=tuple(sections),
        footer=f"Times in UTC. {', '.join(tables[:-1])} and {tables[-1]} hold everything.",
    )
    return page.render()


def _tiles(markets: Sequence[Market]) -> tuple[Tile, ...]:
    hours = sum(market.hours for market in markets)
    alerts = [alert for market in markets for alert in market.alerts]
    news = [alert for alert in alerts if alert.series == 1]
    sure = [alert for alert in news if alert.confidence >= 0.5]
    kinds = Counter[str](alert.kind for alert in news)
    span = duration(hours * 3600.0)
    return (
        Tile("Alerts", integer(len(alerts)), f"{integer(len(news))} series of like ones"),
        Tile("Series an hour", number(len(news) / hours, 1) if hours else UNDEFINED, f"an instrument, over {span}"),
        Tile("Of them 0.5 or surer", number(len(sure) / hours, 1) if hours else UNDEFINED, "an hour, an instrument"),
        *(Tile(_named(kind), integer(kinds[kind]), "series") for kind in COLORS),
    )


def _facts(config: DetectionConfig, markets: Sequence[Market]) -> tuple[tuple[str, str], ...]:
    watch = config.watch
    depth = watch.surveillance.depth
    events = " · ".join(f"{market.rows:,} of {market.grid.instrument_id}" for market in markets)
    return (
        ("Events", events),
        ("Detectors", ", ".join(watch.detectors)),
        ("Bars", f"{watch.bar_ms:,} ms, of trades and the mid"),
        ("Depth", f"{depth} levels a side" if depth else "every change"),
        ("Thresholds", f"spoofing {watch.surveillance.spoofing.threshold:g}, "
         f"layering {watch.surveillance.layering.threshold:g}, "
         f"quote stuffing {watch.surveillance.quote_stuffing.threshold:g}"),
        ("Confidence", f"from {config.min_confidence:g}" if config.min_confidence else "all"),
    )  # fmt: skip


def _counts(markets: Sequence[Market]) -> Section:
    head = ["Instrument", "Kind", "Alerts", "Series", "Series an hour", "Fake bids", "Fake asks"]
    head += [f"{low:g}–{high:g}" for low, high in pairwise(_BANDS)]
    rows: list[Row] = []
    for market in markets:
        for kind in COLORS:
            some = [alert for alert in market.alerts if alert.kind == kind]
            if not some:
                continue
            series = [alert for alert in some if alert.series == 1]
            sure = np.array([alert.confidence for alert in series])
            counts = np.histogram(sure, _BANDS)[0].tolist()
            rate = len(series) / market.hours if market.hours else float("nan")
            sides = Counter(alert.side for alert in series)
            rows.append([
                market.grid.instrument_id, _named(kind), integer(len(some)), integer(len(series)), number(rate, 1),
                integer(sides["BUY"]) if kind != "QUOTE_STUFFING" else UNDEFINED,
                integer(sides["SELL"]) if kind != "QUOTE_STUFFING" else UNDEFINED,
                *(integer(count) if count else "" for count in counts),
            ])  # fmt: skip
    note = (
        "A series is a run of like alerts: the first is news, the others go on with it. The last columns count series "
        "by confidence."
    )
    if not rows:
        return Section("counts", "Alerts by kind and confidence", empty("No alert was raised."), note)
    return Section("counts", "Alerts by kind and confidence", table(head, rows, text_columns=[0, 1]), note)


def _time(market: Market) -> Section:
    name = market.grid.instrument_id
    title = f"{name}: alerts over time"
    if not market.alerts:
        return Section(f"time-{_slug(name)}", title, empty("No alert was raised."))
    return Section(f"time-{_slug(name)}", title, alerts_over_time(market, f"time-{_slug(name)}"))


def _episodes(market: Market, shown: Sequence[Episode]) -> Section:
    name = market.grid.instrument_id
    cards = [_card(market, episode, f"book-{_slug(name)}-{at}") for at, episode in enumerate(shown)]
    pairs = [cards[at : at + 2] for at in range(0, len(cards), 2)]
    body = Markup("\n").join(
        Markup('<div class="pair">{}</div>').format(Markup("").join(Markup("<div>{}</div>").format(one) for one in two))
        for two in pairs
    )
    note = (
        "The strongest alerts, one a series. Resting bids are blue, asks amber, the darker the larger (logarithmic). "
        "Circles are trades, blue bought, amber sold, their area the size. The frame is the orders of the alert, from "
        "the message that first showed them to the one without them."
    )
    return Section(f"book-{_slug(name)}", f"{name}: the book around the strongest", body, note)


def _card(market: Market, episode: Episode, name: str) -> Markup:
    alert = episode.alert
    heading = f"{_named(alert.kind)}{_side(alert)}, confidence {alert.confidence:.2f}"
    price = significant(alert.price_low)
    if alert.price_high > alert.price_low:
        price += f" to {significant(alert.price_high)}, {alert.levels} levels"
    what = f"{precise_utc(alert.ts_event)} · size {significant(alert.size)} at {price}" if alert.price_low else (
        f"{precise_utc(alert.ts_event)} · {significant(alert.size)} placed and taken away"
    )  # fmt: skip
    why = (
        f"{alert.size_ratio:.1f} × large, {alert.distance_ticks:,} ticks from the touch, stood {_life(alert)}, "
        f"benefit {alert.benefit:+.1f}, recurrence {alert.recurrence:.1f}, trace {alert.trace_id}"
    )
    if alert.kind == "QUOTE_STUFFING":
        rate = f"{alert.size_ratio:.1f} deviations over the usual rate"
        why = f"{alert.levels:,} changes in the burst, {rate}, trace {alert.trace_id}"
    return Markup('<h3>{}</h3><p class="about">{}<br>{}</p>{}').format(
        heading, what, why, heat_map(episode, market.grid, name)
    )


def _table(markets: Sequence[Market]) -> Section:
    alerts = sorted((alert for market in markets for alert in market.alerts), key=lambda alert: -alert.confidence)
    title = "The strongest alerts"
    if not alerts:
        return Section("alerts", title, empty("No alert was raised."))
    head = [
        *("Time (UTC)", "Instrument", "Kind", "Side", "Confidence", "Price", "Levels", "Size", "Large", "Distance"),
        *("Stood", "Benefit", "Recurrence", "Series", "Trace"),
    ]
    rows: list[Row] = [_row(alert) for alert in alerts[:MOST_ROWS]]
    note = (
        "Large: size over what most additions at this distance stay below; of quote stuffing, deviations over the "
        "usual rate, and its levels are the changes in the burst. Click on a heading to sort."
    )
    if len(alerts) > MOST_ROWS:
        note += f" {MOST_ROWS} of {len(alerts):,}; alerts.parquet holds all."
    return Section("alerts", title, table(head, rows, text_columns=[0, 1, 2, 3, 14], sortable=True, scroll=True), note)


def _row(alert: ManipulationAlert) -> Row:
    return [
        precise_utc(alert.ts_event), alert.instrument_id, _named(alert.kind), _side(alert).strip(" ,"),
        Cell(f"{alert.confidence:.3f}", alert.confidence),
        Cell(significant(alert.price_low) if alert.price_low else UNDEFINED, alert.price_low),
        Cell(integer(alert.levels), float(alert.levels)), Cell(significant(alert.size), alert.size),
        Cell(number(alert.size_ratio, 1), alert.size_ratio),
        Cell(integer(alert.distance_ticks) if alert.price_low else UNDEFINED, alert.distance_ticks),
        Cell(_life(alert), alert.life_high_ms), Cell(number(alert.benefit, 1, signed=True), alert.benefit),
        Cell(number(alert.recurrence, 1), alert.recurrence), Cell(integer(alert.series), float(alert.series)),
        alert.trace_id,
    ]  # fmt: skip


def _regimes(markets: Sequence[Market]) -> Section:
    parts = []
    for market in markets:
        changes = market.found[RegimeChange]
        if not changes:
            continue
        times = np.array([change.ts_event for change in changes] + [market.last_ns])
        held: Counter[str] = Counter()
        paused = flat = 0.0
        for change, secs in zip(changes, np.diff(times) / 1e9, strict=True):
            held[change.regime] += secs
            paused += secs * change.pause
            flat += secs * change.is_flat
        total = max(float(times[-1] - times[0]) / 1e9, 1e-9)
        drawing = shares([(name.replace("_", " "), held[name]) for name in _REGIMES], "Time in each regime")
        levels = len(market.found[LevelUpdate])
        text = (
            f"{len(changes):,} changes; paused {percent(paused / total, 1)} and flat {percent(flat / total, 1)} of the "
            f"time; the nearest levels changed {levels:,} times."
        )
        parts.append(Markup("<h3>{}</h3>{}<p class='about'>{}</p>").format(market.grid.instrument_id, drawing, text))
    body = Markup("\n").join(parts) if parts else empty("No regime was named: the detector is off or warming up.")
    return Section("regimes", "Regimes", body, "Share of time since the first opinion.")


def _own(markets: Sequence[Market]) -> list[Section]:
    rows: list[Row] = [
        [market.grid.instrument_id, kind.TOPIC, integer(len(messages)), str(messages[-1]) if messages else UNDEFINED]
        for market in markets
        for kind, messages in market.found.items()
        if kind not in BUILT_IN
    ]
    if not rows:
        return []
    head = ["Instrument", "Detector", "News", "The last"]
    return [Section("own", "Detectors from outside", table(head, rows, text_columns=[0, 1, 3], scroll=True))]


def _rpi(markets: Sequence[Market]) -> Section:
    head = [
        *("Instrument", "Trades", "RPI", "RPI, of the last 500 or so by size", "Inside the spread", "of them RPI"),
        "The last one",
    ]
    rows: list[Row] = []
    for market in markets:
        found = market.rpi
        if found is not None and found.trades:
            last = "inside the spread" if found.hidden_cross else "at or beyond it"
            counts = (found.trades, found.rpi_trades, found.inside, found.inside_rpi)
            trades, retail, inside, inside_retail = map(integer, counts)
            rows.append(
                [market.grid.instrument_id, trades, retail, percent(found.share, 1), inside, inside_retail, last]
            )
    note = (
        "Trades against retail price improvement orders (Bybit) do not consume the visible queue: no detector takes "
        "them for a withdrawal or for a benefit, nor a print inside the public spread for an anomaly."
    )
    body = table(head, rows, text_columns=[0, 6]) if rows else empty("No trade was seen.")
    return Section("rpi", "Retail price improvement", body, note)


def _named(kind: str) -> str:
    return kind.replace("_", " ").capitalize()


def _side(alert: ManipulationAlert) -> str:
    return {"BUY": ", fake bids", "SELL": ", fake asks"}.get(alert.side, "")


def _life(alert: ManipulationAlert) -> str:
    if alert.kind == "QUOTE_STUFFING":
        return UNDEFINED
    low, high = alert.life_low_ms, alert.life_high_ms
    return f"{low:,.0f} ms" if round(low) == round(high) else f"{low:,.0f}–{high:,.0f} ms"


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())


def summary(markets: Sequence[Market]) -> list[dict[str, Any]]:
    """Return what was found as plain data: one entry an instrument and kind of alert."""
    found = []
    for market in markets:
        for kind in COLORS:
            some = [alert for alert in market.alerts if alert.kind == kind]
            series = [alert for alert in some if alert.series == 1]
            found.append({
                "instrument": market.grid.instrument_id,
                "kind": kind,
                "alerts": len(some),
                "series": len(series),
                "series_an_hour": round(len(series) / market.hours, 3) if market.hours else None,
                "hours": round(market.hours, 6),
            })  # fmt: skip
    return found
