"""The execution page of a run: prices with fills, the account, where the result came from, and every trade."""

from typing import Final

import numpy as np
from markupsafe import Markup

from fathom.backtests.account import statistics
from fathom.backtests.account.performance import Columns, Performance, executions, select
from fathom.backtests.reports import execution_tables, first_screen
from fathom.backtests.reports.detection_sections import alert_marks, alert_sections, regime_bands
from fathom.backtests.reports.funnel import funnel_sections
from fathom.pages import Page, Section, Tile
from fathom.pages.bars import histogram, shares, waterfall
from fathom.pages.charts import AMBER, BAD, BLUE, GOOD, Chart, Curve, Links, Marks
from fathom.pages.formats import counted, duration, money, number, percent, significant
from fathom.pages.tables import empty

MOST_FILLS: Final = 6_000
"""Executions drawn on the charts of a page; more would make it slow to open."""

_EDGES: Final = (
    *(0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0),
    *(28_800.0, 86_400.0, 172_800.0, 604_800.0, 2_592_000.0, 31_536_000.0, 315_360_000.0),
)
"""Edges of the bins of holding times, in seconds."""


def execution_html(run: Performance) -> str:
    """Return the execution page of a run as a self-contained page.

    The page is a list of sections, each made by one function of the run: a further section is one more function here.
    """
    sections = [*(price_section(run, name) for name in run.prices), account(run)]
    if run.traded:
        sections += [profit(run), liquidity(run), *execution_tables.books(run), holding(run)]
        sections.append(execution_tables.trades(run))
    sections += [execution_tables.orders(run), *funnel_sections(run), *alert_sections(run)]
    page = Page(
        kind="Execution",
        title=run.name,
        subtitle=first_screen.subtitle(run),
        tiles=tiles(run),
        facts=first_screen.facts(run),
        warnings=first_screen.warnings(run),
        sections=tuple(sections),
        links=(("Tearsheet", "tearsheet.html"),),
        footer=f"Run {run.run_id}. Drag on a chart to zoom all of them, double click to see all; times in UTC.",
    )
    return page.render()


def tiles(run: Performance) -> tuple[Tile, ...]:
    """Return net result, its parts, maker share and time in market."""
    last = {name: float(run.equity_table[f"pnl_{name}"][-1]) for name in ("price", "fees", "funding", "slippage")}
    net = float(run.equity[-1] - run.equity[0])
    notional, fills = float(np.sum(run.fills["notional"])), run.fills["price"].size
    maker = float(np.sum(run.fills["notional"][run.fills["liquidity"] == "MAKER"]))
    gross_most = float(np.max(run.equity_table["gross_exposure"]))
    tone = "good" if net > 0.0 else "bad" if net < 0.0 else ""

    def share(part: float) -> str:
        return f"{number(part / notional * 1e4)} bps of turnover" if notional else ""

    return (
        Tile(f"Net result, {run.currency}", number(net, signed=True), percent(net / run.equity[0], signed=True), tone),
        Tile("Price", number(last["price"], signed=True), share(last["price"])),
        Tile("Fees", number(last["fees"], signed=True), share(last["fees"])),
        Tile("Slippage", number(last["slippage"], signed=True), share(last["slippage"])),
        Tile("Maker share", percent(maker / notional, 1) if notional else "–", f"{fills:,} fills"),
        Tile("Time in market", percent(run.time_in_market, 1), f"most {money(gross_most, run.currency)} gross"),
    )


