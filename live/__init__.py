"""The same system live: a node that trades on Bybit, its gate, kill switch and state, and an exchange to rehearse on.

Nothing here trades unless the user asks for it by name.
"""

__all__: list[str] = []
