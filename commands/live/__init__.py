"""The commands of the live side: they build, check and rehearse.

No command here reaches a real exchange.
"""

__all__: list[str] = []
