"""An ablation: which variants there are, how sure a difference is, and that it goes on where it was interrupted."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from fathom.backtests.account.performance import Performance, load
from fathom.backtests.errors import RunError
from fathom.backtests.experiments.ablation import ablate, effect, plan
from fathom.backtests.experiments.ablation_variants import FULL, NO_LIMIT, variants_of
from fathom.commands.backtest.ablate import ablate as command
from tests.makers.small_market import make_market
from tests.makers.validated_run import tiny, validated_config


def names(settings: dict[str, Any]) -> list[str]:
    return [variant.name for variant in variants_of(settings)]


def settings_of(**more: Any) -> dict[str, Any]:
    return {"strategies": [{"name": "supertrend", "parameters": {}}], "actors": [], **more}


def test_what_is_not_there_cannot_be_taken_out() -> None:
    assert names(settings_of()) == [FULL]
    off = {"validator": False, "manipulation": {"action": "off"}, "placement": {"stops": False, "targets": False}}
    assert names(settings_of(strategies=[{"name": "supertrend", "parameters": off}])) == [FULL]


def test_each_part_is_taken_out_alone() -> None:
    parameters = {"validator": True, "manipulation": {"action": "block"}, "placement": {"stops": True}}
    settings = settings_of(
        strategies=[{"name": "supertrend", "parameters": parameters}, {"name": "momentum", "parameters": {}}],
        actors=[{"name": "detection", "parameters": {}}, {"name": "validation", "parameters": {}}],
        risk={
            "max_daily_loss": 0.02,
            "max_drawdown": 0.15,
            "pause_on_regime": True,
            "protections": {"stoploss_guard": {"trades": 4}, "cooldown": {"losses": 2}},
        },
    )
    before = json.dumps(settings)
    found = {variant.name: variant.settings for variant in variants_of(settings)}
    assert json.dumps(settings) == before
    assert list(found) == [
        *(FULL, "no-validator", "no-filter", "no-detectors", "no-levels", "no-stoploss-guard", "no-cooldown"),
        *("no-daily-loss", "no-drawdown", "no-pause", "no-supertrend", "no-momentum"),
    ]
    assert found["no-validator"]["strategies"][0]["parameters"]["validator"] is False
    assert [actor["name"] for actor in found["no-validator"]["actors"]] == ["detection"]
    assert found["no-stoploss-guard"]["risk"]["protections"] == {"cooldown": {"losses": 2}}
    assert found["no-daily-loss"]["risk"] == settings["risk"] | {"max_daily_loss": NO_LIMIT}
    assert [one["name"] for one in found["no-supertrend"]["strategies"]] == ["momentum"]
    changed = [sum(found[name][key] != settings[key] for key in settings) for name in list(found)[2:]]
    assert set(changed) == {1}


def test_each_member_of_an_ensemble_is_taken_out_and_the_quorum_stays_within_reach() -> None:
    members = {"momentum": {"bars": "x"}, "supertrend": {"bars": "x"}, "weights": {"momentum": 2.0}, "quorum": 2}
    found = {
        v.name: v.settings for v in variants_of(settings_of(strategies=[{"name": "ensemble", "parameters": members}]))
    }
    assert list(found) == [FULL, "no-member-momentum", "no-member-supertrend"]
    left = found["no-member-momentum"]["strategies"][0]["parameters"]
    assert left == {"supertrend": {"bars": "x"}, "weights": {}, "quorum": 1}


def test_a_member_without_weight_is_no_voter_of_the_quorum() -> None:
    from fathom.strategies.ensemble import EnsembleConfig

    def left_by(weights: dict[str, float], quorum: int) -> dict[str, Any]:
        members: dict[str, Any] = {name: {"bars": "1-MINUTE-LAST-INTERNAL"} for name in weights}
        strategy = {"name": "ensemble", "parameters": {**members, "weights": weights, "quorum": quorum}}
        found = variants_of(settings_of(strategies=[strategy]))[1:]
        left = {variant.name: variant.settings["strategies"][0]["parameters"] for variant in found}
        for parameters in left.values():
            msgspec.convert(parameters, EnsembleConfig)  # each can be run
        return left

    left = left_by({"momentum": 0.0, "sar_wave": 1.0, "supertrend": 1.0}, 2)
    assert [parameters["quorum"] for parameters in left.values()] == [2, 1, 1]
    left = left_by({"momentum": 0.0, "supertrend": 1.0}, 1)
    assert list(left) == ["no-member-momentum"]  # without the only voter there is no ensemble


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a configuration whose only part is the validator; it refuses what sells."""
    folder = tmp_path_factory.mktemp("ablation")
    market = make_market(folder / "market", seconds=70.0).path
    model = tiny(folder / "up", bias=(0.0, 2.0, 0.0))
    signals = 'signals = [[10, "SELL", 0.7], [40, "BUY", 0.7]]'
    return validated_config(folder, market, f'model = "{model}"\nblending = {{ threshold = 0.6 }}', strategy=signals)


