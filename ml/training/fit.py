"""Train one net on one fold: until it no longer gains, on the CPU or a GPU, through kills, with calibrated answers."""

import logging
import signal
import warnings
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import lightning
import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from fathom.ml.errors import TrainingError
from fathom.ml.nets import PredictionHeads, build
from fathom.ml.samples.datamodules import WindowDataModule
from fathom.ml.scores.calibration import Calibration, calibrate, reliability
from fathom.ml.scores.confusion import macro_f1
from fathom.ml.scores.predictions import Predictions
from fathom.ml.training.fit_config import FitConfig, NetConfig
from fathom.ml.training.modules import MultitaskModule
from fathom.ml.training.resumption import SNAPSHOT, WEIGHTS, RemainingBatches, Resumption, Row, Step
from fathom.ml.training.snapshots import load
from fathom.settings.whole_files import write_whole

FIT: Final = "fit.json"
"""What is known of a training that has ended, beside `WEIGHTS`."""


class FitRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a training left, in ``fit.json``.

    Parameters
    ----------
    fingerprint : str
        Hash of the settings and the data.
    net : NetConfig
    features, window : int
        Columns and rows of a window.
    groups : dict
        Columns of each group of features.
    seed : int
    calibration : Calibration
        Fitted on the validation samples.
    best_epoch : int
        Whose weights are kept, counted from 0.
    history : list of dict
        A row an epoch.
    validation : dict
        Figures of the kept weights on the validation samples, before and after calibration.
    """

    fingerprint: str
    net: NetConfig
    features: int
    window: int
    groups: dict[str, list[int]]
    seed: int
    calibration: Calibration
    best_epoch: int
    history: list[dict[str, float]]
    validation: dict[str, float]


@dataclass(frozen=True)
class Trained:
    """A trained net with its calibration, ready to answer or to be exported.

    Attributes
    ----------
    net : Module
        With the best weights, on the CPU, for evaluation.
    record : FitRecord
    folder : Path
        Holds ``weights.npz`` and ``fit.json``.

    Examples
    --------
    >>> Trained.load("no/such/training")
    Traceback (most recent call last):
        ...
    fathom.ml.errors.TrainingError: no/such/training: Expected the folder of a training that has ended, was none; ...
    """

    net: nn.Module
    record: FitRecord
    folder: Path

    @classmethod
    def load(cls, folder: Path | str) -> "Trained":
        """Return what `fit` left in a folder.

        Raises
        ------
        TrainingError
            Where there is no training that has ended, or its files are damaged.
        """
        folder = Path(folder)
        try:
            record = msgspec.json.decode((folder / FIT).read_bytes(), type=FitRecord)
        except (OSError, msgspec.DecodeError):
            raise TrainingError(
                f"{folder}: Expected the folder of a training that has ended, was none; train first"
            ) from None
        net = build(
            record.net.name,
            features=record.features,
            window=record.window,
            groups=record.groups,
            **record.net.parameters,
        )
        net.load_state_dict(load(folder / WEIGHTS)["net"])
        return cls(net.eval(), record, folder)

    @property
    def temperature(self) -> float:
        """What the logits are divided by."""
        return self.record.calibration.temperature

    @property
    def history(self) -> list[dict[str, float]]:
        """A row an epoch."""
        return self.record.history

    def predict(self, batches: Iterable[dict[str, Tensor]]) -> Predictions:
        """Return the calibrated answers for batches such as those of `WindowDataModule.test_dataloader`.

        The net runs where the batches are.
        """
        found: list[list[np.ndarray]] = [[], [], []]
        try:
            with torch.inference_mode():
                for batch in batches:
                    heads = self.net.to(batch["x"].device)(batch["x"])
                    parts = (heads.logits, heads.confidence, heads.expected_return)
                    for kept, part in zip(found, parts, strict=True):
                        kept.append(part.float().cpu().numpy())
        finally:
            self.net.to("cpu")
        if not found[0]:
            raise TrainingError("Expected one batch or more to predict, was none")
        logits, confidence, expected = (np.concatenate(parts) for parts in found)
        calibration = self.record.calibration
        return Predictions.of(calibration.probabilities(logits), expected, calibration.confidence(confidence))


def fit(
    net: NetConfig,
    config: FitConfig,
    data: WindowDataModule,
    folder: Path | str,
    *,
    seed: int,
    on_epoch: Callable[[Row], object] | None = None,
    on_step: Callable[[Step], object] | None = None,
) -> Trained:
    """Train a net, or go on with a training that was killed, or return one that has ended.

    On the CPU, with the same seed and the same number of threads, a training that was killed and resumed ends with the
    same numbers, to the last bit, as one that was not.

    Parameters
    ----------
    net : NetConfig
    config : FitConfig
    data : WindowDataModule
        Its batches in its order; the validation samples decide when to stop, and the calibration.
    folder : Path or str
        Of this training alone; it is made.
    seed : int
        Of the weights and of dropout.
    on_epoch : callable, optional
        Given the row of each epoch as it ends; raise to stop.
    on_step : callable, optional
        Given a `Step` after each batch.

    Raises
    ------
    NetError
        Where the net or one of its settings is unknown.
    SnapshotError
        Where the folder holds another training.
    TrainingError
        Where there are no validation samples, or the loss is not a number.

    Examples
    --------
    >>> import tempfile
    >>> from fathom.ml.samples.datasets import Arrays
    >>> from fathom.ml.samples.label_config import LabelConfig
    >>> from fathom.ml.samples.splits import Fold
    >>> rng = np.random.default_rng(1)
    >>> arrays = Arrays.raw(rng.normal(size=(80, 2)), np.arange(80) * 10**9, 100.0 + rng.normal(size=80).cumsum())
    >>> samples = arrays.samples(LabelConfig(horizon_secs=1.0), window=5)
    >>> data = WindowDataModule(arrays, samples, Fold(0, np.arange(40), np.arange(45, 60), np.arange(65, 75)))
    >>> with tempfile.TemporaryDirectory() as path:
    ...     trained = fit(NetConfig(name="compact"), FitConfig(epochs=2, device="cpu"), data, path, seed=1)
    ...     again = fit(NetConfig(name="compact"), FitConfig(epochs=2, device="cpu"), data, path, seed=1)
    >>> len(trained.history), again.history == trained.history
    (2, True)
    >>> trained.predict(data.test_dataloader()).probabilities.shape
    (10, 3)
    """
    folder = Path(folder)
    if not len(data.fold.validation):
        raise TrainingError("Expected validation samples for early stopping, was none; lengthen the training span")
    fingerprint = _fingerprint(net, config, data, seed)
    if (folder / FIT).is_file():
        ended = Trained.load(folder)
        if ended.record.fingerprint == fingerprint:
            return ended
        raise TrainingError(
            f"{folder}: Expected a training with these settings and data ({fingerprint[:12]}), was another "
            f"({ended.record.fingerprint[:12]}); name another folder, or remove it"
        )
    with _torch(config, seed):
        built = build(net.name, features=data.features, window=data.window, groups=data.groups, **net.parameters)
        _scale(built, data)
        module = MultitaskModule(built, config, steps=len(data.order) * config.epochs)
        resumption = Resumption(folder, fingerprint, data, on_epoch=on_epoch, on_step=on_step)
        resumption.open(module)
        if module.position[0] < config.epochs and resumption.waited < config.patience:
            _run(module, config, data, resumption)
    return _ended(net, data, folder, fingerprint, seed, resumption)


def _run(module: MultitaskModule, config: FitConfig, data: WindowDataModule, resumption: Resumption) -> None:
    gpu = config.device == "gpu" or (config.device == "auto" and torch.cuda.is_available())
    mixed = config.precision == "bf16" or (config.precision == "auto" and gpu)
    trainer = lightning.Trainer(
        accelerator="gpu" if gpu else "cpu",
        devices=1,
        precision="bf16-mixed" if mixed else "32-true",
        max_epochs=config.epochs - module.position[0],
        gradient_clip_val=config.gradient_clip,
        callbacks=[resumption],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=resumption.folder,
    )
    before, on_interrupt = data.trainer, signal.getsignal(signal.SIGINT)
    data.trainer = trainer
    try:
        data.setup("fit")
        trainer.fit(module, train_dataloaders=RemainingBatches(data, module), val_dataloaders=data.val_dataloader())
    except SystemExit:
        # Lightning turns Ctrl-C into the end of the process, and lets no further one through.
        signal.signal(signal.SIGINT, on_interrupt)
        raise KeyboardInterrupt from None
    finally:
        data.trainer = before


def _ended(
    net: NetConfig, data: WindowDataModule, folder: Path, fingerprint: str, seed: int, resumption: Resumption
) -> Trained:
    if resumption.best_epoch < 0:
        raise TrainingError("Expected a loss that is a number, was none in any epoch; lower fit.learning_rate")
    answers = {name: value.numpy() for name, value in load(folder / WEIGHTS)["answers"].items()}
    calibration = calibrate(answers["logits"], answers["confidence"], answers["direction"])
    record = FitRecord(
        fingerprint=fingerprint,
        net=net,
        features=data.features,
        window=data.window,
        groups=data.groups,
        seed=seed,
        calibration=calibration,
        best_epoch=resumption.best_epoch,
        history=resumption.history,
        validation=_judged(answers, calibration),
    )
    write_whole(folder / FIT, msgspec.json.format(msgspec.json.encode(record), indent=1))
    (folder / SNAPSHOT).unlink(missing_ok=True)
    return Trained.load(folder)


def _judged(answers: dict[str, np.ndarray], calibration: Calibration) -> dict[str, float]:
    said, truth = answers["logits"].argmax(axis=1), answers["direction"]
    right = (said == truth).astype(np.int64)
    found = {"accuracy": float(right.mean()), "f1_macro": macro_f1(said, truth), "samples": float(len(truth))}
    for name, each in (("before", Calibration()), ("after", calibration)):
        probabilities = each.probabilities(answers["logits"])
        found[f"ece_{name}"] = reliability(probabilities.max(axis=1), right).error
        found[f"log_loss_{name}"] = float(-np.log(probabilities[np.arange(len(truth)), truth].clip(1e-12)).mean())
        found[f"confidence_ece_{name}"] = reliability(each.confidence(answers["confidence"]), right).error
    return found


def _scale(net: nn.Module, data: WindowDataModule) -> None:
    heads = net.heads
    assert isinstance(heads, PredictionHeads)
    returns = data.samples.return_bps[data.train_positions]
    volatility = data.samples.volatility_bps[data.train_positions]
    quantiles = np.quantile(volatility, (0.25, 0.5, 0.75))
    heads.scale(return_bps=float(returns.std()) or 1.0, volatility_bps=tuple(quantiles.tolist()))


def _fingerprint(net: NetConfig, config: FitConfig, data: WindowDataModule, seed: int) -> str:
    # What only decides how long it takes, or how much a kill costs, may change between two runs.
    plain = msgspec.structs.replace(config, snapshot_secs=0.0)
    settings = msgspec.json.encode((net, plain, data.scaler, seed, data.batch_size, data.seed), order="sorted")
    digest = sha256(settings + data.arrays.facts.hash.encode())
    for positions in (data.train_positions, data.fold.validation):
        digest.update(np.ascontiguousarray(data.samples.rows[positions], np.int64).tobytes())
    digest.update(np.ascontiguousarray(data.samples.classes[data.train_positions], np.int64).tobytes())
    digest.update(np.ascontiguousarray(data.class_weights, np.float64).tobytes())
    return digest.hexdigest()


@contextmanager
def _torch(config: FitConfig, seed: int) -> Any:
    threads, noisy = torch.get_num_threads(), logging.getLogger("lightning.pytorch").level
    cudnn = torch.backends.cudnn.deterministic
    torch.set_num_threads(config.threads)
    torch.backends.cudnn.deterministic = True
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.manual_seed(seed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Lightning, about loaders without workers and a GPU that is not used
            yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.deterministic = cudnn
        logging.getLogger("lightning.pytorch").setLevel(noisy)
