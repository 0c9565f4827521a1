"""A stand-in of Bybit for rehearsals: V5 over REST and WebSockets, which matches orders against replayed books.

It is an exchange of its own and knows no engine, so that it can judge one.
"""

__all__: list[str] = []
