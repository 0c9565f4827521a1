"""Messages on the bus: features, detections, signals, trade flags."""

__all__: list[str] = []
