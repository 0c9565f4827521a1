"""What Fathom asks of Bybit itself, beside the engine: a signed REST client and the facts of an account.

Its errors and logs never show a key.
"""

__all__: list[str] = []
