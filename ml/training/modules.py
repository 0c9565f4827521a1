"""The multitask loss of a net, and what is counted of it over an epoch."""

import math
from typing import Any, Final

import lightning
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from fathom.ml.nets import Heads
from fathom.ml.scores.confusion import macro_f1
from fathom.ml.training.fit_config import FitConfig, LossConfig

PARTS: Final = ("direction", "confidence", "expected_return", "volatility")
_LEAST_VOLATILITY_BPS: Final = 0.01


def losses(heads: Heads, batch: dict[str, Tensor], return_unit: Tensor) -> dict[str, Tensor]:
    """Return each part of the loss, and how many directions are right, as sums over the batch with their weights.

    The confidence learns whether the most probable direction is right. This target is detached: the directions do not
    learn to be easily judged.

    Parameters
    ----------
    heads : Heads
    batch : dict
        ``direction``, ``return_bps``, ``volatility_bps`` and ``weight``; see `ml.samples.datamodules.WindowDataModule`.
    return_unit : Tensor
        Standard deviation of the returns, bps.

    Examples
    --------
    >>> heads = Heads(torch.zeros(2, 3), torch.zeros(2), torch.zeros(2), torch.zeros(2))
    >>> ones = torch.ones(2)
    >>> batch = {"direction": torch.tensor([0, 1]), "return_bps": ones, "volatility_bps": ones, "weight": ones}
    >>> found = losses(heads, batch, torch.tensor(1.0))
    >>> round(float(found["direction"]) / float(found["weight"]), 3), float(found["right"])
    (1.099, 1.0)
    """
    logits = heads.logits.float()
    weight, truth = batch["weight"], batch["direction"]
    right = (logits.detach().argmax(dim=1) == truth).float()
    volatility = batch["volatility_bps"].clamp(min=_LEAST_VOLATILITY_BPS).log()
    return {
        "direction": (functional.cross_entropy(logits, truth, reduction="none") * weight).sum(),
        "weight": weight.sum(),
        "confidence": functional.binary_cross_entropy_with_logits(heads.confidence.float(), right, reduction="sum"),
        "expected_return": functional.huber_loss(
            heads.expected_return.float() / return_unit, batch["return_bps"] / return_unit, reduction="sum"
        ),
        "volatility": functional.huber_loss(heads.volatility.float(), volatility, reduction="sum"),
        "right": right.sum(),
        "count": torch.tensor(float(len(truth)), device=truth.device),
    }


def total(parts: dict[str, Tensor], config: LossConfig) -> Tensor:
    """Return the loss: the mean of each part by its weight in `config`."""
    return sum(
        (
            getattr(config, name) * parts[name] / (parts["weight"] if name == "direction" else parts["count"])
            for name in PARTS
            if getattr(config, name) > 0.0
        ),
        start=torch.zeros((), device=parts["count"].device),
    )


class MultitaskModule(lightning.LightningModule):
    """Train a net on directions, confidence, return and volatility at once.

    Everything that a resumed training must know beyond weights, optimiser and random numbers is in `position` and
    `sums`: the epoch, the batches of it that are done, and what was counted in them.

    Parameters
    ----------
    net : Module
        See `fathom.ml.nets.build`.
    config : FitConfig
    steps : int
        Of the whole training, for the schedule of the learning rate.

    Attributes
    ----------
    position : tuple of int
        Epoch, and batches done in it.
    answers : dict
        What the net said of the validation samples in the last pass: ``logits``, ``confidence``, ``direction``.

    Examples
    --------
    >>> from fathom.ml.nets import build
    >>> module = MultitaskModule(build("compact", features=4, window=8), FitConfig(warm_up=0.5), steps=10)
    >>> [round(module.rate(step), 2) for step in (0, 4, 7, 10)]
    [0.2, 1.0, 0.65, 0.0]
    """

    def __init__(self, net: nn.Module, config: FitConfig, *, steps: int) -> None:
        super().__init__()
        self.net = net
        self.config = config
        self.steps = max(steps, 1)
        self.position = (0, 0)
        self.sums: dict[str, Tensor] = {}
        self.train_row: dict[str, float] = {}
        self.validation_row: dict[str, float] = {}
        self.answers: dict[str, NDArray[Any]] = {}
        self._validation: dict[str, Tensor] = {}
        self._answers: list[tuple[Tensor, ...]] = []

    def rate(self, step: int) -> float:
        """Return the learning rate of a step as a share of the highest."""
        warm_up = self.config.warm_up * self.steps
        if step < warm_up:
            return (step + 1) / warm_up if warm_up >= 1.0 else 1.0
        if self.config.schedule == "constant":
            return 1.0
        return 0.5 * (1.0 + math.cos(math.pi * min((step - warm_up) / max(self.steps - warm_up, 1.0), 1.0)))

    def forward(self, x: Tensor) -> Heads:
        heads: Heads = self.net(x)
        return heads

    def configure_optimizers(self) -> Any:
        config = self.config
        optimiser = torch.optim.AdamW(self.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, self.rate)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        parts = losses(self(batch["x"]), batch, self._return_unit)
        loss = total(parts, self.config.loss)
        _add(self.sums, parts)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        epoch, done = self.position
        self.position = (epoch, done + 1)

    def on_validation_epoch_start(self) -> None:
        self._validation, self._answers = {}, []

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        heads = self(batch["x"])
        _add(self._validation, losses(heads, batch, self._return_unit))
        self._answers.append((heads.logits.float(), heads.confidence.float(), batch["direction"]))

    def on_validation_epoch_end(self) -> None:
        names = ("logits", "confidence", "direction")
        columns = (torch.cat(parts).cpu().numpy() for parts in zip(*self._answers, strict=True))
        self.answers = dict(zip(names, columns, strict=True))
        self._answers = []
        self.validation_row = self._row(self._validation)
        self.validation_row["log_loss"] = float(
            functional.cross_entropy(
                torch.from_numpy(self.answers["logits"]), torch.from_numpy(self.answers["direction"])
            )
        )
        self.validation_row["f1_macro"] = macro_f1(self.answers["logits"].argmax(axis=1), self.answers["direction"])

    def on_train_epoch_end(self) -> None:
        self.train_row = self._row(self.sums)
        self.sums = {}
        self.position = (self.position[0] + 1, 0)

    @property
    def _return_unit(self) -> Tensor:
        unit = self.net.heads.return_unit  # type: ignore[union-attr]  # every net has heads
        assert isinstance(unit, Tensor)
        return unit

    def _row(self, sums: dict[str, Tensor]) -> dict[str, float]:
        means = {f"{name}_loss": sums[name] / sums["weight" if name == "direction" else "count"] for name in PARTS}
        row = {name: float(value) for name, value in means.items()}
        row["loss"] = float(total(sums, self.config.loss))
        row["accuracy"] = float(sums["right"] / sums["count"])
        return row


def _add(sums: dict[str, Tensor], parts: dict[str, Tensor]) -> None:
    for name, value in parts.items():
        value = value.detach().double() if value.device.type == "cpu" else value.detach()
        sums[name] = sums[name] + value if name in sums else value
