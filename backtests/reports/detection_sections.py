"""What the detectors said in a run: alerts and regimes on the price charts, counts, and the strongest alerts."""

from collections import Counter
from typing import Final

import numpy as np
from markupsafe import Markup

from fathom.backtests.account.performance import Columns, Performance, select
from fathom.pages import Section
from fathom.pages.bars import shares
from fathom.pages.charts import Band, Marks
from fathom.pages.formats import UNDEFINED, integer, number, percent, precise_utc, significant
from fathom.pages.tables import Cell, Row, empty, table

MOST_MARKS: Final = 160
"""Alerts drawn on the charts of a page: the surest; more would hide the price and the fills."""
MOST_ALERTS: Final = 100
"""Rows of the table of alerts; `alerts.parquet` holds all."""

_PURPLE: Final = "#7d4aa3"
_KINDS: Final = {"SPOOFING": _PURPLE, "LAYERING": "#a8476f", "QUOTE_STUFFING": "#0f7f8c"}
_REGIMES: Final = {
    "trend_up": "#1a7a55",
    "trend_down": "#b23a34",
    "range": "#b9c3cc",
    "volatile": "#b9791c",
    "crash": "#7a1712",
}


def alert_marks(run: Performance, instrument: str) -> list[Marks]:
    """Return the first alert of each series in an instrument as marks: up for fake bids, down for fake asks."""
    alerts = _news(run, instrument)
    limit = MOST_MARKS // max(len(run.prices), 1)
    if alerts and alerts["confidence"].size > limit:
        alerts = select(alerts, np.sort(np.argsort(-alerts["confidence"], kind="stable")[:limit]))
    found = []
    for kind, color in _KINDS.items():
        for side, what, up in (("BUY", ", fake bids", True), ("SELL", ", fake asks", False), ("NONE", "", True)):
            if not alerts:
                continue
            some = select(alerts, (alerts["kind"] == kind) & (alerts["side"] == side))
            if not some["ts_event"].size:
                continue
            text = [_mark_text(some, row) for row in range(some["ts_event"].size)]
            found.append(
                Marks(
                    _named(kind) + what, some["ts_event"], _place(run, instrument, some), text, color, up, hollow=True
                )
            )
    return found


def regime_bands(run: Performance, instrument: str) -> list[Band]:
    """Return the spells of each regime in an instrument, ranges left white."""
    changes = _of(run, "regimes", instrument)
    if not changes or not changes["ts_event"].size:
        return []
    ends = np.append(changes["ts_event"][1:], run.times_ns[-1])
    bands = []
    for name, color in _REGIMES.items():
        chosen = (changes["regime"] == name) & (ends > changes["ts_event"])
        if name != "range" and chosen.any():
            bands.append(Band(name.replace("_", " "), changes["ts_event"][chosen], ends[chosen], color))
    return bands


def alert_sections(run: Performance) -> list[Section]:
    """Return the parts of the page about detections; none where no detector ran."""
    if "alerts" not in run.kept and "regimes" not in run.kept:
        return []
    sections = []
    if "alerts" in run.kept:
        sections.append(_counts(run))
    if "regimes" in run.kept and run.kept["regimes"]["ts_event"].size:
        sections.append(_regimes(run))
    return sections


def _counts(run: Performance) -> Section:
    alerts = run.kept["alerts"]
    total = alerts["ts_event"].size
    if not total:
        return Section("detections", "Alerts", empty("The detectors raised no alert."))
    hours = run.span_ns / 3.6e12
    head = ["Instrument", "Kind", "Alerts", "Series", "Series an hour", "Fake bids", "Fake asks", "Median confidence"]
    rows: list[Row] = []
    for name in sorted(set(alerts["instrument_id"].tolist())):
        for kind in _KINDS:
            some = select(alerts, (alerts["instrument_id"] == name) & (alerts["kind"] == kind))
            if not some["ts_event"].size:
                continue
            news = select(some, some["series"] == 1)
            sides = Counter[str](news["side"].tolist())
            middle = float(np.median(news["confidence"])) if news["confidence"].size else float("nan")
            rows.append([
                name, _named(kind), integer(some["ts_event"].size), integer(news["ts_event"].size),
                number(news["ts_event"].size / hours, 1) if hours else UNDEFINED,
                integer(sides["BUY"]) if kind != "QUOTE_STUFFING" else UNDEFINED,
                integer(sides["SELL"]) if kind != "QUOTE_STUFFING" else UNDEFINED, number(middle, 2),
            ])  # fmt: skip
    order = np.argsort(-alerts["confidence"], kind="stable")[:MOST_ALERTS]
    head_2 = ["Time (UTC)", "Instrument", "Kind", "Confidence", "Price", "Size", "Levels", "Stood", "Benefit", "Trace"]
    strongest = [_alert_row(alerts, int(row)) for row in order]
    note = (
        f"A series is a run of like alerts: the charts show the first of each, of the surest {MOST_MARKS} series. "
        "Of quote stuffing, the levels are the changes in the burst. What a confidence is worth, docs/detectors.md "
        "measures."
    )
    if total > MOST_ALERTS:
        note += f" Below, the {MOST_ALERTS} strongest of {total:,}; alerts.parquet holds all."
    body = Markup("{}<h3>The strongest</h3>{}").format(
        table(head, rows, text_columns=[0, 1]),
        table(head_2, strongest, text_columns=[0, 1, 2, 9], sortable=True, scroll=True),
    )
    return Section("detections", "Alerts", body, note)


