"""Backtests: a validated configuration becomes an engine run.

The run becomes files and pages that can be compared.
"""

__all__: list[str] = []
