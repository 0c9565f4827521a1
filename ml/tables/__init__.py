"""Feature tables: built from a catalog, stored whole, described by statistics and figures."""

__all__: list[str] = []
