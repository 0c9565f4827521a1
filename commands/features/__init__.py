"""The commands `fathom features`."""

__all__: list[str] = []
