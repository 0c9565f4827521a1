"""Training samples: labels, splits, windows, and checks for leaks."""

__all__: list[str] = []
