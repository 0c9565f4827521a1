"""The `fathom` command: click and rich are used here and nowhere else."""

__all__: list[str] = []
