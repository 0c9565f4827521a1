"""Backtests: a validated configuration becomes an engine run, and the run becomes files and pages that can be compared."""

__all__: list[str] = []
