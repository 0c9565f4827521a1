"""The results of a walk-forward as numbers: per fold and stitched, with intervals, each beside every baseline."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from fathom.ml.samples.datasets import Samples
from fathom.ml.samples.labels import CLASSES
from fathom.ml.samples.leak_check import LeakReport
from fathom.ml.scores.bootstrap import Interval, Resampler
from fathom.ml.scores.hidden_optimum import Optimum, load_optimum, oracle
from fathom.ml.scores.metrics import Scores, score
from fathom.ml.scores.policy_returns import Trades, sides, trades
from fathom.ml.scores.predictions import Predictions
from fathom.ml.training.walk_forward import Answers, WalkForward
from fathom.settings.whole_files import write_whole

ORACLE: Final = "oracle"
"""Name of the observer of the hidden state, where the truth is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One model with its scores.

    Attributes
    ----------
    name, kind : str
        The kind is ``net``, ``baseline`` or ``oracle``.
    samples : Samples
        Those of `answers`, in order of time.
    answers : Predictions
        Of all test samples.
    trades : Trades
    stitched : Scores
    folds : tuple of Scores
    secs : float
        That fitting and predicting took, all folds.
    histories : tuple of list
        A row an epoch, for each fold.
    notes : tuple of dict
        Figures of the training, for each fold.

    Examples
    --------
    >>> Judged.__slots__[:2]
    ('name', 'kind')
    """

    name: str
    kind: str
    samples: Samples
    answers: Predictions
    trades: Trades
    stitched: Scores
    folds: tuple[Scores, ...]
    secs: float
    histories: tuple[list[dict[str, float]], ...]
    notes: tuple[Mapping[str, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """What a walk-forward found.

    Attributes
    ----------
    run : WalkForward
    leak : LeakReport
    models : tuple of Judged
        Nets first, then baselines, then the oracle.
    optimum : Optimum or None
    resampler : Resampler

    Examples
    --------
    >>> Summary.__slots__[:2]
    ('run', 'leak')
    """

    run: WalkForward
    leak: LeakReport
    models: tuple[Judged, ...]
    optimum: Optimum | None
    resampler: Resampler

    @property
    def level(self) -> float:
        """Of the intervals."""
        return self.run.config.evaluation.level

    def of_kind(self, kind: str) -> tuple[Judged, ...]:
        """Return the models of a kind."""
        return tuple(model for model in self.models if model.kind == kind)

    def model(self, name: str) -> Judged:
        """Return a model by its name."""
        return next(model for model in self.models if model.name == name)

    def gain_share(self, model: Judged) -> Interval | None:
        """Return which part of the oracle's gain over the prior in accuracy a model reaches, on the same samples."""
        known = {one.name for one in self.models}
        if not {ORACLE, "prior"} <= known:
            return None
        prior, best = self.model("prior").stitched, self.model(ORACLE).stitched
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.float64(model.stitched.values["accuracy"] - prior.values["accuracy"]) / (
                best.values["accuracy"] - prior.values["accuracy"]
            )
            drawn = (model.stitched.drawn["accuracy"] - prior.drawn["accuracy"]) / (
                best.drawn["accuracy"] - prior.drawn["accuracy"]
            )
        return self.resampler.interval(float(value), drawn, self.level)


