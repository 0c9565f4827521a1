"""The page of an ablation: what each part adds to the net result, how sure that is, and the curves."""

import numpy as np
from markupsafe import Markup

from fathom.backtests.account.performance import load
from fathom.backtests.experiments.ablation import LEVEL, RESAMPLES, Ablation, Row
from fathom.backtests.reports import first_screen
from fathom.ml.scores.bootstrap import LEAST_BLOCKS, Interval
from fathom.pages import Page, Section, Tile
from fathom.pages.charts import PALETTE, Chart, Curve
from fathom.pages.formats import UNDEFINED, counted, integer, number, percent, tone
from fathom.pages.tables import Cell, signed, table
from fathom.pages.tables import Row as TableRow
from fathom.pages.whiskers import whiskers

_CURVES = 8


def sentence(row: Row, currency: str) -> str:
    """Return what a part does to the net result, in a sentence.

    The share is of the absolute net result without the part.
    """
    effect, share = row.effect, row.share
    if not np.isfinite(effect.value):
        return ""
    verb = "improves" if effect.value > 0.0 else "worsens" if effect.value < 0.0 else "does not change"
    if effect.value == 0.0 and effect.low == effect.high == 0.0:
        return f"{_capital(row.variant.part)} does not change the net PnL: the two runs are the same."
    money = f"{number(effect.value, signed=True)} {currency} {_bounds(effect)}"
    relative = f" by {_share(abs(share.value))} {_share_bounds(share)}" if np.isfinite(share.value) else ""
    sure = "" if effect.excludes(0.0) else "; the interval holds zero: it may be luck"
    return f"{_capital(row.variant.part)} {verb} the net PnL{relative}: {money}{sure}."


def ablation_html(ablation: Ablation) -> str:
    """Return the page of an ablation as a self-contained page."""
    full, currency = ablation.rows[0], ablation.full.currency
    parts = [row for row in ablation.rows if row.variant.part]
    sure = [row for row in parts if row.effect.excludes(0.0)]
    best = max(parts, key=lambda row: row.effect.value, default=None)
    tiles = [
        Tile(f"Net result, {currency}", number(full.net, signed=True), "the full backtest", tone(full.net)),
        Tile("Parts taken out", integer(len(parts)), f"{len(sure)} of them change the result beyond luck"),
    ]
    if best is not None:
        text = f"{number(best.effect.value, signed=True)} {currency}"
        tiles.append(Tile("Adds most", best.variant.part, text, tone(best.effect.value)))
    sections = [_effects(ablation), _figures(ablation), _curves(ablation)]
    page = Page(
        kind="Ablation",
        title=ablation.full.name,
        subtitle=first_screen.subtitle(ablation.full),
        tiles=tuple(tiles),
        facts=(
            ("Method", "the same backtest on the same data, each time with one part taken out"),
            (
                "Intervals",
                f"{LEVEL:.0%}, paired block bootstrap, {RESAMPLES:,} resamples, blocks ten times as long as the "
                f"difference remembers itself; none where it counts as fewer than {LEAST_BLOCKS} independent blocks",
            ),
            *([("Trials", ablation.trials)] if ablation.trials else []),
        ),
        warnings=_warnings(ablation),
        sections=tuple(sections),
        footer="A difference between two backtests of one span says little of another span.",
    )
    return page.render()


def _warnings(ablation: Ablation) -> tuple[str, ...]:
    found = ablation.in_sample
    same = [row.variant.part for row in ablation.rows if row.variant.part and row.effect == (0.0, 0.0, 0.0)]
    if same:
        found.append(f"Taken out without any effect on this run: {', '.join(same)}.")
    if len(ablation.rows) > 5:
        found.append(f"{len(ablation.rows) - 1} differences at {LEVEL:.0%}: one in twenty excludes zero by luck alone.")
    if ablation.rows[0].trades < 30:
        trips = counted(ablation.rows[0].trades, "round trip")
        found.append(f"{trips} in the full backtest, fewer than 30: differences say little.")
    return tuple(found)


def _effects(ablation: Ablation) -> Section:
    currency = ablation.full.currency
    parts = [row for row in ablation.rows if row.variant.part]
    drawn = [(row.variant.part, *row.effect) for row in parts]
    body = whiskers(drawn, currency, "What each part adds to the net PnL, with its interval")
    told = [Markup("<li>{}</li>").format(sentence(row, currency)) for row in parts]
    body += Markup("<ul>{}</ul>").format(Markup("").join(told))
    note = f"Net PnL with the part minus without it, in {currency}; the line is the {LEVEL:.0%} interval."
    return Section("effects", "What each part adds", body, note)


def _figures(ablation: Ablation) -> Section:
    rows: list[TableRow] = []
    for row in ablation.rows:
        effect, share = row.effect, row.share
        known = np.isfinite(effect.value)
        rows.append(
            [
                f"without {row.variant.part}" if row.variant.part else "full",
                signed(number(row.net, signed=True), row.net),
                signed(number(effect.value, signed=True), effect.value) if known else UNDEFINED,
                _bounds(effect) if known else UNDEFINED,
                f"{_share(share.value, signed=True)} {_share_bounds(share)}" if np.isfinite(share.value) else UNDEFINED,
                Cell(percent(row.max_drawdown), row.max_drawdown),
                Cell(integer(row.trades), float(row.trades)),
                Cell(percent(row.win_rate, 1), row.win_rate),
                Cell(number(row.profit_factor), row.profit_factor),
            ]
        )
    head = [
        *(
            "Backtest",
            f"Net, {ablation.full.currency}",
            "The part adds",
            f"{LEVEL:.0%} interval",
            "of the net without it",
        ),
        *("Max drawdown", "Trades", "Won", "Profit factor"),
    ]
    return Section("figures", "The backtests", table(head, rows, text_columns=(0,)))


def _curves(ablation: Ablation) -> Section:
    different = [row for row in ablation.rows[1:] if row.effect != (0.0, 0.0, 0.0)]
    ranked = sorted(different, key=lambda row: -abs(np.nan_to_num(row.effect.value)))[: _CURVES - 1]
    shown = [ablation.rows[0], *ranked]
    curves = []
    for at, row in enumerate(shown):
        run = ablation.full if at == 0 else load(row.files)
        name = f"without {row.variant.part}" if row.variant.part else "full"
        curves.append(Curve(name, run.times_ns, run.equity, PALETTE[at % len(PALETTE)]))
    chart = Chart("equity", "Equity of the backtests", curves, height=320, unit=ablation.full.currency)
    note = f"The full backtest and the {len(ranked)} that differ most from it."
    return Section("curves", "Equity", chart.html(), note)


def _bounds(interval: Interval) -> str:
    if not np.isfinite(interval.low):
        return ""
    return f"[{number(interval.low, signed=True)}, {number(interval.high, signed=True)}]"


def _share(value: float, *, signed: bool = False) -> str:
    return percent(value, 1, signed=signed)


def _share_bounds(interval: Interval) -> str:
    if not np.isfinite(interval.low):
        return ""
    return f"[{_share(interval.low, signed=True)}, {_share(interval.high, signed=True)}]"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
