"""The files of a catalog: layout, Arrow schemas, writers, readers, and whole-or-nothing staging."""

__all__: list[str] = []
