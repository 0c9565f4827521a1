"""The tearsheet: every figure against a naive recomputation from the files, at every span, and with no trade."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fathom.backtests.account.performance import load
from fathom.backtests.reports import first_screen
from fathom.backtests.reports.tearsheet import tearsheet_html
from fathom.backtests.setup.run_files import RunFiles
from fathom.pages.formats import number, percent
from tests.makers.reading_pages import loads, read, rows, tiles
from tests.makers.synthetic_run import make_run

type Curve = "pd.Series[float]"

DAY = 86_400
SPANS = {
    "six minutes": {"span_secs": 344, "grid_secs": 1, "trips": 12, "leave_open": True},
    "a day": {"span_secs": DAY, "grid_secs": 10, "trips": 40, "instruments": ("BTC.X", "ETH.X")},
    "a month": {"span_secs": 31 * DAY, "grid_secs": 900, "trips": 90},
    "a year": {"span_secs": 365 * DAY, "grid_secs": 14_400, "trips": 200, "drift": 1.5e-8},
    "no trade": {"span_secs": 344, "grid_secs": 1, "trips": 0},
    "a year without a trade": {"span_secs": 365 * DAY, "grid_secs": 86_400, "trips": 0},
}
RULES = {"six minutes": "s", "a day": "min", "a month": "h", "a year": "D"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[RunFiles, str]]:
    """The run directory and the tearsheet of each span."""
    folder = tmp_path_factory.mktemp("runs")
    files = {name: make_run(folder / name, **span) for name, span in SPANS.items()}  # type: ignore[arg-type]
    return {name: (run, tearsheet_html(load(run))) for name, run in files.items()}


def equity_of(files: RunFiles) -> Curve:
    table = pd.read_parquet(files.path / "equity.parquet")
    return pd.Series(table["equity"].to_numpy(), index=pd.DatetimeIndex(table["ts"]))


def benchmark_of(files: RunFiles) -> Curve:
    table = pd.read_parquet(files.path / "prices.parquet")
    prices = table.pivot_table(index="ts", columns="instrument_id", values="mark")
    return (prices / prices.iloc[0]).mean(axis=1)


def naive_returns(curve: Curve, rule: str) -> Curve:
    """Changes between the starts of calendar periods, with what is left at both ends."""
    first, last = curve.index[0], curve.index[-1]
    clock = [time for time in pd.date_range(first.ceil(rule), last, freq=rule) if first < time < last]
    return curve.reindex(pd.DatetimeIndex([first, *clock, last]), method="ffill").pct_change().iloc[1:]


@pytest.mark.parametrize("name", SPANS)
def test_the_page_is_whole_and_loads_nothing(made: dict[str, tuple[RunFiles, str]], name: str) -> None:
    page = made[name][1]
    reader = read(page)
    assert loads(page) == []
    assert len(reader.ids) == len(set(reader.ids))
    words = " ".join(reader.text).lower()
    assert not re.search(r"\b(nan|inf|infinity|nat)\b", words)
    assert len(page) < 1_500_000


@pytest.mark.parametrize("name", SPANS)
def test_return_benchmark_and_drawdown_are_those_of_the_files(made: dict[str, tuple[RunFiles, str]], name: str) -> None:
    files, page = made[name]
    equity, benchmark = equity_of(files), benchmark_of(files)
    table, first = rows(page), tiles(page)
    assert first["Return"][0] == percent(equity.iloc[-1] / equity.iloc[0] - 1.0, signed=True)
    assert first["Benchmark"][0] == percent(benchmark.iloc[-1] / benchmark.iloc[0] - 1.0, signed=True)
    assert first["Max drawdown"][0] == percent(float((equity / equity.cummax() - 1.0).min()))
    shown = [percent(float((curve / curve.cummax() - 1.0).min())) for curve in (equity, benchmark)]
    assert table["Max drawdown"] == shown
    net = [number(float(curve.iloc[-1] - curve.iloc[0]), signed=True) for curve in (equity, benchmark * equity.iloc[0])]
    assert table["Net result"] == net


@pytest.mark.parametrize("name", RULES)
def test_figures_of_returns_are_those_of_calendar_periods(made: dict[str, tuple[RunFiles, str]], name: str) -> None:
    files, page = made[name]
    table = rows(page)
    unit = {"s": "second", "min": "minute", "h": "hour", "D": "day"}[RULES[name]]
    for column, curve in enumerate((equity_of(files), benchmark_of(files))):
        returns = naive_returns(curve, RULES[name])
        spread = float(returns.std(ddof=1))
        assert table[f"Volatility per {unit}"][column] == percent(spread)
        assert table[f"Sharpe per {unit}"][column] == number(float(returns.mean()) / spread, 4)
        assert table[f"Value at risk 95 % per {unit}"][column] == percent(float(returns.quantile(0.05)))
        assert table["Best"][column] == percent(float(returns.max()))
        assert table["Worst"][column] == percent(float(returns.min()))
        assert table["Above zero"][column] == percent(float((returns > 0.0).mean()))
    # The fact box says how many returns there are.
    assert any(text.startswith(f"{len(returns):,}, one a {unit}") for text in read(page).text)


@pytest.mark.parametrize(("name", "periods"), [("a month", 8_760), ("a year", 365)])
def test_ratios_are_annualised_with_365_days(made: dict[str, tuple[RunFiles, str]], name: str, periods: int) -> None:
    files, page = made[name]
    table = rows(page)
    for column, curve in enumerate((equity_of(files), benchmark_of(files))):
        returns = naive_returns(curve, RULES[name])
        root = math.sqrt(periods)
        downside = math.sqrt(float((returns.clip(upper=0.0) ** 2).mean()))
        assert table["Volatility, annualised"][column] == percent(float(returns.std(ddof=1)) * root)
        assert table["Sharpe, annualised"][column] == number(float(returns.mean() / returns.std(ddof=1)) * root)
        assert table["Sortino, annualised"][column] == number(float(returns.mean()) / downside * root)
    assert tiles(page)["Sharpe ratio, annualised"][0] == table["Sharpe, annualised"][0]


def test_the_annual_return_needs_a_year(made: dict[str, tuple[RunFiles, str]]) -> None:
    files, page = made["a year"]
    equity = equity_of(files)
    years = (equity.index[-1] - equity.index[0]) / pd.Timedelta(days=365)
    growth = float(equity.iloc[-1] / equity.iloc[0]) ** (1.0 / years) - 1.0
    table = rows(page)
    assert table["Annual return (CAGR)"][0] == percent(growth)
    assert table["Calmar"][0] == number(growth / -float((equity / equity.cummax() - 1.0).min()))
    for name in ("six minutes", "a day", "a month"):
        assert rows(made[name][1])["Annual return (CAGR)"] == ["n/a", "n/a"]


@pytest.mark.parametrize("name", ["six minutes", "a day", "no trade"])
def test_a_short_span_is_not_annualised_and_says_so(made: dict[str, tuple[RunFiles, str]], name: str) -> None:
    page = made[name][1]
    table = rows(page)
    for label in ("Volatility, annualised", "Sharpe, annualised", "Sortino, annualised", "Calmar"):
        assert table[label] == ["n/a", "n/a"]
    assert any("too short to annualise" in text for text in read(page).text)
    assert not any(f'id="rolling-{what}"' in page for what in ("volatility", "sharpe", "sortino"))


def test_trades_are_counted_from_the_positions(made: dict[str, tuple[RunFiles, str]]) -> None:
    for name in RULES:
        files, page = made[name]
        positions = pd.read_parquet(files.path / "positions.parquet")
        closed = positions[positions["ts_closed"].notna()]
        table, net = rows(page), closed["pnl_net"]
        assert table["Closed, still open"][0] == f"{len(closed)}, {len(positions) - len(closed)}"
        assert table["Win rate"][0] == percent(float((net > 0).mean()), 1)
        assert table["Profit factor"][0] == number(float(net[net > 0].sum() / -net[net < 0].sum()))
        assert table["Expectancy"][0] == number(float(net.mean()), signed=True)
        fees = pd.read_parquet(files.path / "fills.parquet")["commission"].sum()
        assert tiles(page)["Fees, USDT"][0] == number(float(fees))
        warned = any("fewer than 30" in text for text in read(page).text)
        assert warned == (len(closed) < 30)


def test_time_in_market_is_the_share_of_the_grid(made: dict[str, tuple[RunFiles, str]]) -> None:
    # Positions are opened and closed on the grid here, so that the grid tells the same.
    files, page = made["a day"]
    gross = pd.read_parquet(files.path / "equity.parquet")["gross_exposure"].to_numpy()
    assert rows(page)["Time in market"][0] == percent(float(np.mean(gross[:-1] != 0.0)), 1)


def test_months_are_the_products_of_their_days(made: dict[str, tuple[RunFiles, str]]) -> None:
    files, page = made["a year"]
    equity = equity_of(files)
    ends = pd.concat([equity.iloc[:1], equity.iloc[1:].resample("MS", closed="right", label="right").last()])
    monthly = ends.pct_change().dropna()
    shown = [cell for year in ("2024", "2025") for cell in rows(page)[year][:12] if cell]
    assert shown == [percent(value, 1, signed=True).removesuffix(" %") for value in monthly]
    whole = [math.prod((1.0 + monthly[monthly.index <= "2025-01-01"]).tolist()) - 1.0]
    assert rows(page)["2024"][12] == percent(whole[0], 1, signed=True).removesuffix(" %")


def test_the_worst_drawdown_is_dated(made: dict[str, tuple[RunFiles, str]]) -> None:
    files, page = made["a year"]
    equity = equity_of(files)
    depth = equity / equity.cummax() - 1.0
    peak = equity[: depth.idxmin()].idxmax()
    assert rows(page)[f"{peak:%Y-%m-%d}"][1] == percent(float(depth.min()))


def test_a_run_without_trades_says_so_and_shows_no_empty_panel(made: dict[str, tuple[RunFiles, str]]) -> None:
    for name in ("no trade", "a year without a trade"):
        page = made[name][1]
        assert tiles(page)["Return"] == ("0.00 %", "0.00 USDT")
        assert tiles(page)["Sharpe ratio"] == ("–", "no trades")
        assert any(text.startswith("No trades:") for text in read(page).text)
        assert 'id="cumulative"' in page
        assert not any(f'id="{panel}"' in page for panel in ("underwater", "worst", "distribution", "calendar"))
        assert rows(page)["Profit factor"][0] == "–"


def test_the_panels_are_those_of_quantstats_that_fit(made: dict[str, tuple[RunFiles, str]]) -> None:
    short = {"cumulative", "underwater", "worst", "calendar", "distribution", "metrics", "drawdowns"}
    assert short <= set(read(made["six minutes"][1]).ids)
    assert short | {"matched", "rolling-volatility", "rolling-sharpe", "rolling-sortino"} <= set(
        read(made["a year"][1]).ids
    )
    month = set(read(made["a month"][1]).ids)
    assert "rolling-volatility" in month
    assert "rolling-sharpe" not in month  # a window of 30 days does not roll within 31


def test_the_first_screen_says_what_is_simulated(made: dict[str, tuple[RunFiles, str]]) -> None:
    text = " ".join(read(made["a day"][1]).text)
    assert "maker 0.0200 %, taker 0.0550 % of the notional" in text
    assert "insert 20 ms, update 20 ms, cancel 25 ms" in text
    assert "limit orders wait in the queue" in text
    assert "Funding not simulated" in text


def test_the_same_run_gives_the_same_bytes(made: dict[str, tuple[RunFiles, str]]) -> None:
    files, page = made["a month"]
    assert tearsheet_html(load(files)) == page


def test_drawing_leaves_the_settings_of_matplotlib_alone(made: dict[str, tuple[RunFiles, str]]) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    tearsheet_html(load(made["six minutes"][0]))
    assert dict(matplotlib.rcParams) == before


def test_an_account_that_is_wiped_out_is_reported(tmp_path: Path) -> None:
    files = make_run(tmp_path / "ruin", span_secs=600, grid_secs=1, trips=5, capital=15.0)
    page = tearsheet_html(load(files))
    equity = equity_of(files)
    assert float(equity.min()) < 0.0
    assert any("fell to zero or below" in text for text in read(page).text)
    assert not re.search(r"\b(nan|inf)\b", " ".join(read(page).text).lower())


@pytest.mark.parametrize(
    ("interval", "tone"),
    [
        ({"level": 0.95, "low": 5.0, "high": 9.0, "note": ""}, {"good", "bad"}),
        ({"level": 0.95, "low": -5.0, "high": 9.0, "note": ""}, {""}),
        ({"level": 0.95, "low": None, "high": None, "note": "No 95 % interval."}, {""}),
    ],
)
def test_a_return_that_may_be_luck_has_no_colour(tmp_path: Path, interval: dict[str, Any], tone: set[str]) -> None:
    files = make_run(tmp_path / "run", span_secs=300, grid_secs=1, trips=6)
    summary = files.path / "summary.json"
    summary.write_text(json.dumps(json.loads(summary.read_text()) | {"net_interval": interval}))
    assert first_screen.tiles(load(files))[0].tone in tone
