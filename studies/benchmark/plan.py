"""The protocol of the detectors' benchmark: what is tuned on which markets and reported on which others."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from fathom.detectors.book.surveillance import SurveillanceConfig
from fathom.studies.benchmark.labels import Market
from fathom.studies.benchmark.markets import RecordedStreams, SimulatedStreams
from fathom.studies.benchmark.report import BUDGET, Markets, Result, Tuned, report, tune

TUNING_SEEDS: Final = tuple(range(1, 13))
"""Seeds of the markets that weights and thresholds are fitted on; the evidence was chosen on these and 101-112."""
REPORT_SEEDS: Final = tuple(range(8001, 8013))
"""Seeds of the markets that are reported on, and on which nothing was ever chosen."""
QUICK_SEEDS: Final = (101, 102)
"""Seeds reported on where it only matters that it works."""

type OnMarket = Callable[[str], None]
"""Called with a market's name when it was made."""


class BenchmarkPlan(msgspec.Struct, frozen=True):
    """What the benchmark runs on.

    Parameters
    ----------
    recorded : RecordedStreams or None
    manipulated, quiet : SimulatedStreams
        A scenario with actors, and one without for alerts an hour.
    tuning_seeds, report_seeds : tuple of int
        They must have no seed in common.
    simulated_seeds : int
        How many of each are used for simulated markets, which are longer.
    budget : float
        False alerts an hour that an instrument may raise.
    """

    recorded: RecordedStreams | None
    manipulated: SimulatedStreams
    quiet: SimulatedStreams
    tuning_seeds: tuple[int, ...] = TUNING_SEEDS
    report_seeds: tuple[int, ...] = REPORT_SEEDS
    simulated_seeds: int = 6
    budget: float = BUDGET

    def __post_init__(self) -> None:
        common = sorted(set(self.tuning_seeds) & set(self.report_seeds))
        if common:
            raise ValueError(
                f"Expected other seeds to report on than to tune on, was {', '.join(map(str, common))} in both."
            )

    @property
    def markets(self) -> int:
        """How many markets are made altogether, for a progress bar."""
        seeds = (len(self.tuning_seeds[: self.simulated_seeds]), len(self.report_seeds[: self.simulated_seeds]))
        total = 3 * seeds[0] + seeds[1] + 1
        if self.recorded:
            n = len(self.recorded.instruments)
            others = n - 1
            total += n * (3 * others * (len(self.tuning_seeds) + 1) + len(self.report_seeds) + 1)
        return total

    @property
    def fitted_on(self) -> str:
        """What `fit_all` fits on, in words."""
        if self.recorded:
            names = ", ".join(self.recorded.instruments)
            return f"recorded {names} with injected episodes, seeds {_span(self.tuning_seeds)}"
        secs, seeds = self.manipulated.secs, self.tuning_seeds[: self.simulated_seeds]
        return f"the simulated market {self.manipulated.name}, seeds {_span(seeds)}, {secs:g} s each"

    @property
    def markets_of_fit(self) -> int:
        """How many markets `fit_all` makes."""
        if self.recorded:
            return 3 * len(self.recorded.instruments) * (len(self.tuning_seeds) + 1)
        return 3 * len(self.tuning_seeds[: self.simulated_seeds])


def run_benchmark(plan: BenchmarkPlan, config: SurveillanceConfig, on_market: OnMarket | None = None) -> list[Result]:
    """Tune on some instruments and seeds and report on others: each recorded instrument in turn, then simulated ones.

    Parameters
    ----------
    plan : BenchmarkPlan
    config : SurveillanceConfig
        Settings; its weights and thresholds are replaced by fitted ones.
    on_market : callable, optional

    Returns
    -------
    list of Result
        One a recorded instrument, then one for the simulated markets.
    """
    told = on_market or (lambda name: None)
    results = []
    recorded = plan.recorded
    if recorded:
        for name in recorded.instruments:
            others = [other for other in recorded.instruments if other != name]
            tuned = tune(
                _touched(recorded, others, plan.tuning_seeds, told),
                _untouched(recorded, others, told),
                config,
                plan.budget,
            )
            results.append(
                report(
                    f"recorded {name}",
                    [f"{other} seeds {_span(plan.tuning_seeds)}" for other in others],
                    _touched(recorded, [name], plan.report_seeds, told)(),
                    _untouched(recorded, [name], told)(),
                    tuned,
                    plan.budget,
                )
            )
    first, last = plan.tuning_seeds[: plan.simulated_seeds], plan.report_seeds[: plan.simulated_seeds]
    tuned = tune(lambda: _telling(plan.manipulated.markets(first), told), None, config, plan.budget)
    results.append(
        report(
            f"simulated {plan.manipulated.name}",
            [f"{plan.manipulated.name} seeds {_span(first)}"],
            _telling(plan.manipulated.markets(last), told),
            _telling(plan.quiet.markets(last[:1]), told),
            tuned,
            plan.budget,
        )
    )
    return results


def fit_all(plan: BenchmarkPlan, config: SurveillanceConfig, on_market: OnMarket | None = None) -> Tuned:
    """Fit weights and thresholds on every instrument and the tuning seeds: what the detectors use by default.

    Parameters
    ----------
    plan : BenchmarkPlan
    config : SurveillanceConfig
    on_market : callable, optional

    Returns
    -------
    Tuned
        Thresholds keep the budget on the recorded streams, all instruments together; where there are none, they flag
        few of the honest orders of the simulated markets.
    """
    told = on_market or (lambda name: None)
    seeds = plan.tuning_seeds[: plan.simulated_seeds]
    recorded = plan.recorded
    if not recorded:
        return tune(lambda: _telling(plan.manipulated.markets(seeds), told), None, config, plan.budget)
    return tune(
        _touched(recorded, recorded.instruments, plan.tuning_seeds, told),
        _untouched(recorded, recorded.instruments, told),
        config,
        plan.budget,
    )


def _touched(recorded: RecordedStreams, names: Sequence[str], seeds: Sequence[int], told: OnMarket) -> Markets:
    return lambda: _telling(recorded.touched(names, seeds), told)


def _untouched(recorded: RecordedStreams, names: Sequence[str], told: OnMarket) -> Markets:
    return lambda: _telling(recorded.untouched(names), told)


def _telling(markets: Iterable[Market], told: OnMarket) -> Iterator[Market]:
    for market in markets:
        yield market
        told(market.name)


def _span(seeds: Sequence[int]) -> str:
    return f"{seeds[0]}-{seeds[-1]}" if len(seeds) > 1 else str(seeds[0])
