"""Training of models: fits, walk-forward tests, tuning, and the ledger of trials."""

__all__: list[str] = []
