"""The check of the regime detector against the true regimes of simulated markets."""

__all__: list[str] = []
