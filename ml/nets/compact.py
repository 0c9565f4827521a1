"""A bilinear net of under 100,000 parameters that answers in a tenth of a millisecond."""

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from fathom.ml.nets.heads import Heads, PredictionHeads


class BilinearNorm(nn.Module):
    """Normalise a window along time and along features, and mix the two.

    D. T. Tran, J. Kanniainen, M. Gabbouj, A. Iosifidis, "Data normalization for bilinear structures in high-frequency
    financial time-series", ICPR 2020, doi:10.1109/ICPR48806.2021.9412547.

    Examples
    --------
    >>> BilinearNorm(3, 5)(torch.zeros(2, 3, 5)).abs().max().item()
    0.0
    """

    def __init__(self, features: int, window: int) -> None:
        super().__init__()
        self.time_scale, self.time_shift = nn.Parameter(torch.ones(features, 1)), nn.Parameter(torch.zeros(features, 1))
        self.feature_scale = nn.Parameter(torch.ones(1, window))
        self.feature_shift = nn.Parameter(torch.zeros(1, window))
        self.mix = nn.Parameter(torch.tensor([0.5, 0.5]))

    def forward(self, x: Tensor) -> Tensor:
        # Both normalisations are a factor and a shift: together they pass over the window once, which is most of the
        # net's time.
        time_factor, time_shift = _standardising(x, 2)
        feature_factor, feature_shift = _standardising(x, 1)
        time_scale, feature_scale = self.time_scale * self.mix[0], self.feature_scale * self.mix[1]
        factor = time_factor * time_scale + feature_factor * feature_scale
        shift = (time_shift * time_scale + self.time_shift * self.mix[0]) + (
            feature_shift * feature_scale + self.feature_shift * self.mix[1]
        )
        return x * factor + shift


class Bilinear(nn.Module):
    """Map a matrix from both sides: ``relu(W1 X W2 + B)``.

    Examples
    --------
    >>> Bilinear((4, 6), (3, 2))(torch.zeros(2, 4, 6)).shape
    torch.Size([2, 3, 2])
    """

    def __init__(self, before: tuple[int, int], after: tuple[int, int]) -> None:
        super().__init__()
        self.left = nn.Parameter(torch.empty(after[0], before[0]))
        self.right = nn.Parameter(torch.empty(before[1], after[1]))
        self.bias = nn.Parameter(torch.zeros(after))
        nn.init.kaiming_uniform_(self.left, nonlinearity="relu")
        nn.init.xavier_uniform_(self.right)

    def forward(self, x: Tensor) -> Tensor:
        return (self.left @ x @ self.right + self.bias).relu()


class TemporalAttention(nn.Module):
    """A bilinear layer whose steps are weighted by how they relate to the other steps (TABL).

    D. T. Tran, A. Iosifidis, J. Kanniainen, M. Gabbouj, "Temporal attention-augmented bilinear network for financial
    time-series data analysis", IEEE Transactions on Neural Networks and Learning Systems 30(5), 2019,
    doi:10.1109/TNNLS.2018.2869225.

    Examples
    --------
    >>> TemporalAttention((4, 6), 3)(torch.zeros(2, 4, 6)).shape
    torch.Size([2, 3])
    """

    others: Tensor

    def __init__(self, before: tuple[int, int], after: int) -> None:
        super().__init__()
        steps = before[1]
        self.left = nn.Parameter(torch.empty(after, before[0]))
        self.relation = nn.Parameter(torch.full((steps, steps), 1.0 / steps))
        self.share = nn.Parameter(torch.tensor(0.0))
        self.right = nn.Parameter(torch.full((steps, 1), 1.0 / steps))
        self.bias = nn.Parameter(torch.zeros(after, 1))
        # A step's weight on itself is fixed: attention is about the others.
        self.register_buffer("others", 1.0 - torch.eye(steps), persistent=False)
        nn.init.kaiming_uniform_(self.left, nonlinearity="linear")

    def forward(self, x: Tensor) -> Tensor:
        mapped = self.left @ x
        steps = mapped.shape[-1]
        relation = self.relation * self.others + (1.0 - self.others) / steps
        weighted = mapped * (mapped @ relation).softmax(dim=-1) * steps
        share = self.share.sigmoid()
        summary: Tensor = (weighted * share + mapped * (1.0 - share)) @ self.right + self.bias
        return summary[:, :, 0]


class Compact(nn.Module):
    """BiN-TABL: bilinear normalisation, two bilinear layers, and a bilinear layer with temporal attention.

    Parameters
    ----------
    features, window : int
        Columns and rows of a window.
    groups : mapping, optional
        Not used.
    channels, steps : sequence of int
        Rows and columns of the matrix after each bilinear layer.
    hidden : int
        Length of the summary.
    dropout : float

    Examples
    --------
    >>> net = Compact(features=200, window=60)
    >>> sum(weights.numel() for weights in net.parameters()) < 100_000
    True
    >>> net(torch.zeros(3, 60, 200)).confidence.shape
    torch.Size([3])
    """

    def __init__(
        self,
        *,
        features: int,
        window: int,
        groups: Mapping[str, Sequence[int]] | None = None,
        channels: Sequence[int] = (64, 48),
        steps: Sequence[int] = (24, 12),
        hidden: int = 32,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if len(channels) != len(steps) or not channels:
            raise ValueError(f"Expected as many steps as channels, was {list(steps)} and {list(channels)}")
        shapes = [(features, window), *zip(channels, steps, strict=True)]
        self.norm = BilinearNorm(features, window)
        self.layers = nn.ModuleList(Bilinear(before, after) for before, after in itertools.pairwise(shapes))
        self.dropout = nn.Dropout(dropout)
        self.attention = TemporalAttention(shapes[-1], hidden)
        self.heads = PredictionHeads(hidden, dropout=0.0)

    def forward(self, x: Tensor) -> Heads:
        matrix = self.norm(x.transpose(1, 2))
        for layer in self.layers:
            matrix = self.dropout(layer(matrix))
        answer: Heads = self.heads(self.attention(matrix).relu())
        return answer


def _standardising(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    # Deviations are squared, not values: where a column is far from 0 and hardly moves, the difference of two large
    # squares is rounding, which torch and ONNX Runtime round differently.
    mean = x.mean(dim=dim, keepdim=True)
    variance = (x - mean).square().mean(dim=dim, keepdim=True)
    # The floor keeps a column that does not move within the window at 0 instead of blowing its rounding up.
    factor = (variance + 1e-4).rsqrt()
    return factor, -mean * factor
