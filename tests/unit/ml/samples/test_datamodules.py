"""Batches: what a net is given."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fathom.ml.samples.datamodules import WindowDataModule
from fathom.ml.samples.datasets import Arrays
from fathom.ml.samples.label_config import LabelConfig
from fathom.ml.samples.splits import SplitConfig, split
from tests.makers.walks import walk

WINDOW = 5


def module_of(arrays: Arrays, **settings: object) -> WindowDataModule:
    samples = arrays.samples(LabelConfig(horizon_secs=2.0, fee_bps=0.0), window=WINDOW)
    fold = next(split(samples.ts, SplitConfig(folds=2), reach_ns=samples.reach_ns))
    module = WindowDataModule(arrays, samples, fold, batch_size=16, **settings)  # type: ignore[arg-type]
    module.setup()
    return module


@pytest.mark.parametrize("memory_bytes", [0, 1 << 30])
def test_a_batch_is_the_scaled_windows_and_their_labels(tmp_path: Path, memory_bytes: int) -> None:
    arrays = Arrays.open(walk(instruments=2).save(tmp_path / "arrays"))
    module = module_of(arrays, memory_bytes=memory_bytes, class_weights="balanced")
    batch = module.batch(module.fold.test[:7])
    samples = module.samples
    for number, position in enumerate(module.fold.test[:7]):
        row = samples.rows[position]
        raw = arrays.features[row - WINDOW + 1 : row + 1].astype(np.float64)
        np.testing.assert_array_equal(batch["x"][number].numpy(), module.scaler.apply(raw).astype(np.float32))
        assert batch["direction"][number] == samples.classes[position]
        assert batch["return_bps"][number] == np.float32(samples.return_bps[position])
        assert batch["volatility_bps"][number] == np.float32(samples.volatility_bps[position])
        assert batch["weight"][number] == np.float32(module.class_weights[samples.classes[position]])
    assert {name: part.dtype for name, part in batch.items()} == {
        "x": torch.float32,
        "direction": torch.int64,
        "return_bps": torch.float32,
        "volatility_bps": torch.float32,
        "weight": torch.float32,
    }
    last = samples.rows[module.fold.test[0]]
    np.testing.assert_array_equal(module.raw_windows(module.fold.test[:1])[0, -1], arrays.features[last])


def test_rows_beyond_memory_give_the_same_batches(tmp_path: Path) -> None:
    arrays = Arrays.open(walk().save(tmp_path / "arrays"))
    held, mapped = module_of(arrays), module_of(arrays, memory_bytes=0)
    for one, other in zip(held.train_dataloader(), mapped.train_dataloader(), strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_an_epoch_depends_on_seed_and_number_alone() -> None:
    arrays = walk()

    def epochs(module: WindowDataModule, count: int) -> list[list[float]]:
        return [[float(batch["return_bps"][0]) for batch in module.train_dataloader()] for _ in range(count)]

    first = epochs(module_of(arrays, seed=1), 3)
    resumed = module_of(arrays, seed=1)
    resumed.order.start(2)
    assert first[2] == epochs(resumed, 1)[0]
    assert first[0] != first[1]
    assert first[0] != epochs(module_of(arrays, seed=2), 1)[0]


def test_each_training_sample_comes_at_most_once_and_test_samples_in_order() -> None:
    module = module_of(walk(), train_stride=3)
    seen = torch.cat([batch["return_bps"] for batch in module.train_dataloader()])
    expected = module.samples.return_bps[module.fold.train[::3]].astype(np.float32)
    assert len(seen) > len(expected) - 16
    assert set(seen.tolist()) <= set(expected.tolist())
    tested = torch.cat([batch["return_bps"] for batch in module.test_dataloader()])
    np.testing.assert_array_equal(tested.numpy(), module.samples.return_bps[module.fold.test].astype(np.float32))
