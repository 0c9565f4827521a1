"""Where the samples of a training come from, as settings."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fathom.settings.home import output
from fathom.settings.toml import ConfigPath


class DataConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the samples come from. Exactly one of `arrays`, `table` and `features` names it.

    Parameters
    ----------
    features : str or None
        TOML file of a feature table (`fathom.ml.tables.config.TableConfig`), built where it is not there yet.
    catalog : str or None
        Catalog to use in the place of the one that `features` names.
    instruments : tuple of str or None
        Ids to use in the place of those that `features` names.
    bar_ms : int or None
        Length of bars in the place of the one that `features` names.
    table : str or None
        A feature table that exists.
    arrays : str or None
        A folder of arrays that exists (`fathom.ml.samples.datasets.Arrays.save`).
    cache : str
        Folder of the tables and arrays that are built; by default ``fathom-out/tables``.
    inputs : str or tuple of str
        Columns that a model reads: ``stationary``, ``all``, or names of features and groups.
    mid, spread : str
        Columns that label: a price, and the spread in bps of it.
    window : int
        Rows of a window.
    train_stride : int
        Train on each k-th sample. Validation and test samples are never left out.
    scaler : {"robust", "standard"}
        Inputs are centred and divided: by median and interquartile range, or by mean and deviation.

    Examples
    --------
    >>> DataConfig(table="tables/features-0123.parquet").window
    60
    """

    features: ConfigPath | None = None
    catalog: ConfigPath | None = None
    instruments: tuple[str, ...] | None = None
    bar_ms: Annotated[int, Meta(ge=1)] | None = None
    table: ConfigPath | None = None
    arrays: ConfigPath | None = None
    cache: ConfigPath = msgspec.field(default_factory=lambda: str(output("tables").absolute()))
    inputs: str | tuple[str, ...] = "stationary"
    mid: str = "mid_price"
    spread: str = "bid_ask_spread_rel"
    window: Annotated[int, Meta(ge=2)] = 60
    train_stride: Annotated[int, Meta(ge=1)] = 1
    scaler: Literal["robust", "standard"] = "robust"

    def __post_init__(self) -> None:
        named = [name for name in ("features", "table", "arrays") if getattr(self, name) is not None]
        if len(named) != 1:
            raise ValueError(f"Expected one of features, table and arrays, was {', '.join(named) or 'none'}")
        for name in ("catalog", "instruments", "bar_ms"):
            if getattr(self, name) is not None and self.features is None:
                raise ValueError(f"Expected {name} only beside features, was beside {named[0]}")
