"""Arrays with something to learn in them, for tests of training data, metrics and walk-forwards."""

import numpy as np

from fathom.ml.samples.datasets import Arrays

GRID_NS = 1_000_000_000


def walk(rows: int = 600, *, columns: int = 3, skill: float = 0.0, seed: int = 0, instruments: int = 1) -> Arrays:
    """Return random walks whose first feature foretells the next step: not at all (skill 0) to wholly (1).

    The feature of row t knows what drives the step from t to t + 1, as an honest predictor would.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for number in range(instruments):
        drive = rng.normal(size=rows)
        step = skill * drive + (1.0 - skill**2) ** 0.5 * rng.normal(size=rows)
        mid = 100.0 * np.exp(np.concatenate([[0.0], np.cumsum(step[:-1])]) * 5e-4)
        features = rng.normal(size=(rows, columns))
        features[:, 0] = drive
        parts.append((features, np.arange(rows) * GRID_NS, mid, np.full(rows, number)))
    features, ts, mid, instrument = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Arrays.raw(
        features,
        ts,
        mid,
        spread_bps=np.full(len(ts), 0.5),
        instrument=instrument,
        instruments=[f"I{number}" for number in range(instruments)],
    )
