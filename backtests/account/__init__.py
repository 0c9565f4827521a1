"""The account of a run: fills become a ledger, an equity curve, round trips and figures."""

__all__: list[str] = []
