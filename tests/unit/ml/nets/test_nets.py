"""Nets: what each answers, what it may see, and what names and settings it knows."""

from typing import Any

import pytest
import torch

from fathom.ml.nets import NETS, Heads, HybridCnnLstm, NetError, build
from tests.makers import training_problem as problem

GROUPS = {"orderbook": [0, 3], "candles": [1], "indicators": [2, 4]}


def tiny(name: str) -> torch.nn.Module:
    torch.manual_seed(1)
    return build(name, features=5, window=problem.WINDOW, groups=GROUPS, **problem.TINY.get(name, {}))


@pytest.mark.parametrize("name", sorted(NETS))
def test_a_window_is_answered_as_it_would_be_alone(name: str) -> None:
    net = tiny(name).eval()
    x = torch.randn(6, problem.WINDOW, 5)
    with torch.inference_mode():
        whole = net(x)
        for row in range(6):
            for part, alone in zip(whole, net(x[row : row + 1]), strict=True):
                torch.testing.assert_close(part[row : row + 1], alone, rtol=1e-5, atol=1e-6)
    assert isinstance(whole, Heads)
    assert [tuple(part.shape) for part in whole] == [(6, 3), (6,), (6,), (6,)]


@pytest.mark.parametrize("name", sorted(NETS))
def test_every_input_and_every_weight_counts(name: str) -> None:
    net = tiny(name).eval()
    x = torch.randn(4, problem.WINDOW, 5, requires_grad=True)
    heads = net(x)
    (
        heads.logits.square().sum() + heads.confidence.sum() + heads.expected_return.sum() + heads.volatility.sum()
    ).backward()
    assert x.grad is not None
    assert (x.grad.abs().sum(dim=0) > 0.0).all()
    # A bias before a normalisation, or a weight that only moves the attention of all steps alike, may have none.
    idle = [n for n, weight in net.named_parameters() if weight.grad is None]
    assert idle == []


@pytest.mark.parametrize("name", sorted(NETS))
def test_the_confidence_does_not_teach_the_directions(name: str) -> None:
    net = tiny(name).eval()
    heads = net(torch.randn(4, problem.WINDOW, 5))
    heads.confidence.sum().backward()
    direction = net.heads.direction  # type: ignore[union-attr]
    assert direction.weight.grad is None  # type: ignore[union-attr]


def test_the_hybrid_is_what_was_asked_for() -> None:
    net = HybridCnnLstm(features=200, window=60)
    kinds = [[type(layer).__name__ for layer in block] for block in net.convolutions]  # type: ignore[attr-defined]
    assert kinds == [["Conv1d", "BatchNorm1d", "ReLU", "Dropout"]] * 3
    assert [block[0].out_channels for block in net.convolutions] == [64, 128, 256]  # type: ignore[index]
    assert (net.recurrent.num_layers, net.recurrent.bidirectional, net.recurrent.hidden_size) == (2, True, 256)


def test_the_compact_net_is_compact() -> None:
    assert sum(weights.numel() for weights in build("compact", features=220).parameters()) < 100_000


def test_the_scale_of_the_targets_travels_with_the_weights() -> None:
    net = tiny("compact")
    net.heads.scale(return_bps=12.0, volatility_bps=(1.0, 3.0, 9.0))  # type: ignore[union-attr, operator]
    other = tiny("compact")
    other.load_state_dict(net.state_dict())
    assert float(other.heads.return_unit) == 12.0  # type: ignore[union-attr, arg-type]
    with pytest.raises(ValueError, match="above 0"):
        net.heads.scale(return_bps=0.0, volatility_bps=())  # type: ignore[union-attr, operator]


@pytest.mark.parametrize(
    ("name", "parameters", "problem_"),
    [
        ("compct", {}, "Did you mean 'compact'"),
        ("xyz", {}, "Expected the name of a net"),
        ("compact", {"hiden": 4}, "Did you mean 'hidden'"),
        ("compact", {"steps": [3]}, "Expected as many steps as channels"),
        ("stockformer", {"size": 9, "heads": 2}, "multiple of 2 heads, was 9"),
        ("hybrid_cnn_lstm", {"kernel": 4}, "Expected an odd kernel, was 4"),
        ("fusion", {"size": "many"}, "Expected settings that fusion can be built with"),
    ],
)
def test_what_cannot_be_built_is_explained(name: str, parameters: dict[str, Any], problem_: str) -> None:
    with pytest.raises(NetError, match=problem_):
        build(name, features=5, window=8, **parameters)


def test_groups_must_hold_every_column_once() -> None:
    with pytest.raises(NetError, match="Expected each of 5 columns in one group"):
        build("fusion", features=5, window=8, groups={"book": [0, 1], "candles": [1, 2]})
