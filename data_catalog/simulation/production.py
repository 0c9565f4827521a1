"""From a scenario to a catalog: rows, trades and ground truth of every instrument, once and whole."""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import Instrument
from fathom.data_catalog.instruments import InstrumentSpec as InstrumentDefinition
from fathom.data_catalog.simulation.config import InstrumentSpec, Simulation
from fathom.data_catalog.simulation.generator import Generator
from fathom.data_catalog.simulation.memory import LOG
from fathom.data_catalog.simulation.moves import SimulationError
from fathom.data_catalog.simulation.truth import truth_files, truth_folder
from fathom.data_catalog.store.layout import BOOK, OWN_DATA, TRADES
from fathom.settings.owner import locked

GENERATOR_VERSION: Final = 1
"""Raised whenever the same seed and scenario would give other rows."""

_STEP_SECS: Final = 20.0


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """What made the data of an instrument, kept as `simulation.json` beside its ground truth.

    Examples
    --------
    >>> from fathom.data_catalog.simulation.config import Simulation
    >>> stamp_of(Simulation(scenario="null"), 0, seed=1) == stamp_of(Simulation(scenario="null"), 0, seed=2)
    False
    """

    scenario: str
    seed: int
    generator_version: int
    fingerprint: str
    config: dict[str, Any]


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What `simulate` did for one instrument.

    Examples
    --------
    >>> Made(instrument_id="BTCUSDT-LINEAR.SIM", already=True).book_rows
    0
    """

    instrument_id: str
    already: bool = False
    book_rows: int = 0
    messages: int = 0
    trades: int = 0
    truth: tuple[str, ...] = ()


def stamp_of(config: Simulation, number: int, seed: int) -> Stamp:
    """Return the stamp of instrument `number`: two equal stamps mean equal rows."""
    document = msgspec.to_builtins(config, str_keys=True)
    text = msgspec.json.encode([document, number, seed, GENERATOR_VERSION], order="deterministic")
    return Stamp(
        scenario=config.scenario,
        seed=seed,
        generator_version=GENERATOR_VERSION,
        fingerprint=hashlib.sha256(text).hexdigest(),
        config=document,
    )


def same_simulation(first: Path, second: Path, instrument_id: str) -> bool:
    """Return whether two catalogs may hold the same data of an instrument: false only where their stamps differ.

    Examples
    --------
    >>> same_simulation(Path("no/catalog"), Path("nor/here"), "BTCUSDT-LINEAR.SIM")
    True
    """
    stamps = [_read_stamp(catalog / truth_folder(instrument_id) / "simulation.json") for catalog in (first, second)]
    known = [stamp.fingerprint for stamp in stamps if stamp is not None]
    return len({*known}) < 2


def definition(instrument: InstrumentSpec) -> Instrument:
    """Return the engine's instrument of a simulated one.

    Examples
    --------
    >>> str(definition(InstrumentSpec(symbol="SIMA")).id)
    'SIMA-LINEAR.SIM'
    """
    return InstrumentDefinition(
        symbol=instrument.symbol,
        base=instrument.symbol.removesuffix("USDT") or instrument.symbol,
        quote="USDT",
        tick=instrument.tick_size,
        lot=instrument.lot_size,
        venue="SIM",
        id=instrument.instrument_id,
        maker_fee=f"{instrument.maker_fee_bps / 1e4:.6f}",
        taker_fee=f"{instrument.taker_fee_bps / 1e4:.6f}",
        margin_init="0.02",
        margin_maint="0.01",
    ).build()


def simulate(
    config: Simulation,
    catalog: Catalog,
    seed: int,
    progress: Callable[[str, float], None] = lambda instrument_id, secs: None,
) -> list[Made]:
    """Simulate every instrument of a scenario into a catalog.

    An instrument appears whole or not at all. What the same scenario and seed put there before is left alone; a run
    that was killed is completed by the next. Of two simulations into one catalog, the second waits for the first.

    Parameters
    ----------
    config : Simulation
    catalog : Catalog
    seed : int
    progress : callable
        Told the instrument and by how many simulated seconds it has moved on.

    Returns
    -------
    list of Made

    Raises
    ------
    SimulationError
        The catalog holds other data of an instrument.
    """
    numbers = range(len(config.instruments))
    own = catalog.path / OWN_DATA
    own.mkdir(parents=True, exist_ok=True)
    with locked(own / ".simulate.lock"):
        for number in numbers:
            _held(config, number, catalog, seed)  # before the first hour is spent
        return [_one(config, number, catalog, seed, progress) for number in numbers]


def _read_stamp(path: Path) -> Stamp | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Stamp)
    except OSError:
        return None


def _held(config: Simulation, number: int, catalog: Catalog, seed: int) -> tuple[bool, bool]:
    # Whether the catalog has this very simulation, and whether it has at least its trades (a run killed in between).
    instrument_id = config.instruments[number].instrument_id
    folder = catalog.path / truth_folder(instrument_id)
    wanted = stamp_of(config, number, seed).fingerprint
    whole, part = _read_stamp(folder / "simulation.json"), _read_stamp(folder / "trades.json")
    for stamp in (whole, part):
        if stamp is not None and stamp.fingerprint != wanted:
            raise SimulationError(
                f"Expected no other data of {instrument_id} in {catalog.path}, was scenario '{stamp.scenario}' with "
                f"seed {stamp.seed} and other settings. Use another --catalog or another symbol."
            )
    has_book, has_trades = (bool(catalog.files(kind, instrument_id)) for kind in (BOOK, TRADES))
    if (has_book and whole is None) or (has_trades and part is None):
        raise SimulationError(
            f"Expected no data of {instrument_id} in {catalog.path}, was data that no simulation stamped. "
            "Use another --catalog or another symbol."
        )
    return whole is not None, part is not None


def _one(config: Simulation, number: int, catalog: Catalog, seed: int, progress: Callable[[str, float], None]) -> Made:
    spec = config.instruments[number]
    whole, part = _held(config, number, catalog, seed)
    if whole:
        progress(spec.instrument_id, config.duration_secs)
        return Made(instrument_id=spec.instrument_id, already=True)
    instrument = definition(spec)
    folder = truth_folder(spec.instrument_id)
    stamp = msgspec.json.format(msgspec.json.encode(stamp_of(config, number, seed)), indent=1)
    generator = Generator(config, number, seed)
    log = [np.zeros(0, LOG)]
    files: dict[str, bytes] = {}
    rows = messages = trades = 0
    with catalog.book_writer(instrument) as book, catalog.trade_writer(instrument) as tape:
        left = config.duration_secs
        while left > 0:
            step = min(_STEP_SECS, left)
            for batch in generator.run(step):
                book.write(batch.book)
                rows += len(batch.book)
                messages += int((batch.book["flags"] >= 128).sum())
                if not part:
                    tape.write(batch.trades, [f"{spec.symbol}-{n}" for n in batch.trades["sequence"].tolist()])
                trades += len(batch.trades)
                log.append(batch.truth)
            left -= step
            progress(spec.instrument_id, step)
        files |= truth_files(config, number, np.concatenate(log), generator.now_ns)
        files["simulation.json"] = stamp
        if not part:
            # The trades go first and say so: a run killed between the two files knows what is there.
            tape.also(f"{folder}/trades.json", lambda: stamp)
        for name, content in files.items():
            book.also(f"{folder}/{name}", partial(bytes, content))
    return Made(
        instrument_id=spec.instrument_id, book_rows=rows, messages=messages, trades=trades, truth=tuple(sorted(files))
    )
