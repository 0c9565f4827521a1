"""The first screen of a run's pages: the figures that matter, what they rest on, and what qualifies them."""

from typing import Any

import numpy as np

from fathom.backtests.account.intervals import interval_text
from fathom.backtests.account.performance import FEW_TRADES, Performance
from fathom.backtests.account.periods import ratios_refused
from fathom.backtests.reports.simulated import simulated
from fathom.backtests.setup.in_sample import IN_SAMPLE
from fathom.backtests.significance import luck_sentence
from fathom.pages import Tile
from fathom.pages.formats import UNDEFINED, counted, duration, integer, money, number, percent, tone, utc


def subtitle(run: Performance) -> str:
    """Return instruments and span in one line."""
    names = ", ".join(run.prices) or ", ".join(run.summary["instruments"])
    return f"{names} · {utc(int(run.times_ns[0]))} to {utc(int(run.times_ns[-1]))} UTC · {duration(run.span_ns / 1e9)}"


def tiles(run: Performance) -> tuple[Tile, ...]:
    """Return return, benchmark, drawdown, Sharpe ratio, trades and fees of the run."""
    strategy = run.strategy
    result = float(run.equity[-1] - run.equity[0])
    if not run.traded:
        sharpe = Tile("Sharpe ratio", UNDEFINED, "no trades")
    elif ratios_refused(run.span_ns):
        sharpe = Tile("Sharpe ratio", "n/a", ratios_refused(run.span_ns))
    else:
        error = f"± {number(2 * strategy.sharpe_error, 2)} (two standard errors)"
        sharpe = Tile("Sharpe ratio, annualised", number(strategy.sharpe), error if strategy.sharpe_error > 0 else "")
    fees = -float(run.equity_table["pnl_fees"][-1])
    turnover = float(np.sum(run.fills["notional"]))
    closed, still_open = int(run.closed.sum()), int((~run.closed).sum())
    wins = f"{percent(np.mean(run.results > 0.0), 0)} won" if closed else "none closed"
    return (
        Tile(
            "Return",
            percent(strategy.total_return, signed=True),
            money(result, run.currency, signed=True),
            tone(result) if run.traded and not _may_be_luck(run) else "",
        ),
        Tile("Benchmark", percent(run.hold.total_return, signed=True), _short_name(run.benchmark_name)),
        Tile("Max drawdown", percent(strategy.max_drawdown), money(strategy.max_drawdown_money, run.currency)),
        sharpe,
        Tile("Trades (round trips)", integer(closed), f"{wins}, {still_open} still open" if still_open else wins),
        Tile(
            f"Fees, {run.currency}",
            number(fees),
            f"{number(fees / turnover * 1e4)} bps of {number(turnover, 0)} turnover" if turnover else "",
        ),
    )


def facts(run: Performance) -> tuple[tuple[str, str], ...]:
    """Return what the figures rest on, as labels and texts."""
    summary = run.summary
    found = [
        ("Data", _data(summary)),
        ("Account", f"{money(float(run.equity[0]), run.currency)} at the start, marked to market {_grid(run)}"),
        ("Returns", f"{run.returns.size:,}, one a {run.period.name}; {_annualised(run)}"),
        ("Net result", f"{money(float(run.equity[-1] - run.equity[0]), run.currency, signed=True)}{_sure(run, 'net')}"),
        ("Trades", ", ".join(counted(*one) for one in _counts(run))),
        *(
            [("A round trip", f"{money(_mean(run), run.currency, signed=True)}{_sure(run, 'trade')}")]
            if run.closed.any()
            else []
        ),
        ("Strategies", ", ".join(summary["strategies"]) or "none"),
        *simulated(run.config, summary),
        *_code(run),
        *([("Trials", run.trials)] if run.trials else []),
        *_luck(run),
        ("Seed, config", f"{summary['seed']}, {summary['config_hash']}"),
        *([("System", run.system)] if run.system else []),
    ]
    return tuple(found)


