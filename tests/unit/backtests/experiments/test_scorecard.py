"""The scorecard: which backtests it is made of, that it goes on where it was, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fathom.backtests.experiments import scorecard as plans
from fathom.backtests.experiments.scorecard_config import ScorecardConfig, load_scorecard
from fathom.backtests.setup.run_files import RunFiles
from fathom.commands.backtest.scorecard import scorecard as command
from fathom.settings.errors import SettingsError
from tests.makers.scripted import SCRIPTED
from tests.makers.validated_run import tiny

SCENARIO = """
scenario = "tiny"
duration_secs = 60.0
[book]
range_ticks = 256
warmup_secs = 2.0
[feed]
interval_ms = 250.0
depth = 10
[[populations]]
name = "touch"
orders_per_sec = 20.0
life_secs = 2.0
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a scorecard of one scripted strategy on an edge market of two seeds and a null market."""
    folder = tmp_path_factory.mktemp("scorecard")
    model = tiny(folder / "up", bias=(0.0, 2.0, 0.0))  # it refuses what sells
    (folder / "tiny.toml").write_text(SCENARIO)
    (folder / "base.toml").write_text(f"""
[venue.fees]
maker = 0.0002
taker = 0.00055
[[actors]]
name = "features"
[actors.parameters]
features = {{ groups = ["orderbook"], grid_ms = 250 }}
[[actors]]
name = "validation"
[actors.parameters]
model = "{model}"
blending = {{ threshold = 0.6 }}
""")
    file = folder / "card.toml"
    file.write_text(f"""
name = "small"
base = ["{folder / "base.toml"}"]
bucket_secs = 5.0
block_secs = 10.0
resamples = 200
quick = {{ duration = "40s", seeds = 1 }}
[[markets]]
name = "edge"
scenario = "{folder / "tiny.toml"}"
seeds = [1, 2]
[[markets]]
name = "null"
kind = "null"
scenario = "{folder / "tiny.toml"}"
seeds = [3]
[[strategies]]
name = "{SCRIPTED}"

[strategies.parameters]
validator = true
notional = 50000.0
stop = 0.0002
target = 0.0002
signals = [[8, "SELL", 0.7], [24, "BUY", 0.7]]
""")
    return file


def names(config: ScorecardConfig, base: dict[str, Any]) -> list[str]:
    cells = plans.Plan(config, base, Path("x")).cells
    return [f"{cell.market.name}-{cell.seed}-{cell.variant}" for cell in cells]


def test_edges_run_with_and_without_the_validator_and_null_markets_with_it(small: Path) -> None:
    config = load_scorecard([small])
    validated = {"actors": [{"name": "validation"}]}
    assert names(config, validated) == [
        *("edge-1-full", "edge-1-no-validator", "edge-2-full", "edge-2-no-validator", "null-3-full"),
    ]
    assert names(config, {}) == ["edge-1-full", "edge-2-full", "null-3-full"]
    short = plans.shortened(config)
    assert names(short, {}) == ["edge-1-full", "null-3-full"]
    assert {market.duration for market in short.markets} == {"40s"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (['model={training = "t.toml", scenario = "s.toml", seed = 3}'], r"did not learn from, was 3 in null"),
        (["markets.0.seeds=[1, 1]"], "different seeds, was one twice in edge"),
        (["markets.1.name=edge"], "different names, was edge twice"),
        (["markets.0.kind=both"], "Expected one of: edge, null"),
        (["bukket_secs=1.0"], "Did you mean 'bucket_secs'"),
    ],
)
def test_a_wrong_scorecard_is_refused(small: Path, changes: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_scorecard([small], changes)


def test_the_folder_follows_everything_that_the_files_say(small: Path, tmp_path: Path) -> None:
    config = load_scorecard([small])
    first = plans.plan(config, tmp_path).folder
    assert plans.plan(config, tmp_path).folder == first
    assert plans.plan(load_scorecard([small], ["seed=2"]), tmp_path).folder != first
    scenario = small.parent / "tiny.toml"
    scenario.write_text(SCENARIO.replace("60.0", "61.0"))
    try:
        assert plans.plan(config, tmp_path).folder != first
    finally:
        scenario.write_text(SCENARIO)


@pytest.fixture(scope="module")
def finished(small: Path) -> tuple[Path, dict[str, Any]]:
    out = small.parent / "runs"
    result = CliRunner().invoke(command, [str(small), "--quick", "--out", str(out), "--jobs", "2", "--json"])
    assert result.exit_code == 0, result.output
    return out, json.loads(result.output)


def test_the_command_puts_results_beside_requirements(finished: tuple[Path, dict[str, Any]]) -> None:
    _, content = finished
    (result,) = content["results"]
    assert result["market"] == "edge"
    with_it, without_it = (RunFiles(path) for name, path in content["runs"].items() if name.startswith("edge"))
    assert [run.table("positions").num_rows for run in (with_it, without_it)] == [1, 2]  # the model refuses to sell
    closed = [run.summary()["trades"]["closed"] for run in (with_it, without_it)]
    assert [result["score"]["trades"], result["without_validator"]["trades"]] == closed
    full, without = (run.summary()["pnl"]["net"] for run in (with_it, without_it))
    assert result["validator_adds"][0] == pytest.approx(full - without)
    assert [row["name"] for row in result["checks"]] == [
        *("Win rate", "Sharpe", "Max drawdown", "Profit factor", "Validator adds"),
    ]
    (look,) = content["null"]
    assert look["strategy"] == "Scripted"
    folder = Path(content["folder"])
    page = (folder / "scorecard.html").read_text()
    assert "under 30 days, so Sharpe ratios are not annualised" in page
    assert result["score"]["sharpe"] == [None, None, None]
    assert {row["name"]: row["verdict"] for row in result["checks"]}["Sharpe"] == "unknown"
    assert "Where there is nothing to earn" in page
    assert json.loads((folder / "scorecard.json").read_text()) == content


def test_what_is_finished_is_not_run_again(small: Path, finished: tuple[Path, dict[str, Any]]) -> None:
    out, content = finished
    made = plans.plan(load_scorecard([small]), out, quick=True)
    assert made.folder == Path(content["folder"])
    told: list[bool] = []
    model = plans.prepare(made)
    assert model is None
    done = plans.run(made, model, progress=lambda _, before: told.append(before))
    assert told == [True, True, True]
    assert {cell.name: str(files.path) for cell, files in done.items()} == content["runs"]


def test_a_strategy_that_does_not_ask_the_validator_is_an_error(small: Path, tmp_path: Path) -> None:
    config = load_scorecard([small], ["strategies.0.parameters.validator=false"])
    made = plans.plan(config, tmp_path, quick=True)
    plans.prepare(made)
    with pytest.raises(SettingsError, match="Expected validator = true"):
        plans.run(made, None)


def test_the_table_for_people_names_the_verdicts(small: Path, finished: tuple[Path, dict[str, Any]]) -> None:
    out, _ = finished
    result = CliRunner().invoke(command, [str(small), "--quick", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "Markets: edge" in result.output
    assert "beyond luck on the null markets, of 1 looks" in result.output
