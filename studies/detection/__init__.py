"""A detection run: every detector over a catalog, its tables and its page."""

__all__: list[str] = []
