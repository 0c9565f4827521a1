"""The comparison of runs: figures, curves, configurations, and the two commands that make pages."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner

from fathom.backtests.account.performance import Performance, load
from fathom.backtests.reports import comparison
from fathom.backtests.reports.report import find_run, write_pages
from fathom.backtests.setup.run_files import RunFiles, write_table
from fathom.commands.backtest.compare import compare
from fathom.commands.backtest.report import report
from fathom.pages.formats import number, percent
from tests.makers.reading_pages import charts, loads, read, rows
from tests.makers.synthetic_run import START, make_run

FIRST = 'name = "a"\nseed = 1\n[venue]\nlatency_ms = 5\n[[strategies]]\nfast = 3\n'
SECOND = 'name = "b"\nseed = 1\n[venue]\nlatency_ms = 50\n[[strategies]]\nfast = 3\nslow = 9\n'


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunFiles]:
    folder = tmp_path_factory.mktemp("runs")
    return [
        make_run(folder / "alpha", span_secs=600, grid_secs=1, trips=35, config=FIRST),
        make_run(folder / "beta", span_secs=600, grid_secs=1, trips=5, seed=2, config=SECOND),
        make_run(folder / "flat", span_secs=600, grid_secs=1, trips=0, seed=3, config=SECOND),
    ]


def test_figures_are_those_of_the_files(runs: list[RunFiles]) -> None:
    found = comparison.figures([load(files) for files in runs])
    page = comparison.comparison_html([load(files) for files in runs])
    table = rows(page)
    for at, files in enumerate(runs):
        equity = pd.read_parquet(files.path / "equity.parquet")["equity"]
        net = pd.read_parquet(files.path / "positions.parquet")["pnl_net"]
        gone = equity.iloc[-1] / equity.iloc[0] - 1.0
        depth = float((equity / equity.cummax() - 1.0).min())
        assert found[at]["run"] == files.path.name
        assert found[at]["total_return"] == pytest.approx(gone)
        assert found[at]["max_drawdown"] == pytest.approx(depth)
        assert found[at]["trades"] == len(net)
        assert found[at]["sharpe"] is None
        assert found[at]["win_rate"] == (pytest.approx(float((net > 0.0).mean())) if len(net) else None)
        assert table["Return"][at] == percent(gone, signed=True)
        assert table["Net result, USDT"][at] == number(float(equity.iloc[-1] - equity.iloc[0]), signed=True)
    assert table["Profit factor"][2] == "–"


def test_curves_start_at_one_hundred(runs: list[RunFiles]) -> None:
    page = comparison.comparison_html([load(files) for files in runs])
    drawn = charts(page)["rebased"]
    assert [series["name"] for series in drawn["series"]] == comparison.labels([load(files) for files in runs])
    for series, files in zip(drawn["series"], runs, strict=True):
        equity = pd.read_parquet(files.path / "equity.parquet")["equity"].to_numpy()
        assert series["v"] == pytest.approx((equity / equity[0] * 100.0).tolist(), rel=1e-8)
    assert drawn["elapsed"] is False
    assert drawn["start"] == START // 10**6
    assert loads(page) == []
    read(page)


def test_runs_at_different_times_are_counted_from_their_starts(runs: list[RunFiles], tmp_path: Path) -> None:
    later = make_run(tmp_path / "later", span_secs=300, grid_secs=1, trips=4, start_ns=START + 10**15)
    loaded = [load(runs[0]), load(later)]
    drawn = charts(comparison.comparison_html(loaded))["rebased"]
    assert drawn["elapsed"] is True
    assert [series["t"][0] for series in drawn["series"]] == [0, 0]
    assert any("different times" in text for text in comparison.cautions(loaded))


def test_only_the_keys_that_differ_are_listed(runs: list[RunFiles]) -> None:
    found = comparison.differences([load(files).config for files in runs[:2]])
    assert found == [
        ("name", ["a", "b"]),
        ("strategies[0].slow", ["(absent)", "9"]),
        ("venue.latency_ms", ["5", "50"]),
    ]
    page = comparison.comparison_html([load(files) for files in runs[:2]])
    assert rows(page)["venue.latency_ms"] == ["5", "50"]
    same = comparison.comparison_html([load(files) for files in runs[1:]])
    assert any("configurations are the same" in text for text in read(same).text)


def test_the_command_prints_a_table_and_writes_the_page(runs: list[RunFiles], tmp_path: Path) -> None:
    page = tmp_path / "compare.html"
    result = CliRunner().invoke(compare, [*(str(files.path) for files in runs), "--html", str(page)])
    assert result.exit_code == 0, result.output
    assert "Max drawdown" in result.output
    assert "latency_ms" in result.output
    assert page.read_text() == comparison.comparison_html([load(files) for files in runs])
    assert [path.name for path in tmp_path.iterdir()] == ["compare.html"]


def test_the_command_prints_json(runs: list[RunFiles]) -> None:
    result = CliRunner().invoke(compare, [*(str(files.path) for files in runs), "--json"])
    content = json.loads(result.stdout)
    assert [run["run"] for run in content["runs"]] == ["alpha", "beta", "flat"]
    assert content["differences"]["venue.latency_ms"] == ["5", "50", "50"]


def test_what_is_no_run_is_skipped_and_runs_are_sorted(runs: list[RunFiles], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    others = [str(tmp_path / "notes.txt"), str(tmp_path)]
    paths = [str(files.path) for files in runs]
    done = CliRunner().invoke(compare, [*others, *paths, "--sort", "net", "--json"])
    content = json.loads(done.stdout)
    assert content["skipped"] == others
    net = [run["net"] for run in content["runs"]]
    assert len(net) == 3
    assert net == sorted(net, reverse=True)
    text = CliRunner().invoke(compare, [*others, *paths]).output
    assert f"Skipped, since they are no runs: {', '.join(others)}" in text.replace("\n", "")
    none = CliRunner().invoke(compare, others)
    assert none.exit_code == 1
    assert "Expected run directories (with a summary.json), was none of" in none.output


def test_an_undefined_figure_comes_last(runs: list[RunFiles]) -> None:
    loaded = [load(files) for files in runs]
    best = comparison.ranked(loaded, "profit_factor")
    assert best[-1].run_id == "flat"  # it has no trade
    assert [run.run_id for run in comparison.ranked(loaded, "sharpe")] == ["alpha", "beta", "flat"]  # none has one


def test_units_and_spans_stand_beside_the_figures(runs: list[RunFiles]) -> None:
    table = dict(comparison.shown([load(files) for files in runs]))
    assert {"From", "To", "Span", "Net result, USDT", "Turnover, USDT"} <= set(table)
    assert "Currency" not in table


def test_an_unknown_figure_to_sort_by_names_the_nearest(runs: list[RunFiles]) -> None:
    done = CliRunner().invoke(compare, [str(runs[0].path), "--sort", "nett"])
    assert done.exit_code == 1
    assert "Expected a figure for --sort, was 'nett'. Did you mean 'net'" in done.output


def test_an_unknown_run_names_the_nearest(runs: list[RunFiles]) -> None:
    folder = runs[0].path.parent
    assert find_run("beta", folder).path == folder / "beta"
    with pytest.raises(FileNotFoundError, match="Did you mean 'alpha'"):
        find_run("alhpa", folder)
    result = CliRunner().invoke(compare, [str(folder / "gamma")])
    assert result.exit_code == 1
    assert "Expected a run directory" in result.output


def test_the_report_command_makes_both_pages_again(tmp_path: Path) -> None:
    files = make_run(tmp_path / "run", span_secs=300, grid_secs=1, trips=6)
    first = {path.name: path.read_text() for path in write_pages(files.path)}
    assert set(first) == {"tearsheet.html", "execution.html"}
    before = {path.name: path.read_bytes() for path in files.path.iterdir()}
    (files.path / "execution.html").write_text("cut")
    result = CliRunner().invoke(report, [str(files.path)])
    assert result.exit_code == 0, result.output
    assert {path.name: path.read_bytes() for path in files.path.iterdir()} == before


def test_pages_of_a_staged_run_carry_its_final_name(tmp_path: Path) -> None:
    files = make_run(tmp_path / ".new-1", span_secs=300, grid_secs=1, trips=6)
    write_pages(files.path, "final-name")
    text = (files.path / "tearsheet.html").read_text()
    assert "final-name" in text
    assert ".new-1" not in text


def test_the_benchmark_may_be_chosen(tmp_path: Path) -> None:
    config = 'name = "x"\n[report]\nbenchmark = "B.X"\n'
    files = make_run(tmp_path / "two", span_secs=300, grid_secs=1, trips=2, instruments=("A.X", "B.X"), config=config)
    run = load(files)
    marks = run.prices["B.X"]["mark"]
    assert run.benchmark_name == "buy and hold B.X"
    assert run.hold.total_return == pytest.approx(float(marks[-1] / marks[0]) - 1.0)


def test_benchmark_of_several_is_an_equal_basket(tmp_path: Path) -> None:
    files = make_run(tmp_path / "two", span_secs=300, grid_secs=1, trips=2, instruments=("A.X", "B.X", "C.X"))
    run = load(files)
    prices = pd.read_parquet(files.path / "prices.parquet").pivot_table(
        index="ts", columns="instrument_id", values="mark"
    )
    basket = 10_000.0 / 3.0 * sum(prices[name] / prices[name].iloc[0] for name in prices)
    assert np.allclose(run.benchmark, basket.to_numpy())
    assert run.hold.total_return == pytest.approx(float(basket.iloc[-1]) / 10_000.0 - 1.0)


def test_runs_at_the_edges_have_pages(tmp_path: Path) -> None:
    for name, span, trips in (("one sample", 0, 0), ("two", 1, 0), ("five seconds", 5, 2), ("open", 90, 1)):
        files = make_run(tmp_path / name, span_secs=span, grid_secs=1, trips=trips, leave_open=name == "open")
        for path in write_pages(files.path):
            assert not re.search(r"\b(nan|inf|nat)\b", " ".join(read(path.read_text()).text).lower())


def test_a_run_without_prices_says_so(tmp_path: Path) -> None:
    files = make_run(tmp_path / "run", span_secs=60, grid_secs=1, trips=0)
    prices = files.table("prices")
    for column in ("bid", "ask", "last", "mark"):
        at = prices.schema.get_field_index(column)
        prices = prices.set_column(at, prices.schema.field(at), pa.nulls(len(prices), pa.float64()))
    write_table(files.path, "prices", prices)
    tearsheet, execution = (path.read_text() for path in write_pages(files.path))
    assert any("no price of it" in text for text in read(execution).text)
    assert rows(tearsheet)["Total return"] == ["0.00 %", "–"]


def test_labels_are_as_short_as_they_can_be(tmp_path: Path) -> None:
    def made(folder: str, title: str) -> Performance:
        return load(make_run(tmp_path / folder, span_secs=9, grid_secs=1, trips=0, title=title))

    one, two, three = made("20240101-one", "one"), made("20240101-two", "two"), made("20240102-two", "two")
    assert comparison.labels([one, two]) == ["one", "two"]
    assert comparison.labels([two, dataclasses.replace(three, summary={"config_hash": "0"})]) == [
        "two d78b3faf",
        "two 0",
    ]
    assert comparison.labels([two, three]) == ["20240101-two", "20240102-two"]
