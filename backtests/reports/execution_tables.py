"""The tables of the execution page: results by instrument, costs by liquidity, every trade, what became of orders."""

from collections import Counter
from typing import Final

import numpy as np

from fathom.backtests.account.met_books import BookState
from fathom.backtests.account.performance import Columns, Performance, select
from fathom.pages import Section
from fathom.pages.bars import shares
from fathom.pages.formats import UNDEFINED, duration, integer, number, percent, precise_utc, significant
from fathom.pages.tables import Cell, Row, empty, signed, table

MOST_TRADES: Final = 1_000
"""Rows of the table of trades; the rest is in `positions.parquet`."""

_PARTS: Final = ("price", "slippage", "fees", "funding", "net")


def profit_by_instrument(run: Performance) -> str:
    """Return the table of the parts of the result, by instrument and in all (the sum of the account)."""
    names = sorted(set(run.positions["instrument_id"].tolist()))
    rows: list[Row] = []
    for name in names:
        some = select(run.positions, run.positions["instrument_id"] == name)
        rows.append([name, *(_amount(float(np.sum(some[f"pnl_{part}"]))) for part in _PARTS)])
    account = [float(run.equity_table[f"pnl_{part}"][-1]) for part in _PARTS[:-1]]
    rows.append(["Account", *(_amount(value) for value in (*account, float(run.equity[-1] - run.equity[0])))])
    return table(["Instrument", "Price", "Slippage", "Fees", "Funding", "Net"], rows, last_is_total=True)


def costs(run: Performance) -> str:
    """Return the table of fills, turnover, fees and slippage by liquidity and in all."""
    fills = run.fills
    kinds = sorted(set(fills["liquidity"].tolist()))
    rows: list[Row] = [_cost_row(kind.capitalize(), select(fills, fills["liquidity"] == kind)) for kind in kinds]
    rows.append(_cost_row("All", fills))
    head = ["", "Fills", "Turnover", "Fees", "Fees, bps", "Slippage, bps", "vs arrival, bps"]
    return table(head, rows, last_is_total=True)


def books(run: Performance) -> list[Section]:
    """Return what books the fills met; nothing where the data have no book, or the run is older than this table."""
    fills = run.fills
    known = select(fills, fills["book_state"] != "")
    if not known["price"].size:
        return []
    rows: list[Row] = []
    for state in BookState:
        some = select(known, known["book_state"] == state)
        if some["price"].size or state == BookState.SOUND:
            first = precise_utc(int(some["ts_event"][0])) if some["price"].size else UNDEFINED
            age = duration(float(np.max(some["book_age_secs"]))) if some["price"].size else UNDEFINED
            counts = integer(some["price"].size), number(float(np.sum(some["notional"])), 0)
            rows.append([Cell(state.meaning.capitalize(), style="wrap"), *counts, first, age])
    limit = run.config["venue"]["stale_book_secs"]
    note = f"venue.stale_book_secs = {limit:g}. What a fill earned in a book that is not sound is not to be had."
    body = table(["Book", "Fills", "Turnover", "First (UTC)", "Oldest"], rows)
    return [Section("books", "Books that the fills met", body, note)]


def trades(run: Performance) -> Section:
    """Return the sortable table of round trips: all, or the `MOST_TRADES` with the largest results."""
    positions = run.positions
    total = positions["pnl_net"].size
    note = f"In {run.currency}. Click on a heading to sort. Return: net of costs, on the largest size held."
    if total > MOST_TRADES:
        largest = np.sort(np.argsort(-np.abs(positions["pnl_net"]), kind="stable")[:MOST_TRADES])
        positions = select(positions, largest)
        note += f" The {MOST_TRADES:,} largest results of {total:,}; positions.parquet holds all."
    if not total:
        return Section("trades", "Trades", empty("No position was opened."))
    head = [
        *("#", "Instrument", "Side", "Opened (UTC)", "Held", "Size", "Entry", "Exit", "Exit by"),
        *("Price", "Slippage", "Fees", "Funding", "Net", "Return"),
    ]
    rows = [_trade_row(positions, row) for row in range(positions["pnl_net"].size)]
    unneeded = {"Instrument"} if len(run.prices) == 1 else set()
    if not np.any(positions["pnl_funding"]):
        unneeded.add("Funding")
    kept = [column for column, name in enumerate(head) if name not in unneeded]
    left = [at for at, column in enumerate(kept) if head[column] in {"Instrument", "Side", "Opened (UTC)", "Exit by"}]
    shown = [[row[column] for column in kept] for row in rows]
    body = table([head[column] for column in kept], shown, text_columns=left, sortable=True, scroll=True)
    return Section("trades", "Trades", body, note)


