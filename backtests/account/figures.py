"""The figures of a run: its summary."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fathom.backtests.account import intervals, met_books, statistics, summary
from fathom.backtests.account.equity import Curve
from fathom.backtests.account.performance import CurveFigures, basket, figures
from fathom.backtests.account.periods import annual_return_refused, fitting_period, period_ends, ratios_refused, sample
from fathom.backtests.account.tables import Ground
from fathom.backtests.engine.records import Records
from fathom.backtests.setup.in_sample import in_sample
from fathom.settings.times import iso, moment_ns
from fathom.strategies.system_config import Actor, Strategy

type Floats = NDArray[np.float64]

_PERIOD_NAMES = {"second": "1s", "minute": "1m", "hour": "1h", "day": "1d"}
_FEWEST_RETURNS = 3


def summarize(ground: Ground, equity_interval: str) -> summary.Summary:
    """Return the summary of a run; figures that are not defined are None, with the reason in `undefined`."""
    resolved, feed, curve = ground.resolved, ground.feed, ground.curve
    config = resolved.config
    undefined: dict[str, str] = {}
    equity = curve.columns["equity"]
    span_ns = feed.end_ns - feed.start_ns
    start = ground.records.balances[0][1]
    depths = curve.columns["drawdown"], curve.columns["drawdown_money"]
    account, periods = _curve(curve.times_ns, equity, span_ns, depths)
    refused = annual_return_refused(span_ns) or _not_positive(curve)
    parts: list[Actor | Strategy] = [*resolved.actors, *resolved.strategies]
    return summary.Summary(
        name=config.name,
        config_hash=resolved.digest,
        seed=config.seed,
        currency=_currency(config.venue.starting_balance),
        instruments={name: _instrument(ground, name) for name in feed.instruments},
        strategies=ground.strategies,
        span=_span(moment_ns(config.data.start) or feed.start_ns, moment_ns(config.data.end) or feed.end_ns),
        data_span=_span(feed.start_ns, feed.end_ns),
        starting_equity=start,
        final_equity=float(equity[-1]),
        total_return=float(equity[-1]) / start - 1.0,
        annual_return=_defined(
            account.annual_return, "annual_return", refused or "the equity is not defined", undefined
        ),
        equity_interval=equity_interval,
        pnl=_pnl_of_curve(curve),
        net_interval=intervals.of_net(curve.times_ns, equity, config.seed),
        trade_interval=intervals.of_trade(_results(ground.rows), config.seed),
        risk=_risk(account, ratios_refused(span_ns) or _not_positive(curve), span_ns, periods, undefined),
        trades=_trades(ground.rows, undefined),
        orders=_orders(ground.records),
        fills=_fills(ground, undefined),
        exposure=_exposure(ground, undefined),
        benchmark=_benchmark(ground, span_ns, undefined),
        funding=summary.Funding(source=config.funding.source, payments=len(ground.records.payments)),
        ledger=summary.Ledger(samples=int(curve.times_ns.size), largest_difference=_tidy(curve.largest_difference)),
        events={**ground.counts, "total": sum(ground.counts.values())},
        in_sample=in_sample([part.parameters for part in parts], feed),
        notes=_notes(ground),
        undefined=dict(sorted(undefined.items())),
    )


def _results(rows: list[dict[str, Any]]) -> Floats:
    return np.array([row["pnl_net"] for row in rows if row["ts_closed"] is not None], np.float64)


def _instrument(ground: Ground, name: str) -> summary.Instrument:
    mine = [row for row in ground.rows if row["instrument_id"] == name]
    entries = [entry for entry in ground.books.entries if entry.fill.order.instrument_id == name]
    parts = {part: sum(row[f"pnl_{part}"] for row in mine) for part in ("price", "fees", "funding", "slippage")}
    marks = ground.curve.holdings[name].mark
    known = marks[~np.isnan(marks)]
    return summary.Instrument(
        pnl=_pnl(**parts),
        fills=len(entries),
        trades=sum(row["ts_closed"] is not None for row in mine),
        turnover=_tidy(sum(e.fill.price * e.quantity * ground.multipliers[name] for e in entries)),
        first_mark=float(known[0]) if known.size else None,
        last_mark=float(known[-1]) if known.size else None,
    )


def _pnl_of_curve(curve: Curve) -> summary.Pnl:
    return _pnl(**{part: float(curve.columns[f"pnl_{part}"][-1]) for part in ("price", "fees", "funding", "slippage")})


def _pnl(*, price: float, fees: float, funding: float, slippage: float) -> summary.Pnl:
    return summary.Pnl(
        net=_tidy(price + fees + funding + slippage),
        gross=_tidy(price + slippage),
        price=_tidy(price),
        fees=_tidy(fees),
        funding=_tidy(funding),
        slippage=_tidy(slippage),
    )


def _risk(curve: CurveFigures, refused: str, span_ns: int, periods: int, undefined: dict[str, str]) -> summary.Risk:
    if periods < _FEWEST_RETURNS:
        refused = f"fewer than {_FEWEST_RETURNS} periods"
    known = {}
    for name, value, reason in (
        ("volatility_annual", curve.volatility, "the equity did not vary"),
        ("sharpe", curve.sharpe, "the equity did not vary"),
        ("sortino", curve.sortino, "no period lost"),
    ):
        known[name] = _defined(np.nan if refused else value, f"risk.{name}", refused or reason, undefined)
    return summary.Risk(
        period=_PERIOD_NAMES[fitting_period(span_ns).name],
        periods=periods,
        max_drawdown=_tidy(curve.max_drawdown),
        max_drawdown_money=_tidy(curve.max_drawdown_money),
        longest_drawdown_secs=_tidy(curve.longest_drawdown_secs),
        **known,
    )


def _curve(
    times: NDArray[np.int64], values: Floats, span_ns: int, depths: tuple[Floats, Floats] | None = None
) -> tuple[CurveFigures, int]:
    period = fitting_period(span_ns)
    returns = statistics.simple_returns(sample(times, values, period_ends(int(times[0]), int(times[-1]), period)))
    return figures(times, values, returns, period, depths), int(returns.size)


def _trades(rows: list[dict[str, Any]], undefined: dict[str, str]) -> summary.Trades:
    shut = [row for row in rows if row["ts_closed"] is not None]
    net = _results(rows)
    held = np.array([row["holding_secs"] for row in shut], np.float64)
    won, lost = net[net > 0.0], net[net < 0.0]
    none = "no closed trade"

    def figure(name: str, value: float, reason: str) -> float | None:
        return _defined(_tidy(value), f"trades.{name}", reason, undefined)

    def of(values: Floats, function: Any) -> float:
        return float(function(values)) if values.size else np.nan

    return summary.Trades(
        closed=len(shut),
        open=len(rows) - len(shut),
        long=sum(row["side"] == "LONG" for row in shut),
        short=sum(row["side"] == "SHORT" for row in shut),
        wins=int(won.size),
        losses=int(lost.size),
        win_rate=figure("win_rate", statistics.win_rate(net), none),
        profit_factor=figure("profit_factor", statistics.profit_factor(net), "no losing trade" if net.size else none),
        expectancy=figure("expectancy", statistics.expectancy(net), none),
        mean_win=figure("mean_win", of(won, np.mean), "no winning trade" if net.size else none),
        mean_loss=figure("mean_loss", of(lost, np.mean), "no losing trade" if net.size else none),
        largest_win=figure("largest_win", of(won, np.max), "no winning trade" if net.size else none),
        largest_loss=figure("largest_loss", of(lost, np.min), "no losing trade" if net.size else none),
        holding_secs_mean=figure("holding_secs_mean", of(held, np.mean), none),
        holding_secs_median=figure("holding_secs_median", of(held, np.median), none),
        holding_secs_min=figure("holding_secs_min", of(held, np.min), none),
        holding_secs_max=figure("holding_secs_max", of(held, np.max), none),
    )


def _orders(records: Records) -> summary.Orders:
    def count(name: str) -> dict[str, int]:
        return dict(sorted(Counter(getattr(order, name) for order in records.orders).items()))

    return summary.Orders(
        count=len(records.orders), by_status=count("status"), by_type=count("type"), by_role=count("role")
    )


def _fills(ground: Ground, undefined: dict[str, str]) -> summary.Fills:
    entries = ground.books.entries
    weights = np.array([e.fill.price * e.quantity * ground.multipliers[e.fill.order.instrument_id] for e in entries])
    total = float(weights.sum())
    arrived = np.array([ground.arrival[e.fill.order.client_order_id] for e in entries], np.float64)
    prices, signed = np.array([e.fill.price for e in entries]), np.array([e.signed for e in entries])
    paid = (prices - arrived) * signed * weights / np.maximum(prices * np.abs(signed), 1e-300)
    known = ~np.isnan(arrived)
    maker = np.array([e.fill.liquidity == "MAKER" for e in entries], bool)
    slippage = sum(e.slippage for e in entries)
    fees = sum(e.commission for e in entries)

    def figure(name: str, value: float) -> float | None:
        return _defined(_tidy(value) if total else np.nan, f"fills.{name}", "no fill", undefined)

    return summary.Fills(
        count=len(entries),
        turnover=_tidy(total),
        maker_share=figure("maker_share", float(weights[maker].sum()) / total if total else np.nan),
        taker_share=figure("taker_share", float(weights[~maker].sum()) / total if total else np.nan),
        arrival_slippage_bps=_defined(
            _tidy(1e4 * float(paid[known].sum()) / float(weights[known].sum())) if known.any() else np.nan,
            "fills.arrival_slippage_bps",
            "no fill",
            undefined,
        ),
        slippage_bps=figure("slippage_bps", 1e4 * slippage / total if total else np.nan),
        fee_bps=figure("fee_bps", 1e4 * fees / total if total else np.nan),
    )


def _not_positive(curve: Curve) -> str:
    """Return why ratios over the equity are undefined; empty where the equity was always above zero."""
    below = np.flatnonzero(curve.columns["equity"] <= 0.0)
    return f"the equity was at or below zero, first at {iso(int(curve.times_ns[below[0]]))}" if below.size else ""


def _exposure(ground: Ground, undefined: dict[str, str]) -> summary.Exposure:
    curve = ground.curve
    gross, net = curve.columns["gross_exposure"], curve.columns["net_exposure"]
    # The ratio has a meaning only while there is equity; the notes say where there was none.
    positive = curve.columns["equity"] > 0.0
    leverage = gross[positive] / curve.columns["equity"][positive]
    none = "the equity was never above zero"
    start, end = int(curve.times_ns[0]), int(curve.times_ns[-1])
    opened = np.array([row["ts_opened"] for row in ground.rows], np.int64)
    closed = np.array([row["ts_closed"] or end for row in ground.rows], np.int64)
    held = statistics.time_in_market(opened, closed, start, end)
    return summary.Exposure(
        time_in_market=0.0 if np.isnan(held) else _tidy(held),
        gross_mean=_tidy(float(np.mean(gross))),
        gross_max=_tidy(float(np.max(gross))),
        net_mean=_tidy(float(np.mean(net))),
        leverage_mean=_defined(
            _tidy(np.mean(leverage)) if leverage.size else np.nan, "exposure.leverage_mean", none, undefined
        ),
        leverage_max=_defined(
            _tidy(np.max(leverage)) if leverage.size else np.nan, "exposure.leverage_max", none, undefined
        ),
    )


def _benchmark(ground: Ground, span_ns: int, undefined: dict[str, str]) -> summary.Benchmark:
    times, chosen = ground.curve.times_ns, ground.resolved.config.report.benchmark
    names = [chosen] if chosen else sorted(ground.curve.holdings)
    worth = basket({name: (times, ground.curve.holdings[name].mark) for name in names}, times)
    none = "no price of the instrument"
    values = [np.nan, np.nan, np.nan]
    if not np.isnan(worth).any():
        curve, _ = _curve(times, worth, span_ns)
        values = [curve.total_return, curve.max_drawdown, curve.sharpe]
        none = "the price did not vary"
    return summary.Benchmark(
        instruments=names,
        total_return=_defined(values[0], "benchmark.total_return", none, undefined),
        max_drawdown=_defined(values[1], "benchmark.max_drawdown", none, undefined),
        sharpe=_defined(values[2], "benchmark.sharpe", ratios_refused(span_ns) or none, undefined),
    )


def _notes(ground: Ground) -> list[str]:
    config, feed = ground.resolved.config, ground.feed
    notes = met_books.notes_of(ground.met, ground.marks)
    if config.funding.source == "none":
        perpetual = any(type(item).__name__ == "CryptoPerpetual" for item in feed.instruments.values())
        notes += ["No funding was paid: the configuration names no funding rates."] * perpetual
    elif config.funding.source == "constant":
        notes.append(
            f"Funding is a constant {config.funding.rate:g} every {config.funding.interval_hours} h, not the real rate."
        )
    if config.data.types == ["bars"]:
        notes.append(
            "The data are bars: an order sent at the close of a bar is filled at that close, and within a bar the "
            "order of high and low is unknown."
        )
    elif not config.data.has_book:
        notes.append("The data have no order book: orders are filled at the last trade, whatever their size.")
    if any(row["ts_closed"] is None for row in ground.rows):
        notes.append(
            "A position was still open at the end; it is valued at the last mark, without the cost of closing."
        )
    if not ground.resolved.strategies:
        notes.append("No strategy was configured: the data were replayed for nobody.")
    cut = sorted(name for name, marks in ground.marks.items() if not marks.whole)
    if cut:
        notes.append(
            f"The book of {', '.join(cut)} begins without a snapshot: until its levels change, they are missing. Begin "
            "data.start where a file begins."
        )
    if not config.venue.liquidation.enabled:
        notes += _margin_call(ground)
    if ground.liquidation is not None:
        notes.append(ground.liquidation.note(_currency(config.venue.starting_balance)))
    if reason := _not_positive(ground.curve):
        samples = int(np.count_nonzero(ground.curve.columns["equity"] <= 0.0))
        notes.append(
            f"Ratios over the equity are undefined, and leverage leaves out {samples:,} of "
            f"{ground.curve.times_ns.size:,} samples: {reason}."
        )
    refused = [order for order in ground.records.orders if order.status in ("REJECTED", "DENIED")]
    if refused:
        notes.append(f"{len(refused)} orders were rejected or denied; orders.parquet has the reasons.")
    return notes


def _margin_call(ground: Ground) -> list[str]:
    margin = np.zeros(ground.curve.times_ns.size)
    for name, holding in ground.curve.holdings.items():
        margin += np.abs(holding.exposure) * float(ground.feed.instruments[name].margin_maint)
    below = np.flatnonzero((margin > 0.0) & (ground.curve.columns["equity"] <= margin))
    if not below.size:
        return []
    at = iso(int(ground.curve.times_ns[below[0]]))
    return [
        f"The equity was below the maintenance margin at {at}: a venue would have liquidated the account. "
        "`venue.liquidation.enabled = true` simulates it."
    ]


def _span(start_ns: int, end_ns: int) -> summary.Span:
    return summary.Span(start=iso(start_ns), end=iso(end_ns), seconds=(end_ns - start_ns) / 1e9)


def _currency(balance: str) -> str:
    return balance.rpartition(" ")[2]


def _defined(value: float, name: str, reason: str, undefined: dict[str, str]) -> float | None:
    if np.isnan(value):
        undefined[name] = reason
        return None
    return float(value)


def _tidy(value: float) -> float:
    # Sums of floats leave digits that mean nothing; money and shares have no more than 10 decimals here.
    return round(float(value), 10) + 0.0
