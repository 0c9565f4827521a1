"""The figures of a scorecard: what runs over several markets say together, and how sure that is."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy.stats import t as student

from fathom.backtests.account.performance import Performance
from fathom.backtests.account.statistics import Floats
from fathom.ml.scores.bootstrap import LEAST_BLOCKS, Interval, Resampler
from fathom.settings.times import periods_per_year

FEWEST_TRADES: Final = 2
"""Fewer trades have no spread."""

_FLAT: Final = 1e-14
_COLUMNS: Final = ("gain", "square", "trades", "wins", "won", "lost", "bps", "gross_bps", "fees_bps")
_AT: Final = {name: number for number, name in enumerate(_COLUMNS)}


class Trades(NamedTuple):
    """Closed round trips of a run.

    Attributes
    ----------
    closed_ns
        When each was closed.
    net
        Result in money.
    bps, gross_bps, fees_bps
        Net result, result of the price before fees and slippage, and fees, in bps of the notional.
    holding_secs
        How long each was held.
    """

    closed_ns: Floats
    net: Floats
    bps: Floats
    gross_bps: Floats
    fees_bps: Floats
    holding_secs: Floats


class Score(NamedTuple):
    """Runs of a strategy, or of several as one account, over one or more markets.

    Attributes
    ----------
    trades
        Closed round trips.
    win_rate, profit_factor, bps, gross_bps, fees_bps
        Of all trades together, with their intervals; the last three in bps of the notional of each trade, the mean.
    sharpe
        Of the returns over buckets of time, annualised by 365 days; NaN where all runs together are less than 30 days.
        The return is the gain over the starting balance.
    total_return
        Sum of the gains over the sum of the starting balances, over all runs.
    max_drawdown
        The deepest of any run, at or below zero.
    holding_secs
        The median.
    years
        Length of all runs together.
    """

    trades: int
    win_rate: Interval
    sharpe: Interval
    max_drawdown: float
    profit_factor: Interval
    bps: Interval
    gross_bps: Interval
    fees_bps: Interval
    total_return: float
    holding_secs: float
    years: float


class Look(NamedTuple):
    """One strategy on one market where there is nothing to earn.

    Attributes
    ----------
    strategy, market, seed
        Which.
    trades
        Closed round trips.
    bps
        Mean net result of a trade, with the interval of Student's t.
    p
        Of a mean as high as this or higher, were the true one zero; NaN for fewer than two trades.
    adjusted
        The same after Holm (1979): all looks are counted.

    Examples
    --------
    >>> Look("momentum", "null", 11, 0, Interval(0.0, 0.0, 0.0), 0.5, 1.0).adjusted
    1.0
    """

    strategy: str
    market: str
    seed: int
    trades: int
    bps: Interval
    p: float
    adjusted: float


def trades_of(run: Performance) -> Trades:
    """Return the closed round trips of a run."""
    kept = {name: np.asarray(values[run.closed]) for name, values in run.positions.items()}
    net = kept["pnl_net"].astype(np.float64)
    notional = kept["avg_px_open"] * kept["peak_quantity"]
    bps = 1e4 * kept["return"].astype(np.float64)
    # `return` divides by the notional with the multiplier in it; the other parts are scaled alike.
    share = np.divide(1e4, notional, out=np.zeros(net.size), where=notional > 0.0)
    return Trades(
        kept["ts_closed"].astype(np.float64),
        net,
        bps,
        kept["pnl_price"] * share,
        kept["pnl_fees"] * share,
        kept["holding_secs"].astype(np.float64),
    )


def score(
    accounts: Sequence[Sequence[Performance]],
    *,
    bucket_secs: float,
    block_secs: float,
    resamples: int,
    level: float = 0.95,
    seed: int = 1,
) -> Score:
    """Return the figures of one or more spans together.

    Parameters
    ----------
    accounts
        One element for each span (a market): the runs that share it, as one account with equal shares.
    bucket_secs, block_secs
        See `fathom.backtests.experiments.scorecard_config.ScorecardConfig`.
    resamples, level, seed
        Of the bootstrap: blocks of neighbouring buckets are drawn, over all spans.

    Raises
    ------
    ValueError
        Without any run.
    """
    if not accounts or not all(accounts):
        raise ValueError("Expected at least one run in each span, was none.")
    bucket_ns = round(bucket_secs * 1e9)
    sums = np.concatenate([_sums(runs, bucket_ns) for runs in accounts])
    total = sums.sum(axis=0)
    parts = [sums[:, _AT["gain"]] - total[_AT["gain"]] / len(sums)]
    for above in ("wins", "bps", "won"):
        share = total[_AT[above]] / total[_AT["trades"]] if total[_AT["trades"]] else 0.0
        parts.append(sums[:, _AT[above]] - share * sums[:, _AT["trades"]])
    resampler = _resampler(len(sums), bucket_ns, block_secs, resamples, seed).fitted(*parts)
    drawn = resampler.bucket_sums(sums)[1]
    found = [trades_of(run) for runs in accounts for run in runs]
    per_year = periods_per_year(bucket_ns, sum(runs[0].span_ns for runs in accounts))

    def interval(value: float, values: Floats) -> Interval:
        return resampler.interval(value, values, level)

    def ratio(above: str, below: str) -> Interval:
        return interval(*(_ratio(of[..., _AT[above]], of[..., _AT[below]]) for of in (total, drawn)))  # type: ignore[arg-type]

    holding = np.concatenate([trades.holding_secs for trades in found])
    balances = [float(run.equity[0]) for runs in accounts for run in runs]
    gains = [float(run.equity[-1] - run.equity[0]) for runs in accounts for run in runs]
    return Score(
        trades=int(total[_AT["trades"]]),
        win_rate=ratio("wins", "trades"),
        sharpe=interval(float(_sharpe(total, len(sums), per_year)), _sharpe(drawn, len(sums), per_year)),
        max_drawdown=min(run.strategy.max_drawdown for runs in accounts for run in runs),
        profit_factor=ratio("won", "lost"),
        bps=ratio("bps", "trades"),
        gross_bps=ratio("gross_bps", "trades"),
        fees_bps=ratio("fees_bps", "trades"),
        total_return=sum(gains) / sum(balances),
        holding_secs=float(np.median(holding)) if holding.size else np.nan,
        years=sum(runs[0].years for runs in accounts),
    )


def gain(
    whole: Sequence[Sequence[Performance]],
    without: Sequence[Sequence[Performance]],
    *,
    bucket_secs: float,
    block_secs: float,
    resamples: int,
    level: float = 0.95,
    seed: int = 1,
) -> tuple[Interval, Interval]:
    """Return what a part adds to the net result over some spans: in money, and as a share of the net without it.

    Both sides of a span are cut into the same buckets, and blocks are drawn for both at once. The share is of the
    absolute net without the part; NaN where that is zero.

    Parameters
    ----------
    whole, without
        The same spans in the same order, as for `score`: with the part, and without.
    bucket_secs, block_secs, resamples, level, seed
        See `score`.
    """
    bucket_ns = round(bucket_secs * 1e9)
    rows = []
    for pair in zip(whole, without, strict=True):
        sides = [np.sum(_aligned([_gains(run, bucket_ns) for run in runs]), axis=0) for runs in pair]
        rows.append(np.stack(_aligned(sides), axis=1))
    sums = np.concatenate(rows)
    resampler = _resampler(len(sums), bucket_ns, block_secs, resamples, seed)
    money = resampler.difference(sums[:, 0], sums[:, 1], level)
    net_without = sums[:, 1].sum()
    base = abs(float(net_without))
    share = Interval(*(value / base for value in money)) if base > 0.0 else Interval(np.nan, np.nan, np.nan)
    return money, share


def looks(runs: Sequence[tuple[str, str, int, Performance]], *, level: float = 0.95) -> list[Look]:
    """Return a look at each run (strategy, market, seed, run) on a market without anything to earn.

    The trades of a run do not overlap, and on a martingale their results do not depend on each other, so that Student's
    t holds. The test is one-sided: only a profit speaks of a leak.
    """
    tested = []
    for strategy, market, seed, run in runs:
        values = trades_of(run).bps
        tested.append((strategy, market, seed, values.size, *_t_test(values, level)))
    adjusted = holm([p for *_, p in tested])
    return [Look(*one, more) for one, more in zip(tested, adjusted, strict=True)]


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values adjusted for how many there are (Holm 1979); those that are NaN were no look, and stay.

    >>> holm([0.01, 0.04, float("nan"), 0.03])
    [0.03, 0.06, nan, 0.06]
    """
    known = sorted((value, at) for at, value in enumerate(p) if np.isfinite(value))
    found = [float("nan")] * len(p)
    least = 0.0
    for rank, (value, at) in enumerate(known):
        least = max(least, min(1.0, value * (len(known) - rank)))
        found[at] = least
    return found


