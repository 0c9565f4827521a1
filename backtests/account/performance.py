"""A run as curves and figures: what the tearsheet, the execution page and the comparison are made of."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fathom.backtests.account import statistics
from fathom.backtests.account.periods import (
    YEAR_NS,
    Period,
    annual_return_refused,
    fitting_period,
    period_ends,
    ratios_refused,
    sample,
)
from fathom.backtests.account.statistics import Floats, Times
from fathom.backtests.setup.counted_trial import trials_sentence
from fathom.backtests.setup.run_files import RunFiles

type Columns = dict[str, NDArray[Any]]

_KEPT: Final = ("alerts", "regimes", "decisions")
FEW_TRADES: Final = 30


@dataclass(frozen=True)
class CurveFigures:
    """The figures of one equity curve; NaN where undefined or where the span is too short to say.

    Attributes
    ----------
    total_return, annual_return, max_drawdown, max_drawdown_money, longest_drawdown_secs
        From the finest grid. Drawdowns are zero or negative; the longest one runs from the peak to the recovery, or to
        the end.
    volatility, sharpe, sharpe_error, sortino, calmar
        Annualised (365 days) from the returns per period.
    period_volatility, period_sharpe, best, worst, value_at_risk, expected_shortfall, positive, skewness, ...
        Of the returns per period, not annualised; the risk figures at 95 %.

    Examples
    --------
    >>> hour = 3600 * 10**9
    >>> figures(np.array([0, hour]), np.array([100.0, 101.0]), np.array([0.01]), fitting_period(hour)).total_return
    0.010000000000000009
    """

    total_return: float
    annual_return: float
    max_drawdown: float
    max_drawdown_money: float
    longest_drawdown_secs: float
    volatility: float
    sharpe: float
    sharpe_error: float
    sortino: float
    calmar: float
    period_volatility: float
    period_sharpe: float
    best: float
    worst: float
    value_at_risk: float
    expected_shortfall: float
    positive: float
    skewness: float
    excess_kurtosis: float


@dataclass(frozen=True)
class Performance:
    """The curves and figures of one run.

    Attributes
    ----------
    run_id, name, currency : str
    summary, config : dict
        `summary.json`, and the resolved configuration.
    times_ns, equity, benchmark : numpy.ndarray
        The finest grid, the account, and the benchmark scaled to the starting equity (NaN without any price): what
        `report.benchmark` names, else equal shares of all instruments.
    benchmark_name : str
    period : Period
        The return frequency; `ends_ns` its times, `returns` and `benchmark_returns` its returns (one less).
    prices : dict
        Instrument id -> the other columns of `prices.parquet`.
    equity_table, fills, positions, orders : dict
        Columns of the tables; times as int64 ns (-1: null), null numbers as NaN.
    strategy, hold : CurveFigures
        The figures of the account and of the benchmark.
    kept : dict
        Name -> columns of the tables `alerts` and `regimes` that detectors kept, and `decisions` that strategies kept;
        without those that are not there.
    trials : str
        How many things were tried on the data, in words; "" for a run from before that was counted.
    trial_count : int or None
        The same as a number; None where it was not counted.
    code : dict
        The user's own modules and their git commit, as `versions.json` has them.
    system : str
        Digest of what trades (`fathom.strategies.system_config`); "" for a run from before there was one.

    Examples
    --------
    >>> load(RunFiles("no/such/run"))
    Traceback (most recent call last):
    ...
    fathom.backtests.errors.NoRunError: Expected a run directory with a summary.json, was no/such/run. ...
    """

    run_id: str
    name: str
    currency: str
    summary: dict[str, Any]
    config: dict[str, Any]
    times_ns: Times
    equity: Floats
    benchmark: Floats
    benchmark_name: str
    period: Period
    ends_ns: Times
    returns: Floats
    benchmark_returns: Floats
    prices: dict[str, Columns]
    equity_table: Columns
    fills: Columns
    positions: Columns
    orders: Columns
    strategy: CurveFigures
    hold: CurveFigures
    kept: dict[str, Columns] = field(default_factory=dict)
    trials: str = ""
    trial_count: int | None = None
    code: dict[str, Any] = field(default_factory=dict)
    system: str = ""

    @property
    def depths(self) -> Floats:
        """Deepest drawdown from every mark since the row before, of each row of the finest grid."""
        return np.asarray(self.equity_table["drawdown"], np.float64)

    @property
    def spells(self) -> list[statistics.Spell]:
        """The drawdowns, the deepest first."""
        return sorted(statistics.drawdown_spells(self.equity, self.depths), key=lambda spell: spell.depth)

    @property
    def span_ns(self) -> int:
        """Length of the run."""
        return int(self.times_ns[-1] - self.times_ns[0])

    @property
    def years(self) -> float:
        """Length of the run in years of 365 days."""
        return self.span_ns / YEAR_NS

    @property
    def closed(self) -> NDArray[np.bool_]:
        """Which rows of `positions` are closed round trips."""
        return np.asarray(self.positions["ts_closed"] >= 0)

    @property
    def results(self) -> Floats:
        """Net result of each closed round trip."""
        return np.asarray(self.positions["pnl_net"][self.closed], np.float64)

    @property
    def time_in_market(self) -> float:
        """Share of the run in which a position was open, from the times of the positions."""
        start_ns, end_ns = int(self.times_ns[0]), int(self.times_ns[-1])
        closed_ns = np.where(self.closed, self.positions["ts_closed"], end_ns)
        return statistics.time_in_market(self.positions["ts_opened"], closed_ns, start_ns, end_ns)

    @property
    def traded(self) -> bool:
        """Whether anything was filled."""
        return bool(self.fills["price"].size)


def load(files: RunFiles, run_id: str | None = None) -> Performance:
    """Read a run directory and compute its figures; `run_id` is by default the name of the directory.

    Raises
    ------
    ValueError
        If `equity.parquet` has no row.
    """
    summary = files.summary()
    table = columns(files.table("equity"))
    times_ns, equity = table["ts"], table["equity"]
    if not times_ns.size:
        raise ValueError(f"Expected at least one row in {files.path / 'equity.parquet'}, was none.")
    prices = _by_instrument(files.table("prices"))
    config = tomllib.loads(files.config_text())
    held = config.get("report", {}).get("benchmark")
    bought = {held: prices[held]} if held in prices else prices
    benchmark = basket({name: (table["ts"], table["mark"]) for name, table in bought.items()}, times_ns) * equity[0]
    period = fitting_period(int(times_ns[-1] - times_ns[0]))
    ends_ns = period_ends(int(times_ns[0]), int(times_ns[-1]), period)
    returns = statistics.simple_returns(sample(times_ns, equity, ends_ns))
    benchmark_returns = statistics.simple_returns(sample(times_ns, benchmark, ends_ns))
    return Performance(
        run_id=run_id or files.run_id,
        name=str(summary["name"]),
        currency=str(summary["currency"]),
        summary=summary,
        config=config,
        times_ns=times_ns,
        equity=equity,
        benchmark=benchmark,
        benchmark_name=basket_name(list(bought)),
        period=period,
        ends_ns=ends_ns,
        returns=returns,
        benchmark_returns=benchmark_returns,
        prices=prices,
        equity_table=table,
        fills=columns(files.table("fills")),
        positions=columns(files.table("positions")),
        orders=columns(files.table("orders")),
        strategy=figures(times_ns, equity, returns, period, (table["drawdown"], table["drawdown_money"])),
        hold=figures(times_ns, benchmark, benchmark_returns, period),
        kept={name: columns(kept) for name in _KEPT if (kept := files.kept_table(name)) is not None},
        trials=trials_sentence(files),
        trial_count=files.trials().get("count"),
        code=files.versions().get("code", {}),
        system=files.versions().get("system", ""),
    )


def figures(
    times_ns: Times,
    equity: Floats,
    returns: Floats,
    period: Period,
    depths: tuple[Floats, Floats] | None = None,
) -> CurveFigures:
    """Return the figures of a curve from its finest grid, from its returns per period, and from its depths.

    The depths are those of every mark, as a share and in money (`fathom.backtests.account.depths`); without them, or
    where a run is from before they were kept, the drawdown is that of the grid.
    """
    span_ns = int(times_ns[-1] - times_ns[0])
    years = span_ns / YEAR_NS
    ratios, annual = not ratios_refused(span_ns), not annual_return_refused(span_ns)
    yearly = period.periods_per_year
    share, money = depths if depths is not None else (statistics.drawdown(equity), np.full(equity.size, np.nan))
    if np.isnan(money).any():
        money = equity - np.maximum.accumulate(equity)
    deepest = float(np.min(share))
    known = bool(np.all(np.isfinite(equity))) and returns.size > 0
    spells = statistics.drawdown_spells(equity, share) if known else []
    lengths = [times_ns[spell.recovery] - times_ns[spell.peak] for spell in spells]
    return CurveFigures(
        total_return=statistics.total_return(equity),
        annual_return=statistics.annual_return(equity, years) if annual else np.nan,
        max_drawdown=deepest,
        max_drawdown_money=float(np.min(money)),
        longest_drawdown_secs=float(max(lengths, default=0)) / 1e9 if known else np.nan,
        volatility=statistics.volatility(returns, yearly) if ratios else np.nan,
        sharpe=statistics.sharpe(returns, yearly) if ratios else np.nan,
        sharpe_error=statistics.sharpe_standard_error(returns, yearly) if ratios else np.nan,
        sortino=statistics.sortino(returns, yearly) if ratios else np.nan,
        calmar=statistics.annual_return(equity, years) / -deepest if annual and deepest < 0.0 else np.nan,
        period_volatility=statistics.volatility(returns, 1.0),
        period_sharpe=statistics.sharpe(returns, 1.0),
        best=float(np.max(returns)) if known else np.nan,
        worst=float(np.min(returns)) if known else np.nan,
        value_at_risk=statistics.value_at_risk(returns),
        expected_shortfall=statistics.expected_shortfall(returns),
        positive=statistics.win_rate(returns),
        skewness=statistics.skewness(returns),
        excess_kurtosis=statistics.excess_kurtosis(returns),
    )


def columns(table: pa.Table) -> Columns:
    """Return the columns of a table as numpy arrays: times as int64 ns (null: -1), numbers (NaN) and texts ("")."""
    result: Columns = {}
    for name, kind in zip(table.schema.names, table.schema.types, strict=True):
        column = table[name].combine_chunks()
        if pa.types.is_timestamp(kind):
            result[name] = column.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
        elif pa.types.is_string(kind):
            result[name] = np.array(column.fill_null("").to_pylist(), dtype=object)
        else:
            result[name] = column.to_numpy(zero_copy_only=False)
    return result


def select(table: Columns, rows: NDArray[Any]) -> Columns:
    """Return the chosen rows (mask or indices) of every column.

    >>> select({"a": np.array([1, 2, 3])}, np.array([2, 0]))["a"].tolist()
    [3, 1]
    """
    return {name: values[rows] for name, values in table.items()}


def executions(fills: Columns) -> Columns:
    """Return one row for each order, time and position: what a market order takes from several levels, together.

    Sizes and money are sums, prices and slippage means (weighted with size and notional), `position_after` the last;
    the column `fills` counts the rows of `fills` in each.

    >>> fills = {"client_order_id": np.array(["a", "a"], object), "ts_event": np.array([5, 5]), "position": np.zeros(2)}
    >>> fills |= {name: np.array([1.0, 3.0]) for name in ("quantity", "price", "notional", "commission")}
    >>> fills |= {name: np.array([1.0, 3.0]) for name in ("slippage", "slippage_bps", "position_after")}
    >>> one = executions(fills)
    >>> one["fills"].tolist(), one["quantity"].tolist(), one["price"].tolist()
    ([2], [4.0], [2.5])
    """
    count = fills["price"].size
    keys = [fills[name] for name in ("client_order_id", "ts_event", "position")]
    starts = np.ones(count, np.bool_)
    if count:
        starts[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    first = np.flatnonzero(starts)
    result = select(fills, first)
    if not count:
        return result | {"fills": first}
    sums = {name: np.add.reduceat(fills[name], first) for name in ("quantity", "notional", "commission", "slippage")}
    price = np.add.reduceat(fills["price"] * fills["quantity"], first) / sums["quantity"]
    bps = np.add.reduceat(fills["slippage_bps"] * fills["notional"], first) / sums["notional"]
    after = fills["position_after"][np.append(first[1:], count) - 1]
    means = {"price": price, "slippage_bps": bps, "position_after": after}
    return result | sums | means | {"fills": np.diff(first, append=count)}


def _by_instrument(prices: pa.Table) -> dict[str, Columns]:
    ids = prices["instrument_id"]
    others = prices.drop_columns(["instrument_id"])
    names = sorted(pc.unique(ids).to_pylist())
    return {name: columns(others.filter(pc.equal(ids, name))) for name in names}


def basket(marks: Mapping[str, tuple[Times, Floats]], times_ns: Times) -> Floats:
    """Return what equal shares of instruments, bought at the first mark of each and held, are worth for each unit paid.

    Parameters
    ----------
    marks : Mapping[str, tuple[numpy.ndarray, numpy.ndarray]]
        Instrument id -> times (ns, ascending) and prices; NaN where unknown.
    times_ns : numpy.ndarray
        When the worth is wanted.

    Returns
    -------
    numpy.ndarray
        Of the shape of `times_ns`; NaN throughout if no instrument has a price.

    Examples
    --------
    >>> times = np.array([0, 1])
    >>> basket({"A": (times, np.array([10.0, 11.0])), "B": (times, np.array([4.0, 4.0]))}, times).tolist()
    [1.0, 1.05]
    """
    growth = []
    for times, prices in marks.values():
        priced = np.isfinite(prices) & (prices > 0.0)
        if priced.any():
            held = sample(times[priced], prices[priced], times_ns)
            growth.append(held / held[0])
    return np.mean(growth, axis=0) if growth else np.full(times_ns.size, np.nan)


def basket_name(instruments: Sequence[str]) -> str:
    """Return what a benchmark of these instruments is called.

    >>> basket_name(["A", "B"])
    'buy and hold, equal shares of A and B'
    """
    if not instruments:
        return "no prices to buy and hold at"
    if len(instruments) == 1:
        return f"buy and hold {instruments[0]}"
    return f"buy and hold, equal shares of {' and '.join(instruments)}"
