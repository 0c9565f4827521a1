"""Weights from runs: which trades count, how they are counted, and what is refused."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from fathom.backtests import run
from fathom.backtests.experiments.member_results import member_results
from fathom.backtests.setup.run_files import RunFiles
from fathom.commands.backtest.group import backtest
from fathom.strategies.policy.ensemble_weights import learn_weights
from tests.makers.small_market import config_file, make_market

MOMENTUM = 'bars = "1-SECOND-LAST-INTERNAL"\nlookback = 3\nwindow = 10\nmin_score = 0.3\nnotional = 60000.0'


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunFiles]:
    folder = tmp_path_factory.mktemp("weights")
    catalog = make_market(folder / "catalog", seconds=90.0).path
    configs = [
        config_file(folder, catalog, name="a"),
        config_file(folder, catalog, name="b", strategy="momentum", more=MOMENTUM),
        config_file(folder, catalog, name="c", strategy="volume_profile"),
    ]
    return [RunFiles(run([config], out=folder / config.stem, pages=False).path) for config in configs]


def test_every_closed_trade_of_a_member_counts_once(runs: list[RunFiles]) -> None:
    results = member_results(runs)
    assert list(results.returns) == ["momentum", "supertrend", "volume_profile"]
    for files, name in zip(runs, ("supertrend", "momentum", "volume_profile"), strict=True):
        assert results.returns[name] == files.table("positions")["return"].to_pylist()
    assert results.returns["volume_profile"] == []
    assert len(results.returns["momentum"]) >= 3
    twice = member_results([runs[0], runs[0]]).returns["supertrend"]
    assert len(twice) == 2 * len(results.returns["supertrend"])


def test_trades_closed_later_are_left_out(runs: list[RunFiles]) -> None:
    trips = runs[0].table("positions").to_pylist()
    moment = trips[2]["ts_closed"]
    early = member_results(runs[:1], before=moment)
    assert early.returns["supertrend"] == [trip["return"] for trip in trips if trip["ts_closed"] < moment]
    assert early.last is not None
    assert early.last < moment


def test_the_command_prints_what_an_ensemble_reads(runs: list[RunFiles]) -> None:
    paths = [str(files.path) for files in runs]
    result = CliRunner().invoke(backtest, ["weights", *paths, "--prior-trades", "5"])
    assert result.exit_code == 0, result.output
    want = learn_weights(member_results(runs).returns, prior_trades=5.0)
    for name, weight in want.items():
        assert f"{name} = {weight:.4f}" in result.stdout
    assert "[strategies.parameters.weights]" in result.stdout
    assert "for data after that only" in result.stdout
    told = json.loads(CliRunner().invoke(backtest, ["weights", *paths, "--prior-trades", "5", "--json"]).stdout)
    assert told["weights"] == pytest.approx(want)
    assert told["trades"]["volume_profile"] == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [(["--before", "noon"], "Expected a moment with a zone"), (["--before", "2024-08-09"], "was '2024-08-09'")],
)
def test_a_moment_without_a_zone_is_refused(runs: list[RunFiles], more: list[str], message: str) -> None:
    result = CliRunner().invoke(backtest, ["weights", str(runs[0].path), *more])
    assert result.exit_code == 1
    assert message in result.output


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(backtest, ["weights", str(tmp_path)])
    assert result.exit_code == 1
    assert "Expected a run directory" in result.output
