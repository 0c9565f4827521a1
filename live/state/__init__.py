"""What survives a restart: limits, halts, brackets and states of components, in an append-only store.

A store that cannot be read halts trading.
"""

__all__: list[str] = []
