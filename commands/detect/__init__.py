"""The commands `fathom detect`."""

__all__: list[str] = []
