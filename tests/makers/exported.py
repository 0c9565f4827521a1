"""A trained net as an artifact: built once for the tests that need a real one."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fathom.ml.features import Column, FeatureSchema, fit
from fathom.ml.models.artifacts import Artifact, ModelSchema
from fathom.ml.models.export import Source, export
from fathom.ml.nets import build
from fathom.ml.scores.calibration import Calibration
from tests.makers import training_problem as problem

COLUMNS = 5


def windows(count: int = 40, seed: int = 5) -> NDArray[np.float64]:
    """Return raw windows of large, differently scaled columns."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** np.arange(-2, COLUMNS - 2)
    return np.asarray(60_000.0 + scale * rng.normal(size=(count, problem.WINDOW, COLUMNS)))


def schema(columns: int = COLUMNS) -> ModelSchema:
    features = FeatureSchema(
        columns=tuple(Column(f"c{i}", "candles" if i < 2 else "orderbook", "price") for i in range(columns)),
        versions={"candles": 1, "orderbook": 1},
        settings={"grid_ms": 1000},
    )
    return ModelSchema(
        features=features, window=problem.WINDOW, grid_ms=1000, horizon_secs=10.0, label={"kind": "fixed"}
    )


def source(name: str = "compact", *, metrics: dict[str, object] | None = None) -> Source:
    rows = windows().reshape(-1, COLUMNS)
    scaler = fit("standard", schema().features.names, np.arange(len(rows)), rows, before_ns=len(rows))
    return Source(
        name=f"test-{name}",
        net=name,
        parameters=problem.TINY.get(name, {}),
        schema=schema(),
        scaler=scaler,
        calibration=Calibration(temperature=1.7, scale=0.8, shift=0.1),
        seed=3,
        metrics=dict(metrics or {}),
    )


def net(name: str = "compact") -> torch.nn.Module:
    """Return a net with weights and statistics that are not those of its birth."""
    torch.manual_seed(2)
    made = build(
        name, features=COLUMNS, window=problem.WINDOW, groups=schema().features.groups, **problem.TINY.get(name, {})
    )
    made.train()
    with torch.no_grad():
        for _ in range(3):
            made(torch.randn(16, problem.WINDOW, COLUMNS) * 1.5)
    return made.eval()


def artifact(
    folder: Path, name: str = "compact", *, int8: bool = True, metrics: dict[str, object] | None = None
) -> Artifact:
    given = windows()
    directions = np.random.default_rng(1).integers(0, 3, len(given))
    return export(net(name), source(name, metrics=metrics), folder, windows=given, directions=directions, int8=int8)
