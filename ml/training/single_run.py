"""One training on everything but a held-out tail of the span, as an artifact with its model card."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.ml.errors import TrainingError
from fathom.ml.models.artifacts import Artifact, ModelSchema, load_artifact
from fathom.ml.models.card import write_card
from fathom.ml.models.export import Source, export, reseal
from fathom.ml.models.importance import permutation_importance
from fathom.ml.models.inference import Predictor
from fathom.ml.samples.datamodules import WindowDataModule
from fathom.ml.samples.datasets import Arrays
from fathom.ml.samples.leak_check import LeakReport
from fathom.ml.scores.calibration import Reliability, reliability
from fathom.ml.training.config import TrainingConfig
from fathom.ml.training.fit import Trained
from fathom.ml.training.fit_config import NetConfig
from fathom.ml.training.summary import Judged, Summary, summarise
from fathom.ml.training.walk_forward import WalkForward, walk_forward

CHECKED: Final = 512
"""Real windows on which an export is checked, at most."""

type OnProgress = Callable[[str, int, int], object]


def single(config: TrainingConfig, tail: float) -> TrainingConfig:
    """Return the configuration with one fold: all but the last `tail` of the span trains and validates.

    >>> made = msgspec.convert({"name": "x", "data": {"arrays": "a"}}, TrainingConfig)
    >>> single(made, 0.25).split.first_train, single(made, 0.25).split.folds
    (0.75, 1)
    """
    if not 0.0 < tail < 1.0:
        raise TrainingError(f"Expected a held-out tail between 0 and 1 of the span, was {tail:g}")
    split = msgspec.structs.replace(config.split, kind="anchored", folds=1, first_train=1.0 - tail)
    return msgspec.structs.replace(config, split=split)


def run_once(
    config: TrainingConfig,
    arrays: Arrays,
    out: Path | str,
    *,
    leak: LeakReport,
    tail: float = 0.2,
    importance: int = 256,
    git_revision: str = "",
    on_progress: OnProgress | None = None,
) -> list[tuple[Artifact, Judged]]:
    """Train the nets of a configuration beside its baselines, and write an artifact of each.

    The artifact of the net N is ``OUT/NAME-N/FINGERPRINT``, the hash of settings and data: the same
    run again finds it there. ``OUT/.training`` holds what a killed run needs to go on.

    Parameters
    ----------
    config : TrainingConfig
        Its split is replaced by one fold.
    arrays : Arrays
    out : Path or str
        Folder of all models.
    leak : LeakReport
        What `fathom.ml.samples.leak_check.check` says of the arrays; it is kept in the artifact.
    tail : float
        Share of the span that is held out, its end.
    importance : int
        Windows for the permutation importance; 0 leaves it out.
    git_revision : str
    on_progress : callable, optional
        Given what is done, how much of it, and how much there is.

    Raises
    ------
    TrainingError
        The configuration names no net, or a training failed.
    """
    if not config.nets:
        raise TrainingError('Expected a net in the configuration, was none; add [[nets]] name = "compact"')
    one = single(config, tail)
    work = Path(out) / ".training" / f"{config.name}-{one.hash[:12]}"
    run = walk_forward(one, arrays, work, on_progress=_told(on_progress))
    summary = summarise(run, leak)
    return [
        (_artifact(net, run, summary, work, Path(out), importance, git_revision, on_progress), summary.model(net.title))
        for net in config.nets
    ]


def calibration_of(judged: Judged) -> Reliability:
    """Return how reliable the probabilities of a model's directions are out of sample."""
    right = (judged.answers.classes == judged.samples.classes).astype(np.int64)
    return reliability(judged.answers.probabilities.max(axis=1), right)


