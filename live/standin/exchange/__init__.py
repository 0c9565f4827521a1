"""The exchange behind the wires: orders, matching, accounts and the ledger of all that happened.

It knows no socket and no clock but the one it is given, so that a test can drive it step by step.
"""

__all__: list[str] = []
