"""Checks of recorded data: sequence breaks, crossed books, duplicates, holes."""

__all__: list[str] = []
