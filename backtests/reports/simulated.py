"""What a run simulates and what it does not, in the words of its configuration."""

from typing import Any

from fathom.pages.formats import integer, number, percent

type Facts = list[tuple[str, str]]


def simulated(config: dict[str, Any], summary: dict[str, Any]) -> Facts:
    """Return labels and texts on fees, latency, fills, margin and funding; what the configuration lacks is left out.

    >>> simulated({"venue": {"fees": {"maker": 0.0002, "taker": 0.00055}}}, {})
    [('Fees', 'maker 0.0200 %, taker 0.0550 % of the notional')]
    """
    venue = config.get("venue", {})
    found: Facts = []
    if "fees" in venue:
        fees = venue["fees"]
        rates = f"maker {percent(fees['maker'], 4)}, taker {percent(fees['taker'], 4)}"
        found.append(("Fees", f"{rates} of the notional"))
    if "latency" in venue:
        found.append(("Latency", _latency(venue["latency"])))
    if "fill" in venue:
        found.append(("Fills", _fills(venue["fill"], "book" in config.get("data", {}).get("types", []))))
    if "leverage" in venue:
        closes = venue.get("liquidation", {}).get("enabled", False)
        text = f"leverage {number(venue['leverage'], 0)} ×, liquidation {'on' if closes else 'off'}"
        found.append(("Margin", text))
    if "funding" in summary:
        found.append(("Funding", _funding(summary["funding"])))
    return found


def _latency(latency: dict[str, float]) -> str:
    base = latency.get("base_ms", 0.0)
    kinds = [(name, base + latency.get(f"{name}_ms", 0.0)) for name in ("insert", "update", "cancel")]
    if len({value for _, value in kinds}) == 1:
        return f"{kinds[0][1]:g} ms from a command to its effect"
    return ", ".join(f"{name} {value:g} ms" for name, value in kinds)


def _fills(fill: dict[str, Any], book: bool) -> str:
    if not book:
        slip = percent(fill.get("slip_probability", 0.0), 0)
        return f"at the last price: there is no order book; market orders slip a tick with probability {slip}"
    queue = "limit orders wait in the queue" if fill.get("queue_position") else "limit orders do not wait in a queue"
    taken = "what is taken is gone" if fill.get("liquidity_consumption") else "what is taken stays"
    chance = fill.get("limit_probability", 1.0)
    touch = "" if chance >= 1.0 else f"; touched limit orders fill with probability {percent(chance, 0)}"
    return f"in the order book; {queue}, {taken}{touch}; nobody reacts to the orders"


def _funding(funding: dict[str, Any]) -> str:
    source = funding.get("source", "none")
    if source == "none":
        return "not simulated"
    return f"{'from the catalog' if source == 'catalog' else 'constant rate'}, {integer(funding['payments'])} payments"
