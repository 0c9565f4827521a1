"""Search for better settings: features, label, net and optimiser at once, through kills, by several processes.

The score is the skill on the validation samples of the training span: by how much the log loss of the directions is
below that of the classes' shares. It can be compared between labels. The held-out tail is read by no trial, so that the
winner can be tested on it, once; the validation score of the best of many is flattered by having been chosen.
"""

import warnings
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.trial import TrialState

from fathom.ml.errors import TrainingError
from fathom.ml.samples.datamodules import WindowDataModule
from fathom.ml.samples.preparation import prepare
from fathom.ml.samples.splits import split
from fathom.ml.training.counted_trials import data_of, ledger_of
from fathom.ml.training.fit import fit
from fathom.ml.training.single_run import single
from fathom.ml.training.study_journal import JOURNAL, Journal, Leases
from fathom.ml.training.tune_config import Range, TuneConfig, trial_config
from fathom.settings.owner import locked

_STARTUP: Final = 10
_WARM_UP_EPOCHS: Final = 3

type OnTrial = Callable[["Tried"], object]


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One trial.

    Parameters
    ----------
    number : int
    state : str
        ``complete``, ``pruned``, ``fail`` or ``running``.
    skill : float or None
        Share of the log loss of the classes' shares that the model takes away, on validation; 0 is none.
    chosen : dict
        The settings that were tried.
    note : str
        Why it failed.

    Examples
    --------
    >>> Tried(number=0, state="complete", skill=0.1, chosen={"fit.learning_rate": 0.01}).skill
    0.1
    """

    number: int
    state: str
    skill: float | None
    chosen: dict[str, Any]
    note: str = ""


def tune(config: TuneConfig, out: Path | str, *, worker: int = 0, on_trial: OnTrial | None = None) -> list[Tried]:
    """Try settings until the study has as many trials as `config` says; return all of them, the best first.

    Several processes may tune the same study at once, each with a `worker` number of its own. A trial that was cut off
    by a kill is taken up again where it was, by whichever process is free next.

    Parameters
    ----------
    config : TuneConfig
    out : Path or str
        Folder of the study: the journal, and a folder a trial.
    worker : int
        Number of this process among those at work.
    on_trial : callable, optional
        Given each trial that ends in this process.

    Raises
    ------
    TrainingError
        Where the folder holds another study.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    leases = Leases(out / "leases")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        with locked(out / ".ask"):
            study = _opened(config, out, worker)
        while (taken := _asked(study, config, out, leases)) is not None:
            trial, lease = taken
            with lease:
                try:
                    study.tell(trial, _score(trial, config, out))
                except optuna.TrialPruned:
                    study.tell(trial, state=TrialState.PRUNED)
                except (TrainingError, ValueError) as error:
                    trial.set_user_attr("note", str(error)[:500])
                    study.tell(trial, state=TrialState.FAIL)
                leases.give_back(trial.number, lease)
            if on_trial is not None:
                on_trial(_tried(study.get_trials(deepcopy=False)[trial.number]))
        return ranked(study)


def ranked(study: optuna.Study) -> list[Tried]:
    """Return the trials of a study, the best first; those that did not end in a score last."""
    tried = [_tried(trial) for trial in study.get_trials(deepcopy=False)]
    order = {"complete": 0, "pruned": 1}
    return sorted(tried, key=lambda one: (order.get(one.state, 2), -(one.skill or float("-inf")), one.number))


def open_study(out: Path | str, name: str) -> optuna.Study:
    """Return the study of a folder, for reading."""
    path = Path(out) / JOURNAL
    if not path.is_file():
        raise TrainingError(f"{out}: Expected the folder of a study, was none; `fathom train tune` makes one")
    return optuna.load_study(study_name=name, storage=_storage(path))


def _opened(config: TuneConfig, out: Path, worker: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = _storage(out / JOURNAL)
    study = optuna.create_study(study_name=config.name, storage=storage, direction="maximize", load_if_exists=True)
    if len(storage.get_all_studies()) > 1:
        names = ", ".join(sorted(one.study_name for one in storage.get_all_studies() if one.study_name != config.name))
        raise TrainingError(f"{out}: Expected the study {config.name}, was {names}; name another folder")
    space = sha256(msgspec.json.encode((config.space, config.tail), order="sorted")).hexdigest()[:12]
    known = study.user_attrs.get("space")
    if known is None:
        study.set_user_attr("space", space)
    elif known != space:
        raise TrainingError(
            f"{out}: Expected a study of this space ({space}), was of another ({known}); name another folder"
        )
    # The same seed again would draw what is there already.
    seed = config.seed + 7_919 * worker + 104_729 * len(study.get_trials(deepcopy=False))
    study.sampler = optuna.samplers.TPESampler(
        seed=seed, n_startup_trials=_STARTUP, multivariate=True, group=True, constant_liar=True
    )
    study.pruner = (
        optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=_WARM_UP_EPOCHS)
        if config.pruning
        else optuna.pruners.NopPruner()
    )
    return study


