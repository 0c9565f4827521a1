"""What a scorecard is made of: markets to test on, the market the model learns from, strategies, requirements."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fathom.settings.toml import MOST_SEED, ConfigPath, Layers, decode
from fathom.strategies.system_config import StrategySpec, Strict, strategy_parameters

type Share = Annotated[float, Meta(ge=0, le=1)]
type Seconds = Annotated[float, Meta(gt=0)]
type Seed = Annotated[int, Meta(ge=0, le=MOST_SEED)]


class Model(Strict, frozen=True, kw_only=True):
    """The model that validates, and the simulated market that it learns from.

    Attributes
    ----------
    training
        File for `fathom train run`; its catalog, cache and ledger are set by the scorecard.
    scenario
        File for `fathom data simulate`.
    seed
        Of that market; none of the tested markets may have it.
    duration
        Such as `8h`; that of the scenario where absent.
    changes
        `KEY=VALUE` over the scenario.
    tail
        Share of the market, its end, that tests the model (`fathom train run --tail`).

    Examples
    --------
    >>> Model(training="training.toml", scenario="edge.toml", seed=101).duration is None
    True
    """

    training: ConfigPath
    scenario: ConfigPath
    seed: Seed
    duration: str | None = None
    changes: tuple[str, ...] = ()
    tail: Annotated[float, Meta(gt=0, lt=1)] = 0.1


class Market(Strict, frozen=True, kw_only=True):
    """A scenario, simulated once for each seed, on which every strategy runs.

    Attributes
    ----------
    name
        For files and tables.
    scenario, duration, changes
        As in `Model`.
    seeds
        One market each.
    kind
        `edge`: there is something to earn, so each strategy is held against the requirements, and runs with and without
        the validator. `null`: there is nothing to earn, and a profit would be luck or a leak.

    Examples
    --------
    >>> Market(name="null", scenario="null.toml", seeds=(11,), kind="null").seeds
    (11,)
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]+$", max_length=30)]
    scenario: ConfigPath
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1)]
    duration: str | None = None
    kind: Literal["edge", "null"] = "edge"
    changes: tuple[str, ...] = ()


class Requirements(Strict, frozen=True, kw_only=True):
    """What is asked of a strategy out of sample, fees and latency in.

    Attributes
    ----------
    win_rate, sharpe, profit_factor, validator_gain
        To be exceeded. The gain is of the net result, as a share of its absolute value without the
        validator.
    overall_sharpe
        To be exceeded by all strategies together, at equal shares.
    max_drawdown
        Not to be reached.

    Examples
    --------
    >>> Requirements().overall_sharpe
    2.5
    """

    win_rate: Share = 0.55
    sharpe: float = 2.0
    overall_sharpe: float = 2.5
    max_drawdown: Share = 0.15
    profit_factor: float = 2.0
    validator_gain: float = 0.2


class Quick(Strict, frozen=True, kw_only=True):
    """What `--quick` takes instead: markets so long, the first so many seeds, a market so long for the model.

    Attributes
    ----------
    duration
        Of the markets.
    seeds
        How many of the seeds, the first ones.
    model_duration
        Of the market that the model learns from.

    Examples
    --------
    >>> Quick().seeds
    1
    """

    duration: str = "20m"
    seeds: Annotated[int, Meta(ge=1)] = 1
    model_duration: str = "2h"


class ScorecardConfig(Strict, frozen=True, kw_only=True):
    """A scorecard, as decoded from TOML; `load_scorecard` makes it.

    Attributes
    ----------
    name
        Of the folder.
    base
        Files of a backtest, later over earlier: venue, fees, actors, risk. Data and strategies come from the scorecard,
        the path of the model too.
    markets, strategies
        Each strategy runs alone on each market.
    model
        None where the base names a model, or has no validator.
    requirements
        What the results stand beside.
    bucket_secs, block_secs
        The Sharpe ratio is of returns over buckets of time; the bootstrap draws blocks of buckets. Both should be
        longer than positions are held.
    resamples, level, seed
        Of the bootstrap.
    quick
        See `Quick`.

    Examples
    --------
    >>> ScorecardConfig(name="x", base=[], strategies=[StrategySpec(name="momentum")],
    ...                 markets=[Market(name="a", scenario="edge.toml", seeds=(101,))],
    ...                 model=Model(training="t.toml", scenario="edge.toml", seed=101))
    Traceback (most recent call last):
    ...
    ValueError: Expected seeds of markets that the model did not learn from, was 101 in a
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=40)]
    base: list[ConfigPath]
    markets: Annotated[list[Market], Meta(min_length=1)]
    strategies: Annotated[list[StrategySpec], Meta(min_length=1)]
    model: Model | None = None
    requirements: Requirements = Requirements()
    bucket_secs: Seconds = 300.0
    block_secs: Seconds = 900.0
    resamples: Annotated[int, Meta(ge=100)] = 5_000
    level: Annotated[float, Meta(gt=0, lt=1)] = 0.95
    seed: Seed = 1
    quick: Quick = Quick()

    def __post_init__(self) -> None:
        for what, names in (("markets", self.markets), ("strategies", self.strategies)):
            found = [one.name for one in names]
            twice = sorted({name for name in found if found.count(name) > 1})
            if twice:
                raise ValueError(f"Expected {what} of different names, was {twice[0]} twice")
        for market in self.markets:
            if len(set(market.seeds)) < len(market.seeds):
                raise ValueError(f"Expected different seeds, was one twice in {market.name}")
            if self.model is not None and self.model.seed in market.seeds:
                raise ValueError(
                    "Expected seeds of markets that the model did not learn from, "
                    f"was {self.model.seed} in {market.name}"
                )


def load_scorecard(files: Iterable[Path | str], changes: Iterable[str] = ()) -> ScorecardConfig:
    """Read a scorecard: as `fathom.settings.toml.read`, the parameters of its strategies included.

    Raises
    ------
    SettingsError
        Naming the file (or the change), the path in it, and what was expected.
    """
    layers = Layers.read(files, changes)
    config = decode(ScorecardConfig, layers.settings, layers)
    strategies = [
        msgspec.structs.replace(spec, parameters=msgspec.to_builtins(strategy_parameters(spec, layers, at)[1]))
        for at, spec in enumerate(config.strategies)
    ]
    return msgspec.structs.replace(config, strategies=strategies)
