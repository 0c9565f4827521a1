"""What each strategy earned in earlier runs, trade by trade: the evidence for the weights of an ensemble."""

import datetime
from collections.abc import Iterable
from typing import NamedTuple

from fathom.backtests.errors import BacktestError
from fathom.backtests.setup.run_files import RunFiles
from fathom.strategies.policy.ensemble_weights import learn_weights
from fathom.strategies.system import STRATEGIES


class MemberResults(NamedTuple):
    """Returns of closed trades of some runs.

    Attributes
    ----------
    returns
        Strategy (its name in `fathom.strategies.system`) -> net return of each closed trade on its notional, by time of
        closing. Ensembles are left out: they are no members.
    first, last
        When the first of these trades was opened and the last closed; None without a trade.

    Examples
    --------
    >>> MemberResults({"momentum": [0.001]}, None, None).returns["momentum"]
    [0.001]
    """

    returns: dict[str, list[float]]
    first: datetime.datetime | None
    last: datetime.datetime | None


def member_results(runs: Iterable[RunFiles], *, before: datetime.datetime | None = None) -> MemberResults:
    """Return the returns of every strategy of the runs that may be a member of an ensemble.

    Parameters
    ----------
    runs
        Run directories. A strategy that ran without a trade has an empty list.
    before
        Only trades that were closed before it.
    """
    names = {place.rpartition(":")[2]: name for name, place in STRATEGIES.items() if name != "ensemble"}
    found: dict[str, list[tuple[datetime.datetime, float]]] = {}
    opened: list[datetime.datetime] = []
    for run in runs:
        for spec in run.summary()["strategies"]:
            name = names.get(spec.partition("-")[0])
            if name is not None:
                found.setdefault(name, [])
        for trip in run.table("positions").to_pylist():
            name, closed = names.get(trip["strategy_id"].partition("-")[0]), trip["ts_closed"]
            if name is None or closed is None or (before is not None and closed >= before):
                continue
            found.setdefault(name, []).append((closed, trip["return"]))
            opened.append(trip["ts_opened"])
    closings = [closed for trades in found.values() for closed, _ in trades]
    returns = {name: [value for _, value in sorted(found[name])] for name in sorted(found)}
    return MemberResults(returns, min(opened, default=None), max(closings, default=None))


def learnt_from(
    runs: Iterable[RunFiles], *, before: str | None = None, prior_trades: float = 50.0
) -> tuple[MemberResults, dict[str, float]]:
    """Return the results of the members of an ensemble, and the weights that are learnt from them.

    Parameters
    ----------
    runs
        Run directories.
    before
        A moment with a zone, such as ``2026-01-02T03:00:00Z``: only trades that were closed before it.
    prior_trades
        See `learn_weights`.

    Raises
    ------
    BacktestError
        The moment has no zone, or no run has a strategy that may be a member.
    """
    results = member_results(runs, before=None if before is None else _moment(before))
    if not results.returns:
        raise BacktestError("Expected runs of strategies that may be members of an ensemble, was none.")
    return results, learn_weights(results.returns, prior_trades=prior_trades)


def _moment(text: str) -> datetime.datetime:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BacktestError(f"--before: Expected a moment with a zone, such as 2026-01-02T03:00:00Z, was '{text}'.")
    return moment
