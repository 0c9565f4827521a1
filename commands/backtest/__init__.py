"""The commands `fathom backtest`."""

__all__: list[str] = []
