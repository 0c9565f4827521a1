"""What tells skill from luck: how good the best of many trials looks by chance, and how often it fails later.

Ratios here are per period, never annualised.
"""

from fathom.backtests.significance.overfitting import Overfitting, overfitting
from fathom.backtests.significance.sentence import luck_sentence
from fathom.backtests.significance.sharpe_tests import (
    RatioMoments,
    deflated_sharpe,
    expected_max_sharpe,
    min_track_record,
    probabilistic_sharpe,
)

__all__ = [
    "Overfitting",
    "RatioMoments",
    "deflated_sharpe",
    "expected_max_sharpe",
    "luck_sentence",
    "min_track_record",
    "overfitting",
    "probabilistic_sharpe",
]
