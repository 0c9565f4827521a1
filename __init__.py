"""Fathom: find out whether an order-book signal is worth trading, then trade it with the same code."""

__all__: list[str] = []
