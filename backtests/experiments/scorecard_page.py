"""The page of a scorecard: the requirements beside what was found, what the validator adds, and the null markets."""

import numpy as np
from markupsafe import Markup

from fathom.backtests.account.performance import FEW_TRADES, load
from fathom.backtests.experiments.scorecard import Cell
from fathom.backtests.experiments.scorecard_results import (
    ALL,
    ALL_MARKETS,
    SIGNIFICANT,
    Check,
    Result,
    Scorecard,
    checks,
    significant,
)
from fathom.backtests.setup.run_files import RunFiles
from fathom.ml.scores.bootstrap import Interval
from fathom.pages import Page, Section, Tile
from fathom.pages.charts import PALETTE, Chart, Curve
from fathom.pages.formats import UNDEFINED, duration, integer, number, percent, tone
from fathom.pages.tables import Cell as TableCell
from fathom.pages.tables import Row, signed, table
from fathom.pages.whiskers import whiskers
from fathom.settings.times import SECOND, SHORTEST_ANNUALISED, YEAR

MARKS = {"met": "met", "not sure": "met, but not beyond luck", "not met": "not met", "unknown": "unknown"}
"""Verdicts in words."""

_STYLES = {"met": "pos", "not sure": "", "not met": "neg", "unknown": ""}
_FRACTIONS = ("Win rate", "Max drawdown", "Validator adds")


def figure(row: Check) -> str:
    """Return what was found for a requirement, with its interval, as text."""
    if not np.isfinite(row.found.value):
        return UNDEFINED
    return f"{_number(row.name, row.found.value)}{bounds(row)}"


def bounds(row: Check) -> str:
    """Return the interval of a requirement's value as text; empty without one."""
    if not np.isfinite(row.found.low):
        return ""
    return f" [{_number(row.name, row.found.low)}, {_number(row.name, row.found.high)}]"


def asked(row: Check) -> str:
    """Return what was asked as text."""
    return f"{'<' if row.name == 'Max drawdown' else '>'} {_number(row.name, row.asked)}"


def span_sentence(scorecard: Scorecard) -> str:
    """Return the sentence that says of how much simulated market the figures are."""
    secs = max((result.score.years for result in scorecard.results), default=0.0) * YEAR / SECOND
    found = f"The figures are of {duration(secs)} of simulated market. "
    if secs < SHORTEST_ANNUALISED / SECOND:
        found += "That is under 30 days, so Sharpe ratios are not annualised, and their requirement stays open. "
    return found + "They say how large the edge of these markets is, and nothing of another one."


def scorecard_html(scorecard: Scorecard, curves: dict[Cell, RunFiles]) -> str:
    """Return a scorecard as a self-contained page; `curves`: the run directories of its cells."""
    return Page(
        kind="Scorecard",
        title=scorecard.config.name,
        subtitle=_subtitle(scorecard),
        tiles=tuple(_tiles(scorecard)),
        facts=_facts(scorecard),
        warnings=tuple(_warnings(scorecard)),
        sections=tuple(_sections(scorecard, curves)),
        footer="Markets with a known truth are a test of the pipeline; what they earn here they earn nowhere else.",
    ).render()


def _subtitle(scorecard: Scorecard) -> str:
    return " · ".join(
        f"{market.name} (seeds {', '.join(map(str, market.seeds))})" for market in scorecard.config.markets
    )


def _tiles(scorecard: Scorecard) -> list[Tile]:
    rows = [row for result in last(scorecard) for row in checks(result, scorecard.config.requirements)]
    met = [row for row in rows if row.verdict == "met"]
    likely = [row for row in rows if row.verdict == "not sure"]
    tiles = [
        Tile("Requirements met", f"{len(met)} of {len(rows)}", f"{len(likely)} more, but not beyond luck"),
    ]
    together = [result for result in last(scorecard) if result.strategy == ALL]
    if together:
        bps = together[0].score.bps
        tiles.append(Tile("Net per trade, all", f"{number(bps.value, signed=True)} bps", _bounds(bps), tone(bps.value)))
        share = together[0].gain_share
        if np.isfinite(share.value):
            text = percent(share.value, 1, signed=True)
            tiles.append(Tile("The validator adds", text, _percents(share), tone(share.value)))
    if scorecard.looks:
        found = significant(scorecard)
        tiles.append(
            Tile(
                "Profits on null markets",
                integer(len(found)),
                f"beyond luck, of {len(scorecard.looks)} looks",
                "bad" if found else "good",
            )
        )
    return tiles


def last(scorecard: Scorecard) -> list[Result]:
    """Return the results over the most markets: all of them, or the only ones."""
    names = [result.market for result in scorecard.results]
    widest = ALL_MARKETS if ALL_MARKETS in names else (names[-1] if names else "")
    return [result for result in scorecard.results if result.market == widest]


def _facts(scorecard: Scorecard) -> tuple[tuple[str, str], ...]:
    config = scorecard.config
    found = [
        ("Method", "each strategy alone on each market; the same once more without the validator"),
        (
            "Intervals",
            f"{config.level:.0%}, block bootstrap, {config.resamples:,} resamples, buckets of "
            f"{duration(config.bucket_secs)}, blocks of {duration(config.block_secs)}",
        ),
    ]
    if scorecard.trials:
        found.append(("Trials, most on one market", scorecard.trials))
    if config.model is not None:
        found.append(
            ("Model", f"learnt on seed {config.model.seed} of {config.model.scenario}, which is tested nowhere")
        )
    return tuple(found)


