"""Trading strategies: a policy turns state into signals.

A thin engine strategy turns signals into orders, and events into state.
"""

__all__: list[str] = []
