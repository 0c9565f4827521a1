"""A small problem that a net can learn: the next move follows a column of the window, with noise."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from fathom.ml.samples.datamodules import WindowDataModule
from fathom.ml.samples.datasets import Arrays
from fathom.ml.samples.label_config import LabelConfig
from fathom.ml.samples.splits import Fold
from fathom.ml.training.fit_config import FitConfig, NetConfig

WINDOW = 8
TINY: dict[str, dict[str, Any]] = {
    "compact": {"channels": [6], "steps": [4], "hidden": 6},
    "fusion": {"size": 12, "hidden": 12, "dropout": 0.0},
    "hybrid_cnn_lstm": {"channels": [4, 6], "hidden": 5},
    "stockformer": {"size": 8, "heads": 2, "layers": 1},
}
"""Settings that make each net small."""


def arrays(rows: int = 700, *, columns: int = 5, seed: int = 1, edge: float = 1.0) -> Arrays:
    """Return rows whose first column says, but for noise, where the price goes next."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, columns))
    moves = edge * features[:-1, 0] + 0.5 * rng.normal(size=rows - 1)
    mid = 100.0 * np.exp(np.append(0.0, moves.cumsum()) * 1e-4)
    return Arrays.raw(features, np.arange(rows) * 10**9, mid)


def data(made: Arrays | None = None, *, batch_size: int = 32, seed: int = 3) -> WindowDataModule:
    made = arrays() if made is None else made
    samples = made.samples(LabelConfig(horizon_secs=1.0, threshold_bps=0.4), window=WINDOW)
    cut = np.array([0.6, 0.62, 0.8, 0.82, 1.0]) * len(samples)
    first, second, third, fourth, last = cut.astype(int)
    fold = Fold(0, np.arange(first), np.arange(second, third), np.arange(fourth, last))
    return WindowDataModule(made, samples, fold, batch_size=batch_size, seed=seed)


def net(name: str = "hybrid_cnn_lstm") -> NetConfig:
    return NetConfig(name=name, parameters=TINY[name])


def config(epochs: int = 4, *, snapshot_secs: float = 60.0) -> FitConfig:
    return FitConfig(epochs=epochs, batch_size=32, learning_rate=1e-2, device="cpu", snapshot_secs=snapshot_secs)


def write_tuning(folder: Path, rows: int, space: str) -> Path:
    """Write arrays, `training.toml` and the `tune.toml` that searches `space` into a folder; return the folder."""
    arrays(rows).save(folder / "arrays")
    (folder / "training.toml").write_text(
        f"""
name = "tiny"
ledger = "{folder}"
nets = [{{ name = "compact" }}]
[data]
arrays = "{folder}/arrays"
window = {WINDOW}
[label]
horizon_secs = 1.0
threshold_bps = 0.4
[fit]
epochs = 2
batch_size = 64
device = "cpu"
"""
    )
    (folder / "tune.toml").write_text('name = "tiny"\ntraining = "training.toml"\ntrials = 3\n' + space)
    return folder


def main(folder: str, stop_after: str) -> None:
    """Train in this process; with a number, say on standard output when so many batches are done, and wait there."""
    from fathom.ml.training.fit import fit

    done = 0

    def on_step(_: object) -> None:
        nonlocal done
        done += 1
        if done == int(stop_after):
            print("here", flush=True)
            sys.stdin.read()

    fit(net(), config(snapshot_secs=0.0), data(), Path(folder), seed=7, on_step=on_step)


if __name__ == "__main__":
    main(*sys.argv[1:])
