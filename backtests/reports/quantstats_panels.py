"""The panels of a quantstats tearsheet that are right at the frequency of the run, drawn by quantstats.

quantstats 0.0.86 assumes daily returns. What it draws wrongly at other frequencies, or always, is not asked of it:

- its HTML report drops the returns before the first trade (`match_dates`) and comes with an icon on the network;
- the log-scaled chart is linear below 200 %, and "daily returns" are sums of cumulative sums within a day;
- rolling beta draws zeros before its first window; the monthly heat map shows 0 for months without data;
- drawdowns are dated by day, and the "worst" ones are the longest ones;
- axis labels are cut to whole percents.

So the shading of drawdowns, the labels and the windows below are ours; the curves are drawn by quantstats.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from fathom.backtests.account.performance import Performance
from fathom.backtests.account.periods import ratios_refused
from fathom.backtests.account.statistics import Floats, Times, simple_returns
from fathom.pages.charts import BAD
from fathom.pages.figures import SIZE, look, svg
from fathom.pages.formats import duration
from fathom.pages.page import Section
from fathom.pages.tables import empty
from fathom.pages.thinning import keep
from fathom.settings.times import SHORTEST_ANNUALISED

_POINTS: Final = 1_500
_WORST: Final = 5
_FEWEST_BARS: Final = 20
_COMMON: Final[dict[str, Any]] = {
    "show": False,
    "subtitle": False,
    "ylabel": "",
    "figsize": SIZE,
    "fontname": "DejaVu Sans",
}


def panels(run: Performance) -> list[Section]:
    """Return the panels that make sense for this run, most important first."""
    found = [_cumulative(run)]
    if not run.traded:
        return found
    found += [_underwater(run), _worst(run), _distribution(run)]
    if not ratios_refused(run.span_ns):
        found += _rolling(run)
    return found


def _plots() -> Any:
    with look():
        from quantstats import plots
    return plots


def _series(times_ns: Times, returns: Floats, name: str) -> Any:
    import pandas as pd

    return pd.Series(returns, index=pd.DatetimeIndex(times_ns), name=name)


def _growth(times_ns: Times, curve: Floats, name: str) -> Any:
    """The returns of a thinned curve, with a zero at its start so that the drawing begins at the start."""
    return _series(times_ns, np.concatenate(([0.0], simple_returns(curve))), name)


def _shown(run: Performance) -> Times:
    return np.union1d(keep(run.equity, _POINTS), keep(run.benchmark, _POINTS))


def _cumulative(run: Performance) -> Section:
    if run.times_ns.size < 3:
        return Section("cumulative", "Cumulative returns", empty("The run is too short to draw: fewer than 3 samples."))
    at = _shown(run)
    strategy = _growth(run.times_ns[at], run.equity[at], "Strategy")
    benchmark = None
    if np.isfinite(run.benchmark).all():
        benchmark = _growth(run.times_ns[at], run.benchmark[at], "Benchmark")
    body = svg(
        lambda: _plots().returns(strategy, benchmark, prepare_returns=False, **_COMMON | {"figsize": (SIZE[0], 3.7)}),
        "cumulative",
    )
    return Section(
        "cumulative",
        "Cumulative returns" if benchmark is None else "Cumulative returns vs benchmark",
        body,
        f"Account marked to market, fees included. Benchmark: {run.benchmark_name}, without costs.",
    )


def _underwater(run: Performance) -> Section:
    title, about = "Underwater", "Distance below the highest equity so far; the dashed line is the average."
    if run.strategy.max_drawdown >= 0.0:
        return Section("underwater", title, empty("The equity never fell below an earlier high."))
    at = keep(run.equity, _POINTS)
    strategy = _growth(run.times_ns[at], run.equity[at], "Strategy")
    return Section("underwater", title, svg(lambda: _plots().drawdown(strategy, **_COMMON), "underwater"), about)


def _worst(run: Performance) -> Section:
    spells = run.spells[:_WORST]
    if not spells:
        return Section("worst", "Worst drawdowns", empty("The equity never fell below an earlier high."))
    at = keep(run.equity, _POINTS)
    strategy = _growth(run.times_ns[at], run.equity[at], "Strategy")

    def draw() -> Any:
        import pandas as pd

        figure = _plots().drawdowns_periods(strategy, periods=0, prepare_returns=False, **_COMMON)
        axes = figure.axes[0]
        for spell in spells:
            ends = (run.times_ns[spell.peak], run.times_ns[spell.recovery])
            axes.axvspan(*(pd.Timestamp(int(end)) for end in ends), color=BAD, alpha=0.13, linewidth=0)
        return figure

    count = len(spells)
    note = f"Cumulative returns; shaded from the peak to the recovery: the {count} deepest." if count > 1 else ""
    return Section("worst", f"Worst {count} drawdowns" if count > 1 else "Worst drawdown", svg(draw, "worst"), note)


def _distribution(run: Performance) -> Section:
    name = run.period.name
    title = f"Distribution of returns per {name}"
    moved = run.returns != 0.0
    still = int(run.returns.size - moved.sum())
    if int(moved.sum()) < _FEWEST_BARS or np.unique(run.returns[moved]).size < 2:
        text = f"Fewer than {_FEWEST_BARS} returns other than zero: too few for a distribution."
        return Section("distribution", title, empty(text))
    # quantstats resamples by calendar; these returns are spaced anew, so that each is one bin's worth of data.
    import pandas as pd

    days = pd.date_range("2000-01-01", periods=int(moved.sum()))
    series = pd.Series(run.returns[moved], index=days, name="Strategy")

    def draw() -> Any:
        figure = _plots().histogram(series, None, resample="D", prepare_returns=False, **_COMMON)
        axes = figure.axes[0]
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        for patch in axes.patches:
            patch.set_edgecolor("white")
        return figure

    note = f"{int(moved.sum()):,} returns; {still:,} of exactly zero are left out. The dashed line is the average."
    return Section("distribution", title, svg(draw, "distribution", percent="x", dates=False), note)


def _rolling(run: Performance) -> list[Section]:
    strategy = _series(run.ends_ns[1:], run.returns, "Strategy")
    benchmark = _series(run.ends_ns[1:], run.benchmark_returns, "Benchmark")
    known = bool(np.isfinite(run.benchmark_returns).all())
    half_year = round(run.period.periods_per_year / 2)
    window = min(run.returns.size // 6, half_year)
    sections = [_matched(run)] if known and np.std(run.benchmark_returns) > 0.0 else []
    sections.append(
        _rolled(
            run,
            "volatility",
            window,
            lambda **windows: _plots().rolling_volatility(strategy, benchmark if known else None, **windows),
        )
    )
    # A ratio of fewer than 30 days is not annualised anywhere in these pages: neither in a window.
    window = max(window, -(-SHORTEST_ANNUALISED // run.period.length_ns))
    if run.returns.size >= 3 * window:
        sections.append(_rolled(run, "Sharpe", window, lambda **windows: _plots().rolling_sharpe(strategy, **windows)))
        sections.append(
            _rolled(run, "Sortino", window, lambda **windows: _plots().rolling_sortino(strategy, **windows))
        )
    return sections


def _matched(run: Performance) -> Section:
    strategy = _series(run.ends_ns, np.concatenate(([0.0], run.returns)), "Strategy")
    benchmark = _series(run.ends_ns, np.concatenate(([0.0], run.benchmark_returns)), "Benchmark")
    body = svg(
        lambda: _plots().returns(strategy, benchmark, match_volatility=True, prepare_returns=False, **_COMMON),
        "matched",
    )
    about = "The strategy's returns scaled to the volatility of the benchmark: the same risk, to compare the shape."
    return Section("matched", "Cumulative returns, volatility matched", body, about)


def _rolled(run: Performance, what: str, window: int, draw: Callable[..., Any]) -> Section:
    options: dict[str, Any] = {"period": window, "periods_per_year": run.period.periods_per_year, **_COMMON}
    anchor = f"rolling-{what.lower()}"
    body = svg(lambda: draw(**options), anchor, percent="y" if what == "volatility" else "")
    wide = duration(window * run.period.length_ns / 1e9)
    note = f"Windows of {wide} ({window:,} {run.period.name}s), annualised with 365 days."
    return Section(anchor, f"Rolling {what}", body, note)
