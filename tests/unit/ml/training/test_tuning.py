"""Tuning: every trial is counted, a study goes on after a kill, and no trial reads the tail."""

from pathlib import Path

import optuna
import pytest

from fathom.data_catalog.trials import TrialLedger
from fathom.ml.errors import TrainingError
from fathom.ml.training.tune_config import TuneConfig, load_tune_config
from fathom.ml.training.tuning import open_study, ranked, tune
from fathom.settings.errors import SettingsError
from fathom.settings.toml import read
from tests.makers import training_problem as problem

SPACE = """
[space."nets.0.name"]
choices = ["compact", "stockformer"]
[space."nets.0.parameters.size"]
low = 8
high = 16
step = 8
when = { "nets.0.name" = "stockformer" }
[space."fit.learning_rate"]
low = 1e-3
high = 1e-2
log = true
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return problem.write_tuning(tmp_path_factory.mktemp("tuning"), 400, SPACE)


def test_a_study_ends_and_goes_on_and_counts_every_trial(folder: Path) -> None:
    config = load_tune_config(folder / "tune.toml")
    told = []

    class Killed(BaseException):
        pass

    def on_trial(tried: object) -> None:
        told.append(tried)
        if len(told) == 2:
            raise Killed

    with pytest.raises(Killed):
        tune(config, folder / "study", on_trial=on_trial)
    study = open_study(folder / "study", "tiny")
    left = study.ask()  # somebody began a trial and died
    left.suggest_categorical("nets.0.name", (0, 1))
    found = tune(config, folder / "study")
    ended = [one for one in found if one.state in ("complete", "pruned")]
    assert len(ended) == 3
    assert [one.state for one in found].count("fail") == 1  # the one that was left, taken up under a new number
    assert all(one.skill is not None and one.skill < 1.0 for one in ended)
    assert ended[0].skill == max(one.skill for one in ended if one.state == "complete" and one.skill is not None)
    dataset = TrialLedger(folder).trials()
    assert len(dataset) == len({str(one.chosen) for one in ended})
    assert {one.kind for one in dataset} == {"tune"}
    for one in ended:
        assert ("nets.0.parameters.size" in one.chosen) == (one.chosen["nets.0.name"] == "stockformer")
    assert tune(config, folder / "study") == found  # there is nothing left to do
    assert ranked(study) == found


def test_no_trial_reads_the_tail(folder: Path) -> None:
    from fathom.ml.samples.datasets import Arrays
    from fathom.ml.samples.splits import split
    from fathom.ml.training.config import TrainingConfig
    from fathom.ml.training.fit_config import NetConfig
    from fathom.ml.training.single_run import single

    config = single(read(TrainingConfig, folder / "training.toml"), 0.25)
    samples = Arrays.open(folder / "arrays").samples(config.label, window=problem.WINDOW)
    (fold,) = split(samples.ts, config.split, reach_ns=samples.reach_ns)
    last = samples.exit_ts[[*fold.train, *fold.validation]].max()
    assert last < samples.ts[fold.test].min() - (problem.WINDOW - 1) * 10**9
    assert len(fold.test) == pytest.approx(0.25 * len(samples), rel=0.05)
    assert config.nets == (NetConfig(name="compact"),)


def unusable(folder: Path, name: str, choice: str) -> TuneConfig:
    """Return a search over settings that no net can have."""
    head = 'name = "bad"\ntraining = "training.toml"\ntrials = 1\n'
    space = f'[space."nets.0.parameters.steps"]\nchoices = [{choice}]\n'
    (folder / f"{name}.toml").write_text(head + space)
    return load_tune_config(folder / f"{name}.toml")


def test_settings_that_cannot_be_used_fail_and_say_why(folder: Path) -> None:
    (found,) = tune(unusable(folder, "bad", "[1]"), folder / "bad")
    assert found.state == "fail"
    assert "Expected as many steps as channels" in found.note


def test_another_space_needs_another_folder(folder: Path) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    tune(unusable(folder, "one", "[1]"), folder / "taken")
    with pytest.raises(TrainingError, match="Expected a study of this space"):
        tune(unusable(folder, "other", "[2]"), folder / "taken")


@pytest.mark.parametrize(
    ("text", "problem_"),
    [
        ('[space."fit.learning_rat"]\nchoices = [1.0]\n', "Did you mean 'learning_rate'"),
        ('[space."fit.learning_rate"]\nlow = 1.0\nhigh = 0.5\n', "Expected low below high"),
        ('[space."fit.epochs"]\nchoices = ["many"]\n', "fit.epochs"),
        ('[space."fit.epochs"]\nchoices = [2]\nwhen = { "fit.patience" = 1 }\n', "when to name settings above it"),
        ("[space]\n", "length"),
    ],
)
def test_a_space_that_is_wrong_is_explained(folder: Path, tmp_path: Path, text: str, problem_: str) -> None:
    file = tmp_path / "tune.toml"
    file.write_text(f'name = "x"\ntraining = "{folder}/training.toml"\n{text}')
    with pytest.raises(SettingsError, match=problem_):
        load_tune_config(file)


def test_every_shipped_search_can_be_read(project: Path) -> None:
    files = sorted((project / "configs" / "tuning").glob("*.toml"))
    assert files
    for file in files:
        assert load_tune_config(file).trials > 0
