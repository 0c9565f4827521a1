"""Manipulation that is injected into recorded or simulated books, with its truth."""

__all__: list[str] = []
