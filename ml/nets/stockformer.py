"""A transformer with one encoder for slow and one for fast movements, and a head for each task."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from fathom.ml.nets.heads import Heads, PredictionHeads


class Attention(nn.Module):
    """Multi-head attention of one sequence over another, with a residual feed-forward layer; normalised before.

    A. Vaswani et al., "Attention is all you need", NeurIPS 2017, arXiv:1706.03762.

    Examples
    --------
    >>> Attention(8, heads=2, dropout=0.0)(torch.zeros(1, 5, 8), torch.zeros(1, 6, 8)).shape
    torch.Size([1, 5, 8])
    """

    def __init__(self, size: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.norm, self.norm_other, self.norm_after = nn.LayerNorm(size), nn.LayerNorm(size), nn.LayerNorm(size)
        self.query, self.key_value = nn.Linear(size, size), nn.Linear(size, 2 * size)
        self.out = nn.Linear(size, size)
        self.feed_forward = nn.Sequential(
            nn.Linear(size, 2 * size), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * size, size), nn.Dropout(dropout)
        )

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        query = self._split(self.query(self.norm(x)))
        key, value = (self._split(part) for part in self.key_value(self.norm_other(other)).chunk(2, dim=-1))
        chance = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(query, key, value, dropout_p=chance)
        x = x + self.out(mixed.transpose(1, 2).reshape(x.shape))
        changed: Tensor = x + self.feed_forward(self.norm_after(x))
        return changed

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)


class Stockformer(nn.Module):
    """Split a window into slow and fast parts, encode each in its own way, fuse them by attention.

    The Haar wavelet without decimation gives the slow part ``(x[t] + x[t-1]) / 2`` and the fast one
    ``(x[t] - x[t-1]) / 2``. Self-attention encodes the slow part, dilated causal convolutions the fast one; attention
    of the slow over the fast sequence fuses them; direction, return and volatility are learned together. After B. Ma,
    Y. Xue, Y. Lu, J. Chen, "Stockformer: A price-volume factor stock selection model based on wavelet transform and
    multi-task self-attention networks", 2024, arXiv:2401.06139, without its attention between stocks: a window is of
    one instrument.

    Parameters
    ----------
    features, window : int
        Columns and rows of a window.
    groups : mapping, optional
        Not used.
    size : int
        Channels; a multiple of `heads`.
    heads, layers : int
        Of the self-attention.
    dropout : float

    Examples
    --------
    >>> Stockformer(features=5, window=10, size=8, heads=2)(torch.zeros(3, 10, 5)).volatility.shape
    torch.Size([3])
    """

    def __init__(
        self,
        *,
        features: int,
        window: int,
        groups: Mapping[str, Sequence[int]] | None = None,
        size: int = 64,
        heads: int = 4,
        layers: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if size % heads:
            raise ValueError(f"Expected a size that is a multiple of {heads} heads, was {size}")
        self.embed = nn.Linear(features, size)
        self.position = nn.Parameter(torch.randn(window, size) * 0.02)
        self.slow = nn.ModuleList(Attention(size, heads=heads, dropout=dropout) for _ in range(layers))
        self.fast = nn.ModuleList(nn.Conv1d(size, size, 2, dilation=2**layer) for layer in range(layers + 1))
        self.fuse = Attention(size, heads=heads, dropout=dropout)
        self.norm = nn.LayerNorm(2 * size)
        self.heads = PredictionHeads(2 * size, dropout=dropout)

    def forward(self, x: Tensor) -> Heads:
        embedded = self.embed(x)
        before = torch.cat((embedded[:, :1], embedded[:, :-1]), dim=1)
        slow, fast = (embedded + before) * 0.5 + self.position, (embedded - before) * 0.5
        for layer in self.slow:
            slow = layer(slow, slow)
        fast = fast.transpose(1, 2)
        for dilation, convolution in enumerate(self.fast):
            fast = fast + functional.gelu(convolution(functional.pad(fast, (2**dilation, 0))))
        fused = self.fuse(slow, fast.transpose(1, 2))
        answer: Heads = self.heads(self.norm(torch.cat((fused[:, -1], fused.mean(dim=1)), dim=-1)))
        return answer
