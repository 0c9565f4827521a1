"""Models: latency and throughput of whole nets on every feature, and what loading data costs a training step."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from fathom.ml.features import Column, FeatureConfig, FeatureSchema, FeatureSet, fit
from fathom.ml.models.artifacts import Artifact, ModelSchema
from fathom.ml.models.export import Source, export
from fathom.ml.models.inference import Predictor
from fathom.ml.nets import build
from fathom.ml.samples.datamodules import WindowDataModule
from fathom.ml.samples.datasets import Arrays
from fathom.ml.samples.label_config import LabelConfig
from fathom.ml.samples.splits import Fold
from fathom.ml.training.fit_config import FitConfig
from fathom.ml.training.modules import MultitaskModule, losses, total
from tests.performance import Measure

_WINDOW = 60
_ONES = 1_000
_REPEATS = 5


def run() -> list[Measure]:
    """Measure with random weights: time does not depend on them, F1 does, and is measured where models are trained."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        return [*_inference(Path(folder)), *_loading()]


def _features() -> FeatureSchema:
    config = FeatureConfig()
    return FeatureSet(config, price_increment=0.1, size_increment=0.001).schema


def _artifact(folder: Path, name: str, features: FeatureSchema, **parameters: Any) -> tuple[Artifact, NDArray[Any]]:
    torch.manual_seed(1)
    count = len(features)
    rows = np.random.default_rng(1).normal(size=(1_000, count))
    schema = ModelSchema(features=features, window=_WINDOW, grid_ms=1_000, horizon_secs=10.0, label={"kind": "fixed"})
    windows = np.lib.stride_tricks.sliding_window_view(rows, _WINDOW, axis=0).transpose(0, 2, 1)[:256].copy()
    net = build(name, features=count, window=_WINDOW, groups=features.groups, **parameters).eval()
    scaler = fit("standard", features.names, np.arange(len(rows)), rows, before_ns=len(rows))
    source = Source(name=name, net=name, parameters=parameters, schema=schema, scaler=scaler)
    return export(net, source, folder, windows=windows, directions=np.zeros(len(windows), np.int64)), windows


def _inference(folder: Path) -> list[Measure]:
    features = _features()
    found = []
    cases: tuple[tuple[str, str, dict[str, Any], float], ...] = (
        ("hybrid, 256 a direction", "hybrid_cnn_lstm", {"hidden": 256}, 2.0),
        ("hybrid, 128 a direction", "hybrid_cnn_lstm", {"hidden": 128}, 2.0),
        ("compact", "compact", {}, 0.1),
    )
    for title, name, parameters, most_ms in cases:
        artifact, windows = _artifact(folder / title, name, features, **parameters)
        for precision in ("float32", "int8") if artifact.has_int8 else ("float32",):
            predictor = Predictor(artifact, precision=precision)
            computed, taken = [], []
            for number in range(_ONES):
                began = time.thread_time_ns()
                taken.append(predictor.predict_one(windows[number % len(windows)]).inference_ms)
                computed.append((time.thread_time_ns() - began) / 1e6)
            what = f"{title}, {precision}"
            note = f"{_WINDOW} x {len(features)}, CPU time of one thread; baseline: the wish; median of {_ONES}"
            found.append(Measure(f"{what}: one, p50", statistics.median(computed), "ms", most_ms, note))
            found.append(Measure(f"{what}: one, p99", float(np.quantile(computed, 0.99)), "ms", 5.0, "CPU time"))
            wall = float(np.quantile(taken, 0.99))
            found.append(Measure(f"{what}: one, p99 by the clock", wall, "ms", 5.0, "others may use the machine"))
            seconds = _cpu_seconds(partial(predictor.predict_many, windows))
            note = f"a core; median of {_REPEATS}"
            found.append(Measure(f"{what}: many", len(windows) / seconds, "windows/s of CPU", None, note))
            both = Predictor(artifact, precision=precision, workers=2)
            both.predict_many(windows)
            spent = []
            for _ in range(_REPEATS):
                started = time.perf_counter()
                both.predict_many(windows)
                spent.append(time.perf_counter() - started)
            note = f"by the clock; baseline: the wish; median of {_REPEATS}; others may use the machine"
            rate = len(windows) / statistics.median(spent)
            found.append(Measure(f"{what}: many, two workers", rate, "windows/s", 1_000.0, note))
    return found


