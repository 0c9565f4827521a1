"""A scorecard: every strategy alone on every market, out of sample, with and without the validator."""

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from fathom.backtests.errors import RunError
from fathom.backtests.experiments.ablation import finish
from fathom.backtests.experiments.ablation_variants import FULL, Settings, Variant, variants_of
from fathom.backtests.experiments.scorecard_config import Market, Model, ScorecardConfig
from fathom.backtests.setup.config import resolve
from fathom.backtests.setup.run_files import RunFiles, digest
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.simulation.config import Simulation
from fathom.data_catalog.simulation.loading import load_scenario
from fathom.data_catalog.simulation.moves import SimulationError
from fathom.settings.errors import SettingsError
from fathom.settings.times import SECOND, duration_ns
from fathom.settings.toml import Layers, read, read_toml, toml_value
from fathom.settings.whole_files import write_whole

NO_VALIDATOR: Final = "no-validator"
"""Name of the variant without the validator (see `variants_of`)."""

type OnProgress = Callable[[str, float, float], None]
"""Called with what is going on, how much of it is done, and how much there is."""


class Cell(NamedTuple):
    """One backtest of a scorecard.

    Attributes
    ----------
    market
        On which.
    seed
        Of the market.
    strategy
        What it is called.
    variant
        `full` or `no-validator`.

    Examples
    --------
    >>> Cell(Market(name="edge", scenario="edge.toml", seeds=(1,)), 1, "momentum", "full").name
    'edge-1-momentum-full'
    """

    market: Market
    seed: int
    strategy: str
    variant: str

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"{self.market.name}-{self.seed}-{self.strategy}-{self.variant}"


class Plan(NamedTuple):
    """What a scorecard is made of: its settings, those of its backtests without data, and the folder."""

    config: ScorecardConfig
    base: Settings
    folder: Path

    @property
    def has_validator(self) -> bool:
        """Whether the base has the actor `validation`."""
        return any(actor["name"] == "validation" for actor in self.base.get("actors", []))

    @property
    def cells(self) -> list[Cell]:
        """Every backtest: on the null markets with all parts, on the others without the validator as well."""
        return [
            Cell(market, seed, short_name(strategy.name), variant)
            for market in self.config.markets
            for seed in market.seeds
            for strategy in self.config.strategies
            for variant in ((FULL, NO_VALIDATOR) if market.kind == "edge" and self.has_validator else (FULL,))
        ]

    def catalog(self, market: Market, seed: int) -> Path:
        """Return where a market lies."""
        return self.folder / "markets" / f"{market.name}-{seed}"


def plan(config: ScorecardConfig, out: Path, *, quick: bool = False) -> Plan:
    """Return the plan of a scorecard; its folder is named by a hash of everything that the files say.

    Raises
    ------
    SettingsError
        A file of the base cannot be read.
    """
    if quick:
        config = shortened(config)
    base = Layers.read(config.base).settings
    named = [market.scenario for market in config.markets]
    if config.model is not None:
        named += [config.model.scenario, config.model.training]
    contents = {name: read_toml(name) for name in named}
    text = msgspec.json.encode([config, base, contents], order="sorted", enc_hook=str).decode()
    return Plan(config, base, out / f"{config.name}-scorecard-{digest(text)}")


def shortened(config: ScorecardConfig) -> ScorecardConfig:
    """Return the scorecard with short markets and few seeds, for a first look."""
    quick = config.quick
    markets = [
        msgspec.structs.replace(market, duration=quick.duration, seeds=market.seeds[: quick.seeds])
        for market in config.markets
    ]
    model = config.model and msgspec.structs.replace(config.model, duration=quick.model_duration)
    return msgspec.structs.replace(config, name=f"{config.name}-quick", markets=markets, model=model)


def prepare(made: Plan, progress: OnProgress | None = None) -> str | None:
    """Simulate what is not there yet, train the model where it is not there yet, and return its path.

    Raises
    ------
    SettingsError
        A scenario is wrong.
    RunError
        The training failed.
    """
    for market in made.config.markets:
        for seed in market.seeds:
            _simulate(market, seed, made.catalog(market, seed), f"market {market.name} {seed}", progress)
    model = made.config.model
    if model is None:
        return None
    catalog = made.folder / "markets" / f"model-{model.seed}"
    _simulate(model, model.seed, catalog, f"market of the model {model.seed}", progress)
    return _trained(made.folder, model, catalog, progress)