def orders(run: Performance) -> Section:
    """Return what became of the orders, by role, and why some were not filled."""
    status = run.orders["status"]
    if not status.size:
        return Section("orders", "Orders", empty("The strategy sent no order."))
    found = [name for name, _ in Counter(status.tolist()).most_common()]
    found.sort(key=lambda name: name != "FILLED")
    roles = [name for name, _ in Counter(run.orders["role"].tolist()).most_common()]
    rows: list[Row] = [_order_row(role.capitalize(), run.orders, run.orders["role"] == role, found) for role in roles]
    rows.append(_order_row("All", run.orders, np.ones(status.size, np.bool_), found))
    head = ["Role", "Sent", *(name.replace("_", " ").lower() for name in found), "Quantity filled"]
    body = shares([(name.lower(), float(np.sum(status == name))) for name in found], "Orders by outcome")
    body += table(head, rows, last_is_total=True)
    missed = (run.orders["reason"] != "") & (status != "FILLED")
    reasons = Counter(zip(status[missed].tolist(), run.orders["reason"][missed].tolist(), strict=True))
    if reasons:
        listed = [
            [outcome.lower(), Cell(reason, style="wrap"), Cell(integer(count), float(count))]
            for (outcome, reason), count in reasons.most_common(12)
        ]
        body += table(["Outcome", "Reason", "Orders"], listed, text_columns=(1,))
    return Section("orders", "What became of the orders", body, f"{integer(status.size)} orders.")


def _cost_row(name: str, fills: Columns) -> Row:
    turnover, fees = float(np.sum(fills["notional"])), float(np.sum(fills["commission"]))
    return [
        name,
        integer(fills["price"].size),
        number(turnover, 0),
        number(fees),
        number(fees / turnover * 1e4) if turnover else UNDEFINED,
        number(_weighted(fills["slippage_bps"], fills["notional"]), signed=True),
        number(_weighted(fills["arrival_slippage_bps"], fills["notional"]), signed=True),
    ]


def _trade_row(positions: Columns, row: int) -> Row:
    def take(name: str) -> float:
        return float(positions[name][row])

    still_open = positions["ts_closed"][row] < 0
    opened, number_of = int(positions["ts_opened"][row]), int(positions["position"][row])
    return [
        Cell(str(number_of), float(number_of)),
        positions["instrument_id"][row],
        positions["side"][row].lower(),
        Cell(precise_utc(opened), float(opened)),
        Cell("open" if still_open else duration(take("holding_secs")), take("holding_secs")),
        Cell(significant(take("peak_quantity")), take("peak_quantity")),
        Cell(significant(take("avg_px_open")), take("avg_px_open")),
        Cell(significant(take("avg_px_close")), None if still_open else take("avg_px_close")),
        positions["exit_role"][row].lower() or UNDEFINED,
        *(_amount(take(f"pnl_{part}")) for part in _PARTS[:-1]),
        signed(number(take("pnl_net"), signed=True), take("pnl_net")),
        signed(percent(take("return"), 3, signed=True), take("return")),
    ]


def _order_row(name: str, table_of_orders: Columns, chosen: np.typing.NDArray[np.bool_], found: list[str]) -> Row:
    some = select(table_of_orders, chosen)
    wanted = float(np.sum(some["quantity"]))
    filled = float(np.sum(some["filled_qty"])) / wanted if wanted else np.nan
    counts = [integer(float(np.sum(some["status"] == status))) for status in found]
    return [name, integer(some["status"].size), *counts, percent(filled, 1)]


def _amount(value: float) -> Cell:
    return Cell(number(value, signed=True), value)


def _weighted(values: np.typing.NDArray[np.float64], weights: np.typing.NDArray[np.float64]) -> float:
    known = np.isfinite(values)
    total = float(np.sum(weights[known]))
    return float(np.sum(values[known] * weights[known])) / total if total > 0.0 else np.nan
