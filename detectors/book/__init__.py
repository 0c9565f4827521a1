"""Detectors over the orders of a book: spoofing, layering, quote stuffing, RPI orders."""

__all__: list[str] = []
