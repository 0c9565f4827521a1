"""The arithmetic of the scorecard, against numbers made by hand and against processes whose truth is known."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fathom.backtests.account import statistics
from fathom.backtests.account.performance import Performance, load
from fathom.backtests.experiments.scorecard_config import Requirements
from fathom.backtests.experiments.scorecard_figures import Score, gain, holm, looks, score, trades_of
from fathom.backtests.experiments.scorecard_results import ALL, Result, check, checks
from fathom.ml.scores.bootstrap import Interval
from fathom.settings import times
from tests.makers.synthetic_run import make_run

SECOND = 10**9
BUCKET = 10.0
OPTIONS: dict[str, Any] = {"bucket_secs": BUCKET, "block_secs": 30.0, "resamples": 400, "seed": 1}
UNKNOWN = Interval(np.nan, np.nan, np.nan)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Performance:
    return load(make_run(tmp_path_factory.mktemp("run") / "one", span_secs=60, grid_secs=1, trips=2))


@pytest.fixture
def _annualised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(times, "SHORTEST_ANNUALISED", 0)


def test_ratios_of_a_short_span_are_not_annualised(template: Performance) -> None:
    found = score([[made(template, [(5, 10.0), (35, -4.0)])]], **OPTIONS)
    assert np.isnan(found.sharpe.value)
    assert not np.isnan(found.bps.value)


def made(
    template: Performance, trades: Sequence[tuple[int, float]], *, seconds: int = 100, balance: float = 1_000.0
) -> Performance:
    """Return a run with trades (second at which one is closed, net result), each of 500 in notional, held for 5 s."""
    times = template.times_ns[0] + np.arange(seconds + 1, dtype=np.int64) * SECOND
    closed = np.array([second for second, _ in trades], np.int64)
    net = np.array([result for _, result in trades], np.float64)
    equity = balance + np.array([net[closed <= second].sum() for second in range(seconds + 1)])
    fees = np.full(net.size, -0.5)
    positions: dict[str, NDArray[Any]] = {
        "ts_closed": times[0] + closed * SECOND,
        "pnl_net": net,
        "pnl_price": net - fees,
        "pnl_fees": fees,
        "avg_px_open": np.full(net.size, 100.0),
        "peak_quantity": np.full(net.size, 5.0),
        "return": net / 500.0,
        "holding_secs": np.full(net.size, 5.0),
    }
    deepest = replace(template.strategy, max_drawdown=statistics.max_drawdown(equity))
    return replace(template, times_ns=times, equity=equity, positions=positions, strategy=deepest)


@pytest.mark.usefixtures("_annualised")
def test_the_figures_of_a_run_made_by_hand(template: Performance) -> None:
    run = made(template, [(5, 10.0), (15, -4.0), (25, 6.0), (99, -2.0)])
    found = score([[run]], **OPTIONS)
    assert found.trades == 4
    assert found.win_rate.value == 0.5
    assert found.profit_factor.value == pytest.approx(16.0 / 6.0)
    assert found.bps.value == pytest.approx(10.0 / 4.0 / 500.0 * 1e4)
    assert found.fees_bps.value == pytest.approx(-10.0)
    assert found.gross_bps.value == pytest.approx(found.bps.value + 10.0)
    assert found.total_return == pytest.approx(0.01)
    assert found.max_drawdown == pytest.approx(1006.0 / 1010.0 - 1.0)
    assert found.holding_secs == 5.0
    assert found.years == pytest.approx(100.0 / (365 * 86_400))
    returns = np.array([10.0, -4.0, 6.0, 0, 0, 0, 0, 0, 0, -2.0]) / 1_000.0
    assert found.sharpe.value == pytest.approx(statistics.sharpe(returns, 365 * 86_400 / BUCKET))
    assert np.isnan(found.sharpe.low)  # ten buckets are too few for an interval
    many = made(template, [(at, (-1.0) ** at + 0.2) for at in range(5, 1_000, 7)], seconds=1_000)
    figures = score([[many]], **OPTIONS)
    for interval in (figures.sharpe, figures.bps, figures.win_rate, figures.profit_factor):
        assert interval.low < interval.value < interval.high


@pytest.mark.usefixtures("_annualised")
def test_several_spans_are_pooled_and_several_runs_of_a_span_are_one_account(template: Performance) -> None:
    one, two = made(template, [(5, 10.0)]), made(template, [(35, -5.0), (95, 1.0)])
    spans = score([[one], [two]], **OPTIONS)
    account = score([[one, two]], **OPTIONS)
    assert spans.trades == account.trades == 3
    assert spans.win_rate.value == account.win_rate.value == pytest.approx(2 / 3)
    assert spans.total_return == account.total_return == pytest.approx(6.0 / 2_000.0)
    assert spans.years == pytest.approx(2.0 * account.years)
    together = np.zeros(10)
    together[[0, 3, 9]] = np.array([10.0, -5.0, 1.0]) / 2_000.0
    assert account.sharpe.value == pytest.approx(statistics.sharpe(together, 365 * 86_400 / BUCKET))
    apart = np.concatenate([[10.0], np.zeros(9), [0, 0, 0, -5.0, 0, 0, 0, 0, 0, 1.0]]) / 1_000.0
    assert spans.sharpe.value == pytest.approx(statistics.sharpe(apart, 365 * 86_400 / BUCKET))


def test_a_run_without_a_trade_has_no_figures(template: Performance) -> None:
    found = score([[made(template, [])]], **OPTIONS)
    assert found.trades == 0
    for interval in (found.win_rate, found.profit_factor, found.bps, found.sharpe):
        assert np.isnan(interval.value)
    with pytest.raises(ValueError, match="at least one run"):
        score([], **OPTIONS)


def test_a_position_closed_after_the_last_event_counts_in_the_last_bucket(template: Performance) -> None:
    run = made(template, [(5, 10.0)])
    run.positions["ts_closed"][:] = run.times_ns[-1] + SECOND
    assert score([[run]], **OPTIONS).trades == 1


def test_the_gain_is_paired_and_a_share_of_the_net_without(template: Performance) -> None:
    full, without = made(template, [(5, 10.0), (25, 5.0)]), made(template, [(5, 10.0), (25, -2.0), (45, 4.0)])
    money, share = gain([[full]], [[without]], **OPTIONS)
    assert money.value == pytest.approx(3.0)
    assert share.value == pytest.approx(0.25)
    assert tuple(gain([[full]], [[full]], **OPTIONS)[0]) == (0.0, 0.0, 0.0)
    loser = made(template, [(5, -10.0)])
    assert gain([[full]], [[loser]], **OPTIONS)[1].value == pytest.approx(2.5)
    assert np.isnan(gain([[full]], [[made(template, [])]], **OPTIONS)[1].value)


def test_spans_of_a_gain_may_end_a_bucket_apart(template: Performance) -> None:
    longer = made(template, [(5, 10.0), (115, 2.0)], seconds=120)
    money, _ = gain([[longer]], [[made(template, [(5, 4.0)])]], **OPTIONS)
    assert money.value == pytest.approx(8.0)


def test_holm_counts_every_look() -> None:
    assert holm([]) == []
    assert holm([0.2]) == [0.2]
    assert holm([0.5, 0.01, 0.02]) == pytest.approx([0.5, 0.03, 0.04])
    assert holm([0.9, 0.9]) == [1.0, 1.0]


def test_nothing_is_found_where_there_is_nothing(template: Performance) -> None:
    """Of 200 families of ten looks without a mean, about one in twenty may show a profit."""
    random = np.random.default_rng(11)
    false = 0
    for _ in range(200):
        runs = [
            ("s", "null", seed, made(template, list(enumerate(random.normal(0.0, 5.0, 20))), seconds=30))
            for seed in range(10)
        ]
        false += any(look.adjusted < 0.05 for look in looks(runs))
    assert false <= 20


def test_a_profit_is_found_where_there_is_one(template: Performance) -> None:
    random = np.random.default_rng(3)
    gains = made(template, list(enumerate(random.normal(5.0, 5.0, 40))), seconds=50)
    losses = made(template, list(enumerate(random.normal(-5.0, 5.0, 40))), seconds=50)
    single = made(template, [(3, 9.0)], seconds=50)
    profit, loss, one = looks([("a", "null", 1, gains), ("b", "null", 1, losses), ("c", "null", 1, single)])
    assert profit.adjusted < 0.001 < 0.999 < loss.p
    assert profit.bps.low > 0.0
    assert np.isnan(one.p)  # a single trade has no spread
    assert np.isnan(one.adjusted)


def test_trades_are_in_bps_of_their_notional(template: Performance) -> None:
    trades = trades_of(made(template, [(5, 10.0)]))
    assert trades.bps.tolist() == pytest.approx([200.0])
    assert (trades.gross_bps + trades.fees_bps).tolist() == pytest.approx([200.0])


@pytest.mark.parametrize(
    ("found", "below", "verdict"),
    [
        (Interval(0.6, 0.56, 0.7), False, "met"),
        (Interval(0.6, 0.5, 0.7), False, "not sure"),
        (Interval(0.55, 0.5, 0.6), False, "not met"),
        (Interval(0.6, np.nan, np.nan), False, "not sure"),
        (UNKNOWN, False, "unknown"),
        (Interval(0.1, np.nan, np.nan), True, "met"),
        (Interval(0.6, np.nan, np.nan), True, "not met"),
    ],
)
def test_the_verdicts(found: Interval, below: bool, verdict: str) -> None:
    assert check("Win rate", 0.55, found, below=below).verdict == verdict


def test_few_trades_are_never_sure() -> None:
    assert check("Win rate", 0.55, Interval(0.9, 0.8, 1.0), few=True).verdict == "not sure"
    assert check("Win rate", 0.55, Interval(0.1, 0.0, 0.2), few=True).verdict == "not met"


def test_all_strategies_together_have_a_sharpe_ratio_of_their_own() -> None:
    value = Interval(2.2, 2.1, 2.3)
    found = Score(30, value, value, -0.1, value, value, value, value, 0.1, 5.0, 0.1)
    one = {row.name: row for row in checks(Result("momentum", "all", found, None, UNKNOWN, UNKNOWN), Requirements())}
    both = {row.name: row for row in checks(Result(ALL, "all", found, found, value, value), Requirements())}
    assert (one["Sharpe"].verdict, both["Sharpe"].verdict) == ("met", "not met")
    assert "Validator adds" not in one
    assert both["Validator adds"].verdict == "met"
    assert one["Max drawdown"].found.value == 0.1
    assert one["Max drawdown"].verdict == "met"
