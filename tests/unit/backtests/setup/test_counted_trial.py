"""Every backtest is a trial on its data: written down before, counted once, with its outcome; or said not to be."""

import shutil
from pathlib import Path

import pytest

from fathom.backtests import Run, run
from fathom.backtests.errors import RunError
from fathom.backtests.experiments.ablation import ablate, plan
from fathom.backtests.setup.run_files import RunFiles
from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.trials import LEDGER, TrialLedger
from tests.makers.odd_strategies import FAILING
from tests.makers.small_market import config_file, make_market


@pytest.fixture
def market(tmp_path: Path) -> Path:
    return make_market(tmp_path / "market").path


def files_of(config: Path, out: Path, *assignments: str, pages: bool = False) -> RunFiles:
    return RunFiles(run([config], out=out, assignments=assignments, pages=pages).path)


def test_the_same_counts_once_and_a_change_is_another_trial(market: Path, tmp_path: Path) -> None:
    config = config_file(tmp_path, market)
    fees, atr = "venue.fees.taker=0.0004", "strategies.0.parameters.atr_period=4"
    counts = [
        files_of(config, tmp_path, *changes).trials()["count"] for changes in ((), (), (fees,), (atr,), ("seed=7",))
    ]
    assert counts == [1, 1, 2, 3, 3]
    trials = TrialLedger(market).trials()
    assert {trial.kind for trial in trials} == {"backtest"}
    assert all("net" in trial.outcome for trial in trials)
    files = files_of(config, tmp_path, pages=True)
    assert "trials" not in files.summary()
    for page in ("tearsheet.html", "execution.html"):
        assert "3 different things were ever tried on these data" in (files.path / page).read_text()
    assert ("Trials", "3", "different things ever tried on these data") in Run(files.path).card


def test_a_run_that_fails_was_tried_all_the_same(market: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError):
        run([config_file(tmp_path, market, strategy=FAILING)], out=tmp_path, pages=False)
    (trial,) = TrialLedger(market).trials()
    assert trial.outcome == {}


def test_a_run_may_stay_out_and_says_so(market: Path, tmp_path: Path) -> None:
    files = files_of(config_file(tmp_path, market), tmp_path, "ledger=false", pages=True)
    assert files.trials()["count"] is None
    assert not (market / LEDGER).exists()
    assert "This run is not counted as a trial" in (files.path / "tearsheet.html").read_text()


def test_a_ledger_that_cannot_be_written_is_a_note(market: Path, tmp_path: Path) -> None:
    (market / LEDGER).mkdir(parents=True)
    files = files_of(config_file(tmp_path, market), tmp_path)
    assert files.trials()["count"] is None
    assert "Expected to write the ledger of trials" in files.trials()["note"]


def test_a_deleted_ledger_stops_the_run_with_the_remedy(market: Path, tmp_path: Path) -> None:
    config = config_file(tmp_path, market)
    files_of(config, tmp_path)
    (market / LEDGER).unlink()
    with pytest.raises(CatalogError, match=r"was deleted. Restore it; or delete .*trials.count too"):
        files_of(config, tmp_path)


def test_an_ablation_counts_each_of_its_backtests(market: Path, tmp_path: Path) -> None:
    config = config_file(tmp_path, market, more="stop_atr = 2.0")
    variants, name = plan([config])
    done = ablate(variants[:2], tmp_path / name)
    assert [trial.kind for trial in TrialLedger(market).trials()] == ["ablate"] * len(variants[:2])
    assert str(len(variants[:2])) in done.trials or len(variants) == 1


def test_a_copy_of_the_data_keeps_its_trials(market: Path, tmp_path: Path) -> None:
    files_of(config_file(tmp_path, market), tmp_path)
    shutil.copytree(market, tmp_path / "copy")
    other = config_file(tmp_path, tmp_path / "copy", name="other")
    assert files_of(other, tmp_path, "venue.leverage=3.0").trials()["count"] == 2
