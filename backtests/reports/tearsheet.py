"""The tearsheet of a run: returns of the account marked to market beside buy and hold, at a frequency that fits."""

import datetime
from typing import Final

import numpy as np

from fathom.backtests.account import statistics
from fathom.backtests.account.performance import CurveFigures, Performance
from fathom.backtests.account.periods import PERIODS, annual_return_refused, period_ends, ratios_refused, sample
from fathom.backtests.account.statistics import Floats, simple_returns
from fathom.backtests.reports import first_screen
from fathom.pages import Page, Section
from fathom.pages.formats import UNDEFINED, duration, integer, number, percent, utc
from fathom.pages.tables import Row, empty, heat, months, table
from fathom.settings.times import DAY

_WORST: Final = 10


def tearsheet_html(run: Performance) -> str:
    """Return the tearsheet of a run as a self-contained page.

    The panels are those of a quantstats tearsheet, drawn by quantstats where it is right at the frequency of the run;
    the figures are of `backtests.account.statistics`. A figure that the span does not support is shown as n/a with
    the reason.
    """
    from fathom.backtests.reports.quantstats_panels import panels

    page = Page(
        kind="Tearsheet",
        title=run.name,
        subtitle=first_screen.subtitle(run),
        tiles=first_screen.tiles(run),
        facts=first_screen.facts(run),
        warnings=first_screen.warnings(run),
        sections=(*_with_calendar(panels(run), run), metrics(run), worst_drawdowns(run)),
        links=(("Execution", "execution.html"),),
        footer=f"Run {run.run_id}. Charts of returns by quantstats; times in UTC; a year has 365 days.",
    )
    return page.render()


def metrics(run: Performance) -> Section:
    """Return the table of figures, strategy beside benchmark."""
    rows = [*_curve_rows(run), *_trade_rows(run)]
    reasons = [f"Money in {run.currency}."]
    if ratios_refused(run.span_ns):
        reasons.append("n/a: spans under 30 days are not annualised, nor are returns of less than a year.")
    elif annual_return_refused(run.span_ns):
        reasons.append("n/a: returns of less than a year are not annualised.")
    return Section(
        "metrics",
        "Key performance metrics",
        table(["Metric", "Strategy", "Benchmark"], rows),
        " ".join(reasons),
        narrow=True,
    )


def worst_drawdowns(run: Performance) -> Section:
    """Return the table of the ten deepest drawdowns."""
    spells = run.spells[:_WORST]
    if not spells:
        return Section("drawdowns", "Worst drawdowns", empty("None."), narrow=True)
    rows: list[Row] = []
    for spell in spells:
        start, end = int(run.times_ns[spell.peak]), int(run.times_ns[spell.recovery])
        rows.append(
            [
                _moment(run, start),
                _moment(run, end) if spell.recovery >= 0 else "not yet",
                percent(spell.depth),
                duration((end - start) / 1e9),
            ]
        )
    body = table(["Peak (UTC)", "Recovered", "Depth", "Length"], rows, text_columns=(1,))
    note = f"The run begins on {utc(int(run.times_ns[0]))[:10]}." if run.span_ns < 60 * DAY else ""
    return Section("drawdowns", "Worst drawdowns", body, note, narrow=True)