def _regimes(run: Performance) -> Section:
    parts = []
    for name in run.prices:
        changes = _of(run, "regimes", name)
        if not changes or not changes["ts_event"].size:
            continue
        secs = np.diff(np.append(changes["ts_event"], run.times_ns[-1])) / 1e9
        secs = np.maximum(secs, 0.0)
        total = max(float(secs.sum()), 1e-9)
        held = [(one.replace("_", " "), float(secs[changes["regime"] == one].sum())) for one in _REGIMES]
        paused, flat = (percent(float(secs[changes[what]].sum()) / total, 1) for what in ("pause", "is_flat"))
        text = f"{secs.size:,} changes; paused {paused} and flat {flat} of the time."
        parts.append(
            Markup("<h3>{}</h3>{}<p class='about'>{}</p>").format(name, shares(held, "Time in each regime"), text)
        )
    note = "Share of the time since the first opinion. The price charts are shaded with the regimes, ranges left white."
    return Section("regimes", "Regimes", Markup("\n").join(parts), note)


def _of(run: Performance, kind: str, instrument: str) -> Columns:
    kept = run.kept.get(kind)
    return {} if kept is None else select(kept, kept["instrument_id"] == instrument)


def _news(run: Performance, instrument: str) -> Columns:
    alerts = _of(run, "alerts", instrument)
    return select(alerts, alerts["series"] == 1) if alerts else {}


def _place(run: Performance, instrument: str, alerts: Columns) -> np.ndarray:
    # At the orders' price nearest to the touch; where there is none, at the market's.
    nearest = np.where(alerts["side"] == "BUY", alerts["price_high"], alerts["price_low"])
    prices = run.prices[instrument]
    at = np.clip(np.searchsorted(prices["ts"], alerts["ts_event"], "right") - 1, 0, None)
    return np.asarray(np.where(nearest > 0.0, nearest, prices["mark"][at]), np.float64)


def _mark_text(alerts: Columns, row: int) -> list[str]:
    size = f"size {significant(alerts['size'][row])}"
    if alerts["kind"][row] == "QUOTE_STUFFING":
        changes = f"{size}, {alerts['levels'][row]:,} changes in the burst"
        return [
            f"{_named(alerts['kind'][row])}, confidence {alerts['confidence'][row]:.2f}",
            changes,
            _trace(alerts, row),
        ]
    place = f" @ {significant(alerts['price_low'][row])}" if alerts["price_low"][row] else ""
    return [
        f"{_named(alerts['kind'][row])}, confidence {alerts['confidence'][row]:.2f}",
        f"{size}{place}, {alerts['levels'][row]:,} levels, {_life(alerts, row)}",
        _trace(alerts, row),
    ]


def _trace(alerts: Columns, row: int) -> str:
    return f"trace {alerts['trace_id'][row]}"


def _alert_row(alerts: Columns, row: int) -> Row:
    side = {"BUY": ", fake bids", "SELL": ", fake asks"}.get(alerts["side"][row], "")
    price, confidence = float(alerts["price_low"][row]), float(alerts["confidence"][row])
    return [
        precise_utc(int(alerts["ts_event"][row])), alerts["instrument_id"][row], _named(alerts["kind"][row]) + side,
        Cell(f"{confidence:.3f}", confidence), Cell(significant(price) if price else UNDEFINED, price),
        Cell(significant(alerts["size"][row]), float(alerts["size"][row])),
        Cell(integer(alerts["levels"][row]), float(alerts["levels"][row])),
        Cell(_life(alerts, row), float(alerts["life_high_ms"][row])),
        Cell(number(alerts["benefit"][row], 1, signed=True), float(alerts["benefit"][row])), alerts["trace_id"][row],
    ]  # fmt: skip


def _life(alerts: Columns, row: int) -> str:
    if alerts["kind"][row] == "QUOTE_STUFFING":
        return UNDEFINED
    return f"{alerts['life_low_ms'][row]:,.0f}–{alerts['life_high_ms'][row]:,.0f} ms"


def _named(kind: str) -> str:
    return kind.replace("_", " ").capitalize()
