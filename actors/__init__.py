"""Thin engine actors: they subscribe, convert, call the pure core, publish, save and load."""

__all__: list[str] = []
