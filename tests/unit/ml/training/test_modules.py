"""The loss: its parts by hand, its weights, and the schedule."""

import math
from itertools import chain

import numpy as np
import pytest
import torch

from fathom.ml.nets import Heads
from fathom.ml.samples.batch_order import BatchOrder
from fathom.ml.training.fit_config import FitConfig, LossConfig
from fathom.ml.training.modules import MultitaskModule, losses, total
from tests.makers import training_problem as problem


def test_every_part_is_that_of_its_formula() -> None:
    torch.manual_seed(1)
    heads = Heads(torch.randn(8, 3), torch.randn(8), torch.randn(8) * 5.0, torch.randn(8))
    batch = {
        "direction": torch.randint(0, 3, (8,)),
        "return_bps": torch.randn(8) * 5.0,
        "volatility_bps": torch.rand(8) * 3.0,
        "weight": torch.rand(8) + 0.5,
    }
    found = losses(heads, batch, torch.tensor(4.0))
    expected = dict.fromkeys(("direction", "confidence", "expected_return", "volatility", "right"), 0.0)
    for row in range(8):
        logits = heads.logits[row].tolist()
        truth = int(batch["direction"][row])
        normal = math.log(sum(math.exp(value) for value in logits))
        expected["direction"] += float(batch["weight"][row]) * (normal - logits[truth])
        right = float(logits.index(max(logits)) == truth)
        said = 1.0 / (1.0 + math.exp(-float(heads.confidence[row])))
        expected["confidence"] -= math.log(said if right else 1.0 - said)
        expected["right"] += right
        for name, error in (
            ("expected_return", float(heads.expected_return[row] - batch["return_bps"][row]) / 4.0),
            ("volatility", float(heads.volatility[row]) - math.log(float(batch["volatility_bps"][row]))),
        ):
            expected[name] += 0.5 * error**2 if abs(error) < 1.0 else abs(error) - 0.5
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-4), name
    config = LossConfig(direction=2.0, confidence=0.5, expected_return=0.0, volatility=1.0)
    by_hand = 2.0 * expected["direction"] / float(batch["weight"].sum())
    by_hand += (0.5 * expected["confidence"] + expected["volatility"]) / 8.0
    assert float(total(found, config)) == pytest.approx(by_hand, rel=1e-4)


def test_a_market_without_volatility_has_a_finite_loss() -> None:
    zeros = torch.zeros(2)
    batch = {"direction": torch.tensor([0, 1]), "return_bps": zeros, "volatility_bps": zeros, "weight": zeros + 1.0}
    found = losses(Heads(torch.zeros(2, 3), zeros, zeros, zeros), batch, torch.tensor(1.0))
    assert all(torch.isfinite(part).all() for part in found.values())


def test_the_rate_rises_and_falls() -> None:
    from fathom.ml.nets import build

    net = build("compact", features=5, window=8, **problem.TINY["compact"])
    module = MultitaskModule(net, FitConfig(warm_up=0.1), steps=1_000)
    rates = [module.rate(step) for step in range(1_001)]
    assert int(np.argmax(rates)) in (99, 100)
    assert rates[0] == pytest.approx(0.01)
    assert rates[-1] == pytest.approx(0.0, abs=1e-9)
    assert (np.diff(rates[100:]) <= 0.0).all()
    constant = MultitaskModule(net, FitConfig(schedule="constant", warm_up=0.0), steps=10)
    assert [constant.rate(step) for step in (0, 5, 10)] == [1.0, 1.0, 1.0]


def test_an_order_depends_on_seed_and_epoch_alone() -> None:
    order, other = BatchOrder(103, 10, seed=1), BatchOrder(103, 10, seed=1)
    epochs = [list(order) for _ in range(3)]
    other.start(2, first=4)
    assert list(other) == epochs[2][4:]
    assert all(sorted(chain.from_iterable(epoch)) == list(range(103)) for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert list(BatchOrder(103, 10, seed=2)) != epochs[0]


def test_a_small_rest_is_left_out_and_a_large_one_is_not() -> None:
    assert [len(BatchOrder(samples, 10, seed=1, drop_last=True)) for samples in (3, 10, 13, 15, 20)] == [1, 1, 1, 2, 2]
    with pytest.raises(ValueError, match="Expected samples and a batch size of 1 or more"):
        BatchOrder(0, 10, seed=1)
