"""The account on a grid: equity from the engine's balance and marks, its parts from the books, and their comparison."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.backtests.account.depths import DepthMeter, Depths, Known, moments
from fathom.backtests.account.ledger import Books
from fathom.backtests.account.liquidation import Liquidation, insured
from fathom.backtests.account.marks import Marks
from fathom.backtests.engine.records import Records
from fathom.backtests.errors import RunError

type Floats = NDArray[np.float64]
type Times = NDArray[np.int64]

_CENT = 0.01


class Holding(NamedTuple):
    """One instrument on the grid: signed position, mark, exposure and unrealised profit, each of the grid's shape."""

    position: Floats
    mark: Floats
    exposure: Floats
    unrealized: Floats


class Curve(NamedTuple):
    """The account on the grid.

    Attributes
    ----------
    times_ns
        The grid.
    columns
        As in `equity.parquet`, without `ts`.
    holdings
        Instrument id -> its part.
    largest_difference
        Largest distance between the engine's equity and plain arithmetic over the fills.
    """

    times_ns: Times
    columns: dict[str, Floats]
    holdings: dict[str, Holding]
    largest_difference: float


def trace(
    times_ns: Times,
    records: Records,
    books: Books,
    marks: Mapping[str, Marks],
    multipliers: Mapping[str, float],
    smallest_unit: float,
    liquidation: Liquidation | None = None,
) -> Curve:
    """Return the account on the grid `times_ns`.

    The balance is the engine's; positions are valued at the mark. The same equity is computed again from nothing but
    the starting balance, the fills, their commissions and the funding payments. The engine rounds each realised profit
    to the currency's `smallest_unit`; beyond that and a cent, the two must agree. After a liquidation the insurance
    fund bears what the account would owe; this counts as price profit.

    Raises
    ------
    RunError
        They do not agree.
    """
    start = records.balances[0][1]
    balance = _last_before(times_ns, [(np.iinfo(np.int64).min, start), *records.balances])
    unrealized, gross, net = (np.zeros(times_ns.size) for _ in range(3))
    earned = np.zeros(times_ns.size)
    holdings = {}
    for name, priced in marks.items():
        holding, cash = _hold(times_ns, name, books, _on_grid(priced, priced.mark, times_ns), multipliers[name])
        holdings[name] = holding
        unrealized += holding.unrealized
        gross += np.abs(holding.exposure)
        net += holding.exposure
        earned += cash + holding.exposure
    fees = _sums(times_ns, [(entry.fill.ts_event, -entry.commission) for entry in books.entries])
    slippage = _sums(times_ns, [(entry.fill.ts_event, -entry.slippage) for entry in books.entries])
    funding = _sums(times_ns, [(payment.ts_event, payment.amount) for payment in records.payments])
    equity = balance + unrealized
    plain = start + earned + fees + funding
    largest = float(np.max(np.abs(equity - plain)))
    allowed = _CENT + smallest_unit * len(books.entries)
    if not largest <= allowed:
        at = int(np.argmax(np.abs(equity - plain)))
        raise RunError(
            f"Expected the engine's equity to equal the sum of its fills within {allowed:g}, was {equity[at]!r} "
            f"against {plain[at]!r} at sample {at}: the result cannot be trusted."
        )
    borne = insured(times_ns, equity, liquidation)
    equity, balance = equity + borne, balance + borne
    depths = _depths(times_ns, records, books, marks, multipliers, liquidation)
    columns = {
        "equity": equity,
        "balance": balance,
        "unrealized": unrealized,
        "pnl_price": equity - start - fees - funding - slippage,
        "pnl_fees": fees,
        "pnl_funding": funding,
        "pnl_slippage": slippage,
        "gross_exposure": gross,
        "net_exposure": net,
        "drawdown": depths.share,
        "drawdown_money": depths.money,
    }
    return Curve(times_ns, columns, holdings, largest)


