"""The run of a backtest: engine, venue, actors and strategies over the events of a catalog.

It records what they did, and reports what they could not do.
"""

__all__: list[str] = []
