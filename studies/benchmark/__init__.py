"""The benchmark of the detectors: markets with injected manipulation, fits, curves and a report."""

__all__: list[str] = []