def summarise(run: WalkForward, leak: LeakReport) -> Summary:
    """Score a finished walk-forward.

    Parameters
    ----------
    run : WalkForward
    leak : LeakReport

    Raises
    ------
    TrainingError
        ``evaluation.truth`` names no truth, or one that tells nothing of the label.
    """
    evaluation = run.config.evaluation
    groups = [("net", run.nets), ("baseline", run.baselines)]
    optimum = None
    if evaluation.truth is not None:
        optimum = load_optimum(evaluation.truth, run.config.label)
        answers = [
            oracle(evaluation.truth, run.samples.take(fold.train), run.samples.take(fold.test)) for fold in run.folds
        ]
        groups.append(("oracle", (Answers(ORACLE, tuple(answers), ()),)))
    horizon = run.config.label.horizon_secs
    window = run.config.data.window * run.arrays.facts.grid_ms / 1e3
    block_secs = evaluation.block_secs or max(20.0 * horizon, 2.0 * window)

    def resampler(samples: Samples) -> Resampler:
        least = Resampler(
            samples.ts,
            bucket_ns=run.config.label.horizon_ns,
            block_ns=round(block_secs * 1e9),
            resamples=evaluation.resamples,
            seed=run.config.seed,
        )
        # What models are right about, and what they earn, lasts as long as classes and returns do.
        counts = np.bincount(least.bucket, minlength=least.buckets)
        parts = [*(samples.classes == number for number in range(len(CLASSES))), samples.return_bps]
        sums = [np.bincount(least.bucket, part, least.buckets) for part in parts]
        return least.fitted(*(values - values.sum() / counts.sum() * counts for values in sums))

    tests = [run.samples.take(fold.test) for fold in run.folds]
    by_fold = [resampler(test) for test in tests]
    models, whole = [], None
    for kind, members in groups:
        for answered in members:
            samples, answers_ = run.stitched(answered)
            whole = whole or resampler(samples)
            models.append(
                Judged(
                    name=answered.name,
                    kind=kind,
                    samples=samples,
                    answers=answers_,
                    trades=trades(samples, sides(samples, answers_, evaluation.policy)),
                    stitched=score(samples, answers_, whole, evaluation.policy, evaluation.metrics),
                    folds=tuple(
                        score(test, answer, drawn, evaluation.policy, evaluation.metrics)
                        for test, answer, drawn in zip(tests, answered.folds, by_fold, strict=True)
                    ),
                    secs=sum(facts.secs for facts in answered.facts),
                    histories=tuple(facts.history for facts in answered.facts),
                    notes=tuple(facts.notes for facts in answered.facts),
                )
            )
    assert whole is not None
    return Summary(run, leak, tuple(models), optimum, whole)


def as_json(summary: Summary) -> dict[str, Any]:
    """Return the summary as plain data: for each score its value and the bounds of its interval; null is undefined."""
    run, level = summary.run, summary.level
    folds = []
    for fold in run.folds:
        part: dict[str, Any] = {"number": fold.number}
        for name in ("train", "validation", "test"):
            ts = run.samples.ts[getattr(fold, name)]
            part[name] = {"samples": len(ts), "first_ns": int(ts.min()), "last_ns": int(ts.max())}
        folds.append(part)
    models = {}
    for model in summary.models:
        entry: dict[str, Any] = {
            "kind": model.kind,
            "secs": round(model.secs, 3),
            "stitched": {name: list(model.stitched.interval(name, level)) for name in model.stitched.values},
            "folds": [{name: list(scores.interval(name, level)) for name in scores.values} for scores in model.folds],
            "confusion": model.stitched.confusion.tolist(),
            "notes": [dict(notes) for notes in model.notes],
        }
        if model.kind == "net":
            entry["against"] = {
                baseline.name: {
                    name: list(model.stitched.difference(baseline.stitched, name, level))
                    for name in model.stitched.values
                }
                for baseline in summary.of_kind("baseline")
            }
        share = summary.gain_share(model)
        if share is not None:
            entry["share_of_oracle_gain"] = list(share)
        models[model.name] = entry
    return {
        "name": run.config.name,
        "dataset": run.arrays.facts.hash,
        "config": msgspec.to_builtins(run.config),
        "instruments": run.arrays.facts.instruments,
        "inputs": len(run.arrays.facts.schema),
        "samples": len(run.samples),
        "class_shares": dict(zip(CLASSES, run.samples.class_shares().tolist(), strict=True)),
        "folds": folds,
        "bootstrap": {
            "level": level,
            "resamples": summary.resampler.resamples,
            "bucket_secs": summary.resampler.bucket_ns / 1e9,
            "block_secs": summary.resampler.block * summary.resampler.bucket_ns / 1e9,
            "independent_blocks": summary.resampler.independent,
        },
        "leak_check": {
            "passed": summary.leak.passed,
            "verdict": summary.leak.verdict,
            "warning": summary.leak.warning,
            "report": msgspec.to_builtins(summary.leak),
        },
        "rows": len(run.arrays.ts),
        "rows_without_value": run.arrays.rows_without_value(),
        "trials_on_dataset": run.trials,
        "optimum": None if summary.optimum is None else msgspec.to_builtins(summary.optimum),
        "models": models,
    }


def write_summary(summary: Summary, path: Path) -> None:
    """Write ``summary.json``; the file appears when it is whole."""
    write_whole(path, msgspec.json.format(msgspec.json.encode(as_json(summary)), indent=1))
