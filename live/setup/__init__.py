"""What a live session needs to know: configuration, environment, keys, session folder.

Nothing here opens a connection.
"""

__all__: list[str] = []
