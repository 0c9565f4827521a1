"""Convolutions for shapes, a recurrent net for order, attention for what mattered."""

import itertools
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from fathom.ml.nets.heads import AdditiveAttention, Heads, PredictionHeads


class HybridCnnLstm(nn.Module):
    """Three convolutions over time (64, 128, 256 channels), a two-layer bidirectional LSTM, additive attention.

    Each convolution is followed by batch normalisation, ReLU and dropout. After Z. Zhang, S. Zohren, S. Roberts,
    "DeepLOB: Deep convolutional neural networks for limit order books", IEEE Transactions on Signal Processing 67(11),
    2019, doi:10.1109/TSP.2019.2907260, with features in place of raw levels and with attention in place of the last
    state.

    Parameters
    ----------
    features, window : int
        Columns and rows of a window.
    groups : mapping, optional
        Not used.
    channels : sequence of int
        Of the convolutions.
    hidden : int
        Units of the LSTM **in each direction**: 256 is the plain reading of "BiLSTM 256". With 128 the two directions
        have 256 together, at about three times the speed; docs/artifacts.md has the latencies of both.
    layers : int
        Of the LSTM.
    kernel : int
        Steps that a convolution sees, odd.
    dropout : float

    Examples
    --------
    >>> import torch
    >>> net = HybridCnnLstm(features=7, window=10, channels=(4, 8), hidden=6)
    >>> net(torch.zeros(3, 10, 7)).logits.shape
    torch.Size([3, 3])
    """

    def __init__(
        self,
        *,
        features: int,
        window: int,
        groups: Mapping[str, Sequence[int]] | None = None,
        channels: Sequence[int] = (64, 128, 256),
        hidden: int = 256,
        layers: int = 2,
        kernel: int = 3,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"Expected an odd kernel, was {kernel}")
        widths = (features, *channels)
        self.convolutions = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv1d(before, after, kernel, padding=kernel // 2),
                    nn.BatchNorm1d(after),
                    nn.ReLU(),
                    nn.Dropout(dropout),
                )
                for before, after in itertools.pairwise(widths)
            )
        )
        self.recurrent = nn.LSTM(
            widths[-1],
            hidden,
            layers,
            batch_first=True,
            bidirectional=True,
            dropout=dropout if layers > 1 else 0.0,
        )
        self.attention = AdditiveAttention(2 * hidden, hidden)
        self.heads = PredictionHeads(2 * hidden, dropout=dropout)

    def forward(self, x: Tensor) -> Heads:
        sequence, _ = self.recurrent(self.convolutions(x.transpose(1, 2)).transpose(1, 2))
        answer: Heads = self.heads(self.attention(sequence))
        return answer
