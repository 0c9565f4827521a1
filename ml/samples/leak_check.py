"""Does an input know the future? Two checks of the arrays that a model is about to learn from.

The replay check is exact: it feeds the events of the catalog only up to a grid time, asks for the vector, and compares
it with the row that the model reads. A row that used any later event differs. It needs the catalog.

The timing check needs nothing but the arrays. Whatever follows the price follows its latest step; a column that
follows the next step more closely, and closely at all, is late by one step.
"""

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.ml.samples.datasets import Arrays
from fathom.ml.samples.labels import rows_ahead

if TYPE_CHECKING:
    from fathom.ml.tables.config import TableConfig

LIMIT: Final = 0.5
"""Rank correlation with the next step from which a column is suspected. Real predictors of one step stay below."""

_MOST_ROWS: Final = 50_000


class Suspect(msgspec.Struct, frozen=True):
    """A column that seems to know the future.

    Examples
    --------
    >>> Suspect("mid_return", 0.99, 0.02).name
    'mid_return'
    """

    name: str
    next_step: float  # rank correlation with the step to come
    last_step: float  # and with those that have been


class LeakReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks found.

    Parameters
    ----------
    columns : int
        How many were checked.
    suspects : tuple of Suspect
        Columns that fail the timing check.
    strongest : str
        Column that follows the next step most closely, and how closely, if none is suspected.
    strongest_next_step : float
    replayed : int
        Rows that were compared with a replay of the events before them; 0 where there is no catalog.
    different : tuple of str
        Columns of those rows that differ.

    Examples
    --------
    >>> report = LeakReport(columns=3, suspects=(), strongest="a", strongest_next_step=0.1, replayed=0, different=())
    >>> report.passed
    True
    """

    columns: int
    suspects: tuple[Suspect, ...]
    strongest: str
    strongest_next_step: float
    replayed: int
    different: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.suspects and not self.different

    def sentence(self) -> str:
        """Return the report in words."""
        if self.different:
            return f"Leak: replayed without the future, these inputs have other values: {', '.join(self.different)}."
        if self.suspects:
            names = ", ".join(f"{suspect.name} ({suspect.next_step:.2f})" for suspect in self.suspects)
            return f"Leak: these inputs follow the step to come more closely than the last: {names}."
        replay = f"{self.replayed} rows equal their replay" if self.replayed else "not replayed: no catalog"
        return (
            f"Passed: of {self.columns} inputs none follows the step to come (strongest: {self.strongest}, "
            f"rank correlation {self.strongest_next_step:.2f}); {replay}."
        )


def check(arrays: Arrays, table: "TableConfig | None" = None, *, probes: int = 20) -> LeakReport:
    """Check every column.

    Parameters
    ----------
    arrays : Arrays
    table : TableConfig, optional
        What the arrays were made of, for the replay check.
    probes : int
        Rows to replay, of the first instrument, among its first hour of rows (3,600).
    """
    found = timing(arrays)
    suspects = [one for one in found if abs(one.next_step) > LIMIT and abs(one.next_step) > abs(one.last_step) + 0.1]
    strongest = max(found, key=lambda one: abs(one.next_step), default=Suspect("", 0.0, 0.0))
    replayed, different = (0, ()) if table is None else replay(arrays, table, probes=probes)
    return LeakReport(
        columns=len(found),
        suspects=tuple(suspects),
        strongest=strongest.name,
        strongest_next_step=strongest.next_step,
        replayed=replayed,
        different=different,
    )


def timing(arrays: Arrays) -> list[Suspect]:
    """Return for each column how closely it follows the next step of the mid, and how closely the last two.

    Of the column itself or of its change, whichever tells more of the future: the one for which the next step's rank
    correlation exceeds those of the last two steps by most.
    """
    at = _middle_rows(arrays)
    mid = arrays.mid
    steps = {lag: _ranks(mid[at + lag] / mid[at + lag - 1]) for lag in (1, 0, -1)}
    found = []
    for number, name in enumerate(arrays.facts.schema.names):
        column = arrays.features[:, number].astype(np.float64)
        forms = []
        for values in (column[at], column[at] - column[at - 1]):
            ranks = _ranks(values)
            following = {lag: float(np.mean(ranks * step)) for lag, step in steps.items()}
            last = max((following[0], following[-1]), key=abs)
            forms.append(Suspect(name, following[1], last))
        found.append(max(forms, key=lambda form: abs(form.next_step) - abs(form.last_step)))
    return found


def replay(arrays: Arrays, table: "TableConfig", *, probes: int = 20) -> tuple[int, tuple[str, ...]]:
    """Compare rows with vectors computed from the events before their grid times and nothing else.

    Parameters
    ----------
    arrays : Arrays
    table : TableConfig
        Settings of the feature table that the arrays were made of.
    probes : int

    Returns
    -------
    rows : int
        How many were compared; 0 for a table with bars from outside or a fitted micro-price.
    different : tuple of str
        Columns that differ in any of them (the arrays hold float32: equal means equal there).
    """
    from fathom.data_catalog.catalog import Catalog
    from fathom.data_catalog.instruments import Grid
    from fathom.ml.features import FeatureSet

    if table.bar_type is not None or table.micro_price_until is not None:
        return 0, ()
    instrument = arrays.facts.instruments[0]
    own = np.flatnonzero(arrays.instrument == 0)[:3_600]
    chosen = own[np.unique(np.linspace(0, len(own) - 1, min(probes, len(own))).round().astype(np.int64))]
    catalog = Catalog(table.catalog)
    grid = Grid.of(catalog.instrument(instrument))
    features = FeatureSet(table.features, price_increment=grid.tick, size_increment=grid.lot)
    columns = features.schema.positions(arrays.facts.schema)
    different = np.zeros(len(columns), np.bool_)
    events = catalog.events(instrument, end_ns=int(arrays.ts[chosen[-1]]) - 1)
    held = next(events, None)
    compared = 0
    for row in chosen:
        moment = int(arrays.ts[row])
        vectors = []
        while held is not None:
            early = int(np.searchsorted(held["ts_init"], moment))
            if early:
                vectors.append(features.update_many(held[:early]))
            held = held[early:]
            if len(held):
                break
            held = next(events, None)
        vectors.append(features.advance(moment))
        for part in vectors:
            for at in np.flatnonzero(part.ts == moment):
                alone = part.values[at][columns].astype(np.float32)
                different |= ~((alone == arrays.features[row]) | (np.isnan(alone) & np.isnan(arrays.features[row])))
                compared += 1
    names = arrays.facts.schema.names
    return compared, tuple(names[i] for i in np.flatnonzero(different))


def _middle_rows(arrays: Arrays) -> NDArray[np.int64]:
    # Rows with two steps before them and one after, on the grid and ready.
    ahead = rows_ahead(arrays.ts, arrays.instrument, arrays.mid, arrays.grid_ns)
    at = np.flatnonzero(ahead[:-3] >= 3)[:_MOST_ROWS] + 2
    ready = np.isfinite(arrays.features[at]).all(axis=1) & np.isfinite(arrays.features[at - 1]).all(axis=1)
    return at[ready]


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # Ranks with mean 0 and variance 1, ties alike; all 0 where nothing varies.
    if not len(values):
        return values
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2.0
    ranks = middle[inverse] - (len(values) + 1) / 2.0
    deviation = float(ranks.std())
    return ranks / deviation if deviation > 0.0 else np.zeros(len(values))
