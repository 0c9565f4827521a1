"""Ways into the catalog: archive files of exchanges, anybody's tables, and the downloads that bring them."""

__all__: list[str] = []
