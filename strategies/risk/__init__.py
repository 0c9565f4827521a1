"""Limits of an account: which entries are allowed, how large they are, and when trading halts.

The code is pure: it knows no engine.
"""

__all__: list[str] = []
