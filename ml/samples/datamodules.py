"""Batches of windows for Lightning: gathered whole, scaled by what the fold's training rows say, shuffled by a seed."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fathom.ml.features import FeatureSchema, Normalisation
from fathom.ml.samples.batch_order import BatchOrder
from fathom.ml.samples.datasets import Arrays, Samples, windows
from fathom.ml.samples.splits import Fold

_CHUNK: Final = 65_536


class Batches:
    """Batches of samples, as often as they are asked for; Lightning takes this for a data loader.

    Each batch is one gather of rows: there is no Python per sample, and so there are no workers.

    Parameters
    ----------
    module : WindowDataModule
    positions : ndarray
        Which samples.
    order : BatchOrder, optional
        In which order, by number within `positions`; as they stand by default.

    Examples
    --------
    >>> from fathom.ml.samples.label_config import LabelConfig
    >>> arrays = Arrays.raw(np.zeros((9, 2)), np.arange(9) * 10**9, np.full(9, 100.0))
    >>> samples = arrays.samples(LabelConfig(horizon_secs=1.0), window=3)
    >>> fold = Fold(0, np.array([0, 1]), np.array([2]), np.array([4, 5]))
    >>> module = WindowDataModule(arrays, samples, fold, batch_size=2)
    >>> module.setup()
    >>> batch = next(iter(module.train_dataloader()))
    >>> {name: tuple(part.shape) for name, part in batch.items()}["x"]
    (2, 3, 2)
    """

    def __init__(
        self, module: "WindowDataModule", positions: NDArray[np.int64], order: BatchOrder | None = None
    ) -> None:
        self.module, self.positions, self.order = module, positions, order

    def __len__(self) -> int:
        return -(-len(self.positions) // self.module.batch_size) if self.order is None else len(self.order)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        if self.order is None:
            size = self.module.batch_size
            for at in range(0, len(self.positions), size):
                yield self.module.batch(self.positions[at : at + size])
        else:
            for numbers in self.order:
                yield self.module.batch(self.positions[numbers])


class WindowDataModule(lightning.LightningDataModule):
    """The samples of one fold.

    A batch is a dict of tensors: ``x`` (B, window, F) float32, scaled; ``direction`` (B,) int64; ``return_bps``,
    ``volatility_bps`` (realised over the horizon) and ``weight`` (B,) float32.

    Parameters
    ----------
    arrays : Arrays
    samples : Samples
    fold : Fold
        Positions in `samples`.
    batch_size : int
    seed : int
        Of the order of training samples.
    class_weights : {"none", "sqrt", "balanced"}
        Weights by the classes' shares in the training samples.
    train_stride : int
        Train on each k-th sample: neighbours differ in one row of their windows.
    scaler_kind : {"robust", "standard"}
    scaler : Normalisation, optional
        Fitted on the rows of the training windows by default.
    memory_bytes : int
        Rows that take less are scaled once and held (on the GPU, where there is one); others are read from the mapped
        file and scaled batch by batch. Both give the same numbers.

    Attributes
    ----------
    scaler : Normalisation
    schema : FeatureSchema
    window, features : int
    order : BatchOrder
        Of the training samples; a training that is resumed says with `BatchOrder.start` where it goes on.

    Examples
    --------
    >>> from fathom.ml.samples.label_config import LabelConfig
    >>> arrays = Arrays.raw(np.arange(18.0).reshape(9, 2), np.arange(9) * 10**9, np.full(9, 100.0))
    >>> samples = arrays.samples(LabelConfig(horizon_secs=1.0), window=3)
    >>> module = WindowDataModule(arrays, samples, Fold(0, np.array([0, 1]), np.array([2]), np.array([5])))
    >>> module.scaler.vectors, module.window, module.features
    (4, 3, 2)
    """

    def __init__(
        self,
        arrays: Arrays,
        samples: Samples,
        fold: Fold,
        *,
        batch_size: int = 256,
        seed: int = 0,
        class_weights: Literal["none", "sqrt", "balanced"] = "none",
        train_stride: int = 1,
        scaler_kind: Literal["robust", "standard"] = "robust",
        scaler: Normalisation | None = None,
        memory_bytes: int = 2 << 30,
    ) -> None:
        super().__init__()
        self.arrays, self.samples, self.fold = arrays, samples, fold
        self.batch_size, self.seed = batch_size, seed
        train = samples.take(fold.train)
        self.scaler = arrays.fit_scaler(train.touched_rows(), scaler_kind) if scaler is None else scaler
        self.class_weights = train.class_weights(class_weights)
        self.train_positions = fold.train[::train_stride]
        self.order = BatchOrder(len(self.train_positions), batch_size, seed=seed, drop_last=True)
        self._held = arrays.features.size * 4 <= memory_bytes
        self._rows: Tensor | None = None
        self._views = windows(arrays.features, samples.window)
        self._device = torch.device("cpu")
        self._steps = torch.arange(samples.window)
        self._targets = _targets(samples, self.class_weights)

    @property
    def window(self) -> int:
        """Rows of a window."""
        return self.samples.window

    @property
    def features(self) -> int:
        """Columns of a row."""
        return int(self.arrays.features.shape[1])

    @property
    def schema(self) -> FeatureSchema:
        """What the columns are."""
        return self.arrays.facts.schema

    @property
    def groups(self) -> dict[str, list[int]]:
        """Positions of the columns of each group."""
        return self.schema.groups

    def setup(self, stage: str | None = None) -> None:
        device = self.trainer.strategy.root_device if self.trainer is not None else torch.device("cpu")
        if self._held and (self._rows is None or device != self._device):
            self._rows = torch.from_numpy(self._scaled()).to(device)
            self._steps = self._steps.to(device)
            self._targets = {name: part.to(device) for name, part in self._targets.items()}
            self._device = device

    def train_dataloader(self) -> Batches:
        return Batches(self, self.train_positions, self.order)

    def val_dataloader(self) -> Batches:
        return Batches(self, self.fold.validation)

    def test_dataloader(self) -> Batches:
        return Batches(self, self.fold.test)

    def batch(self, positions: NDArray[np.int64]) -> dict[str, Tensor]:
        """Return the samples at some positions, in their order."""
        at = torch.from_numpy(np.ascontiguousarray(positions)).to(self._device)
        last = self._targets["row"][at]
        if self._rows is not None:
            x = self._rows[(last - (self.window - 1))[:, None] + self._steps]
        else:
            raw = self._views[last.numpy() - (self.window - 1)]
            x = torch.from_numpy(self.scaler.apply(raw.astype(np.float64)).astype(np.float32))
        return {"x": x, **{name: part[at] for name, part in self._targets.items() if name != "row"}}

    def raw_windows(self, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return windows as a live system sees them: float64 (n, window, F), not scaled."""
        found: NDArray[np.float64] = self._views[self.samples.rows[positions] - (self.window - 1)].astype(np.float64)
        return found

    def _scaled(self) -> NDArray[np.float32]:
        rows = np.empty(self.arrays.features.shape, np.float32)
        for at in range(0, len(rows), _CHUNK):
            chunk = self.arrays.features[at : at + _CHUNK].astype(np.float64)
            rows[at : at + _CHUNK] = self.scaler.apply(chunk)
        return rows


def _targets(samples: Samples, class_weights: NDArray[np.float64]) -> dict[str, Tensor]:
    parts: Mapping[str, NDArray[Any]] = {
        "row": samples.rows,
        "direction": samples.classes,
        "return_bps": samples.return_bps.astype(np.float32),
        "volatility_bps": samples.volatility_bps.astype(np.float32),
        "weight": class_weights[samples.classes].astype(np.float32),
    }
    return {name: torch.from_numpy(np.ascontiguousarray(part)) for name, part in parts.items()}
