"""What may stop trading: gate, kill switch, deadman, pacer, and the watches over sockets, clock and account.

Exits are always allowed.
"""

__all__: list[str] = []
