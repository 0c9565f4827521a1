"""The live node: it builds the system of a backtest on live clients, warms it up, and runs it.

It is inert until a user arms it.
"""

__all__: list[str] = []
