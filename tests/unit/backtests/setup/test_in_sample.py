"""A run on data that its model has learnt from says so, in the summary, the notes and the first box of both pages."""

from pathlib import Path

import pytest

from fathom.backtests import Run, run
from fathom.backtests.account.performance import load as load_performance
from fathom.backtests.reports import first_screen
from fathom.backtests.setup.in_sample import IN_SAMPLE, in_sample_notes
from fathom.backtests.setup.run_files import RunFiles
from fathom.data_catalog import Catalog
from fathom.data_catalog.simulation.config import Simulation
from fathom.data_catalog.simulation.production import same_simulation, simulate
from tests.makers.small_market import SECOND, START, make_market
from tests.makers.validated_run import tiny, validated_config


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_market(tmp_path_factory.mktemp("market"), seconds=70.0).path


@pytest.mark.parametrize(("role", "more"), [("model", ""), ("challenger", 'model = "{other}"\n')])
def test_a_model_that_has_learnt_from_the_span_is_named_first(
    market: Path, tmp_path: Path, role: str, more: str
) -> None:
    model = tiny(tmp_path / "learnt", until_ns=START + 35 * SECOND)
    other = tiny(tmp_path / "other", until_ns=START)
    config = validated_config(tmp_path, market, more.format(other=other) + f'{role} = "{model}"')
    files = RunFiles(run([config], out=tmp_path / "runs").path)
    summary = files.summary()
    (overlap,) = summary["in_sample"]
    assert overlap["model"].startswith("learnt ")
    assert overlap["share"] == pytest.approx(0.5, abs=0.01)
    assert summary["notes"][0].startswith(f"{IN_SAMPLE} the model learnt ")
    assert "50 % of this span" in summary["notes"][0]
    assert first_screen.warnings(load_performance(files))[0] == summary["notes"][0]
    assert in_sample_notes([files, files]) == [summary["notes"][0]]
    for page in ("tearsheet.html", "execution.html"):
        assert IN_SAMPLE in (files.path / page).read_text()
    assert IN_SAMPLE in Run(files.path)._repr_html_()


def test_a_model_of_earlier_data_is_not_named(market: Path, tmp_path: Path) -> None:
    model = tiny(tmp_path / "earlier", until_ns=START)
    files = RunFiles(run([validated_config(tmp_path, market, f'model = "{model}"')], out=tmp_path, pages=False).path)
    assert files.summary()["in_sample"] == []
    assert in_sample_notes([files]) == []


def test_simulated_markets_of_other_seeds_are_other_data(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        simulate(Simulation(scenario="null", duration_secs=2.0), Catalog(tmp_path / name), seed=seed)
    name = "BTCUSDT-LINEAR.SIM"
    assert same_simulation(tmp_path / "one", tmp_path / "again", name)
    assert not same_simulation(tmp_path / "one", tmp_path / "two", name)
