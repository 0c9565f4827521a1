"""An encoder for each kind of input, then one sequence of all of them."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from fathom.ml.nets.heads import AdditiveAttention, Heads, PredictionHeads


class Encoder(nn.Module):
    """Turn one group of columns into a sequence of vectors by two convolutions over time.

    Examples
    --------
    >>> Encoder([0, 2], 4, kernel=3, dropout=0.0)(torch.zeros(1, 10, 3)).shape
    torch.Size([1, 10, 4])
    """

    columns: Tensor

    def __init__(self, columns: Sequence[int], size: int, *, kernel: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("columns", torch.tensor(list(columns), dtype=torch.int64), persistent=False)
        parts: list[nn.Module] = []
        for before in (len(columns), size):
            parts += [
                nn.Conv1d(before, size, kernel, padding=kernel // 2),
                nn.BatchNorm1d(size),
                nn.ReLU(),
                nn.Dropout(dropout),
            ]
        self.convolutions = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        encoded: Tensor = self.convolutions(x[:, :, self.columns].transpose(1, 2)).transpose(1, 2)
        return encoded


class Fusion(nn.Module):
    """Separate encoders for the book, the candles and the indicators, mixed by a gate, then a GRU with attention.

    The gate weighs each encoder's vector at each step by what all of them see: J. Arevalo, T. Solorio,
    M. Montes-y-Gomez, F. Gonzalez, "Gated multimodal units for information fusion", ICLR workshop 2017,
    arXiv:1702.01992.

    Parameters
    ----------
    features, window : int
        Columns and rows of a window.
    groups : mapping, optional
        Columns of each encoder; one encoder of all columns by default. Every column belongs to one group.
    size : int
        Channels of an encoder.
    hidden : int
        Units of the GRU.
    kernel : int
        Steps that a convolution sees, odd.
    dropout : float

    Examples
    --------
    >>> net = Fusion(features=5, window=10, groups={"book": [0, 1, 2], "candles": [3, 4]}, size=4, hidden=6)
    >>> net(torch.zeros(3, 10, 5)).expected_return.shape
    torch.Size([3])
    """

    def __init__(
        self,
        *,
        features: int,
        window: int,
        groups: Mapping[str, Sequence[int]] | None = None,
        size: int = 64,
        hidden: int = 128,
        kernel: int = 3,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        columns = list((groups or {"all": range(features)}).values())
        if sorted(column for group in columns for column in group) != list(range(features)):
            raise ValueError(f"Expected each of {features} columns in one group, was {columns}")
        self.encoders = nn.ModuleList(Encoder(group, size, kernel=kernel, dropout=dropout) for group in columns)
        self.gate = nn.Linear(size * len(columns), size * len(columns))
        self.recurrent = nn.GRU(size * len(columns), hidden, batch_first=True)
        self.attention = AdditiveAttention(hidden, hidden)
        self.heads = PredictionHeads(hidden, dropout=dropout)

    def forward(self, x: Tensor) -> Heads:
        mixed = torch.cat([encoder(x) for encoder in self.encoders], dim=-1)
        sequence, _ = self.recurrent(mixed * self.gate(mixed).sigmoid())
        answer: Heads = self.heads(self.attention(sequence))
        return answer
