"""Reading a scenario file: what it leaves out has a default, what it gets wrong is named with its place."""

from collections.abc import Sequence
from pathlib import Path

from fathom.data_catalog.simulation.config import Simulation
from fathom.settings.nearest import nearest
from fathom.settings.toml import Layers, decode


def load_scenario(file: Path | str, changes: Sequence[str] = ()) -> Simulation:
    """Read a scenario: as `fathom.settings.toml.read`, and what one value says is held against the others.

    Raises
    ------
    SettingsError
        Naming the file, the path in it, what was expected and the nearest valid name.
    """
    layers = Layers.read([file], changes)
    config = decode(Simulation, layers.settings, layers)
    _check(config, layers)
    return config


def _check(config: Simulation, layers: Layers) -> None:
    names = [state.name for state in config.states]
    for i, state in enumerate(config.states):
        for name in state.next:
            if name not in names or name == state.name:
                problem = f"'{name}' is no state to go to. {nearest(name, names)}"
                raise layers.error(problem, ("states", i, "next"))
    _check_unique(names, "states", layers)
    _check_unique([instrument.symbol for instrument in config.instruments], "instruments", layers)
    for table in ("episodes", "disturbances"):
        for i, entry in enumerate(getattr(config, table)):
            for name in entry.__struct_fields__:
                value = getattr(entry, name)
                if isinstance(value, tuple) and value[0] > value[1]:
                    raise layers.error(f"Expected [low, high], was {list(value)}.", (table, i, name))
    for i, instrument in enumerate(config.instruments):
        least = 20 * config.book.range_ticks * float(instrument.tick_size)
        if instrument.start_price < least:
            raise layers.error(
                f"Expected at least {least:g} (20 times book.range_ticks), was {instrument.start_price:g}. "
                "Lower `book.range_ticks` or `tick_size`.",
                ("instruments", i, "start_price"),
            )


def _check_unique(names: list[str], table: str, layers: Layers) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise layers.error(f"Expected each name once, was '{twice[0]}' twice.", (table,))
