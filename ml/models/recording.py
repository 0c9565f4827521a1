"""Write an artifact into the tracking store: parameters, curves, pictures, figures, files; and register it."""

import math
from typing import Any

import msgspec

from fathom.ml.models.artifacts import Artifact
from fathom.ml.models.registry import Registry, Version
from fathom.ml.models.tracking import FOLDER, Store
from fathom.ml.scores.calibration import Reliability


def record(artifact: Artifact, store: str | None = None, *, experiment: str = "") -> Version:
    """Write a run for an artifact and return its registered version; an artifact that is registered is not repeated.

    Parameters
    ----------
    artifact : Artifact
    store : str
        Folder of a local store, or the URI of a server.
    experiment : str
        The artifact's name by default.

    Raises
    ------
    TrackingError
        Where the store cannot be opened.
    """
    opened = Store(store)
    registry = Registry(opened)
    if artifact.name in registry.names():
        for known in registry.versions(artifact.name):
            if known.hash == artifact.version:
                return known
    made, metrics = artifact.provenance, artifact.metrics
    parameters: dict[str, Any] = {
        "net": made.net,
        "seed": made.seed,
        "temperature": made.temperature,
        "parameters": made.parameters,
        "config": made.config,
    }
    tags = {
        "dataset_hash": made.dataset_hash,
        "git_revision": made.git_revision,
        "schema_hash": made.schema_hash,
        "artifact_version": artifact.version,
    }
    with opened.begin(experiment or artifact.name, artifact.version, parameters, tags) as run:
        for row in metrics.get("history", []):
            run.epoch(row)
        for name, entry in metrics.get("test", {}).items():
            scores = {
                f"test_{name}_{score}": float("nan") if value[0] is None else value[0]
                for score, value in entry["scores"].items()
            }
            run.figures({score: value for score, value in scores.items() if math.isfinite(value)})
            if entry["kind"] == "net":
                run.confusion(entry["confusion"])
        if "reliability" in metrics:
            run.reliability(msgspec.convert(metrics["reliability"], Reliability))
        for precision, found in metrics.get("latency", {}).items():
            if isinstance(found, dict):
                run.figures({f"latency_{precision}_{name}": value for name, value in found.items()})
        run.folder(artifact.path, FOLDER)
        return registry.register(artifact, run_id=run.run_id)
