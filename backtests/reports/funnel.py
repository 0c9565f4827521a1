"""From signals to trades: how many signals come through each step, why the others do not, and what the trades cost."""

import re
from collections import Counter
from typing import Any, Final

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from fathom.backtests.account.performance import Columns, Performance, select
from fathom.pages import Section
from fathom.pages.formats import UNDEFINED, integer, number, percent, precise_utc, significant
from fathom.pages.funnels import funnel
from fathom.pages.tables import Cell, Row, empty, signed, table

MOST_SIGNALS: Final = 500
"""Rows of the table of traded signals; `decisions.parquet` holds all."""

STEPS: Final = (
    ("signal", "Signals"),
    ("validated", "Validated"),
    ("cleared", "Past the filter"),
    ("approved", "Approved"),
    ("ordered", "Ordered"),
    ("filled", "Filled"),
    ("closed", "Closed"),
)
"""The steps in the life of a signal: in `decisions.parquet`, and on the page."""

_BY: Final = {
    "policy": "Policy",
    "validation": "Validation",
    "vote": "Vote of the ensemble",
    "filter": "Manipulation filter",
    "risk": "Risk gate",
    "rejected": "Rejected by the venue",
    "cancelled": "Entry cancelled",
    "superseded": "Superseded",
    "halted": "Halted",
    "": "Not ended with the run",
}
_MOST_REASONS: Final = 25
_NUMBER: Final = re.compile(r"(?<![A-Za-z])[-+−]?\d[\d,]*(?:\.\d+)?")


def funnel_sections(run: Performance) -> list[Section]:
    """Return the parts of the page about signals; none where no strategy kept a journal."""
    decisions = run.kept.get("decisions")
    if decisions is None:
        return []
    signals = select(decisions, decisions["stage"] != "error")
    if not signals["stage"].size:
        return [Section("funnel", "From signals to trades", empty("No strategy had a signal."))]
    return [_funnel(elected(signals)), _quality(signals, run.currency)]


def elected(signals: Columns) -> Columns:
    """Return the signals with each election of an ensemble counted once: as the member's signal that decided it.

    That signal goes on as the elected one does, and the elected one has no row of its own.

    Parameters
    ----------
    signals
        Rows of `decisions.parquet` that are signals.
    """
    at = {name: row for row, name in enumerate(signals["signal_id"].tolist())}
    merged = {name: column.copy() for name, column in signals.items()}
    kept = np.ones(signals["stage"].size, np.bool_)
    for row, (ended, reason) in enumerate(zip(signals["ended"].tolist(), signals["reason"].tolist(), strict=True)):
        _, chose, name = reason.partition(": elected ")
        if ended == "vote" and chose and name in at:
            kept[at[name]] = False
            for column in ("stage", "ended", "reason"):
                merged[column][row] = signals[column][at[name]]
    return select(merged, kept)


def reached(signals: Columns) -> list[tuple[str, int]]:
    """Return the name of each step, and how many signals came to it.

    Parameters
    ----------
    signals
        Rows of `decisions.parquet` that are signals.
    """
    order = {name: at for at, (name, _) in enumerate(STEPS)}
    rank = np.array([order[name] for name in signals["stage"].tolist()], np.int64)
    return [(title, int(np.sum(rank >= at))) for at, (_, title) in enumerate(STEPS)]


def why_not(signals: Columns) -> list[tuple[str, str, int, str]]:
    """Return (step that refused, reason without its numbers, signals, one of the reasons) of the signals not filled.

    Parameters
    ----------
    signals
        Rows of `decisions.parquet` that are signals.
    """
    lost = select(signals, ~np.isin(signals["stage"], ["filled", "closed"]))
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], str] = {}
    for ended, reason in zip(lost["ended"].tolist(), lost["reason"].tolist(), strict=True):
        key = (_BY.get(ended, ended.capitalize()), _NUMBER.sub("#", reason))
        counts[key] += 1
        examples.setdefault(key, reason)
    return [(by, reason, count, examples[by, reason]) for (by, reason), count in counts.most_common()]


def _funnel(signals: Columns) -> Section:
    body = funnel(reached(signals), "How many signals come through each step")
    strategies = sorted(set(signals["strategy"].tolist()))
    if len(strategies) > 1:
        rows: list[Row] = []
        for name in strategies:
            counts = [count for _, count in reached(select(signals, signals["strategy"] == name))]
            rows.append([name, *(Cell(integer(count), float(count)) for count in counts)])
        body += table(["Strategy", *(title for _, title in STEPS)], rows)
    reasons = why_not(signals)
    if reasons:
        listed: list[Row] = [
            [by, Cell(example, style="wrap"), Cell(integer(count), float(count))]
            for by, _, count, example in reasons[:_MOST_REASONS]
        ]
        body += Markup("<h3>Why a signal did not become a trade</h3>")
        body += table(["Step", "Reason (numbers of the first such signal)", "Signals"], listed, text_columns=(0, 1))
    note = "Where no validator or filter is configured, every signal passes that step. "
    note += "The command fathom explain RUN --signal ID tells the life of one signal."
    if len(reasons) > _MOST_REASONS:
        note += f" The {_MOST_REASONS} most frequent of {len(reasons)} reasons."
    return Section("funnel", "From signals to trades", body, note)


