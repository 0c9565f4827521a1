"""Settings of every command: TOML files in layers, errors that name the file and the field, times, whole-file
writes.
"""

__all__: list[str] = []
