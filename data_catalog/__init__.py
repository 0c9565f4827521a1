"""Market data at rest: what was imported, recorded or simulated, in the engine's Parquet layout, shared by backtests and training."""

__all__: list[str] = []
