"""The commands `fathom train`."""

__all__: list[str] = []
