"""The system that trades: its strategies, actors and limits, read by a backtest and by a live node from one file."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from fathom.settings.toml import Layers, Steps, decode, dump_toml
from fathom.settings.urls import redacted
from fathom.strategies import system
from fathom.strategies.risk.config import RiskConfig
from fathom.strategies.trading.native import is_native

BARS_DELAY_MS: Final = 30.0
"""How long after its end an internal bar closes, in a backtest and on a live node."""

type Depth = Literal["all", 50, 200, 1000]


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the configuration structs: immutable, and a name that is not known is an error.

    Examples
    --------
    >>> StrategySpec(name="supertrend").parameters
    {}
    """


class StrategySpec(Strict, frozen=True, kw_only=True):
    """One strategy: its name in `strategies.system`, the instruments it trades (all by default), its parameters.

    Attributes
    ----------
    name
        A registered name, or your own `module:Class`.
    instruments
        Ids; all of `data.instruments` where absent.
    parameters
        Of the strategy.
    """

    name: str
    instruments: list[str] | None = None
    parameters: dict[str, Any] = {}


class ActorSpec(Strict, frozen=True, kw_only=True):
    """One actor: its name in `strategies.system`, and its parameters (`instruments` among them are by default all).

    Attributes
    ----------
    name
        A registered name, or your own `module:Class`.
    parameters
        Of the actor.
    """

    name: str
    parameters: dict[str, Any] = {}


class Strategy(NamedTuple):
    """A validated strategy of a run: its entry in `fathom.strategies.system`, its parameters, its instruments."""

    name: str
    entry: Any
    parameters: Any
    instruments: list[str]

    @property
    def shown(self) -> dict[str, Any]:
        """What a file would say of it, defaults included."""
        return {"name": self.name, "instruments": self.instruments, "parameters": self.parameters}


class Actor(NamedTuple):
    """A validated actor of a run: its entry in `fathom.strategies.system`, and its parameters."""

    name: str
    entry: Any
    parameters: Any

    @property
    def shown(self) -> dict[str, Any]:
        """What a file would say of it, defaults included."""
        return {"name": self.name, "parameters": self.parameters}


class SystemData(msgspec.Struct, frozen=True, kw_only=True):
    """What a system asks of its data; the other settings of `[data]` are of the backtest alone.

    Attributes
    ----------
    instruments
        Ids, such as `BTCUSDT-LINEAR.BYBIT`.
    depth
        Levels a side of the book that all components read; absent: what the actors ask for.
    """

    instruments: Annotated[list[str], Meta(min_length=1)]
    depth: Depth | None = None


