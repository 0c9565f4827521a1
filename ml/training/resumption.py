"""Stop a training when it no longer gains, keep its best weights, and let it go on after a kill as if nothing happened.

Lightning's loops count batches in a way of their own that a restart in the middle of an epoch does not restore exactly.
So no state of Lightning is restored: a resumed training is a new one that begins with the batch after the last one it
knows of, with the weights, the optimiser, the schedule, the random numbers and the counts of that moment.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import lightning
import torch
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor

from fathom.ml.samples.datamodules import WindowDataModule
from fathom.ml.training.modules import MultitaskModule
from fathom.ml.training.snapshots import SnapshotError, load, save

WEIGHTS: Final = "weights.npz"
SNAPSHOT: Final = "snapshot.npz"

type Row = dict[str, float]


class Step(NamedTuple):
    """Where a training stands.

    Examples
    --------
    >>> Step(epoch=2, epochs=50, batch=10, batches=100, best=0.9).epoch
    2
    """

    epoch: int
    epochs: int
    batch: int
    batches: int
    best: float


class RemainingBatches:
    """The batches of an epoch after those that the module has done; without a length: the first epoch may be short."""

    def __init__(self, data: WindowDataModule, module: MultitaskModule) -> None:
        self.data, self.module = data, module

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        epoch, done = self.module.position
        self.data.order.start(epoch, first=done)
        return iter(self.data.train_dataloader())


class Resumption(Checkpoint):
    """Watch the validation score, keep the best weights, and write snapshots.

    It is a `Checkpoint`, which Lightning calls after every other callback: what it writes is the end of the moment.

    Parameters
    ----------
    folder : Path
        Of the files.
    fingerprint : str
        Of everything that decides the result; a snapshot of another training is refused.
    data : WindowDataModule
    on_epoch : callable, optional
        Given the row of each epoch that ends; what it raises ends the training.
    on_step : callable, optional
        Given a `Step` after each batch.

    Attributes
    ----------
    history : list of dict
        A row an epoch.
    best, best_epoch, waited
        Best score, its epoch, and epochs since.
    """

    def __init__(
        self,
        folder: Path,
        fingerprint: str,
        data: WindowDataModule,
        *,
        on_epoch: Callable[[Row], object] | None = None,
        on_step: Callable[[Step], object] | None = None,
    ) -> None:
        super().__init__()
        self.folder, self.fingerprint, self.data = folder, fingerprint, data
        self.on_epoch, self.on_step = on_epoch, on_step
        self.history: list[Row] = []
        self.best, self.best_epoch, self.waited = float("inf"), -1, 0
        self._state: dict[str, Any] | None = None
        self._saved = time.monotonic()
        self._epoch_began = time.perf_counter()

    def open(self, module: MultitaskModule) -> bool:
        """Read the snapshot of this training, where there is one; return whether there is.

        Raises
        ------
        SnapshotError
            Where it cannot be read, or is of a training with other settings or data.
        """
        path = self.folder / SNAPSHOT
        if not path.is_file():
            return False
        state = load(path)
        if state["fingerprint"] != self.fingerprint:
            raise SnapshotError(
                f"{path}: Expected the snapshot of a training with these settings and data "
                f"({self.fingerprint[:12]}), was of another ({state['fingerprint'][:12]}); name another folder, or "
                "remove it to begin anew"
            )
        self.history, self.waited = state["history"], state["waited"]
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        module.position = (int(state["position"][0]), int(state["position"][1]))
        self._state = state
        return True

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        state, self._state = self._state, None
        if state is None:
            return
        pl_module.load_state_dict(state["module"])
        trainer.optimizers[0].load_state_dict(state["optimiser"])
        trainer.lr_scheduler_configs[0].scheduler.load_state_dict(state["schedule"])
        pl_module.sums = {name: value.to(pl_module.device) for name, value in state["sums"].items()}
        # Last, as all of the above may draw random numbers.
        torch.set_rng_state(state["random"])
        if state["random_gpu"]:
            torch.cuda.set_rng_state_all(state["random_gpu"])

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        self._epoch_began = time.perf_counter()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # The module's own hook, which counts the batch, comes after those of the callbacks.
        epoch, done = pl_module.position[0], pl_module.position[1] + 1
        batches = len(self.data.order)
        if done < batches and time.monotonic() - self._saved >= pl_module.config.snapshot_secs:
            self._save(trainer, pl_module, (epoch, done))
        if self.on_step is not None:
            self.on_step(Step(epoch, pl_module.config.epochs, done, batches, self.best))

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        config, epoch = pl_module.config, pl_module.position[0] - 1
        row = {"epoch": float(epoch), "learning_rate": trainer.optimizers[0].param_groups[0]["lr"]}
        row |= {f"train_{name}": value for name, value in pl_module.train_row.items()}
        row |= {f"validation_{name}": value for name, value in pl_module.validation_row.items()}
        row["secs"] = time.perf_counter() - self._epoch_began
        self.history.append(row)
        score = row[f"validation_{config.monitor}"]
        gained = score < self.best
        if gained:
            self.best, self.best_epoch, self.waited = score, epoch, 0
            save(self.folder / WEIGHTS, {"net": pl_module.net.state_dict(), "answers": _tensors(pl_module.answers)})
        else:
            self.waited += 1
        if self.waited >= config.patience:
            trainer.should_stop = True
        if gained or trainer.should_stop or time.monotonic() - self._saved >= config.snapshot_secs:
            self._save(trainer, pl_module, pl_module.position)
        if self.on_epoch is not None:
            self.on_epoch(row)

    def _save(self, trainer: lightning.Trainer, module: MultitaskModule, position: tuple[int, int]) -> None:
        state = {
            "fingerprint": self.fingerprint,
            "position": position,
            "history": self.history,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "waited": self.waited,
            "sums": module.sums,
            "module": module.state_dict(),
            "optimiser": trainer.optimizers[0].state_dict(),
            "schedule": _plain(trainer.lr_scheduler_configs[0].scheduler.state_dict()),
            "random": torch.get_rng_state(),
            "random_gpu": torch.cuda.get_rng_state_all() if module.device.type == "cuda" else [],
        }
        save(self.folder / SNAPSHOT, state)
        self._saved = time.monotonic()


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if not callable(value)}


def _tensors(arrays: dict[str, Any]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