def _quality(signals: Columns, currency: str) -> Section:
    title = "Signals that were traded"
    traded = select(signals, np.isin(signals["stage"], ["filled", "closed"]))
    total = traded["stage"].size
    if not total:
        return Section("quality", title, empty("No signal was traded."))
    arrival = _against(traded, "arrival_mid")
    body = _means(traded, arrival)
    shown, shown_arrival = traded, arrival
    note = (
        f"In {currency}; slippage in basis points, positive: a cost, against the price of the decision and the mid on "
        "the order's arrival. Delay: from the signal (of an ensemble: the election) to the first fill, the model's "
        "time included."
    )
    if total > MOST_SIGNALS:
        worst = np.sort(np.argsort(-np.nan_to_num(np.abs(traded["pnl"])), kind="stable")[:MOST_SIGNALS])
        shown, shown_arrival = select(traded, worst), arrival[worst]
        note += f" The {MOST_SIGNALS} largest results of {total:,}; decisions.parquet holds all."
    head = [
        *("Signal", "Time (UTC)", "Side", "Strength", "Blended", "Decision", "Fill"),
        *("vs decision", "vs arrival", "Delay, ms", "Fees", "Exit by", "Result"),
    ]
    rows = [_signal_row(shown, row, float(shown_arrival[row])) for row in range(shown["stage"].size)]
    body += Markup("<h3>Signal by signal</h3>")
    body += table(head, rows, text_columns=(0, 1, 2, 11), sortable=True, scroll=True)
    return Section("quality", title, body, note)


def _means(traded: Columns, arrival: NDArray[np.float64]) -> Markup:
    rows: list[Row] = []
    names = sorted(set(traded["strategy"].tolist()))
    for name in [*names, ""] if len(names) > 1 else names:
        chosen = traded["strategy"] == name if name else np.ones(traded["stage"].size, np.bool_)
        some, delay = select(traded, chosen), _delay_ms(traded)[chosen]
        results = some["pnl"][some["stage"] == "closed"]
        rows.append(
            [
                name or "All",
                integer(some["stage"].size),
                number(_mean(some["slippage_bps"]), signed=True),
                number(_mean(arrival[chosen]), signed=True),
                number(float(np.median(delay)), 1),
                number(float(np.nansum(some["fees"]))),
                percent(float(np.mean(results > 0.0)), 0) if results.size else UNDEFINED,
                signed(number(float(np.sum(results)), signed=True), float(np.sum(results))),
            ]
        )
    head = ["Strategy", "Traded", "vs decision, bps", "vs arrival, bps", "Median delay, ms", "Fees", "Won", "Result"]
    return table(head, rows, last_is_total=len(names) > 1)


def _signal_row(rows: Columns, row: int, arrival: float) -> Row:
    def take(name: str) -> float:
        return float(rows[name][row])

    def price(name: str) -> Cell:
        return Cell(significant(take(name)), take(name))

    closed = rows["stage"][row] == "closed"
    at, delay = int(rows["ts"][row]), float(_delay_ms(rows)[row])
    return [
        rows["signal_id"][row],
        Cell(precise_utc(at), float(at)),
        rows["side"][row].lower(),
        *(Cell(number(take(name)), take(name)) for name in ("strength", "blended")),
        *(price(name) for name in ("decision_price", "fill_price")),
        Cell(number(take("slippage_bps"), signed=True), take("slippage_bps")),
        Cell(number(arrival, signed=True), arrival),
        Cell(number(delay, 1), delay),
        Cell(number(take("fees")), take("fees")),
        rows["exit_role"][row].lower() or UNDEFINED,
        signed(number(take("pnl"), signed=True), take("pnl")) if closed else Cell("open", -np.inf),
    ]


def _against(rows: Columns, name: str) -> NDArray[np.float64]:
    sign = np.where(rows["side"] == "BUY", 1.0, -1.0)
    result: NDArray[np.float64] = sign * (rows["fill_price"] - rows[name]) / rows[name] * 1e4
    return result


def _delay_ms(rows: Columns) -> NDArray[np.float64]:
    result: NDArray[np.float64] = (rows["ts_filled"] - rows["ts"]) / 1e6
    return result


def _mean(values: NDArray[Any]) -> float:
    known = values[np.isfinite(values)]
    return float(np.mean(known)) if known.size else float("nan")
