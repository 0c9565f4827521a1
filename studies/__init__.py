"""Offline work on a catalog that is no backtest: detection runs, the benchmark of the detectors, regimes."""

__all__: list[str] = []