def run(
    made: Plan, model: str | None, *, jobs: int = 1, progress: Callable[[str, bool], None] | None = None
) -> dict[Cell, RunFiles]:
    """Run the backtests that are not finished yet; return the run directory of each.

    Parameters
    ----------
    made
        The plan; its markets are there.
    model
        Path of the model, for the actor `validation`.
    jobs
        Backtests at a time, each in a process of its own.
    progress
        Told of each backtest that is done, and whether it was done before.

    Raises
    ------
    BacktestError
        A configuration is wrong, or a run failed.
    """
    cells = made.cells
    settings: dict[tuple[str, int, str], dict[str, Settings]] = {}
    for cell in cells:
        key = (cell.market.name, cell.seed, cell.strategy)
        if key not in settings:
            whole = _resolved(made, cell, model)
            if made.has_validator and not whole["strategies"][0]["parameters"].get("validator"):
                raise SettingsError(
                    "Expected validator = true beside the actor validation, was false; "
                    "without it there is nothing to compare.",
                    source=f"the strategy {cell.strategy}",
                )
            settings[key] = {variant.name: variant.settings for variant in variants_of(whole)}
    variants = [
        Variant(cell.name, "", settings[(cell.market.name, cell.seed, cell.strategy)][cell.variant]) for cell in cells
    ]
    done = finish(variants, made.folder, kind="scorecard", jobs=jobs, progress=progress)
    return {cell: done[cell.name] for cell in cells}


def short_name(strategy: str) -> str:
    """Return what a strategy is called in tables and files: its name, or the class where it is given by its path.

    >>> short_name("momentum"), short_name("mine.fast:Fast,mine.fast:FastConfig")
    ('momentum', 'Fast')
    """
    return strategy.partition(",")[0].rpartition(":")[2]


def instruments_of(scenario: Simulation) -> list[str]:
    """Return the ids of a scenario's instruments."""
    return [instrument.instrument_id for instrument in scenario.instruments]


def scenario_of(market: Market | Model) -> Simulation:
    """Return the scenario of a market, changes and duration in it.

    Raises
    ------
    SettingsError
        It is wrong.
    """
    changes: Sequence[str] = market.changes
    if market.duration is not None:
        changes = [*changes, f"duration_secs={duration_ns(market.duration) / SECOND}"]
    return load_scenario(market.scenario, changes)


def _simulate(market: Market | Model, seed: int, catalog: Path, what: str, progress: OnProgress | None) -> None:
    from fathom.data_catalog.simulation.production import simulate

    scenario = scenario_of(market)
    whole = scenario.duration_secs * len(scenario.instruments)
    done = 0.0

    def advance(_: str, secs: float) -> None:
        nonlocal done
        done += secs
        if progress is not None:
            progress(what, min(done, whole), whole)

    try:
        simulate(scenario, Catalog(catalog), seed, advance)
    except SimulationError as error:
        raise RunError(f"The {what} failed: {error}") from error
    advance("", whole)


def _trained(folder: Path, model: Model, catalog: Path, progress: OnProgress | None) -> str:
    place = folder / "model.txt"
    if place.is_file() and Path(place.read_text().strip()).is_dir():
        return place.read_text().strip()
    # Torch is imported here, where something is trained, and nowhere before.
    from fathom.ml.errors import TrainingError
    from fathom.ml.samples.leak_check import check
    from fathom.ml.samples.preparation import prepare as prepare_arrays
    from fathom.ml.samples.preparation import table_config
    from fathom.ml.training.config import TrainingConfig
    from fathom.ml.training.git import git_revision
    from fathom.ml.training.single_run import run_once

    instruments = ", ".join(f'"{name}"' for name in instruments_of(scenario_of(model)))
    changes = [
        f'data.catalog="{catalog}"',
        f'data.cache="{folder / "tables"}"',
        f"data.instruments=[{instruments}]",
    ]
    try:
        settings = read(TrainingConfig, model.training, changes)
        arrays = prepare_arrays(settings.data, progress)
        leak = check(arrays, table_config(settings.data), horizon=max(settings.label.horizon_ns // arrays.grid_ns, 1))
        if not leak.passed:
            raise TrainingError(f"{leak.sentence()} A model of these inputs is worth nothing.")
        made = run_once(
            settings,
            arrays,
            folder / "models",
            leak=leak,
            tail=model.tail,
            importance=0,
            git_revision=git_revision(),
            on_progress=progress,
        )
    except TrainingError as error:
        raise RunError(f"The training of {model.training} failed: {error}") from error
    path = str(made[0][0].path)
    write_whole(folder / "model.txt", f"{path}\n")
    return path


def _resolved(made: Plan, cell: Cell, model: str | None) -> Settings:
    spec = next(one for one in made.config.strategies if short_name(one.name) == cell.strategy)
    layers = Layers.read(made.config.base)
    data = {
        "catalog": str(made.catalog(cell.market, cell.seed)),
        "instruments": instruments_of(scenario_of(cell.market)),
    }
    changed = {
        "name": f"{cell.market.name}-{cell.seed}-{cell.strategy}"[:60],
        "data": data,
        "strategies": [{"name": spec.name, "parameters": spec.parameters}],
    }
    layers.add(changed, f"the strategy {cell.strategy} of the scorecard")
    for at, actor in enumerate(layers.settings.get("actors", [])):
        if model is not None and actor["name"] == "validation":
            layers.assign(f"actors.{at}.parameters.model={toml_value(model)}")
    place = made.folder / "configs"
    text = resolve(layers).text
    write_whole(place / f"{cell.market.name}-{cell.seed}-{cell.strategy}.toml", text)
    whole: Settings = tomllib.loads(text)
    return whole