def _t_test(values: Floats, level: float) -> tuple[Interval, float]:
    if values.size < FEWEST_TRADES:
        value = float(values.mean()) if values.size else np.nan
        return Interval(value, np.nan, np.nan), np.nan
    mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))
    if values.size < LEAST_BLOCKS:
        level = np.nan
    reach = error * float(student.ppf((1.0 + level) / 2.0, values.size - 1))
    p = float(student.sf(mean / error, values.size - 1)) if error > 0.0 else float(mean <= 0.0)
    return Interval(mean, mean - reach, mean + reach), p


def _sums(runs: Sequence[Performance], bucket_ns: int) -> Floats:
    # One row a bucket of the span; the columns are those of _COLUMNS, summed over the runs that share the account.
    balance = sum(float(run.equity[0]) for run in runs)
    gains = np.sum(_aligned([_gains(run, bucket_ns) for run in runs]), axis=0) / balance
    rows = np.zeros((gains.size, len(_COLUMNS)))
    rows[:, _AT["gain"]], rows[:, _AT["square"]] = gains, gains**2
    for run in runs:
        trades = trades_of(run)
        # A position that is closed at the very end, after the last event, belongs to the last bucket.
        at = np.clip((trades.closed_ns - run.times_ns[0]) // bucket_ns, 0, gains.size - 1).astype(np.int64)
        columns = {
            "trades": np.ones(at.size),
            "wins": (trades.net > 0.0).astype(np.float64),
            "won": np.maximum(trades.net, 0.0),
            "lost": np.maximum(-trades.net, 0.0),
            "bps": trades.bps,
            "gross_bps": trades.gross_bps,
            "fees_bps": trades.fees_bps,
        }
        for name, values in columns.items():
            rows[:, _AT[name]] += np.bincount(at, values, gains.size)
    return rows


def _gains(run: Performance, bucket_ns: int) -> Floats:
    count = max(2, round(run.span_ns / bucket_ns))
    edges = run.times_ns[0] + np.arange(count + 1) * bucket_ns
    at = np.clip(np.searchsorted(run.times_ns, edges, side="right") - 1, 0, run.times_ns.size - 1)
    at[-1] = run.times_ns.size - 1
    found: Floats = np.diff(run.equity[at])
    return found


def _aligned(rows: Sequence[Floats]) -> list[Floats]:
    # Two runs of one market may end a bucket apart: one still had a position to close. What is over goes to the last.
    shortest = min(row.size for row in rows)
    return [np.append(row[: shortest - 1], row[shortest - 1 :].sum()) for row in rows]


def _resampler(count: int, bucket_ns: int, block_secs: float, resamples: int, seed: int) -> Resampler:
    times = np.arange(count, dtype=np.int64) * bucket_ns
    return Resampler(times, bucket_ns=bucket_ns, block_ns=round(block_secs * 1e9), resamples=resamples, seed=seed)


def _ratio(above: Floats, below: Floats) -> Floats:
    found = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=found, where=below > 0.0)
    return found


def _sharpe(sums: Floats, count: int, per_year: float) -> Floats:
    mean = sums[..., _AT["gain"]] / count
    variance = (sums[..., _AT["square"]] - count * mean**2) / (count - 1)
    spread = np.sqrt(np.maximum(variance, 0.0))
    found: Floats = _ratio(mean, np.where(spread > _FLAT, spread, 0.0)) * np.sqrt(per_year)
    return found
