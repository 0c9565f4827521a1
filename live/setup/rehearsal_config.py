"""The configuration of a rehearsal: which system trades, on which recording, for how long."""

from typing import Annotated

import msgspec
from msgspec import Meta

from fathom.live.errors import LiveError
from fathom.live.standin import FaultConfig
from fathom.settings.toml import ConfigPath, Layers, decode
from fathom.strategies.system_config import Components, System, read_system

DEPTHS = (50, 200, 1_000)
"""Levels a side that Bybit's feeds of a linear contract have."""

type Positive = Annotated[float, Meta(gt=0)]


class Exchange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The exchange of a rehearsal.

    Parameters
    ----------
    catalog : str
        What it replays.
    speed : float
        Recorded seconds in a second. Above 1, latencies and timers of the node do not shrink with it.
    skip_secs : float
        Seconds of the recording that are history when the session begins.
    balance : str
        USDT of the account.
    latency_ms : float
        From the arrival of an order command to the match.
    maker_fee, taker_fee : str
        As fractions.
    faults : list
        See `fathom.live.standin.FaultConfig`.
    """

    catalog: ConfigPath
    speed: Positive = 1.0
    skip_secs: Annotated[float, Meta(ge=0)] = 0.0
    balance: str = "100000"
    latency_ms: Annotated[float, Meta(ge=0)] = 20.0
    maker_fee: str = "0.0002"
    taker_fee: str = "0.00055"
    faults: list[FaultConfig] = []


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rehearsal: the live node trades a system on a stand-in of Bybit, without keys or internet.

    Parameters
    ----------
    name : str
        Of the rehearsal's folder.
    system : list of str
        Configurations of a backtest, later over earlier: their actors, strategies and limits are what trades.
    exchange : Exchange
    duration_secs : float
        How long the node trades before it closes its positions and stops.
    max_errors : int
        After so many exceptions that left strategies and actors, it does so at once.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]
    system: Annotated[list[ConfigPath], Meta(min_length=1)]
    exchange: Exchange
    duration_secs: Positive = 60.0
    max_errors: Annotated[int, Meta(ge=1)] = 10


class Plan(msgspec.Struct, frozen=True):
    """What a live session will run.

    Parameters
    ----------
    system : System
        With the instruments as the venue names them.
    components : Components
    depth : int
        Levels a side of the book.
    digest : str
        Of the system, as the backtest of the same file prints it.
    """

    system: System
    components: Components
    depth: int
    digest: str


def load_rehearsal(layers: Layers) -> Rehearsal:
    """Return the rehearsal of merged settings.

    Raises
    ------
    SettingsError
        Naming the file, the path in it, and what was expected.
    """
    return decode(Rehearsal, layers.settings, layers)


def plan(layers: Layers) -> Plan:
    """Return what the settings of a system make a live node run.

    Instruments of a simulated market (`.SIM`) are traded under the name that Bybit's contracts have.

    Raises
    ------
    SettingsError
        As for a backtest.
    LiveError
        What a backtest can run, but a live node cannot.
    """
    named = [_at_venue(name) for name in layers.settings.get("data", {}).get("instruments", [])]
    layers.settings.setdefault("data", {})["instruments"] = named
    for strategy in layers.settings.get("strategies", []):
        if "instruments" in strategy:
            strategy["instruments"] = [_at_venue(name) for name in strategy["instruments"]]
    system, components = read_system(layers)
    for name in system.data.instruments:
        if not name.endswith("-LINEAR.BYBIT"):
            raise LiveError(f"Expected instruments such as BTCUSDT-LINEAR.BYBIT, was {name}: no other is traded live.")
    if components.depth not in DEPTHS:
        raise LiveError(
            f"Expected a depth of the book that Bybit's feeds have ({', '.join(map(str, DEPTHS))}), was "
            f"{components.depth or 'all'}. Set data.depth in the system's file: its backtest then reads the same."
        )
    for actor in components.actors:
        for name in ("rows_from", "flags_from"):
            if getattr(actor.parameters, name, None) is not None:
                raise LiveError(f"Expected no {name} of the actor {actor.name}: a live node replays no catalog.")
    digest = components.digest(system.seed, system.bars_delay_ms, system.risk, system.data.instruments)
    return Plan(system, components, components.depth, digest)


def _at_venue(name: object) -> object:
    return name.removesuffix(".SIM") + ".BYBIT" if isinstance(name, str) and name.endswith("-LINEAR.SIM") else name