def _artifact(
    net: NetConfig,
    run: WalkForward,
    summary: Summary,
    work: Path,
    out: Path,
    importance: int,
    git_revision: str,
    on_progress: OnProgress | None,
) -> Artifact:
    fold = run.folds[0]
    trained = Trained.load(work / "folds" / f"{fold.number:02d}" / net.title)
    name = f"{run.config.name}-{net.title}"
    target = out / name / trained.record.fingerprint[:12]
    if target.is_dir():
        return load_artifact(target)
    data = WindowDataModule(
        run.arrays, run.samples, fold, batch_size=run.config.fit.batch_size, scaler_kind=run.config.data.scaler
    )
    source = Source(
        name=name,
        net=net.name,
        parameters=net.parameters,
        schema=_schema(run),
        scaler=data.scaler,
        calibration=trained.record.calibration,
        metrics=_metrics(summary, net.title, trained),
        config=msgspec.to_builtins(run.config),
        seed=run.config.seed,
        git_revision=git_revision,
        dataset_hash=run.arrays.facts.hash,
        spans=_spans(run),
    )
    checked = _spread(fold.validation, CHECKED)
    if on_progress:
        on_progress(f"{net.title} export", 0, 1)
    staged = target.with_name(f".{target.name}.new")
    shutil.rmtree(staged, ignore_errors=True)
    export(trained.net, source, staged, windows=data.raw_windows(checked), directions=run.samples.classes[checked])
    if importance:
        asked = _spread(fold.test, importance)
        found = permutation_importance(
            Predictor(load_artifact(staged), workers=2),
            data.raw_windows(asked),
            run.samples.classes[asked],
            seed=run.config.seed,
            on_progress=(lambda done, of: on_progress(f"{net.title} importance", done, of)) if on_progress else None,
        )
        reseal(staged, {"importance": msgspec.to_builtins(found), "importance_windows": len(asked)})
    write_card(load_artifact(staged))
    staged.rename(target)
    return load_artifact(target)


def _schema(run: WalkForward) -> ModelSchema:
    label = {name: value for name, value in msgspec.to_builtins(run.config.label).items() if value is not None}
    return ModelSchema(
        features=run.arrays.facts.schema,
        window=run.config.data.window,
        grid_ms=run.arrays.facts.grid_ms,
        horizon_secs=run.config.label.horizon_secs,
        label=label,
    )


def _metrics(summary: Summary, net: str, trained: Trained) -> dict[str, Any]:
    run, level = summary.run, summary.level
    models: dict[str, Any] = {}
    for judged in summary.models:
        if judged.kind == "net" and judged.name != net:
            continue
        models[judged.name] = {
            "kind": judged.kind,
            "scores": {name: _numbers(judged.stitched.interval(name, level)) for name in judged.stitched.values},
            "confusion": judged.stitched.confusion.tolist(),
        }
    own = summary.model(net)
    against = {
        other.name: {
            name: _numbers(own.stitched.difference(other.stitched, name, level)) for name in own.stitched.values
        }
        for other in summary.of_kind("baseline")
    }
    shares = np.bincount(own.samples.classes, minlength=3) / len(own.samples)
    return {
        "level": level,
        "test": models,
        "against": against,
        "test_samples": len(own.samples),
        "test_class_shares": shares.tolist(),
        "reliability": msgspec.to_builtins(calibration_of(own)),
        "confidence_reliability": msgspec.to_builtins(
            reliability(
                own.answers.confidence.clip(0.0, 1.0), (own.answers.classes == own.samples.classes).astype(np.int64)
            )
        ),
        "validation": trained.record.validation,
        "history": trained.history,
        "best_epoch": trained.record.best_epoch,
        "weights": sum(part.numel() for part in trained.net.parameters()),
        "rows": len(run.arrays.ts),
        "rows_without_value": run.arrays.rows_without_value(),
        "trials_on_dataset": run.trials,
        "leak_check": {
            "passed": summary.leak.passed,
            "verdict": summary.leak.verdict,
            "warning": summary.leak.warning,
            "report": msgspec.to_builtins(summary.leak),
        },
        "instruments": list(run.arrays.facts.instruments),
        "samples": {name: len(getattr(run.folds[0], name)) for name in ("train", "validation", "test")},
    }


def _numbers(interval: tuple[float, ...]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in interval]


def _spans(run: WalkForward) -> dict[str, tuple[int, int]]:
    spans = {}
    for name in ("train", "validation", "test"):
        ts = run.samples.ts[getattr(run.folds[0], name)]
        spans[name] = (int(ts.min()), int(ts.max()))
    return spans


def _spread(positions: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    return positions[np.unique(np.linspace(0, len(positions) - 1, min(most, len(positions))).astype(np.int64))]


def _told(on_progress: OnProgress | None) -> Callable[[str, int, int], None] | None:
    if on_progress is None:
        return None

    def told(what: str, done: int, of: int) -> None:
        on_progress(what.removeprefix("fold 1 "), done, of)

    return told