def warnings(run: Performance) -> tuple[str, ...]:
    """Return the sentences that qualify the figures, the gravest first, then the notes of the run."""
    notes = [str(note) for note in run.summary["notes"]]
    found = [note for note in notes if note.startswith(IN_SAMPLE)]
    closed = int(run.closed.sum())
    account, trades = float(run.equity[-1] - run.equity[0]), float(np.sum(run.positions["pnl_net"]))
    # The engine rounds each commission to the currency's smallest unit: five standard deviations of that, in cents.
    if abs(account - trades) > 0.015 * np.sqrt(1 + run.fills["price"].size):
        sums = f"{money(account, run.currency, signed=True)} and {money(trades, run.currency, signed=True)}"
        found.append(f"The result of the account and the sum of the trades differ: {sums}.")
    if float(np.min(run.equity)) <= 0.0:
        found.append("The equity fell to zero or below: returns and ratios after that point mean nothing.")
    if not run.traded:
        found.append("No trades: no order was filled, so there is nothing to measure.")
    elif closed < FEW_TRADES:
        count = f"{closed} round trip{'s' * (closed != 1)}" if closed else "No closed round trip"
        found.append(f"{count}, fewer than {FEW_TRADES}: win rate, profit factor and ratios say little.")
    if ratios_refused(run.span_ns):
        found.append(
            f"The span of {duration(run.span_ns / 1e9)} is too short to annualise (under 30 days): "
            "annual return, volatility, Sharpe and Sortino are not shown."
        )
    elif run.traded and abs(run.strategy.sharpe) < 2.0 * run.strategy.sharpe_error:
        found.append("The Sharpe ratio is within two standard errors of zero: luck explains it as well as skill.")
    if run.traded and run.years < 1.0 and not ratios_refused(run.span_ns):
        found.append("Less than a year of data: the return is not annualised, and the ratios are extrapolated.")
    found += [note for note in notes if not note.startswith(IN_SAMPLE)]
    return tuple(found)


def _code(run: Performance) -> list[tuple[str, str]]:
    modules, git = run.code.get("modules", {}), run.code.get("git", "")
    names = ", ".join(f"{name} {digest[:12]}" for name, digest in sorted(modules.items()))
    return [("Own code", f"{names}; {f'git {git}' if git else 'outside of git'}")] if names else []


def _short_name(benchmark: str) -> str:
    count = benchmark.count(" and ", len("buy and hold"))
    return f"buy and hold, equal shares of {count + 1} instruments" if count else benchmark


def _mean(run: Performance) -> float:
    return float(np.mean(run.results))


def _luck(run: Performance) -> list[tuple[str, str]]:
    if not (run.trials and run.traded):
        return []
    return [("Skill or luck", luck_sentence(run.returns, run.trial_count, run.period.name))]


def _may_be_luck(run: Performance) -> bool:
    held = run.summary.get("net_interval") or {}
    return bool(held) and (held["low"] is None or held["low"] <= 0.0 <= held["high"])


def _sure(run: Performance, what: str) -> str:
    text = interval_text(run.summary.get(f"{what}_interval"), run.currency)
    return f"; {text}" if text else ""


def _annualised(run: Performance) -> str:
    if ratios_refused(run.span_ns):
        return "not annualised, the span is too short"
    return "ratios annualised with 365 days, risk-free rate 0"


def _grid(run: Performance) -> str:
    return f"every {duration(float(np.median(np.diff(run.times_ns))) / 1e9)}" if run.times_ns.size > 1 else "once"


def _counts(run: Performance) -> tuple[tuple[int, str], ...]:
    trips, fills, orders = int(run.closed.sum()), run.fills["price"].size, run.orders["side"].size
    return (trips, "round trip"), (fills, "fill"), (orders, "order")


def _data(summary: dict[str, Any]) -> str:
    span, events = summary["data_span"], summary["events"]
    found = [(name.replace("_", " "), count) for name, count in events.items() if count and name != "total"]
    kinds = [f"{integer(count)} {name}" for name, count in found]
    return f"{_when(span['start'])} to {_when(span['end'])} UTC: {', '.join(kinds)}"


def _when(text: str) -> str:
    return text.replace("T", " ")[:19]
