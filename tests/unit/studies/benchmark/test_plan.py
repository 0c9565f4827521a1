"""`fathom detect benchmark`: its protocol, what it prints and writes, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from fathom.commands.main import main
from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.simulation.config import Simulation
from fathom.data_catalog.simulation.loading import load_scenario
from fathom.detectors.book.surveillance import SurveillanceConfig
from fathom.market.actors_truth import TRUTH
from fathom.studies.benchmark.labels import Market
from fathom.studies.benchmark.markets import RecordedStreams, SimulatedStreams
from fathom.studies.benchmark.plan import BenchmarkPlan, run_benchmark
from tests.makers.random_market import random_market


@pytest.fixture
def scenarios(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    return project / "configs" / "simulation"


def plan(recorded: RecordedStreams | None, scenarios: Path) -> BenchmarkPlan:
    manipulated = load_scenario(scenarios / "manipulated.toml")
    return BenchmarkPlan(
        recorded,
        SimulatedStreams(manipulated, "manipulated", 100.0),
        SimulatedStreams(Simulation(scenario="null"), "null", 20.0),
        tuning_seeds=(1, 2),
        report_seeds=(8,),
        simulated_seeds=1,
    )


def test_nothing_is_reported_on_what_it_was_tuned_on(scenarios: Path) -> None:
    rows = {name: random_market(n, seconds=60, odd=False) for n, name in enumerate(("A", "B"))}
    recorded = RecordedStreams.of(rows)
    made: list[str] = []
    results = run_benchmark(plan(recorded, scenarios), SurveillanceConfig(), made.append)
    assert [r.family for r in results] == ["recorded A", "recorded B", "simulated manipulated"]
    assert results[0].tuned_on == ["B seeds 1-2"]
    assert results[0].reported_on == ["A seed 8"]
    assert results[2].tuned_on == ["manipulated seeds 1"]
    assert results[2].reported_on == ["manipulated seed 8"]
    first = made[: made.index("A seed 8")]
    assert not any(name.startswith("A ") or name == "A" for name in first)
    assert len(made) == plan(recorded, scenarios).markets


def test_seeds_in_common_are_refused() -> None:
    null = SimulatedStreams(Simulation(scenario="null"), "null", 1.0)
    with pytest.raises(ValueError, match="Expected other seeds to report on than to tune on, was 2, 3 in both"):
        BenchmarkPlan(None, null, null, tuning_seeds=(1, 2, 3), report_seeds=(2, 3, 4))


def test_one_instrument_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="Expected two instruments or more"):
        RecordedStreams(tmp_path)


def test_untouched_streams_are_the_recording() -> None:
    rows = random_market(3, seconds=20, odd=False)
    (market,) = RecordedStreams.of({"A": rows}).untouched(["A"])
    assert isinstance(market, Market)
    np.testing.assert_array_equal(market.rows, rows)
    assert market.truth.dtype == TRUTH
    assert market.hours == pytest.approx(20 / 3600, rel=0.05)


def test_the_command_reports_on_simulated_markets(scenarios: Path, tmp_path: Path) -> None:
    page = tmp_path / "benchmark.html"
    args = ["detect", "benchmark", "--quick", "--secs", "60", "--json", "--html", str(page)]
    done = CliRunner().invoke(main, args)
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)
    assert [kind["kind"] for kind in found["kinds"]] == ["spoofing", "layering", "quote_stuffing"]
    assert set(found["kinds"][0]["curves"]) == {"detector", "textbook", "size_only"}
    text = page.read_text(encoding="utf-8")
    assert "Precision over recall" in text
    assert "http://" not in text.replace("http://www.w3.org", "")


def test_the_command_fits_weights_into_a_file(scenarios: Path, tmp_path: Path) -> None:
    out = tmp_path / "fitted.toml"
    done = CliRunner().invoke(main, ["detect", "benchmark", "--quick", "--secs", "60", "--fit", str(out)])
    assert done.exit_code == 0, done.output
    text = out.read_text(encoding="utf-8")
    assert "[spoofing.alone_weights]" in text
    assert "#   the simulated market manipulated, seeds 1-2, 60 s each.\n" in text  # it says what it was fitted on
    assert [path.name for path in tmp_path.iterdir()] == ["fitted.toml"]


def test_settings_of_the_detectors_can_be_changed(scenarios: Path, tmp_path: Path) -> None:
    found = []
    for levels in (2, 6):
        args = ["detect", "benchmark", "--quick", "--secs", "60", "--json", "--set", f"layering.min_levels={levels}"]
        done = CliRunner().invoke(main, args)
        assert done.exit_code == 0, done.output
        found += json.loads(done.stdout)
    assert [one["config"]["layering"]["min_levels"] for one in found] == [2, 6]
    many, few = (one["kinds"][1]["carried"]["honest_large"][1] for one in found)
    assert many > 2 * few


def test_a_wrong_setting_is_refused(scenarios: Path) -> None:
    done = CliRunner().invoke(main, ["detect", "benchmark", "--set", "layering.min_level=5"])
    assert done.exit_code != 0
    assert "Did you mean 'min_levels'?" in done.output


@pytest.mark.parametrize("seeds", ["12-1", "some", ""])
def test_wrong_seeds_are_refused(scenarios: Path, seeds: str) -> None:
    done = CliRunner().invoke(main, ["detect", "benchmark", "--report-seeds", seeds])
    assert done.exit_code == 2
    assert "Expected seeds such as 1-12" in done.output


@pytest.mark.parametrize(
    ("option", "told"), [("--secs=0", "0.0 is not in the range x>=30.0"), ("--budget=-1", "x>0.0")]
)
def test_spans_and_budgets_that_make_no_sense_are_refused(option: str, told: str) -> None:
    done = CliRunner().invoke(main, ["detect", "benchmark", "--quick", option])
    assert done.exit_code == 2
    assert told in done.output
