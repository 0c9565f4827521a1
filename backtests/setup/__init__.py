"""What a backtest is made of: configuration, data, venue models, and the files of its run directory."""

__all__: list[str] = []
