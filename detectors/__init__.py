"""Opinions on the state of a market, each with a confidence: manipulation, levels, waves and regimes."""

__all__: list[str] = []
