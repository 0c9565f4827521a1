"""Measured properties of a market, and the comparison of two markets."""

__all__: list[str] = []
