"""Events of a catalog or of the engine as rows, in the order in which the system could know them."""

__all__: list[str] = []
