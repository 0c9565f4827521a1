"""The pure part of the strategies: signals, sizing, risk and protections, as functions of state to intents."""

__all__: list[str] = []
