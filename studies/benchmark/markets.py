"""Markets of the detectors' benchmark: recorded streams with injected actors, and simulated ones, by seed."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.simulation.config import Simulation
from fathom.data_catalog.simulation.injection.injection import InjectionConfig, inject
from fathom.data_catalog.simulation.injection.simulated import simulated
from fathom.data_catalog.store.layout import BOOK, TRADES
from fathom.market.actors_truth import TRUTH
from fathom.market.events import EVENT
from fathom.studies.benchmark.labels import Market

_LATENESS_NS: Final = 20_000_000  # of a simulated feed beyond its interval


class RecordedStreams:
    """The recorded streams of a catalog, read once, each with actors injected by seed.

    Parameters
    ----------
    path : Path
        A catalog with book changes and trades.
    instruments : sequence of str, optional
        Their ids; all that have both by default.
    injection : InjectionConfig, optional

    Raises
    ------
    CatalogError
        Fewer than two instruments: none would be left to report on.

    Examples
    --------
    >>> RecordedStreams(Path("no-such-catalog"))
    Traceback (most recent call last):
    fathom.data_catalog.errors.CatalogError: Expected two instruments or more with book and trades in no-such-catalog, was none. What is tuned on one must be reported on another; import one more, or leave --catalog out for simulated markets alone.
    """  # noqa: E501

    def __init__(self, path: Path, instruments: Sequence[str] = (), injection: InjectionConfig | None = None) -> None:
        catalog = Catalog(path)
        held = catalog.held() if path.is_dir() else {}
        both = {name for kind, name in held if kind == BOOK} & {name for kind, name in held if kind == TRADES}
        unknown = [name for name in instruments if name not in both]
        if unknown:
            raise CatalogError(
                f"Expected instruments with book and trades in {path}, was {', '.join(unknown)}. "
                f"There are: {', '.join(sorted(both)) or 'none'}."
            )
        self.instruments = tuple(instruments) or tuple(sorted(both))
        if len(self.instruments) < 2:
            raise CatalogError(
                f"Expected two instruments or more with book and trades in {path}, was "
                f"{', '.join(self.instruments) or 'none'}. What is tuned on one must be reported on another; import "
                "one more, or leave --catalog out for simulated markets alone."
            )
        self.injection = injection or InjectionConfig()
        self._rows = {name: _aligned(list(catalog.events(name))) for name in self.instruments}

    @classmethod
    def of(cls, rows: Mapping[str, NDArray[Any]], injection: InjectionConfig | None = None) -> Self:
        """Return streams that are at hand already, by the name of their instrument."""
        made = cls.__new__(cls)
        made.instruments, made.injection = tuple(rows), injection or InjectionConfig()
        made._rows = {name: _aligned([part]) for name, part in rows.items()}
        return made

    def untouched(self, instruments: Sequence[str]) -> Iterator[Market]:
        """Give the streams as they were recorded."""
        for name in instruments:
            rows = self._rows[name]
            hours = (int(rows["ts_init"][-1]) - int(rows["ts_init"][0])) / 3.6e12
            yield Market(name, rows, np.zeros(0, TRUTH), hours, 0, 0)

    def touched(self, instruments: Sequence[str], seeds: Sequence[int]) -> Iterator[Market]:
        """Give the streams with actors."""
        for name in instruments:
            for seed in seeds:
                made = inject(self._rows[name], seed, self.injection)
                yield Market(f"{name} seed {seed}", made.rows, made.truth, made.hours, 0, 0)


class SimulatedStreams:
    """Simulated markets of one scenario by seed.

    Parameters
    ----------
    config : Simulation
    name : str
        For people.
    secs : float
        Simulated time of each market.

    Examples
    --------
    >>> [market.name for market in SimulatedStreams(Simulation(scenario="null"), "null", 0.2).markets([7])]
    ['null seed 7']
    """

    def __init__(self, config: Simulation, name: str, secs: float) -> None:
        self.config, self.name, self.secs = config, name, secs

    def markets(self, seeds: Sequence[int]) -> Iterator[Market]:
        """Give the markets of some seeds."""
        slack = int(self.config.feed.interval_ms * 1e6) + _LATENESS_NS
        for seed in seeds:
            made = simulated(self.config, 0, seed, self.secs)
            yield Market(f"{self.name} seed {seed}", made.rows, made.truth, made.hours, slack, self.config.feed.depth)


def _aligned(parts: list[NDArray[Any]]) -> NDArray[Any]:
    # Rows read from a file may be unaligned: numba would compile everything a second time.
    rows = np.zeros(sum(map(len, parts)), EVENT)
    if parts:
        rows[:] = np.concatenate(parts)
    return rows
