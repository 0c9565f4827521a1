"""Model inputs: each a recurrence over event rows or closed bars.

A feature is written once and driven live, in backtests and in batch.
"""

__all__: list[str] = []
