"""Pages and tables of one run or of several runs."""

__all__: list[str] = []
