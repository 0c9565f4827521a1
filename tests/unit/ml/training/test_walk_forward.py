"""The walk-forward: out of sample, resumable, and honest about itself."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

import fathom.ml.training.walk_forward as under_test
from fathom.commands.main import main
from fathom.data_catalog.trials import LEDGER, TrialLedger
from fathom.ml.errors import TrainingError
from fathom.ml.samples.datasets import Arrays
from fathom.ml.samples.leak_check import check
from fathom.ml.training.baselines import BASELINES, Prior
from fathom.ml.training.config import TrainingConfig
from fathom.ml.training.page import render
from fathom.ml.training.summary import as_json, summarise
from fathom.ml.training.walk_forward import WalkForward, walk_forward
from tests.makers.walks import walk

LABEL = {"horizon_secs": 1.0, "fee_bps": 0.0, "threshold_bps": 1.0}


def config_of(folder: Path, **changes: Any) -> TrainingConfig:
    settings = {
        "name": "test",
        "data": {"arrays": str(folder / "arrays"), "window": 4},
        "label": LABEL,
        "split": {"folds": 3},
        "fit": {"epochs": 2, "batch_size": 64, "device": "cpu"},
        "evaluation": {"baselines": ["prior", "persistence", "logistic"], "resamples": 100},
        "ledger": str(folder),
    }
    return msgspec.convert(settings | changes, TrainingConfig)


def same(one: WalkForward, other: WalkForward) -> bool:
    pairs = zip((*one.baselines, *one.nets), (*other.baselines, *other.nets), strict=True)
    return all(
        np.array_equal(a.probabilities, b.probabilities)
        for first, second in pairs
        for a, b in zip(first.folds, second.folds, strict=True)
    )


def test_models_are_fitted_on_training_samples_and_asked_for_test_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    class Spy(Prior):
        def fit(self, arrays: Any, train: Any, scaler: Any) -> None:
            seen.append((train.ts.max(), scaler.before_ns))
            super().fit(arrays, train, scaler)

        def predict(self, arrays: Any, samples: Any) -> Any:
            seen.append((samples.ts.min(), samples.ts.max()))
            return super().predict(arrays, samples)

    monkeypatch.setattr(under_test, "BASELINES", {"prior": lambda _: Spy()})
    arrays = walk(400)
    run = walk_forward(config_of(tmp_path, evaluation={"baselines": ["prior"]}), arrays, tmp_path / "run")
    assert len(seen) == 6
    for number, fold in enumerate(run.folds):
        (last_train, scaled_before), (first_test, last_test) = seen[2 * number : 2 * number + 2]
        assert max(last_train, scaled_before - 1) + run.samples.reach_ns < first_test
        assert (first_test, last_test) == (run.samples.ts[fold.test].min(), run.samples.ts[fold.test].max())


def test_a_run_that_was_stopped_goes_on_and_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays, config = walk(500, skill=0.5), config_of(tmp_path)
    whole = walk_forward(config, arrays, tmp_path / "whole")
    made: list[int] = []

    def broken(seed: int) -> Any:
        made.append(seed)
        if len(made) == 2:
            raise KeyboardInterrupt
        return BASELINES["logistic"](seed)

    monkeypatch.setattr(under_test, "BASELINES", {**BASELINES, "logistic": broken})
    with pytest.raises(KeyboardInterrupt):
        walk_forward(config, arrays, tmp_path / "stopped")
    monkeypatch.setattr(under_test, "BASELINES", {**BASELINES, "prior": None, "logistic": broken})
    with pytest.raises(TypeError):  # the third fold's prior was not there yet
        walk_forward(config, arrays, tmp_path / "stopped")
    monkeypatch.undo()
    assert same(walk_forward(config, arrays, tmp_path / "stopped"), whole)
    # The first fold's model was made once, before the stop.
    assert len(made) == 3


def test_nets_walk_beside_baselines(tmp_path: Path) -> None:
    arrays = walk(400, skill=0.9)
    config = config_of(tmp_path, nets=[{"name": "compact"}], split={"folds": 1})
    run = walk_forward(config, arrays, tmp_path / "run")
    assert [answers.name for answers in run.nets] == ["compact"]
    assert len(run.nets[0].facts[0].history) == 2
    summary = summarise(run, check(arrays))
    plain = as_json(summary)
    assert set(plain["models"]["compact"]["against"]) == {"prior", "persistence", "logistic"}
    assert "validation loss" in render(summary)
    assert same(walk_forward(config, arrays, tmp_path / "run"), run)


def test_other_settings_or_data_do_not_continue_a_run(tmp_path: Path) -> None:
    arrays = walk(400)
    run = tmp_path / "run"
    walk_forward(config_of(tmp_path, evaluation={"baselines": ["prior"]}), arrays, run)
    with pytest.raises(TrainingError, match=r"one with other label\.horizon_secs: name another folder"):
        walk_forward(
            config_of(tmp_path, label={"horizon_secs": 2.0, "fee_bps": 0.0, "threshold_bps": 1.0}), arrays, run
        )
    with pytest.raises(TrainingError, match="one with other dataset"):
        walk_forward(config_of(tmp_path), walk(400, seed=1), run)
    # How it is judged, and which baselines, may change.
    again = walk_forward(config_of(tmp_path, evaluation={"baselines": ["prior", "persistence"]}), arrays, run)
    assert [answers.name for answers in again.baselines] == ["prior", "persistence"]


def test_every_net_counts_as_a_trial_once_and_a_baseline_never(tmp_path: Path) -> None:
    arrays = walk(400)
    config = config_of(tmp_path, nets=[{"name": "compact"}], split={"folds": 1}, fit={"epochs": 1, "device": "cpu"})
    assert walk_forward(config, arrays, tmp_path / "one").trials == 1
    assert walk_forward(config, arrays, tmp_path / "two").trials == 1
    other = msgspec.structs.replace(config, seed=1)
    assert walk_forward(other, arrays, tmp_path / "three").trials == 2
    assert {trial.kind for trial in TrialLedger(tmp_path).trials()} == {"walk-forward"}
    # By default the ledger lies with the data.
    arrays.save(tmp_path / "arrays")
    assert walk_forward(msgspec.structs.replace(config, ledger=None), arrays, tmp_path / "four").trials == 1
    assert (tmp_path / "arrays" / LEDGER).is_file()


def test_an_old_ledger_is_taken_over_without_baselines(tmp_path: Path) -> None:
    arrays = walk(400)
    arrays.save(tmp_path / "arrays")
    old = tmp_path / "trials.jsonl"
    for key, data, model in (("a", arrays.facts.hash, "compact"), ("b", "other", "compact"), ("c", "", "prior")):
        line = {"dataset": data or arrays.facts.hash, "kind": "tune", "key": key, "name": "x", "at": "2026-01-01"}
        with old.open("a") as file:
            file.write(json.dumps(line | {"settings": {"model": model}}) + "\n")
    with old.open("a") as file:
        file.write('{"dataset": "cut off')
    config = config_of(tmp_path, evaluation={"baselines": ["prior"]}, ledger=str(old))
    assert walk_forward(config, arrays, tmp_path / "run").trials == 1
    assert walk_forward(config, arrays, tmp_path / "run").trials == 1
    assert [trial.key for trial in TrialLedger(tmp_path / "arrays").trials()] == ["a"]


@pytest.mark.parametrize("kind", ["anchored", "combinatorial"])
def test_stitched_samples_come_once_in_order(tmp_path: Path, kind: str) -> None:
    arrays = walk(600, instruments=2)
    config = config_of(tmp_path, split={"kind": kind, "folds": 4}, evaluation={"baselines": ["persistence"]})
    run = walk_forward(config, arrays, tmp_path / "run")
    samples, said = run.stitched(run.baselines[0])
    assert (np.diff(samples.ts) >= 0).all()
    assert len({*zip(samples.ts.tolist(), samples.instrument.tolist(), strict=True)}) == len(samples)
    np.testing.assert_array_equal(said.classes, samples.past_classes)


@pytest.fixture
def arrays_folder(tmp_path: Path) -> Path:
    walk(500, skill=0.35).save(tmp_path / "arrays")
    return tmp_path


def write_config(folder: Path) -> Path:
    path = folder / "test.toml"
    path.write_text(
        f'name = "test"\n[data]\narrays = "{folder}/arrays"\nwindow = 4\n'
        "[label]\nhorizon_secs = 1.0\nfee_bps = 0.0\nthreshold_bps = 1.0\n[split]\nfolds = 2\n"
        '[evaluation]\nbaselines = ["prior", "persistence", "logistic"]\nresamples = 100\n'
    )
    return path


def test_the_command_writes_summary_and_page(arrays_folder: Path) -> None:
    path, out = write_config(arrays_folder), arrays_folder / "run"
    done = CliRunner().invoke(main, ["train", "walk-forward", str(path), "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    summary = json.loads((out / "summary.json").read_text())
    assert json.loads(done.stdout) == summary
    assert summary["leak_check"]["passed"]
    assert summary["trials_on_dataset"] == 0  # baselines do not count
    value, low, high = summary["models"]["logistic"]["stitched"]["accuracy"]
    assert low < value < high
    prior = summary["models"]["prior"]["stitched"]
    assert prior["accuracy"][0] < low
    page = (out / "report.html").read_text()
    assert "<!DOCTYPE html>" in page
    assert not any(mark in page for mark in ('src="http', 'href="http', "url(http"))
    for part in ("Scores out of sample", "Fold by fold", "Confusion", "Reliability", "persistence"):
        assert part in page
    text = CliRunner().invoke(main, ["train", "walk-forward", str(path), "--out", str(out)])
    assert "logistic" in text.output


def test_the_command_fails_where_inputs_know_the_future(arrays_folder: Path) -> None:
    arrays = Arrays.open(arrays_folder / "arrays")
    ahead = np.append(np.diff(np.log(arrays.mid)), 0.0).astype(np.float32)
    leaking = np.array(arrays.features)
    leaking[:, 1] = ahead * 1e4
    dataclasses.replace(arrays, features=leaking).save(arrays_folder / "arrays")
    out = arrays_folder / "run"
    done = CliRunner().invoke(main, ["train", "walk-forward", str(write_config(arrays_folder)), "--out", str(out)])
    assert done.exit_code == 1
    assert "Leak: feature_1 follows the step 1 row ahead" in done.output
    assert "Nothing below is worth anything" in (out / "report.html").read_text()
    assert json.loads((out / "summary.json").read_text())["leak_check"]["verdict"] == "failed"


def test_a_model_that_knows_the_future_is_not_registered(arrays_folder: Path) -> None:
    arrays = Arrays.open(arrays_folder / "arrays")
    path = write_config(arrays_folder)
    path.write_text(path.read_text() + '[[nets]]\nname = "compact"\n[fit]\nepochs = 1\n')
    honest = CliRunner().invoke(main, ["train", "run", str(path), "--out", str(arrays_folder / "a"), "--no-track"])
    assert honest.exit_code == 0, honest.output
    assert "Leak check: Not replayed" in honest.output
    leaking = np.array(arrays.features)
    leaking[:, 1] = np.append(np.diff(np.log(arrays.mid)), 0.0) * 1e4
    dataclasses.replace(arrays, features=leaking).save(arrays_folder / "arrays")
    store = arrays_folder / "mlruns"
    command = ["train", "run", str(path), "--out", str(arrays_folder / "b"), "--store", str(store)]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 1
    assert "Leak: feature_1 follows" in done.output
    assert "no registry has it" in done.output
    assert not store.exists()


def test_the_command_names_what_is_wrong(arrays_folder: Path) -> None:
    path = write_config(arrays_folder)
    done = CliRunner().invoke(main, ["train", "walk-forward", str(path), "--set", "label.horizon=3"])
    assert done.exit_code == 1
    assert "--set label.horizon=3: label.horizon: Expected one of: kind, horizon_secs" in done.output
    done = CliRunner().invoke(main, ["train", "walk-forward", str(path), "--set", "data.arrays=nowhere"])
    assert done.exit_code == 1
    assert "nowhere/facts.json" in done.output
