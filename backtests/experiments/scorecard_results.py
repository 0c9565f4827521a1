"""The results of a scorecard beside its requirements."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from fathom.backtests.account.performance import FEW_TRADES, Performance, load
from fathom.backtests.experiments.ablation_variants import FULL
from fathom.backtests.experiments.scorecard import NO_VALIDATOR, Cell
from fathom.backtests.experiments.scorecard_config import Requirements, ScorecardConfig
from fathom.backtests.experiments.scorecard_figures import Look, Score, gain, looks, score
from fathom.backtests.setup.counted_trial import most_trials
from fathom.backtests.setup.in_sample import in_sample_notes
from fathom.backtests.setup.run_files import RunFiles
from fathom.ml.scores.bootstrap import Interval

ALL: Final = "all strategies"
"""Name of the row of all strategies as one account with equal shares."""
ALL_MARKETS: Final = "all"
"""Name of the markets together."""
SIGNIFICANT: Final = 0.05
"""A profit whose adjusted p is lower is significant."""

type Verdict = Literal["met", "not sure", "not met", "unknown"]


class Result(NamedTuple):
    """A strategy on the markets of one name, or on all of them.

    Attributes
    ----------
    strategy, market
        Which; `ALL` and `ALL_MARKETS` stand for all of them.
    score
        With everything in it.
    without
        Without the validator; None where it did not run so.
    gain, gain_share
        What the validator adds to the net result, in money and as a share.
    """

    strategy: str
    market: str
    score: Score
    without: Score | None
    gain: Interval
    gain_share: Interval


class Check(NamedTuple):
    """One requirement of one strategy: what was asked, what was found, and the verdict.

    The verdict is `met` where the value and its whole interval satisfy what was asked, `not sure` where only the value
    does or the trades are fewer than 30, too few for an interval to be believed, `not met` where it does not, and
    `unknown` without a value. A drawdown has no interval.

    Examples
    --------
    >>> check("Win rate", 0.55, Interval(0.6, 0.5, 0.7)).verdict
    'not sure'
    """

    name: str
    asked: float
    found: Interval
    verdict: Verdict


class Scorecard(NamedTuple):
    """A finished scorecard.

    Attributes
    ----------
    folder
        Where its runs lie.
    config
        The settings.
    results
        Market by market, then all of them; in each the strategies, then `ALL`.
    looks
        Every strategy on every null market.
    currency
        Of the accounts.
    runs
        Name of the cell -> run directory.
    in_sample
        Sentences that say where the models of its backtests have learnt from the same data.
    trials
        How many things were tried on its most tried data, in words.
    """

    folder: Path
    config: ScorecardConfig
    results: list[Result]
    looks: list[Look]
    currency: str
    runs: dict[str, str]
    in_sample: tuple[str, ...] = ()
    trials: str = ""


def compared(config: ScorecardConfig, folder: Path, done: Mapping[Cell, RunFiles]) -> Scorecard:
    """Return the results of finished runs."""
    runs = {cell: load(files) for cell, files in done.items()}
    edges = {cell: run for cell, run in runs.items() if cell.market.kind == "edge"}
    nulls = [
        (cell.strategy, cell.market.name, cell.seed, run) for cell, run in runs.items() if cell.market.kind == "null"
    ]
    names = list(dict.fromkeys(cell.market.name for cell in edges))
    results = []
    for market in [*names, ALL_MARKETS] if len(names) > 1 else names:
        chosen = {cell: run for cell, run in edges.items() if market in (cell.market.name, ALL_MARKETS)}
        strategies = list(dict.fromkeys(cell.strategy for cell in chosen))
        results += [_result(config, name, market, chosen) for name in strategies]
        if len(strategies) > 1:
            results.append(_result(config, ALL, market, chosen))
    currency = next(iter(runs.values())).currency
    paths = {cell.name: str(files.path) for cell, files in done.items()}
    seen = tuple(in_sample_notes(done.values()))
    return Scorecard(
        folder, config, results, looks(nulls, level=config.level), currency, paths, seen, most_trials(done.values())
    )


def checks(result: Result, asked: Requirements) -> list[Check]:
    """Return the requirements of a strategy with what was found; all together have a Sharpe ratio of their own."""
    found = result.score
    together = result.strategy == ALL
    sharpe = asked.overall_sharpe if together else asked.sharpe
    depth = -found.max_drawdown
    few = found.trades < FEW_TRADES
    rows = [
        check("Win rate", asked.win_rate, found.win_rate, few=few),
        check("Sharpe", sharpe, found.sharpe, few=few),
        check("Max drawdown", asked.max_drawdown, Interval(depth, np.nan, np.nan), below=True),
        check("Profit factor", asked.profit_factor, found.profit_factor, few=few),
    ]
    if result.without is not None:
        rows.append(check("Validator adds", asked.validator_gain, result.gain_share, few=few))
    return rows


def check(name: str, asked: float, found: Interval, *, below: bool = False, few: bool = False) -> Check:
    """Return a requirement with its verdict; `below`: the value must stay under what is asked."""
    verdict: Verdict
    if not np.isfinite(found.value):
        verdict = "unknown"
    elif below:
        verdict = "met" if found.value < asked else "not met"
    elif not found.value > asked:
        verdict = "not met"
    else:
        verdict = "met" if found.low > asked and not few else "not sure"
    return Check(name, asked, found, verdict)


def significant(scorecard: Scorecard) -> list[Look]:
    """Return the looks at null markets that show a profit beyond luck, all looks counted."""
    return [look for look in scorecard.looks if look.adjusted < SIGNIFICANT]


def _result(config: ScorecardConfig, strategy: str, market: str, runs: Mapping[Cell, Performance]) -> Result:
    settings: dict[str, Any] = {
        "bucket_secs": config.bucket_secs,
        "block_secs": config.block_secs,
        "resamples": config.resamples,
        "level": config.level,
        "seed": config.seed,
    }
    spans: dict[str, dict[tuple[str, int], list[Performance]]] = {FULL: {}, NO_VALIDATOR: {}}
    for cell, run in runs.items():
        if strategy in (cell.strategy, ALL):
            spans[cell.variant].setdefault((cell.market.name, cell.seed), []).append(run)
    whole = score(list(spans[FULL].values()), **settings)
    if not spans[NO_VALIDATOR]:
        unknown = Interval(np.nan, np.nan, np.nan)
        return Result(strategy, market, whole, None, unknown, unknown)
    without = score(list(spans[NO_VALIDATOR].values()), **settings)
    order = list(spans[FULL])
    adds, share = gain(list(spans[FULL].values()), [spans[NO_VALIDATOR][span] for span in order], **settings)
    return Result(strategy, market, whole, without, adds, share)


def as_json(scorecard: Scorecard) -> dict[str, Any]:
    """Return a scorecard as plain data; what is undefined is None."""
    results = []
    for result in scorecard.results:
        rows = checks(result, scorecard.config.requirements)
        results.append(
            {
                "strategy": result.strategy,
                "market": result.market,
                "score": _plain(result.score._asdict()),
                "without_validator": None if result.without is None else _plain(result.without._asdict()),
                "validator_adds": _plain(result.gain),
                "validator_adds_share": _plain(result.gain_share),
                "checks": [_plain(row._asdict()) for row in rows],
            }
        )
    return {
        "folder": str(scorecard.folder),
        "in_sample": list(scorecard.in_sample),
        "level": scorecard.config.level,
        "currency": scorecard.currency,
        "results": results,
        "null": [_plain(look._asdict()) for look in scorecard.looks],
        "null_significant": len(significant(scorecard)),
        "runs": scorecard.runs,
    }


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case tuple() | list():
            return [_plain(inner) for inner in value]
        case float():
            return float(value) if np.isfinite(value) else None
    return value
