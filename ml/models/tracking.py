"""What every training was and found, in MLflow: a local SQLite file by default, a server by its URI."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

# Before the import: nothing is told to anybody.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")

import logging
import time

import numpy as np
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from fathom.ml.errors import TrainingError
from fathom.ml.models.artifacts import CLASSES
from fathom.ml.scores.calibration import Reliability
from fathom.settings.home import output
from fathom.settings.urls import redacted

FOLDER: Final = "model"
"""Where a run keeps its copy of the artifact."""

_LONGEST: Final = 500


StoreError = MlflowException
"""What the store raises; nothing else needs to know MLflow for it."""


class TrackingError(TrainingError):
    """The store cannot be opened or does not take what is written."""


class Store:
    """A tracking store with its registry.

    Parameters
    ----------
    uri : str
        ``http://...`` of a server, or the folder of a local store, which is made; `output("mlruns")` by default.

    Examples
    --------
    >>> Store.local("runs/of/mine")[0].endswith("runs/of/mine/mlflow.db")
    True
    """

    def __init__(self, uri: str | None = None) -> None:
        self.uri = uri = uri or str(output("mlruns"))
        self._artifacts: str | None = None
        address = uri
        if "://" not in uri:
            address, self._artifacts = self.local(uri)
            Path(uri).mkdir(parents=True, exist_ok=True)
        for name in ("mlflow.store.db.utils", "alembic.runtime.migration"):
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            self.client = MlflowClient(tracking_uri=address, registry_uri=address)
            self.client.search_experiments(max_results=1)
        except Exception as error:  # of MLflow, of SQLAlchemy, or of the driver of a database, which may be absent
            raise TrackingError(
                f"{redacted(uri)}: Expected a folder or a tracking server: {redacted(str(error))}; "
                "name another with --store"
            ) from error

    @staticmethod
    def local(folder: str) -> tuple[str, str]:
        """Return the addresses of the database and of the artifacts of a local store."""
        path = Path(folder).absolute()
        return f"sqlite:///{path}/mlflow.db", (path / "artifacts").as_uri()

    def begin(self, experiment: str, run: str, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> "Run":
        """Return a new run; nested parameters are named with dots."""
        known = self.client.get_experiment_by_name(experiment)
        number = (
            known.experiment_id
            if known is not None
            else self.client.create_experiment(experiment, artifact_location=self._artifacts)
        )
        made = self.client.create_run(number, run_name=run)
        self.client.log_batch(
            made.info.run_id,
            params=[Param(name, str(value)[:_LONGEST]) for name, value in _flat(parameters, "")],
            tags=[RunTag(name, value) for name, value in tags.items()],
        )
        return Run(self.client, made.info.run_id)


class Run:
    """One run that is being written; as a context it ends as finished, or as failed where something was raised."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client, self.run_id = client, run_id

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        status = "FINISHED" if kind is None else "KILLED" if issubclass(kind, KeyboardInterrupt) else "FAILED"
        self._client.set_terminated(self.run_id, status=status)

    def epoch(self, row: Mapping[str, float]) -> None:
        """Write the row of an epoch: a point of each curve."""
        now = time.time_ns() // 1_000_000
        metrics = [Metric(name, float(value), now, int(row["epoch"])) for name, value in row.items() if name != "epoch"]
        self._client.log_batch(self.run_id, metrics=metrics)

    def figures(self, values: Mapping[str, float]) -> None:
        """Write final figures; undefined ones are left out."""
        now = time.time_ns() // 1_000_000
        metrics = [Metric(name, float(value), now, 0) for name, value in values.items() if np.isfinite(value)]
        self._client.log_batch(self.run_id, metrics=metrics)

    def confusion(self, table: Sequence[Sequence[int]]) -> None:
        """Write the confusion matrix as JSON and as a picture."""
        self._client.log_dict(self.run_id, {"classes": list(CLASSES), "confusion": table}, "confusion.json")
        figure = Figure(figsize=(4.0, 3.6), layout="tight")
        axes = figure.subplots()
        axes.imshow(np.array(table), cmap="Blues")
        for (row, column), count in np.ndenumerate(np.array(table)):
            axes.text(column, row, f"{count:,}", ha="center", va="center")
        axes.set_xticks(range(len(CLASSES)), CLASSES)
        axes.set_yticks(range(len(CLASSES)), CLASSES)
        axes.set_xlabel("said")
        axes.set_ylabel("true")
        self._client.log_figure(self.run_id, figure, "confusion.png")

    def reliability(self, found: Reliability) -> None:
        """Write the reliability diagram as JSON and as a picture."""
        self._client.log_dict(
            self.run_id,
            {"said": found.said, "right": found.right, "count": found.count, "ece": found.error},
            "reliability.json",
        )
        figure = Figure(figsize=(4.0, 3.6), layout="tight")
        axes = figure.subplots()
        axes.plot((0.0, 1.0), (0.0, 1.0), color="grey", linestyle=":")
        axes.plot(found.said, found.right, marker="o")
        axes.set_xlabel("probability that was said")
        axes.set_ylabel("share that was right")
        self._client.log_figure(self.run_id, figure, "reliability.png")

    def folder(self, path: Path, name: str) -> None:
        """Write a folder of files, such as an artifact."""
        self._client.log_artifacts(self.run_id, str(path), name)


def _flat(values: Mapping[str, Any], above: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        path = f"{above}.{name}" if above else name
        found += _flat(value, path) if isinstance(value, Mapping) and value else [(path, value)]
    return found
