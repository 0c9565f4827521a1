"""Trained models: artifacts, export, inference, registry, cards."""

__all__: list[str] = []
