"""The execution page: charts, splits and tables against the files of the run."""

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fathom.backtests.account.performance import load
from fathom.backtests.reports.execution_page import MOST_FILLS, execution_html
from fathom.backtests.reports.execution_tables import MOST_TRADES
from fathom.backtests.setup.run_files import SCHEMAS, RunFiles, write_table
from fathom.pages.charts import MOST_POINTS
from fathom.pages.formats import integer, number, percent
from tests.makers.reading_pages import charts, loads, read, rows, tiles
from tests.makers.synthetic_run import make_run

type Made = dict[str, tuple[RunFiles, str]]

SPANS = {
    "six minutes": {"span_secs": 344, "grid_secs": 1, "trips": 12, "leave_open": True},
    "a day of two": {"span_secs": 86_400, "grid_secs": 10, "trips": 40, "instruments": ("BTC.X", "ETH.X")},
    "a year": {"span_secs": 365 * 86_400, "grid_secs": 14_400, "trips": 200},
    "no trade": {"span_secs": 344, "grid_secs": 1, "trips": 0},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("runs")
    files = {name: make_run(folder / name, **span) for name, span in SPANS.items()}  # type: ignore[arg-type]
    return {name: (run, execution_html(load(run))) for name, run in files.items()}


def frame(files: RunFiles, name: str) -> pd.DataFrame:
    return pd.read_parquet(files.path / f"{name}.parquet")


@pytest.mark.parametrize("name", SPANS)
def test_the_page_is_whole_and_loads_nothing(made: Made, name: str) -> None:
    page = made[name][1]
    reader = read(page)
    assert loads(page) == []
    assert len(reader.ids) == len(set(reader.ids))
    assert not re.search(r"\b(nan|inf|infinity|nat)\b", " ".join(reader.text).lower())


@pytest.mark.parametrize("name", SPANS)
def test_the_parts_sum_to_the_net_result(made: Made, name: str) -> None:
    files, page = made[name]
    equity = frame(files, "equity").iloc[-1]
    first = tiles(page)
    parts = {part: float(equity[f"pnl_{part}"]) for part in ("price", "fees", "slippage", "funding")}
    assert [first[label][0] for label in ("Price", "Fees", "Slippage")] == [
        number(parts[part], signed=True) for part in ("price", "fees", "slippage")
    ]
    net = float(equity["equity"]) - float(frame(files, "equity")["equity"].iloc[0])
    assert first["Net result, USDT"][0] == number(net, signed=True)
    assert math.fsum(parts.values()) == pytest.approx(net, abs=1e-9)


@pytest.mark.parametrize("name", ["six minutes", "a day of two", "a year"])
def test_results_by_instrument_sum_to_the_account(made: Made, name: str) -> None:
    files, page = made[name]
    positions = frame(files, "positions")
    table = rows(page)
    order = ["pnl_price", "pnl_slippage", "pnl_fees", "pnl_funding", "pnl_net"]
    for instrument, some in positions.groupby("instrument_id"):
        assert table[str(instrument)] == [number(float(some[part].sum()), signed=True) for part in order]
    assert table["Account"] == [number(float(positions[part].sum()), signed=True) for part in order]


@pytest.mark.parametrize("name", ["six minutes", "a day of two", "a year"])
def test_every_fill_is_on_the_chart_of_its_instrument(made: Made, name: str) -> None:
    files, page = made[name]
    fills, drawn = frame(files, "fills"), charts(page)
    for instrument, some in fills.groupby("instrument_id"):
        chart = drawn["price-" + re.sub(r"\W", "-", str(instrument).lower())]
        points = sorted(
            (chart["start"] + time, value)
            for marks in chart["marks"]
            for time, value in zip(marks["t"], marks["v"], strict=True)
        )
        times = some["ts_event"].astype("int64") / 1e6
        assert points == sorted(zip(times.tolist(), some["price"].tolist(), strict=True))
        entries = sum(len(marks["t"]) for marks in chart["marks"] if not marks["hollow"])
        assert entries == int((some["role"] == "ENTRY").sum())
        buys = sum(len(marks["t"]) for marks in chart["marks"] if marks["up"])
        assert buys == int((some["side"] == "BUY").sum())


def test_a_fill_tells_size_fee_and_slippage(made: Made) -> None:
    files, page = made["six minutes"]
    fill = frame(files, "fills").iloc[0]
    (chart,) = (chart for anchor, chart in charts(page).items() if anchor.startswith("price-"))
    texts = [text for marks in chart["marks"] for text in marks["text"]]
    found = next(text for text in texts if f"{fill['price']:,.2f}".rstrip("0").rstrip(".") in text[0])
    assert found[0].startswith(f"{fill['side']} {fill['quantity']:g} @ ")
    assert found[1] == f"{fill['role'].lower()} · {fill['type'].lower()} · {fill['liquidity'].lower()}"
    assert f"{number(fill['slippage_bps'], 2, signed=True)} bps" in found[2]
    assert f"{fill['commission']:.2f}" in found[2] or f"{fill['commission']:.4f}" in found[2]


@pytest.mark.parametrize("name", ["a day of two", "a year"])
def test_curves_keep_their_extremes(made: Made, name: str) -> None:
    files, page = made[name]
    drawn = charts(page)
    equity = frame(files, "equity")
    (shown,) = (series for series in drawn["equity"]["series"] if series["name"] == "Equity")
    assert len(shown["v"]) <= MOST_POINTS
    values = equity["equity"].to_numpy()
    assert [shown["v"][0], shown["v"][-1]] == pytest.approx([values[0], values[-1]])
    assert [min(shown["v"]), max(shown["v"])] == pytest.approx([values.min(), values.max()])
    depth = drawn["underwater"]["series"][0]
    assert min(depth["v"]) == pytest.approx(100.0 * (values / np.maximum.accumulate(values) - 1.0).min())
    assert shown["t"] == sorted(shown["t"])


def test_costs_are_weighted_with_turnover(made: Made) -> None:
    files, page = made["a day of two"]
    fills = frame(files, "fills")
    for label, some in [("Maker", fills[fills["liquidity"] == "MAKER"]), ("All", fills)]:
        turnover = float(some["notional"].sum())
        slippage = float((some["slippage_bps"] * some["notional"]).sum()) / turnover
        assert rows(page)[label][:5] == [
            integer(len(some)),
            number(turnover, 0),
            number(float(some["commission"].sum())),
            number(float(some["commission"].sum()) / turnover * 1e4),
            number(slippage, signed=True),
        ]
    maker = fills.loc[fills["liquidity"] == "MAKER", "notional"].sum() / fills["notional"].sum()
    assert tiles(page)["Maker share"][0] == percent(float(maker), 1)


def test_every_order_is_counted_by_outcome(made: Made) -> None:
    files, page = made["a day of two"]
    orders = frame(files, "orders")
    (table,) = (table for table in read(page).tables if table and table[0][:1] == ["Role"])
    outcomes = [name.replace("_", " ").upper() for name in table[0][2:-1]]
    (total,) = (row for row in table if row[0] == "All")
    assert [int(cell.replace(",", "")) for cell in total[2:-1]] == [
        int((orders["status"] == name).sum()) for name in outcomes
    ]
    assert int(total[1].replace(",", "")) == len(orders)


def test_holding_times_fall_into_their_bins(made: Made) -> None:
    files, page = made["a year"]
    positions = frame(files, "positions")
    closed = positions[positions["ts_closed"].notna()]
    drawing = re.search(r'aria-label="Holding times">(.*?)</svg>', page, re.DOTALL)
    assert drawing is not None
    counts = [int(text.replace(",", "")) for text in re.findall(r'fill="#1c2530">([\d,]+)<', drawing.group(1))]
    edges = [0, 14_400, 28_800, 86_400, 172_800, 604_800, 2_592_000, 31_536_000]
    expected = np.histogram(closed["holding_secs"], edges)[0]
    assert counts == [int(count) for count in expected if count]


def test_the_table_of_trades_holds_every_trade(made: Made) -> None:
    files, page = made["six minutes"]
    positions = frame(files, "positions")
    (table,) = (table for table in read(page).tables if table[0][0] == "#")
    assert len(table) == 1 + len(positions)
    net = table[0].index("Net")
    assert [row[net] for row in table[1:]] == [number(value, signed=True) for value in positions["pnl_net"]]
    assert [row[table[0].index("Held")] for row in table[1:]].count("open") == 1


def test_without_trades_there_is_no_empty_panel(made: Made) -> None:
    page = made["no trade"][1]
    assert not set(read(page).ids) & {"profit", "liquidity", "holding", "trades"}
    assert set(charts(page)) == {"price-btcusdt-linear-bybit", "equity"}
    assert any("sent no order" in text for text in read(page).text)


def test_a_big_run_stays_small_and_says_what_is_left_out(tmp_path: Path) -> None:
    files = make_run(tmp_path / "big", span_secs=200_000, grid_secs=2, trips=20_000)
    page = execution_html(load(files))
    assert len(page) < 4_000_000
    (chart,) = (chart for anchor, chart in charts(page).items() if anchor.startswith("price-"))
    assert sum(len(marks["t"]) for marks in chart["marks"]) == MOST_FILLS
    text = " ".join(read(page).text)
    assert f"{MOST_FILLS:,} of 40,000 executions" in text
    assert f"{MOST_TRADES:,} largest results of 20,000" in text


def test_names_are_escaped(tmp_path: Path) -> None:
    files = make_run(
        tmp_path / "odd", span_secs=300, grid_secs=1, trips=3, instruments=("</script><b>A&B.X",), title="<i>odd</i>"
    )
    page = execution_html(load(files))
    assert "<b>A" not in page
    assert "<i>odd" not in page
    assert any("</script><b>A&B.X" in text for text in read(page).text)


def test_the_same_run_gives_the_same_bytes(made: Made) -> None:
    files, page = made["a day of two"]
    assert execution_html(load(files)) == page


def test_the_levels_that_one_order_takes_are_one_mark(tmp_path: Path) -> None:
    files = make_run(tmp_path / "run", span_secs=300, grid_secs=1, trips=4)
    entry, *others = files.table("fills").to_pylist()
    levels = []
    for part, step in ((0.5, 0.0), (0.25, 1.0), (0.25, 3.0)):
        quantity, price = entry["quantity"] * part, entry["price"] + step
        taken = {"quantity": quantity, "price": price, "notional": quantity * price}
        levels.append(entry | taken | {"commission": entry["commission"] / 3.0})
    write_table(files.path, "fills", pa.Table.from_pylist([*levels, *others], schema=SCHEMAS["fills"]))
    (chart,) = (chart for anchor, chart in charts(execution_html(load(files))).items() if anchor.startswith("price-"))
    assert sum(len(marks["t"]) for marks in chart["marks"]) == 1 + len(others)
    texts = [text for marks in chart["marks"] for text in marks["text"]]
    (merged,) = (text for text in texts if text[1].endswith("3 fills"))
    assert merged[0] == f"{entry['side']} {entry['quantity']:g} @ {entry['price'] + 1.0:,.2f}".rstrip("0").rstrip(".")
    assert f"{entry['commission']:.2f}" in merged[2]


def test_an_account_that_contradicts_its_trades_is_reported(tmp_path: Path) -> None:
    files = make_run(tmp_path / "run", span_secs=300, grid_secs=1, trips=4)
    assert "differ:" not in execution_html(load(files))
    positions = files.table("positions").to_pylist()
    positions[0]["pnl_net"] += 1.0
    write_table(files.path, "positions", pa.Table.from_pylist(positions, schema=SCHEMAS["positions"]))
    assert any("sum of the trades differ:" in text for text in read(execution_html(load(files))).text)
