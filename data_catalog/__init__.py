"""Market data at rest: imported, recorded or simulated, in the engine's Parquet layout.

Backtests and training read the same files.
"""

__all__: list[str] = []