class System(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a backtest's configuration that a live node runs; it leaves the rest of the file to the backtest.

    Attributes
    ----------
    name
        Of the folder of a run.
    seed
        Of everything that is random.
    bars_delay_ms
        How long after its end an internal bar closes.
    data, actors, strategies, risk
        As in the configuration of the backtest.
    """

    name: str
    data: SystemData
    seed: int = 1
    bars_delay_ms: float = BARS_DELAY_MS
    actors: list[ActorSpec] = []
    strategies: list[StrategySpec] = []
    risk: RiskConfig | None = None


class Components(NamedTuple):
    """The validated actors and strategies of a system, and the depth of the book that all of them read (None: all)."""

    actors: list[Actor]
    strategies: list[Strategy]
    depth: int | None

    def digest(self, seed: int, bars_delay_ms: float, risk: RiskConfig | None, instruments: Sequence[str]) -> str:
        """Return the first digits of a hash of all that decides how the system trades: the same in backtest and live.

        Places of files, names of runs and the venue of an instrument are left out: the same model may lie elsewhere,
        and the same system may trade a simulated market, a rehearsal and the venue.
        """
        names = {name: name.rpartition(".")[0] for name in instruments}
        said = {
            "seed": seed,
            "bars_delay_ms": bars_delay_ms,
            "instruments": list(names.values()),
            "depth": self.depth or "all",
            "risk": msgspec.to_builtins(risk) if risk is not None else {},
            "actors": [_plain(actor.shown, names) for actor in self.actors],
            "strategies": [_plain(strategy.shown, names) for strategy in self.strategies],
        }
        return hashlib.sha256(redacted(dump_toml(said)).encode()).hexdigest()[:12]


_PLACES: Final = ("rows_from", "flags_from", "store", "store_run", "store_in", "state_folder")


def _plain(shown: dict[str, Any], names: dict[str, str]) -> Any:
    plain = msgspec.to_builtins(shown)
    for part in (plain, plain["parameters"]):
        if isinstance(part.get("instruments"), list | tuple):
            part["instruments"] = [names.get(name, name) for name in part["instruments"]]
    parameters = {name: value for name, value in plain["parameters"].items() if name not in _PLACES}
    if isinstance(parameters.get("model"), str):
        parameters["model"] = Path(parameters["model"]).name
    return {**plain, "parameters": parameters}


def read_system(layers: Layers) -> tuple[System, Components]:
    """Return the system of merged settings, such as those of a backtest.

    Raises
    ------
    SettingsError
        Naming the file, the path in it, and what was expected.
    """
    found = decode(System, layers.settings, layers)
    return found, components_of(found.actors, found.strategies, found.data.instruments, found.data.depth, layers)


def components_of(
    actors: Sequence[ActorSpec],
    strategies: Sequence[StrategySpec],
    instruments: Sequence[str],
    depth: Depth | None,
    layers: Layers,
    problem_of: Callable[[Any], str] = lambda parameters: "",
) -> Components:
    """Return the validated parts of a system.

    Parameters
    ----------
    actors, strategies, instruments, depth
        As configured.
    layers
        Where they were read, for errors.
    problem_of
        Told the parameters of an actor; returns what is wrong with its `rows_from`, or "".

    Raises
    ------
    SettingsError
        A name, a parameter or an instrument is unknown, depths differ, or two strategies share an instrument.
    """
    made = [_actor(spec, at, instruments, layers, problem_of) for at, spec in enumerate(actors)]
    read = _depth(depth, made, layers)
    running = [_strategy(spec, at, instruments, layers) for at, spec in enumerate(strategies)]
    _check_netting(running, layers)
    return Components(made, running, read)


def strategy_parameters(spec: StrategySpec, layers: Layers, at: int) -> tuple[Any, Any]:
    """Return the entry of a strategy in `fathom.strategies.system` and its parameters; `at` is its place."""
    where = ("strategies", at)
    entry, kind = _find(spec.name, "strategy", layers, where)
    return entry, _parameters(entry, kind, spec.parameters, layers, (*where, "parameters"))


def _parameters(entry: Any, kind: Any, settings: dict[str, Any], layers: Layers, where: Steps) -> Any:
    if not is_native(kind):
        return decode(kind, settings, layers, where)
    try:
        system.check(entry, settings)
    except ValueError as error:
        raise layers.error(str(error), where) from error
    return dict(settings)


def _strategy(spec: StrategySpec, at: int, instruments: Sequence[str], layers: Layers) -> Strategy:
    where = ("strategies", at)
    entry, parameters = strategy_parameters(spec, layers, at)
    for number, instrument in enumerate(spec.instruments or ()):
        check_instrument(instrument, instruments, layers, (*where, "instruments", number))
    return Strategy(spec.name, entry, parameters, spec.instruments or list(instruments))


def _actor(
    spec: ActorSpec, at: int, instruments: Sequence[str], layers: Layers, problem_of: Callable[[Any], str]
) -> Actor:
    where = ("actors", at)
    entry, kind = _find(spec.name, "actor", layers, where)
    settings = dict(spec.parameters)
    if "instruments" in getattr(kind, "__struct_fields__", ()):
        settings.setdefault("instruments", list(instruments))
    parameters = _parameters(entry, kind, settings, layers, (*where, "parameters"))
    if problem := problem_of(parameters):
        raise layers.error(problem, (*where, "parameters", "rows_from"))
    return Actor(spec.name, entry, parameters)


def _find(name: str, kind: str, layers: Layers, where: Steps) -> tuple[Any, Any]:
    try:
        entry = system.find(name, kind)
        return entry, entry.config
    except ValueError as error:
        raise layers.error(str(error), (*where, "name")) from error


def _depth(wanted: Depth | None, actors: list[Actor], layers: Layers) -> int | None:
    levels = 0 if wanted == "all" else wanted
    try:
        return system.book_depth((actor.parameters for actor in actors), levels)
    except ValueError as error:
        raise layers.error(str(error), ("actors",)) from error


def _check_netting(strategies: list[Strategy], layers: Layers) -> None:
    # The venue nets the positions of an account: two strategies would close each other's.
    owners: dict[str, str] = {}
    for at, strategy in enumerate(strategies):
        for instrument in strategy.instruments:
            mine = f"strategies[{at}] ({strategy.name})"
            other = owners.setdefault(instrument, mine)
            if other != mine:
                raise layers.error(
                    f"Expected one strategy an instrument, was {other} and {mine} of {instrument}: an account has one "
                    "position in an instrument. Give them `instruments` that do not overlap, or let several policies "
                    "vote in an `ensemble`.",
                    ("strategies", at, "instruments"),
                )


def check_instrument(name: str | None, instruments: Sequence[str], layers: Layers, path: Steps) -> None:
    """Raise SettingsError for an instrument that is none of the system's; None is no instrument."""
    if name is not None and name not in instruments:
        known = ", ".join(instruments)
        raise layers.error(f"Expected an instrument of data.instruments ({known}), was '{name}'.", path)
