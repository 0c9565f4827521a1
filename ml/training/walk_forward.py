"""Walk-forward: every model on every fold, out of sample, kept fold by fold so that a killed run goes on."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.ml.errors import TrainingError
from fathom.ml.features import Normalisation
from fathom.ml.samples.datasets import Arrays, Samples
from fathom.ml.samples.splits import Fold, split
from fathom.ml.scores.predictions import Predictions, joined
from fathom.ml.training.baselines import BASELINES
from fathom.ml.training.config import TrainingConfig
from fathom.ml.training.counted_trials import data_of, ledger_of
from fathom.ml.training.fit_config import NetConfig
from fathom.ml.training.run_identity import identify, trial
from fathom.settings.owner import owned
from fathom.settings.whole_files import write_whole

type OnProgress = Callable[[str, int, int], None]
"""Called with a model and fold, how much of it is done, and how much there is."""


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one model of one fold, beside its predictions.

    Parameters
    ----------
    model : str
        Name of the baseline or net.
    fold : int
    secs : float
        That fitting and predicting took.
    history : list of dict
        A row an epoch; empty for baselines.
    notes : dict
        Figures of the training: temperature, best epoch, validation scores.

    Examples
    --------
    >>> ModelFacts(model="prior", fold=0, secs=0.1).history
    []
    """

    model: str
    fold: int
    secs: float
    history: list[dict[str, float]] = []
    notes: dict[str, float] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The out-of-sample answers of one model.

    Attributes
    ----------
    name : str
    folds : tuple of Predictions
        In the order of the folds.
    facts : tuple of ModelFacts

    Examples
    --------
    >>> Answers("prior", (), ()).name
    'prior'
    """

    name: str
    folds: tuple[Predictions, ...]
    facts: tuple[ModelFacts, ...]


@dataclass(frozen=True, slots=True, eq=False)
class WalkForward:
    """A finished walk-forward.

    Attributes
    ----------
    config : TrainingConfig
    arrays : Arrays
    samples : Samples
        All of them; `folds` holds positions in them.
    folds : tuple of Fold
    baselines, nets : tuple of Answers
    trials : int
        Different things ever tried on these data, these nets included; baselines do not count.

    Examples
    --------
    >>> import tempfile
    >>> rng = np.random.default_rng(1)
    >>> arrays = Arrays.raw(rng.normal(size=(400, 2)), np.arange(400) * 10**9, 100.0 + rng.normal(size=400).cumsum())
    >>> folder = Path(tempfile.mkdtemp())
    >>> settings = {"name": "x", "data": {"arrays": "a", "window": 5}, "label": {"horizon_secs": 2.0}}
    >>> settings |= {"evaluation": {"baselines": ["prior", "persistence"]}, "ledger": str(folder)}
    >>> done = walk_forward(msgspec.convert(settings, TrainingConfig), arrays, folder / "run")
    >>> [tested.name for tested in done.baselines], len(done.folds), done.trials
    (['prior', 'persistence'], 5, 0)
    >>> samples, answers = done.stitched(done.baselines[0])
    >>> len(samples) == len(answers.classes) == sum(len(fold.test) for fold in done.folds)
    True
    """

    config: TrainingConfig
    arrays: Arrays
    samples: Samples
    folds: tuple[Fold, ...]
    baselines: tuple[Answers, ...]
    nets: tuple[Answers, ...]
    trials: int

    def stitched(self, tested: Answers) -> tuple[Samples, Predictions]:
        """Return all test samples in order of time, each once, with a model's answers.

        Where folds overlap (combinatorial), the answer is that of the first fold that tests the sample.
        """
        positions = np.concatenate([fold.test for fold in self.folds])
        answers = joined(list(tested.folds))
        _, first = np.unique(positions, return_index=True)
        kept = positions[first]
        order = np.argsort(self.samples.ts[kept], kind="stable")
        chosen = first[order]
        found = Predictions(
            answers.probabilities[chosen], answers.expected_return_bps[chosen], answers.confidence[chosen]
        )
        return self.samples.take(kept[order]), found


def walk_forward(
    config: TrainingConfig, arrays: Arrays, out: Path | str, *, on_progress: OnProgress | None = None
) -> WalkForward:
    """Fit every baseline and net on every fold, and let it answer for the fold's test samples.

    What is finished is kept in `out`; a run that was stopped goes on there. A scaler is fitted on each fold's training
    rows. Each new model is written to the trial ledger before it is fitted.

    Parameters
    ----------
    config : TrainingConfig
    arrays : Arrays
    out : Path
        Folder of the run.
    on_progress : callable, optional

    Raises
    ------
    TrainingError
        The folder holds a run of other settings or data, another process is at work in it, or a training failed.
    ValueError
        A fold would be left without samples.
    """
    out = Path(out)
    samples = arrays.samples(config.label, window=config.data.window)
    folds = tuple(split(samples.ts, config.split, reach_ns=samples.reach_ns))
    names = [*config.evaluation.baselines, *(net.title for net in config.nets)]
    clash = {*names[: len(config.evaluation.baselines)]} & {net.title for net in config.nets}
    if clash:
        raise TrainingError(f"Expected nets with names of their own, was {', '.join(sorted(clash))}, a baseline.")
    with owned(out, "name another folder"):
        identify(config, arrays, out)
        ledger, data = ledger_of(config, arrays), data_of(arrays)
        # Written down before a score is known: a trial that disappoints is a trial. Baselines are none.
        for net in config.nets:
            kind, key, name, settings = trial(config, net)
            ledger.record(kind, key, name, data, settings)
        tested: dict[str, list[tuple[Predictions, ModelFacts]]] = {name: [] for name in names}
        for fold in folds:
            context = _FoldContext(config, arrays, samples, fold, out / "folds" / f"{fold.number:02d}", on_progress)
            for name in config.evaluation.baselines:
                tested[name].append(context.kept(name, partial(context.baseline, name)))
            for net in config.nets:
                tested[net.title].append(context.kept(net.title, partial(context.net, net)))
    made = {
        name: Answers(name, tuple(one for one, _ in found), tuple(facts for _, facts in found))
        for name, found in tested.items()
    }
    return WalkForward(
        config=config,
        arrays=arrays,
        samples=samples,
        folds=folds,
        baselines=tuple(made[name] for name in config.evaluation.baselines),
        nets=tuple(made[net.title] for net in config.nets),
        trials=ledger.count(data),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _FoldContext:
    config: TrainingConfig
    arrays: Arrays
    samples: Samples
    fold: Fold
    folder: Path
    on_progress: OnProgress | None

    def kept(self, name: str, make: Callable[[], tuple[Predictions, ModelFacts]]) -> tuple[Predictions, ModelFacts]:
        # The facts are written last: where they are, the predictions are whole.
        path, facts_path = self.folder / f"{name}.npz", self.folder / f"{name}.json"
        if facts_path.is_file():
            return Predictions.load(path), msgspec.json.decode(facts_path.read_bytes(), type=ModelFacts)
        self.folder.mkdir(parents=True, exist_ok=True)
        predictions, facts = make()
        predictions.save(path)
        write_whole(facts_path, msgspec.json.encode(facts))
        self.say(name, 1, 1)
        return predictions, facts

    def say(self, name: str, done: int, total: int) -> None:
        if self.on_progress:
            self.on_progress(f"fold {self.fold.number + 1} {name}", done, total)

    def scaler(self) -> Normalisation:
        rows = self.samples.take(self.fold.train).touched_rows()
        return self.arrays.fit_scaler(rows, self.config.data.scaler)

    def baseline(self, name: str) -> tuple[Predictions, ModelFacts]:
        begun = time.perf_counter()
        self.say(name, 0, 1)
        model = BASELINES[name](self.config.seed)
        model.fit(self.arrays, self.samples.take(_spread(self.fold.train, self.config)), self.scaler())
        predictions = model.predict(self.arrays, self.samples.take(self.fold.test))
        facts = ModelFacts(model=name, fold=self.fold.number, secs=time.perf_counter() - begun)
        return predictions, facts

    def net(self, net: NetConfig) -> tuple[Predictions, ModelFacts]:
        # Torch is imported only where a net is trained.
        from fathom.ml.samples.datamodules import WindowDataModule
        from fathom.ml.training.fit import fit

        begun = time.perf_counter()
        config = self.config
        data = WindowDataModule(
            self.arrays,
            self.samples,
            self.fold,
            batch_size=config.fit.batch_size,
            seed=config.seed,
            class_weights=config.fit.loss.class_weights,
            train_stride=config.data.train_stride,
            scaler_kind=config.data.scaler,
        )
        trained = fit(
            net,
            config.fit,
            data,
            self.folder / net.title,
            seed=config.seed,
            on_step=lambda step: self.say(
                net.title, step.epoch * step.batches + step.batch, step.epochs * step.batches
            ),
        )
        data.setup()
        predictions = trained.predict(data.test_dataloader())
        record = trained.record
        notes = {"temperature": trained.temperature, "best_epoch": float(record.best_epoch), **record.validation}
        facts = ModelFacts(
            model=net.title,
            fold=self.fold.number,
            secs=time.perf_counter() - begun,
            history=trained.history,
            notes={name: float(value) for name, value in notes.items()},
        )
        return predictions, facts


def _spread(positions: NDArray[np.int64], config: TrainingConfig) -> NDArray[np.int64]:
    return positions[:: max(-(-len(positions) // config.evaluation.baseline_rows), 1)]