def price_section(run: Performance, instrument: str) -> Section:
    """Return the price of an instrument with its executions (at most `MOST_FILLS` a page) and round trips."""
    table = run.prices[instrument]
    fills = executions(select(run.fills, run.fills["instrument_id"] == instrument))
    trips = select(run.positions, (run.positions["instrument_id"] == instrument) & run.closed)
    title = f"{instrument}: price and fills"
    if not np.isfinite(table["mark"]).any():
        return Section(f"fills-{_slug(instrument)}", title, empty("The data of the run hold no price of it."))
    total, limit = fills["price"].size, MOST_FILLS // len(run.prices)
    if total > limit:
        fills = select(fills, np.linspace(0, total - 1, limit).astype(np.int64))
    if trips["pnl_net"].size > limit // 2:
        trips = select(trips, np.linspace(0, trips["pnl_net"].size - 1, limit // 2).astype(np.int64))
    won = trips["pnl_net"] > 0.0
    mark = Curve("Mid" if np.isfinite(table["bid"]).any() else "Last", table["ts"], table["mark"], "#444f5a")
    chart = Chart(
        anchor=f"price-{_slug(instrument)}",
        label=f"Price of {instrument} with the fills",
        curves=(mark,),
        marks=[*_marks(fills, run.currency), *alert_marks(run, instrument)],
        bands=regime_bands(run, instrument),
        links=(_links(select(trips, won), GOOD), _links(select(trips, ~won), BAD)),
        height=340,
        digits=_decimals(table["mark"]),
    )
    note = "Filled triangles open or add, hollow ones reduce or close; dashes join entry and exit (green: won)."
    if total > limit:
        note += f" {limit:,} of {total:,} executions are drawn, evenly chosen; fills.parquet holds all."
    body = chart.html()
    if not total:
        note = "No order was filled."
    if chart.bands:
        note += " Shading: the regime, as detected; ranges are white."
    return Section(f"fills-{_slug(instrument)}", title, body, note)


def account(run: Performance) -> Section:
    """Return equity, drawdown and exposure, on the time axis of the prices."""
    curve = run.equity_table
    equity = [Curve("Equity", run.times_ns, run.equity, BLUE)]
    if np.isfinite(run.benchmark).all():
        equity.insert(0, Curve("Benchmark", run.times_ns, run.benchmark, AMBER))
    money_chart = Chart("equity", "Equity over time", equity, height=240, unit=run.currency)
    note = f"In {run.currency}, marked to market. Benchmark: {run.benchmark_name}, scaled to the starting equity."
    if not run.traded:
        return Section("account", "Equity", money_chart.html(), note)
    gross, net = curve["gross_exposure"], curve["net_exposure"]
    exposure = [Curve("Net exposure", run.times_ns, net, BLUE, "area", step=True)]
    if not np.array_equal(gross, np.abs(net)):
        exposure.append(Curve("Gross exposure", run.times_ns, gross, AMBER, step=True))
    depth = run.depths * 100.0
    charts = (
        money_chart,
        Chart(
            "underwater",
            "Drawdown over time",
            (Curve("Drawdown", run.times_ns, depth, BAD, "area"),),
            height=150,
            unit="%",
            digits=3,
            ceiling=0.0,
        ),
        Chart("exposure", "Exposure over time", exposure, height=170, unit=run.currency),
    )
    return Section("account", "Equity, drawdown, exposure", Markup("\n").join(chart.html() for chart in charts), note)


def profit(run: Performance) -> Section:
    """Return where the result came from: price, slippage, fees and funding, in all and by instrument."""
    last = {name: float(run.equity_table[f"pnl_{name}"][-1]) for name in ("price", "slippage", "fees", "funding")}
    names = (("Price", "price"), ("Slippage", "slippage"), ("Fees", "fees"), ("Funding", "funding"))
    drawing = waterfall([(label, last[name]) for label, name in names], "Net")
    note = (
        f"In {run.currency}. Price: what the trades would have made at their reference prices (mid on arrival, "
        "trigger or limit price). Slippage: the difference to the prices paid. With fees and funding: the net result."
    )
    body = Markup('<div class="pair table"><div>{}</div><div>{}</div></div>').format(
        drawing, execution_tables.profit_by_instrument(run)
    )
    return Section("profit", "Where the result came from", body, note)


def liquidity(run: Performance) -> Section:
    """Return maker and taker shares, and what each cost."""
    notional, kind = run.fills["notional"], run.fills["liquidity"]
    parts = [(name.lower(), float(np.sum(notional[kind == name]))) for name in sorted(set(kind.tolist()))]
    body = Markup('<div class="pair table"><div>{}</div><div>{}</div></div>').format(
        shares(parts, "Shares of turnover by liquidity"), execution_tables.costs(run)
    )
    note = (
        "Shares of turnover. Slippage in basis points of the reference price, weighted with turnover; positive: a cost."
    )
    return Section("liquidity", "Maker and taker", body, note)


def holding(run: Performance) -> Section:
    """Return histograms of holding times and of results of the closed round trips."""
    seconds = run.positions["holding_secs"][run.closed]
    if not seconds.size:
        return Section("holding", "Holding times", empty("No round trip was closed."))
    edges = np.array(_EDGES)
    counts = np.histogram(seconds, edges)[0]
    used = np.flatnonzero(counts)
    first, last = int(used[0]), int(used[-1]) + 1
    times = histogram(
        [duration(edge) if edge else "0" for edge in edges[first : last + 1].tolist()],
        counts[first:last],
        "Holding times",
    )
    low, high = float(np.min(run.results)), float(np.max(run.results))
    bins = np.linspace(low, high, 13) if high > low else np.array([low - 0.5, low + 0.5])
    results = histogram(
        [number(edge, 2 if high - low < 100 else 0) for edge in bins.tolist()],
        np.histogram(run.results, bins)[0],
        "Results of trades",
    )
    body = Markup(
        '<div class="pair"><div><h3>Holding time</h3>{}</div><div><h3>Net result of a trade, {}</h3>{}</div></div>'
    ).format(times, run.currency, results)
    median = duration(float(np.median(seconds)))
    note = f"{counted(seconds.size, 'closed round trip')}, median holding time {median}. Bins of time differ in width."
    return Section("holding", "Holding times and results", body, note)


def _marks(fills: Columns, currency: str) -> list[Marks]:
    buys = fills["side"] == "BUY"
    signed = np.where(buys, fills["quantity"], -fills["quantity"])
    after = fills["position_after"]
    closing = np.abs(after) < np.abs(after - signed)
    kinds = (
        ("Buy, open", buys & ~closing, GOOD, True, False),
        ("Sell, open", ~buys & ~closing, BAD, False, False),
        ("Buy, close", buys & closing, GOOD, True, True),
        ("Sell, close", ~buys & closing, BAD, False, True),
    )
    found = []
    for name, chosen, color, up, hollow in kinds:
        some = select(fills, chosen)
        text = [_fill_text(some, row, currency) for row in range(some["price"].size)]
        found.append(Marks(name, some["ts_event"], some["price"], text, color, up, hollow))
    return found


def _fill_text(fills: Columns, row: int, currency: str) -> list[str]:
    slippage = f"slippage {number(fills['slippage_bps'][row], 2, signed=True)} bps"
    levels = f" · {fills['fills'][row]:,} fills" if fills["fills"][row] > 1 else ""
    return [
        f"{fills['side'][row]} {significant(fills['quantity'][row])} @ {significant(fills['price'][row])}",
        f"{fills['role'][row].lower()} · {fills['type'][row].lower()} · {fills['liquidity'][row].lower()}{levels}",
        f"fee {money(fills['commission'][row], currency)} · {slippage}",
        f"position after {significant(fills['position_after'][row])}",
    ]


def _links(trips: Columns, color: str) -> Links:
    return Links(trips["ts_opened"], trips["avg_px_open"], trips["ts_closed"], trips["avg_px_close"], color)


def _slug(instrument: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in instrument.lower())


def _decimals(prices: statistics.Floats) -> int:
    middle = float(np.nanmedian(prices))
    return int(np.clip(5 - np.floor(np.log10(max(middle, 1e-8))), 2, 10))
