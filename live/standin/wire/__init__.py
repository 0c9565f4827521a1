"""The doors of the stand-in: signed REST calls, the three WebSockets and the server that holds them."""

__all__: list[str] = []
