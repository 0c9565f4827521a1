"""Detectors over bars: regime, flat market, Elliott waves, support and resistance."""

__all__: list[str] = []