def calendar(run: Performance) -> Section:
    """Return the returns by calendar period: months for two months or more, else days, hours or minutes."""
    title = "Returns by "
    if run.span_ns >= 60 * DAY:
        note = "Months in UTC; the first and last may be partial."
        return Section("calendar", title + "month, %", months(_monthly(run)), note)
    longest = next((period for period in PERIODS if run.span_ns >= 2 * period.length_ns), PERIODS[-1])
    ends = period_ends(int(run.times_ns[0]), int(run.times_ns[-1]), longest)
    returns = simple_returns(sample(run.times_ns, run.equity, ends))
    form = {"day": "%d %b", "hour": "%d %b %H:00", "minute": "%H:%M"}.get(longest.name, "%H:%M:%S")
    begins = [int(end) // longest.length_ns * longest.length_ns for end in ends[:-1]]
    labels = [datetime.datetime.fromtimestamp(begin // 10**9, tz=datetime.UTC).strftime(form) for begin in begins]
    note = f"Each {longest.name} (UTC) of the run; the first and last may be partial."
    return Section("calendar", title + longest.name, heat(list(zip(labels, returns.tolist(), strict=True))), note)


def _with_calendar(found: list[Section], run: Performance) -> list[Section]:
    if not run.traded:
        return [*found, _nothing(run)]
    return [*found[:3], calendar(run), *found[3:]]


def _nothing(run: Performance) -> Section:
    status = run.orders["status"].tolist()
    counts = ", ".join(f"{status.count(name):,} {name.lower()}" for name in sorted(set(status)))
    sent = f"{len(status):,} orders were sent: {counts}." if status else "The strategy sent no order."
    return Section("nothing", "No trades", empty(f"No order was filled, so the equity never moved. {sent}"))


def _monthly(run: Performance) -> list[tuple[int, list[float]]]:
    months_of_run = np.unique(run.times_ns.astype("datetime64[ns]").astype("datetime64[M]"))
    starts = np.append(months_of_run, months_of_run[-1] + np.timedelta64(1, "M"))
    edges = starts.astype("datetime64[ns]").astype(np.int64)
    ends = np.clip(edges, run.times_ns[0], run.times_ns[-1])
    values = sample(run.times_ns, run.equity, ends)
    years: dict[int, list[float]] = {}
    for month, value in zip(months_of_run.astype(int).tolist(), simple_returns(values).tolist(), strict=True):
        years.setdefault(month // 12 + 1970, [np.nan] * 13)[month % 12] = value
    for row in years.values():
        row[12] = float(np.prod([1.0 + value for value in row[:12] if np.isfinite(value)]) - 1.0)
    return sorted(years.items())


def _curve_rows(run: Performance) -> list[Row]:
    ours, theirs, name = run.strategy, run.hold, run.period.name
    short, brief = bool(ratios_refused(run.span_ns)), bool(annual_return_refused(run.span_ns))

    def both(label: str, field: str, form: str = "percent", refused: bool = False) -> Row:
        return [label, *("n/a" if refused else _figure(figures, field, form, run) for figures in (ours, theirs))]

    known = bool(np.isfinite(run.benchmark_returns).all())
    market = run.benchmark_returns
    return [
        ["Return"],
        both("Total return", "total_return"),
        both("Annual return (CAGR)", "annual_return", refused=brief),
        ["Net result", _gain(run.equity), _gain(run.benchmark)],
        ["Risk"],
        both("Max drawdown", "max_drawdown"),
        both("Longest drawdown", "longest_drawdown_secs", "duration"),
        both("Volatility, annualised", "volatility", refused=short),
        both(f"Volatility per {name}", "period_volatility"),
        both(f"Value at risk 95 % per {name}", "value_at_risk"),
        both(f"Expected shortfall 95 % per {name}", "expected_shortfall"),
        ["Ratios"],
        both("Sharpe, annualised", "sharpe", "number", short),
        both("Sharpe, standard error", "sharpe_error", "number", short),
        both(f"Sharpe per {name}", "period_sharpe", "ratio"),
        both("Sortino, annualised", "sortino", "number", short),
        both("Calmar", "calmar", "number", brief),
        [f"Returns per {name}"],
        both("Best", "best"),
        both("Worst", "worst"),
        both("Above zero", "positive"),
        both("Skewness", "skewness", "number"),
        both("Excess kurtosis", "excess_kurtosis", "number"),
        ["Beta to benchmark", number(statistics.beta(run.returns, market) if known else np.nan, 3), ""],
        ["Correlation with benchmark", number(statistics.correlation(run.returns, market) if known else np.nan, 3), ""],
    ]


def _trade_rows(run: Performance) -> list[Row]:
    results = run.results
    side = run.positions["side"]
    holding = run.positions["holding_secs"][run.closed]
    gross = run.equity_table["gross_exposure"]
    leverage = float(np.mean(gross / run.equity)) if np.all(run.equity > 0.0) else np.nan

    def row(label: str, text: str) -> Row:
        return [label, text, ""]

    return [
        ["Trades (closed round trips, net of costs)"],
        row("Closed, still open", f"{integer(results.size)}, {integer(float((~run.closed).sum()))}"),
        row("Long, short", f"{int(np.sum(side == 'LONG')):,}, {int(np.sum(side == 'SHORT')):,}"),
        row("Win rate", percent(statistics.win_rate(results), 1)),
        row("Profit factor", number(statistics.profit_factor(results))),
        row("Payoff ratio", number(statistics.payoff_ratio(results))),
        row("Expectancy", number(statistics.expectancy(results), 2, signed=True)),
        row("Best trade", number(float(np.max(results)), 2, signed=True) if results.size else UNDEFINED),
        row("Worst trade", number(float(np.min(results)), 2, signed=True) if results.size else UNDEFINED),
        row("Median holding time", duration(float(np.median(holding))) if holding.size else UNDEFINED),
        ["Exposure"],
        row("Time in market", percent(run.time_in_market, 1)),
        row("Mean leverage", f"{number(leverage)} ×"),
    ]


def _gain(curve: Floats) -> str:
    return number(float(curve[-1] - curve[0]), 2, signed=True)


def _figure(figures: CurveFigures, field: str, form: str, run: Performance) -> str:
    value = float(getattr(figures, field))
    if figures is run.strategy and not run.traded and field not in ("total_return", "max_drawdown"):
        return UNDEFINED
    if form == "percent":
        return percent(value)
    return duration(value) if form == "duration" else number(value, 4 if form == "ratio" else 2)


def _moment(run: Performance, time_ns: int) -> str:
    text = utc(time_ns)
    if run.span_ns < DAY:
        return text[11:]
    return text[5:16] if run.span_ns < 60 * DAY else text[:10]
