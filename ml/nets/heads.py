"""What every net answers, and the last layer that answers it."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Heads(NamedTuple):
    """Answer of a net for a batch of windows.

    Parameters
    ----------
    logits : Tensor
        Shape (batch, 3): HOLD, BUY, SELL.
    confidence : Tensor
        Shape (batch,): logit of the probability that the most probable class is right.
    expected_return : Tensor
        Shape (batch,), bps.
    volatility : Tensor
        Shape (batch,), logarithm of bps.

    Examples
    --------
    >>> Heads(torch.zeros(2, 3), torch.zeros(2), torch.zeros(2), torch.zeros(2)).logits.shape
    torch.Size([2, 3])
    """

    logits: Tensor
    confidence: Tensor
    expected_return: Tensor
    volatility: Tensor


class PredictionHeads(nn.Module):
    """One linear layer a question; the confidence also sees the probabilities that it judges, without changing them.

    The targets in bps have the scale of their market and horizon: the layers answer in units of the training data's
    deviation, which `scale` sets once and the weights carry along.

    Parameters
    ----------
    size : int
        Length of the vector that sums a window up.
    dropout : float

    Examples
    --------
    >>> heads = PredictionHeads(8)
    >>> heads.scale(return_bps=4.0, volatility_bps=(1.0, 2.0, 4.0))
    >>> float(heads.return_unit), round(float(heads.volatility_centre), 3)
    (4.0, 0.693)
    """

    return_unit: Tensor
    volatility_centre: Tensor

    def __init__(self, size: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.direction = nn.Linear(size, 3)
        self.confidence = nn.Linear(size + 3, 1)
        self.moments = nn.Linear(size, 2)
        self.register_buffer("return_unit", torch.ones(()))
        self.register_buffer("volatility_centre", torch.zeros(()))

    def scale(self, *, return_bps: float, volatility_bps: tuple[float, ...]) -> None:
        """Set the standard deviation of the returns and the volatilities whose median is the centre."""
        if not return_bps > 0.0:
            raise ValueError(f"Expected a standard deviation above 0 bps, was {return_bps}")
        self.return_unit.fill_(return_bps)
        positive = [value for value in volatility_bps if value > 0.0]
        self.volatility_centre.copy_(torch.tensor(positive or [1.0]).log().median())

    def forward(self, summary: Tensor) -> Heads:
        summary = self.dropout(summary)
        logits = self.direction(summary)
        judged = torch.cat((summary, logits.detach().softmax(-1)), dim=-1)
        moments = self.moments(summary)
        return Heads(
            logits,
            self.confidence(judged)[:, 0],
            moments[:, 0] * self.return_unit,
            moments[:, 1] + self.volatility_centre,
        )


class AdditiveAttention(nn.Module):
    """Sum a sequence up: the mean of its steps, weighted by a learned score of each.

    ``score(h) = v' tanh(W h)``; D. Bahdanau, K. Cho, Y. Bengio, "Neural machine translation by jointly learning to
    align and translate", ICLR 2015, arXiv:1409.0473 (with a learned query in place of the decoder's state).

    Parameters
    ----------
    size, hidden : int
        Channels of the sequence, and of the score's layer.

    Examples
    --------
    >>> AdditiveAttention(4, 3)(torch.ones(2, 5, 4)).tolist()[0]
    [1.0, 1.0, 1.0, 1.0]
    """

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.project = nn.Linear(size, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, sequence: Tensor) -> Tensor:
        weights = self.score(self.project(sequence).tanh()).softmax(dim=1)
        # A product of matrices, not a sum over a product: one kernel call instead of two passes over the sequence.
        summary: Tensor = (weights.transpose(1, 2) @ sequence)[:, 0]
        return summary
