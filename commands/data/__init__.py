"""The commands `fathom data`."""

__all__: list[str] = []