def _warnings(scorecard: Scorecard) -> list[str]:
    found = [*scorecard.in_sample, *([span_sentence(scorecard)] if scorecard.results else [])]
    few = [f"{result.strategy} {result.score.trades}" for result in last(scorecard) if result.score.trades < FEW_TRADES]
    if few:
        found.append(f"Fewer than {FEW_TRADES} trades, which say little: {', '.join(few)}.")
    return found


def _sections(scorecard: Scorecard, curves: dict[Cell, RunFiles]) -> list[Section]:
    found = []
    for market in dict.fromkeys(result.market for result in scorecard.results):
        rows = [result for result in scorecard.results if result.market == market]
        title = "All markets together" if market == ALL_MARKETS else f"Market {market}"
        found.append(Section(f"checks-{market}", title, _checks(scorecard, rows), "What was asked stands in the head."))
        found.append(Section(f"costs-{market}", f"Where it comes from: {market}", _costs(rows)))
    if scorecard.looks:
        found.append(_null(scorecard))
    if curves:
        found += _curves(curves)
    return found


def _checks(scorecard: Scorecard, results: list[Result]) -> Markup:
    rows: list[Row] = []
    heads = checks(results[0], scorecard.config.requirements)
    for result in results:
        cells: list[TableCell | str] = [result.strategy, TableCell(integer(result.score.trades))]
        for row in checks(result, scorecard.config.requirements):
            why = MARKS[row.verdict]
            if row.asked != next(head.asked for head in heads if head.name == row.name):
                why = f"{why} ({asked(row)})"
            cells.append(TableCell(figure(row), row.found.value, _STYLES[row.verdict], why))
        rows.append(cells)
    head = ["Strategy", "Trades", *(f"{row.name} {asked(row)}" for row in heads)]
    drawn = whiskers(
        [(result.strategy, *result.score.bps) for result in results],
        "bps",
        "Net result of a trade, with its interval",
        sure=[result.score.trades >= FEW_TRADES for result in results],
    )
    told = f"Net result of a trade, bps (coloured from {FEW_TRADES} trades on, where the interval does not hold zero):"
    return table(head, rows, text_columns=(0,)) + Markup("<p>{}</p>").format(told) + drawn


def _costs(results: list[Result]) -> Markup:
    rows: list[Row] = []
    for result in results:
        for label, score in ((result.strategy, result.score), ("without the validator", result.without)):
            if score is None:
                continue
            rows.append(
                [
                    label if score is result.score else TableCell(f"{result.strategy} {label}"),
                    TableCell(integer(score.trades), float(score.trades)),
                    signed(f"{number(score.bps.value, signed=True)} {_bounds(score.bps)}", score.bps.value),
                    signed(number(score.gross_bps.value, signed=True), score.gross_bps.value),
                    TableCell(number(score.fees_bps.value, signed=True), score.fees_bps.value),
                    TableCell(percent(score.win_rate.value, 1), score.win_rate.value),
                    TableCell(number(score.profit_factor.value), score.profit_factor.value),
                    TableCell(duration(score.holding_secs), score.holding_secs),
                    signed(percent(score.total_return, signed=True), score.total_return),
                ]
            )
    head = [
        "Strategy",
        "Trades",
        "Net, bps",
        "Price, bps",
        "Fees, bps",
        "Won",
        "Profit factor",
        "Held (median)",
        "Return",
    ]
    return table(head, rows, text_columns=(0,))


def _null(scorecard: Scorecard) -> Section:
    rows: list[Row] = [
        [
            look.strategy,
            f"{look.market} {look.seed}",
            TableCell(integer(look.trades), float(look.trades)),
            signed(f"{number(look.bps.value, signed=True)} {_bounds(look.bps)}", look.bps.value),
            TableCell(number(look.p, 3), look.p),
            TableCell(number(look.adjusted, 3), look.adjusted, "neg" if look.adjusted < SIGNIFICANT else ""),
        ]
        for look in scorecard.looks
    ]
    found = significant(scorecard)
    text = (
        f"No strategy shows a significant profit in {len(rows)} looks."
        if not found
        else "A significant profit where there is none to make: "
        + ", ".join(f"{look.strategy} on {look.market} {look.seed}" for look in found)
    )
    body = Markup("<p>{}</p>").format(text) + table(
        ["Strategy", "Market", "Trades", "Net, bps", "p (profit)", "p after Holm"], rows, text_columns=(0, 1)
    )
    note = "Student's t over the trades of each run, one-sided; the adjusted p counts all looks."
    return Section("null", "Where there is nothing to earn", body, note)


def _curves(runs: dict[Cell, RunFiles]) -> list[Section]:
    found = []
    for market, seed in dict.fromkeys((cell.market.name, cell.seed) for cell in runs):
        curves: list[Curve] = []
        for cell, files in runs.items():
            if (cell.market.name, cell.seed) != (market, seed) or cell.variant != "full":
                continue
            run = load(files)
            curves.append(Curve(cell.strategy, run.times_ns, run.equity, PALETTE[len(curves) % len(PALETTE)]))
        chart = Chart(f"equity-{market}-{seed}", "Equity", curves, height=280)
        found.append(Section(f"curves-{market}-{seed}", f"Equity on {market}, seed {seed}", chart.html()))
    return found


def _number(name: str, value: float) -> str:
    return percent(value, 1) if name in _FRACTIONS else number(value)


def _bounds(interval: Interval) -> str:
    if not np.isfinite(interval.low):
        return ""
    return f"[{number(interval.low, signed=True)}, {number(interval.high, signed=True)}]"


def _percents(interval: Interval) -> str:
    if not np.isfinite(interval.low):
        return ""
    return f"[{percent(interval.low, 1, signed=True)}, {percent(interval.high, 1, signed=True)}]"
