"""Several runs side by side: their figures, their curves from a common 100, and where their configurations differ."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from markupsafe import Markup

from fathom.backtests.account import statistics
from fathom.backtests.account.performance import Performance
from fathom.backtests.account.periods import annual_return_refused, ratios_refused
from fathom.pages import Page, Section
from fathom.pages.charts import PALETTE, Chart, Curve
from fathom.pages.formats import duration, integer, number, percent, utc
from fathom.pages.tables import Cell, Row, empty, table

_ABSENT: Final = "(absent)"


class Measure(NamedTuple):
    """One figure of the comparison: its key in JSON, its label, how it is read from a run and how it is shown.

    Examples
    --------
    >>> [measure.key for measure in MEASURES][:2]
    ['total_return', 'benchmark_return']
    """

    key: str
    label: str
    read: Callable[[Performance], float]
    show: Callable[[float], str]


def _last(name: str) -> Callable[[Performance], float]:
    return lambda run: float(run.equity_table[f"pnl_{name}"][-1])


def _signed(value: float) -> str:
    return number(value, signed=True)


def _signed_percent(value: float) -> str:
    return percent(value, signed=True)


def _share(value: float) -> str:
    return percent(value, 1)


def _maker(run: Performance) -> float:
    notional = run.fills["notional"]
    total = float(np.sum(notional))
    return float(np.sum(notional[run.fills["liquidity"] == "MAKER"])) / total if total else np.nan


MEASURES: Final[tuple[Measure, ...]] = (
    Measure("total_return", "Return", lambda run: run.strategy.total_return, _signed_percent),
    Measure("benchmark_return", "Benchmark", lambda run: run.hold.total_return, _signed_percent),
    Measure("net", "Net result", lambda run: float(run.equity[-1] - run.equity[0]), _signed),
    Measure("pnl_price", "Price", _last("price"), _signed),
    Measure("pnl_slippage", "Slippage", _last("slippage"), _signed),
    Measure("pnl_fees", "Fees", _last("fees"), _signed),
    Measure("pnl_funding", "Funding", _last("funding"), _signed),
    Measure("max_drawdown", "Max drawdown", lambda run: run.strategy.max_drawdown, percent),
    Measure("annual_return", "Annual return", lambda run: run.strategy.annual_return, percent),
    Measure("sharpe", "Sharpe, annualised", lambda run: run.strategy.sharpe, number),
    Measure("sharpe_error", "Sharpe, standard error", lambda run: run.strategy.sharpe_error, number),
    Measure("sortino", "Sortino, annualised", lambda run: run.strategy.sortino, number),
    Measure("trades", "Trades closed", lambda run: float(run.results.size), integer),
    Measure("win_rate", "Win rate", lambda run: statistics.win_rate(run.results), _share),
    Measure("profit_factor", "Profit factor", lambda run: statistics.profit_factor(run.results), number),
    Measure("expectancy", "Expectancy", lambda run: statistics.expectancy(run.results), _signed),
    Measure("turnover", "Turnover", lambda run: float(np.sum(run.fills["notional"])), integer),
    Measure("maker_share", "Maker share", _maker, _share),
    Measure("time_in_market", "Time in market", lambda run: run.time_in_market, _share),
    Measure("span_secs", "Span", lambda run: run.span_ns / 1e9, duration),
)
"""The rows of the table, in order. NaN where a run does not define the figure or is too short for it."""


_MONEY: Final = ("net", "pnl_price", "pnl_slippage", "pnl_fees", "pnl_funding", "expectancy", "turnover")


def shown(runs: Sequence[Performance]) -> list[tuple[str, list[str]]]:
    """Return the rows of the table: the span of each run, then each figure with its unit."""
    units = sorted({run.currency for run in runs})
    spans = [
        ("From", [utc(int(run.times_ns[0]), seconds=False) for run in runs]),
        ("To", [utc(int(run.times_ns[-1]), seconds=False) for run in runs]),
    ]
    if len(units) > 1:
        spans.append(("Currency", [run.currency for run in runs]))
    rows = []
    for measure in MEASURES:
        unit = f", {units[0]}" if measure.key in _MONEY and len(units) == 1 else ""
        rows.append((f"{measure.label}{unit}", [measure.show(measure.read(run)) for run in runs]))
    return spans + rows


def ranked(runs: Sequence[Performance], key: str) -> list[Performance]:
    """Return the runs by a figure, the highest first; those that do not define it come last."""
    measure = next(measure for measure in MEASURES if measure.key == key)
    values = [measure.read(run) for run in runs]
    order = sorted(range(len(runs)), key=lambda at: (np.isnan(values[at]), -values[at]))
    return [runs[at] for at in order]


def labels(runs: Sequence[Performance]) -> list[str]:
    """Return the shortest names that tell the runs apart: of the config, with its hash, or of the directories."""
    hashed = [f"{run.name} {run.summary['config_hash']}" for run in runs]
    for names in ([run.name for run in runs], hashed):
        if len(set(names)) == len(runs):
            return names
    return [run.run_id for run in runs]


def figures(runs: Sequence[Performance]) -> list[dict[str, Any]]:
    """Return the figures of each run as plain data for JSON; what is undefined is None."""
    found = []
    for run in runs:
        values = {measure.key: measure.read(run) for measure in MEASURES}
        plain = {key: value if np.isfinite(value) else None for key, value in values.items()}
        found.append({"run": run.run_id, "name": run.name, "currency": run.currency, **plain})
    return found


def differences(configs: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Return the keys (dotted paths) whose values differ between configurations, with the value in each.

    >>> differences([{"venue": {"fee": 1}, "seed": 7}, {"venue": {"fee": 2}, "seed": 7}])
    [('venue.fee', ['1', '2'])]
    """
    flat = [_flat(config) for config in configs]
    keys = sorted(set().union(*flat))
    rows = [(key, [values.get(key, _ABSENT) for values in flat]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def cautions(runs: Sequence[Performance]) -> tuple[str, ...]:
    """Return what to know before the figures of these runs are compared."""
    found = []
    if len({(int(run.times_ns[0]), int(run.times_ns[-1])) for run in runs}) > 1:
        found.append("The runs cover different times: their returns are not of the same market.")
    if len({tuple(run.prices) for run in runs}) > 1:
        found.append("The runs trade different instruments.")
    if len({run.currency for run in runs}) > 1:
        found.append("The accounts have different currencies: amounts of money do not compare.")
    if len({float(run.equity[0]) for run in runs}) > 1:
        found.append("The accounts start with different amounts: compare returns, not money.")
    if any(ratios_refused(run.span_ns) for run in runs):
        found.append("Spans under 30 days are not annualised; a dash stands for what is undefined.")
    elif any(annual_return_refused(run.span_ns) for run in runs):
        found.append("Returns of less than a year are not annualised.")
    if len(runs) > 2:
        found.append(f"The best of {len(runs)} runs looks better than it is: some of its lead is luck of the draw.")
    return tuple(found)


def comparison_html(runs: Sequence[Performance]) -> str:
    """Return the comparison of runs as a self-contained page."""
    title = " · ".join(labels(runs))
    page = Page(
        kind="Comparison",
        title=title if len(title) <= 60 else f"{len(runs)} runs",
        subtitle=f"{len(runs)} runs, {', '.join(sorted({name for run in runs for name in run.prices}))}",
        facts=tuple((label, _about(run, label)) for label, run in zip(labels(runs), runs, strict=True)),
        warnings=cautions(runs),
        sections=(_curves(runs), _figures(runs), _differences(runs)),
        footer="Drag on a chart to zoom both, double click to see all; times in UTC; a year has 365 days.",
    )
    return page.render()


def _about(run: Performance, label: str) -> str:
    span = f"{utc(int(run.times_ns[0]), seconds=False)} to {utc(int(run.times_ns[-1]), seconds=False)} UTC"
    named = "" if label == run.run_id else f"{run.run_id}, "
    return f"{named}{span}, {integer(run.results.size)} trades"


def _curves(runs: Sequence[Performance]) -> Section:
    together = len({int(run.times_ns[0]) for run in runs}) == 1
    rebased, below = [], []
    for at, (label, run) in enumerate(zip(labels(runs), runs, strict=True)):
        color = PALETTE[at % len(PALETTE)]
        times = run.times_ns if together else run.times_ns - run.times_ns[0]
        rebased.append(Curve(label, times, run.equity / run.equity[0] * 100.0, color))
        below.append(Curve(label, times, run.depths * 100.0, color))
    charts = (
        Chart("rebased", "Equity of the runs from 100", rebased, height=360, digits=3, elapsed=not together),
        Chart("below", "Drawdown", below, height=180, unit="%", digits=3, ceiling=0.0, elapsed=not together),
    )
    clock = "" if together else " The runs start at different times: the axis counts from the start of each."
    body = Markup("\n<h3>Drawdown</h3>\n").join(chart.html() for chart in charts)
    return Section("curves", "Equity from 100", body, f"Marked to market, fees included.{clock}")


def _figures(runs: Sequence[Performance]) -> Section:
    rows: list[Row] = [[label, *map(Cell, texts)] for label, texts in shown(runs)]
    return Section("figures", "Figures", table(["", *labels(runs)], rows))


def _differences(runs: Sequence[Performance]) -> Section:
    found = differences([run.config for run in runs])
    if not found:
        return Section("config", "Configuration", empty("The configurations are the same."))
    rows: list[Row] = [[key, *(Cell(value, style="wrap") for value in values)] for key, values in found]
    columns = range(1, len(runs) + 1)
    body = table(["Key", *labels(runs)], rows, text_columns=columns)
    return Section("config", "Where the configurations differ", body, "Only the keys whose values differ.")


def _flat(config: Any, path: str = "") -> dict[str, str]:
    if isinstance(config, Mapping):
        parts = [(f"{path}.{key}" if path else str(key), value) for key, value in config.items()]
    elif isinstance(config, list) and any(isinstance(item, Mapping) for item in config):
        parts = [(f"{path}[{at}]", value) for at, value in enumerate(config)]
    else:
        return {path: _text(config)}
    return {key: text for name, value in parts for key, text in _flat(value, name).items()}


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
