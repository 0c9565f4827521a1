"""The commands `fathom models`."""

__all__: list[str] = []
