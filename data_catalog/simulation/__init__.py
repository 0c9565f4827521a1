"""Simulated markets: seedable L2 order flow whose truth is known, written to the same catalog as real data."""

__all__: list[str] = []