@pytest.fixture(scope="module")
def finished(small: Path) -> tuple[Path, dict[str, Any]]:
    out = small.parent / "runs"
    result = CliRunner().invoke(command, [str(small), "--out", str(out), "--jobs", "2", "--json"])
    assert result.exit_code == 0, result.output
    return out, json.loads(result.output)


def test_the_command_compares_with_and_without(finished: tuple[Path, dict[str, Any]]) -> None:
    _, content = finished
    full, without = content["rows"]
    assert (full["variant"], without["variant"]) == (FULL, "no-validator")
    assert (full["trades"], without["trades"]) == (1, 2)
    assert without["effect"][0] == pytest.approx(full["net"] - without["net"])
    assert without["effect"][1] <= without["effect"][0] <= without["effect"][2]
    folder = Path(content["folder"])
    page = (folder / "ablation.html").read_text()
    assert "without the validator" in page
    assert json.loads((folder / "ablation.json").read_text()) == content


def test_what_is_finished_is_not_run_again(small: Path, finished: tuple[Path, dict[str, Any]]) -> None:
    out, content = finished
    told: list[tuple[str, bool]] = []
    variants, name = plan([small])
    assert out / name == Path(content["folder"])
    ablate(variants, out / name, progress=lambda name, before: told.append((name, before)))
    assert told == [(FULL, True), ("no-validator", True)]


def test_a_variant_that_fails_is_named(small: Path, finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    variants, _ = plan([small])
    variants[0].settings["data"]["catalog"] = str(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"The variant full failed: .*nowhere"):
        ablate(variants[:1], tmp_path)


@pytest.fixture(scope="module")
def run(finished: tuple[Path, dict[str, Any]]) -> Performance:
    from fathom.backtests.setup.run_files import RunFiles

    return load(RunFiles(finished[1]["rows"][0]["run"]))


def curve(run: Performance, gains: Any) -> Performance:
    times = run.times_ns[0] + np.arange(len(gains) + 1, dtype=np.int64) * 10**9
    return replace(run, times_ns=times, equity=100_000.0 + np.concatenate([[0.0], np.cumsum(gains)]))


def test_the_interval_of_a_difference_holds_zero_where_there_is_none(run: Performance) -> None:
    random = np.random.default_rng(7)
    market = random.normal(0.0, 50.0, 3_600)
    same = curve(run, market)
    assert tuple(effect(same, same, seed=1)) == (0.0, 0.0, 0.0)
    held = 0
    for _ in range(100):
        noise = random.normal(0.0, 1.0, 3_600)
        held += not effect(curve(run, market + noise), same, seed=1).excludes(0.0)
    assert held >= 88  # 95 of 100 in the long run, three standard errors


def test_what_happens_to_both_runs_does_not_widen_the_interval(run: Performance) -> None:
    random = np.random.default_rng(3)
    market = random.normal(0.0, 50.0, 3_600)
    better = curve(run, market + random.normal(0.2, 1.0, 3_600))
    found = effect(better, curve(run, market), seed=1)
    assert found.excludes(0.0)
    assert found.high - found.low < 600.0  # that of the market alone is about 12,000
