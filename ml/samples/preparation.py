"""From a training configuration to its arrays: the feature table and the arrays are built where they are not there."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fathom.ml.samples.config import DataConfig
from fathom.ml.samples.datasets import Arrays
from fathom.settings.toml import read

if TYPE_CHECKING:
    from fathom.ml.tables.config import TableConfig

type OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is, and how much there is."""


def prepare(config: DataConfig, on_progress: OnProgress | None = None) -> Arrays:
    """Return the arrays of a configuration.

    Parameters
    ----------
    config : DataConfig
    on_progress : callable, optional

    Raises
    ------
    CatalogError
        The catalog lacks the data, or the table is none.
    DatasetError
        The arrays are absent or damaged, or the table lacks a column.
    """
    if config.arrays is not None:
        return Arrays.open(config.arrays)
    # What builds tables needs the engine, what reads arrays does not.
    from fathom.ml.samples.from_table import write_arrays

    table = Path(config.table) if config.table is not None else _built(config, on_progress)
    folder = write_arrays(
        table,
        Path(config.cache),
        inputs=config.inputs,
        mid=config.mid,
        spread=config.spread,
        on_progress=lambda done, total: on_progress("arrays", done, total) if on_progress else None,
    )
    return Arrays.open(folder)


def table_config(config: DataConfig) -> "TableConfig | None":
    """Return the settings of the feature table, or None where the data are no table of a catalog."""
    if config.features is None:
        return None
    from fathom.ml.tables.config import TableConfig

    table = read(TableConfig, config.features)
    if config.catalog is not None:
        table = msgspec.structs.replace(table, catalog=config.catalog)
    if config.instruments is not None:
        table = msgspec.structs.replace(table, instruments=config.instruments)
    if config.bar_ms is not None:
        table = msgspec.structs.replace(table, features=msgspec.structs.replace(table.features, bar_ms=config.bar_ms))
    return table


def _built(config: DataConfig, on_progress: OnProgress | None) -> Path:
    from fathom.ml.tables.build import build

    settings = table_config(config)
    assert settings is not None
    return build(settings, Path(config.cache), on_progress=on_progress).path