def _storage(path: Path) -> JournalStorage:
    return JournalStorage(Journal(path))


def _asked(study: optuna.Study, config: TuneConfig, out: Path, leases: Leases) -> tuple[optuna.Trial, BinaryIO] | None:
    while True:
        # One process at a time counts and asks, so that there are never more trials than wished for.
        with locked(out / ".ask"):
            _take_up(study, leases)
            trials = study.get_trials(deepcopy=False)
            again = {trial.user_attrs["again"] for trial in trials if "again" in trial.user_attrs}
            waiting = any(trial.state == TrialState.WAITING for trial in trials)
            begun = sum(trial.state != TrialState.WAITING for trial in trials) - len(again)
            if waiting or begun < config.trials:
                trial = study.ask()
                return trial, leases.take(trial.number)
        running = [trial.number for trial in trials if trial.state == TrialState.RUNNING]
        if not running:
            return None
        leases.wait(running[0])  # its process may die, and then the trial is ours


def _take_up(study: optuna.Study, leases: Leases) -> None:
    # Whoever ran these is dead: they begin again with the same settings, in the same folder, from their snapshots.
    trials = study.get_trials(deepcopy=False)
    again = {trial.user_attrs.get("again") for trial in trials}
    for trial in trials:
        if trial.state == TrialState.RUNNING and leases.is_dead(trial.number):
            # Enqueued first: a kill between the two loses no trial, and repeats none.
            if trial.number not in again:
                study.enqueue_trial(trial.params, user_attrs={"again": trial.number})
            study.tell(trial.number, state=TrialState.FAIL)
            leases.clear(trial.number)


def _score(trial: optuna.Trial, config: TuneConfig, out: Path) -> float:
    chosen = {name: _drawn(trial, name, range_) for name, range_ in _counting(trial, config)}
    trial.set_user_attr("chosen", chosen)
    return _trained(trial, config, chosen, out)


def _trained(trial: optuna.Trial, config: TuneConfig, chosen: dict[str, Any], out: Path) -> float:
    training = single(trial_config(config, chosen), config.tail)
    net = training.nets[0]
    arrays = prepare(training.data)
    samples = arrays.samples(training.label, window=training.data.window)
    fold = next(split(samples.ts, training.split, reach_ns=samples.reach_ns))
    settings = {"chosen": chosen, "training": training.hash}
    key = sha256(msgspec.json.encode(settings, order="sorted")).hexdigest()[:16]
    # Written down before the score is known: a trial that disappoints is a trial.
    data_span, ledger = data_of(arrays), ledger_of(training, arrays)
    ledger.record("tune", key, f"{config.name} {net.name}", data_span, {"model": net.name, **chosen})
    data = WindowDataModule(
        arrays,
        samples,
        fold,
        batch_size=training.fit.batch_size,
        seed=training.seed,
        class_weights=training.fit.loss.class_weights,
        train_stride=training.data.train_stride,
        scaler_kind=training.data.scaler,
    )
    shares = samples.take(fold.train).class_shares().clip(1e-6)
    prior = float(-np.log(shares)[samples.classes[fold.validation]].mean())

    def on_epoch(row: dict[str, float]) -> None:
        epoch = int(row["epoch"])
        trial.report(1.0 - row["validation_log_loss"] / prior, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned(f"worse than the median at epoch {epoch + 1}")

    trained = fit(net, training.fit, data, out / "trials" / key, seed=training.seed, on_epoch=on_epoch)
    skill = 1.0 - trained.record.validation["log_loss_after"] / prior
    ledger.complete(key, data_span, {"skill": skill})
    return skill


def _counting(trial: optuna.Trial, config: TuneConfig) -> Iterator[tuple[str, Range]]:
    # Drawn one after the other, so that a setting may depend on those above it.
    for name, range_ in config.space.items():
        if all(_value(trial, config, other) == value for other, value in range_.when.items()):
            yield name, range_


def _value(trial: optuna.Trial, config: TuneConfig, name: str) -> Any:
    range_ = config.space[name]
    return range_.choices[trial.params[name]] if range_.choices and name in trial.params else trial.params.get(name)


def _drawn(trial: optuna.Trial, name: str, range_: Range) -> Any:
    if range_.choices is not None:
        # By number: optuna stores only scalars as categories.
        return range_.choices[trial.suggest_categorical(name, tuple(range(len(range_.choices))))]
    low, high, step = range_.low, range_.high, range_.step
    assert low is not None
    assert high is not None
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(name, low, high, step=int(step or 1), log=range_.log)
    return trial.suggest_float(name, low, high, step=step, log=range_.log)


def _tried(trial: optuna.trial.FrozenTrial) -> Tried:
    values = list(trial.intermediate_values.values())
    skill = trial.value if trial.state == TrialState.COMPLETE else (values[-1] if values else None)
    return Tried(
        number=trial.number,
        state=trial.state.name.lower(),
        skill=skill,
        chosen=trial.user_attrs.get("chosen", {}),
        note=trial.user_attrs.get("note", ""),
    )