def _depths(
    times_ns: Times,
    records: Records,
    books: Books,
    marks: Mapping[str, Marks],
    multipliers: Mapping[str, float],
    liquidation: Liquidation | None,
) -> Depths:
    balances = [(np.iinfo(np.int64).min, records.balances[0][1]), *records.balances]
    known = {name: Known.of(priced) for name, priced in marks.items()}
    changed = [at for at, _ in records.balances] + [entry.fill.ts_event for entry in books.entries]
    meter = DepthMeter(times_ns)
    for times in moments(times_ns, marks, np.array(changed, np.int64)):
        equity = _last_before(times, balances)
        for name, priced in known.items():
            equity += _hold(times, name, books, priced.at(times), multipliers[name])[0].unrealized
        meter.add(times, equity + insured(times, equity, liquidation))
    return meter.depths


def price_columns(curve: Curve, marks: Mapping[str, Marks]) -> dict[str, Any]:
    """Return the columns of `prices.parquet`: one row a time and instrument."""
    names = list(marks)
    order = np.argsort(np.tile(np.arange(curve.times_ns.size), len(names)), kind="stable")
    columns: dict[str, Any] = {
        "ts": np.tile(curve.times_ns, len(names))[order],
        "instrument_id": np.repeat(np.array(names), curve.times_ns.size)[order].tolist(),
    }
    for column in ("bid", "ask", "last", "mark"):
        values = [_on_grid(marks[name], getattr(marks[name], column), curve.times_ns) for name in names]
        stacked = np.concatenate(values)[order]
        columns[column] = [None if np.isnan(value) else value for value in stacked.tolist()]
    for column in ("position", "exposure", "unrealized"):
        columns[column] = np.concatenate([getattr(curve.holdings[name], column) for name in names])[order]
    return columns


def _hold(times_ns: Times, name: str, books: Books, mark: Floats, multiplier: float) -> tuple[Holding, Floats]:
    by_strategy: dict[str, list[tuple[int, float, float]]] = {}
    for entry in books.entries:
        if entry.fill.order.instrument_id == name:
            rows = by_strategy.setdefault(entry.fill.order.strategy_id, [])
            rows.append((entry.fill.ts_event, entry.after, entry.after * entry.average))
    position, cost = np.zeros(times_ns.size), np.zeros(times_ns.size)
    for rows in by_strategy.values():
        position += _last_before(times_ns, [(at, held) for at, held, _ in rows])
        cost += _last_before(times_ns, [(at, paid) for at, _, paid in rows])
    mine = [entry for entry in books.entries if entry.fill.order.instrument_id == name]
    cash = _sums(times_ns, [(e.fill.ts_event, -e.signed * e.fill.price * multiplier) for e in mine])
    position = np.round(position, 12) + 0.0  # what the sum of the strategies' leaves below is the floats' rounding
    exposure = np.where(position == 0.0, 0.0, position * mark * multiplier)
    # Strategies that are long and short by the same size are flat together: what lies between their prices stays.
    unrealized = exposure - cost * multiplier
    return Holding(position, mark, exposure, unrealized), cash


def _on_grid(marks: Marks, values: Floats, times_ns: Times) -> Floats:
    return np.asarray(values[np.searchsorted(marks.times_ns, times_ns)], np.float64)


def _last_before(times_ns: Times, rows: list[tuple[int, float]]) -> Floats:
    # The last value at or before each time; 0 before the first.
    if not rows:
        return np.zeros(times_ns.size)
    at = np.searchsorted(np.array([row[0] for row in rows]), times_ns, side="right")
    return np.concatenate(([0.0], [row[1] for row in rows]))[at]


def _sums(times_ns: Times, rows: list[tuple[int, float]]) -> Floats:
    # The sum of the values at or before each time.
    at = np.searchsorted(np.array([row[0] for row in rows], np.int64), times_ns, side="right")
    return np.concatenate(([0.0], np.cumsum([row[1] for row in rows])))[at]
