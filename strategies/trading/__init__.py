"""The half of a strategy that talks to the engine: orders, brackets, risk checks, the journal."""

__all__: list[str] = []
