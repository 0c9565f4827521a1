"""A rehearsal as a page: the auditor's verdict, the account, every order."""

from decimal import Decimal

import numpy as np

from fathom.live.node.rehearsal import Outcome
from fathom.pages import Page, Section, Tile
from fathom.pages.charts import BLUE, Chart, Curve
from fathom.pages.formats import counted, duration, integer, number, precise_utc
from fathom.pages.tables import empty, table


def rehearsal_html(outcome: Outcome) -> str:
    """Return a self-contained page."""
    net = float(outcome.net)
    tiles = (
        Tile(
            "Auditor",
            "clean" if outcome.clean else integer(len(outcome.findings) + len(outcome.errors)),
            "nothing happened that should not" if outcome.clean else "things that should not have happened",
            "good" if outcome.clean else "bad",
        ),
        Tile("Orders sent", integer(outcome.sent), f"{integer(outcome.executions)} executions"),
        Tile("Refused by the exchange", integer(sum(outcome.refused.values())), "" if outcome.refused else "none"),
        Tile("Net", f"{number(net, signed=True)} USDT", f"fees {number(float(outcome.fees))}"),
    )
    facts = (
        ("System", f"{outcome.digest}, the digest of its backtest"),
        ("Instruments", ", ".join(outcome.instruments)),
        ("Session", f"{duration(outcome.secs)} of trading after {number(outcome.warm_up_secs)} s of warm-up"),
        ("Exchange", f"{integer(outcome.events)} recorded messages replayed; orders match against the replayed book"),
        ("Signals", ", ".join(f"{integer(count)} {name}" for name, count in outcome.signals.items()) or "none"),
        ("Commands", ", ".join(f"{name} {integer(count)}" for name, count in outcome.commands.items()) or "none"),
    )
    return Page(
        kind="Rehearsal",
        title=outcome.name,
        subtitle=", ".join(outcome.instruments),
        tiles=tiles,
        facts=facts,
        warnings=(*outcome.findings, *outcome.errors, *outcome.notes),
        sections=(_account(outcome), _orders(outcome)),
        footer="A rehearsal shows that the live node works. How much a system earns is a question for backtests.",
    ).render()


def _account(outcome: Outcome) -> Section:
    times = np.array([time_ns for time_ns, _ in outcome.equity], np.int64)
    balance = np.array([float(Decimal(text)) for _, text in outcome.equity])
    if times.size < 2:
        return Section("account", "Wallet", empty("Nothing was filled."))
    chart = Chart("wallet", "Wallet balance, USDT", [Curve("Wallet", times, balance, BLUE, step=True)], digits=2)
    return Section("account", "Wallet", chart.html(), "As the exchange keeps it: after each execution, fees included.")


def _orders(outcome: Outcome) -> Section:
    rows = [
        [
            precise_utc(order.ts_init),
            order.instrument,
            f"{order.side} {order.type}{', reduce-only' if order.reduce_only else ''}",
            order.quantity,
            order.filled,
            order.status,
            order.order_id,
        ]
        for order in outcome.orders
    ]
    if not rows:
        return Section("orders", "Orders", empty("No order was sent."))
    heads = ["Sent", "Instrument", "Order", "Quantity", "Filled", "Ended", "Id"]
    return Section("orders", "Orders", table(heads, rows), f"The node's journal: {counted(len(rows), 'order')}.")
