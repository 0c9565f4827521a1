"""Does an input know the future? Two checks of the arrays that a model is about to learn from.

The replay check is exact: it feeds the events of the catalog only up to a grid time, asks for the vector, and compares
it with the row that the model reads. A row that used any later event differs. It needs the catalog, which arrays and
feature tables name.

The timing check (`fathom.ml.samples.leak_timing`) needs nothing but the arrays.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.ml.samples.datasets import Arrays
from fathom.ml.samples.leak_timing import Suspect, suspects

if TYPE_CHECKING:
    from fathom.ml.tables.config import TableConfig


class LeakReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks found.

    Parameters
    ----------
    columns : int
        How many were checked.
    suspects : tuple of Suspect
        Columns that fail the timing check.
    strongest : Suspect or None
        The honest look that follows the future most closely; None where there are too few rows to look at.
    replayed : int
        Rows that were compared with a replay of the events before them.
    not_replayed : str
        Why no row was replayed; empty if some were.
    different : tuple of str
        Columns of those rows that differ.

    Examples
    --------
    >>> report = LeakReport(columns=3, suspects=(), strongest=None, replayed=9, not_replayed="", different=("rsi_14",))
    >>> report.passed, report.sentence()
    (False, 'Leak: replayed without the future, these inputs have other values: rsi_14.')
    """

    columns: int
    suspects: tuple[Suspect, ...]
    strongest: Suspect | None
    replayed: int
    not_replayed: str
    different: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.suspects and not self.different

    @property
    def warning(self) -> str:
        """What was not checked, as sentences; empty if everything was."""
        parts = []
        if not self.replayed:
            parts.append(
                f"Not replayed: {self.not_replayed}. A leak that follows no return is not found without a replay."
            )
        if self.strongest is None and not self.suspects:
            parts.append("The timing was not checked: too few rows with all steps around them.")
        return " ".join(parts)

    @property
    def verdict(self) -> str:
        """One of ``failed``, ``passed``, ``passed in part`` and ``not checked``."""
        if not self.passed:
            return "failed"
        checked = bool(self.replayed) + (self.strongest is not None)
        return ("not checked", "passed in part", "passed")[checked]

    def sentence(self) -> str:
        """Return the report in words."""
        if self.different:
            return f"Leak: replayed without the future, these inputs have other values: {', '.join(self.different)}."
        if self.suspects:
            names = "; ".join(
                f"{suspect.name} follows {suspect.what} of {suspect.instrument} (rank correlation {suspect.ahead:.2f})"
                for suspect in self.suspects
            )
            return f"Leak: {names}."
        found = []
        if self.strongest is not None:
            look = self.strongest
            found.append(
                f"no input of {self.columns} follows the returns to come "
                f"(the closest: {look.name} and {look.what}, rank correlation {look.ahead:.2f})"
            )
        if self.replayed:
            found.append(f"{self.replayed} rows equal their replay")
        text = f"{self.verdict.capitalize()}{': ' if found else ''}{'; '.join(found)}."
        return f"{text} {self.warning}".rstrip()


def check(arrays: Arrays, table: "TableConfig | None" = None, *, horizon: int = 60, probes: int = 20) -> LeakReport:
    """Check every column.

    Parameters
    ----------
    arrays : Arrays
    table : TableConfig, optional
        What the arrays were made of, for the replay check; by default what the arrays say of it themselves.
    horizon : int, default 60
        Rows until the label's return is known: every step up to there is compared with every column.
    probes : int
        Rows to replay of each instrument, spread over its whole time.
    """
    guilty, strongest = suspects(arrays, horizon)
    replayed, different, reason = _replay(arrays, table, probes)
    return LeakReport(
        columns=len(arrays.facts.schema),
        suspects=tuple(guilty),
        strongest=strongest,
        replayed=replayed,
        not_replayed=reason,
        different=different,
    )


def _replay(arrays: Arrays, table: "TableConfig | None", probes: int) -> tuple[int, tuple[str, ...], str]:
    from fathom.data_catalog.errors import CatalogError
    from fathom.ml.tables.config import TableConfig

    if table is None:
        if not arrays.facts.table.get("catalog"):
            return 0, (), "the arrays name no catalog"
        table = msgspec.convert(arrays.facts.table, TableConfig)
    if not Path(table.catalog).is_dir():
        return 0, (), f"the catalog {table.catalog} is absent"
    try:
        replayed, different = replay(arrays, table, probes=probes)
    except CatalogError as error:
        return 0, (), str(error).rstrip(".")
    return replayed, different, "" if replayed else "the arrays have no row"


def replay(arrays: Arrays, table: "TableConfig", *, probes: int = 20) -> tuple[int, tuple[str, ...]]:
    """Compare rows with vectors computed from the events before their grid times and nothing else.

    Parameters
    ----------
    arrays : Arrays
    table : TableConfig
        Settings of the feature table that the arrays were made of.
    probes : int
        Rows of each instrument.

    Returns
    -------
    rows : int
        How many were compared.
    different : tuple of str
        Columns that differ in any of them (the arrays hold float32: equal means equal there).
    """
    from fathom.ml.tables.replay import replayed

    schema = arrays.facts.schema
    different, compared = np.zeros(len(schema), np.bool_), 0
    for number, instrument in enumerate(arrays.facts.instruments):
        own = np.flatnonzero(arrays.instrument == number)
        chosen = own[np.unique(np.linspace(0, len(own) - 1, min(probes, len(own))).round().astype(np.int64))]
        by_moment = {int(arrays.ts[row]): row for row in chosen}
        if not by_moment:
            continue
        columns: NDArray[np.int64] | None = None
        for moment, vector, features in replayed(table, instrument, list(by_moment)):
            if columns is None:
                # By name: a fitted micro-price makes the schema of each instrument another one.
                columns = np.array([features.schema.index(name) for name in schema.names], np.int64)
            row = arrays.features[by_moment[moment]]
            alone = vector[columns].astype(np.float32)
            different |= ~((alone == row) | (np.isnan(alone) & np.isnan(row)))
            compared += 1
    return compared, tuple(schema.names[i] for i in np.flatnonzero(different))
