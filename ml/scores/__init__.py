"""Scores of predictions: metrics, calibration, confidence intervals, returns of a policy."""

__all__: list[str] = []