def _loading() -> list[Measure]:
    # The same net, batches and optimiser, with the windows from the data module and from a batch that is there already.
    features = _features()
    count, rows = len(features), 4_000
    rng = np.random.default_rng(2)
    columns = tuple(Column(column.name, column.group, column.unit) for column in features.columns)
    arrays = Arrays.raw(
        rng.normal(size=(rows, count)), np.arange(rows) * 10**9, 100.0 + rng.normal(size=rows).cumsum() * 0.01
    )
    facts = msgspec.structs.replace(
        arrays.facts, schema=FeatureSchema(columns=columns, versions=features.versions, settings={"grid_ms": 1_000})
    )
    arrays = Arrays(facts, arrays.features, arrays.ts, arrays.instrument, arrays.mid, arrays.spread_bps)
    samples = arrays.samples(LabelConfig(horizon_secs=1.0), window=_WINDOW)
    fold = Fold(0, np.arange(3_000), np.arange(3_100, 3_300), np.arange(3_400, 3_600))
    found = []
    for name in ("hybrid_cnn_lstm", "compact"):
        data = WindowDataModule(arrays, samples, fold, batch_size=128)
        data.setup()
        net = build(name, features=count, window=_WINDOW, groups=features.groups).train()
        steps = 4 if name == "hybrid_cnn_lstm" else 20
        batches = list(data.train_dataloader())[:steps]
        loop = _plain_loop(net)
        loop(batches[:1])
        step = _cpu_seconds(partial(loop, batches), 3) / steps
        loading = _cpu_seconds(partial(_read, data), 3) / len(data.order)
        note = "of a step of torch's plain loop on batches that are there already; batch of 128"
        found.append(Measure(f"{name}: loading a batch", loading * 1e3, "ms", step * 1e3, note))
        ours = _module_seconds(net, batches)
        note = "baseline: torch's plain loop; loss, clipping and schedule of the module included"
        found.append(Measure(f"{name}: a step of training", ours * 1e3, "ms", step * 1e3, note))
    return found


class _Held:
    # Lightning takes a list for several loaders.
    def __init__(self, batches: list[dict[str, torch.Tensor]]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        return iter(self.batches)


def _read(data: WindowDataModule) -> None:
    for _ in data.train_dataloader():
        pass


def _plain_loop(net: torch.nn.Module) -> Callable[[Iterable[dict[str, torch.Tensor]]], None]:
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3)

    def loop(batches: Iterable[dict[str, torch.Tensor]]) -> None:
        for batch in batches:
            heads = net(batch["x"])
            parts = losses(heads, batch, torch.tensor(1.0))
            optimiser.zero_grad()
            total(parts, FitConfig().loss).backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    return loop


def _module_seconds(net: torch.nn.Module, batches: list[dict[str, torch.Tensor]]) -> float:
    # One epoch of Lightning over the same batches; a first one warms it up.
    import logging
    import warnings

    import lightning

    class Timer(lightning.Callback):
        def __init__(self) -> None:
            self.spent: list[float] = []

        def on_train_epoch_start(self, *_: Any) -> None:
            self.began = time.process_time()

        def on_train_epoch_end(self, *_: Any) -> None:
            self.spent.append(time.process_time() - self.began)

    timer = Timer()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            accelerator="cpu", devices=1, max_epochs=4, logger=False, enable_checkpointing=False, callbacks=[timer],
            enable_progress_bar=False, enable_model_summary=False, gradient_clip_val=1.0, default_root_dir=folder,
            limit_val_batches=0,
        )  # fmt: skip
        trainer.fit(MultitaskModule(net, FitConfig(), steps=4 * len(batches)), train_dataloaders=_Held(batches))
    return statistics.median(timer.spent[1:]) / len(batches)


def _cpu_seconds(work: Callable[[], object], repeats: int = _REPEATS) -> float:
    spent = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return statistics.median(spent)
