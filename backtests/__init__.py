"""Backtests: a validated configuration becomes an engine run.
The run becomes files and pages that can be compared.
"""

from typing import TYPE_CHECKING

from fathom.settings.lazy_names import lazy_names

if TYPE_CHECKING:
    from fathom.backtests.backtest import run
    from fathom.backtests.results import Run
else:
    _PLACES = {"Run": "fathom.backtests.results", "run": "fathom.backtests.backtest"}
    __getattr__, __dir__ = lazy_names(__name__, _PLACES)

__all__ = ["Run", "run"]
