"""Datasets: feature tables as memory-mapped arrays, and the samples (window, label) that they hold.

Arrays are written once, row after row of one instrument after the other. A window is a view of the rows, never a copy,
and no window crosses from one instrument to the next, a gap in the grid, or a row that is not ready.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.ml.errors import DatasetError
from fathom.ml.features import Column, FeatureSchema, Normalisation
from fathom.ml.samples.label_config import LabelConfig
from fathom.ml.samples.labels import CLASSES, Labels, Prices, label, past_classes, rows_ahead
from fathom.settings.whole_files import whole_folder

FACTS: Final = "facts.json"
FORMAT: Final = 1
PARTS: Final[Mapping[str, Any]] = {
    "features": np.float32,
    "ts": np.int64,
    "instrument": np.int16,
    "mid": np.float64,
    "spread_bps": np.float64,
}
"""The arrays and their types; each is a file NAME.npy."""


class ArrayFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a folder of arrays says of itself, in ``facts.json``.

    Parameters
    ----------
    format : int
        Version of the layout.
    hash : str
        SHA-256 of the content of all arrays and the names of the columns: equal hashes mean equal data.
    source : str
        Hash of the feature table that the arrays were made of; "" for none.
    schema : FeatureSchema
        Columns of a row, in order.
    instruments : tuple of str
        Ids, by number.
    grid_ms : int
        Distance of the grid times.
    rows : int
    table : dict
        Settings of the feature table, its catalog included (`fathom.ml.tables.config.TableConfig`); empty for none.

    Examples
    --------
    >>> Arrays.raw(np.zeros((3, 2)), np.arange(3) * 10**9, np.ones(3)).facts.rows
    3
    """

    format: int
    hash: str
    source: str
    schema: FeatureSchema
    instruments: tuple[str, ...]
    grid_ms: int
    rows: int
    table: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Arrays:
    """Rows of features with the prices that label them.

    Attributes
    ----------
    facts : ArrayFacts
    features : ndarray
        float32, of shape (rows, columns), not scaled; memory-mapped where they come from a folder. A row with a NaN is
        not ready and in no window.
    ts : ndarray
        Grid time of each row, ns, ascending within an instrument.
    instrument : ndarray
        Number of each row's instrument, ascending.
    mid, spread_bps : ndarray
        float64; a NaN in the mid is a gap.

    Examples
    --------
    >>> arrays = Arrays.raw(np.zeros((5, 2)), np.arange(5) * 10**9, np.full(5, 100.0), names=["a", "b"])
    >>> arrays.samples(LabelConfig(horizon_secs=1.0), window=3).rows.tolist()
    [2, 3]
    """

    facts: ArrayFacts
    features: NDArray[np.float32]
    ts: NDArray[np.int64]
    instrument: NDArray[np.int16]
    mid: NDArray[np.float64]
    spread_bps: NDArray[np.float64]

    @classmethod
    def open(cls, folder: Path | str) -> Self:
        """Map the arrays of a folder that `write` made.

        Raises
        ------
        DatasetError
            The folder is none, of another format, or lacks an array.
        """
        folder = Path(folder)
        try:
            facts = msgspec.json.decode((folder / FACTS).read_bytes(), type=ArrayFacts)
            parts = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in PARTS}
        except (OSError, ValueError, msgspec.DecodeError) as error:
            raise DatasetError(f"Expected a folder of arrays, was {folder}: {error}. Prepare it again.") from None
        if facts.format != FORMAT:
            raise DatasetError(
                f"Expected arrays of format {FORMAT}, was {facts.format} in {folder}: prepare them again."
            )
        rows = {name: len(part) for name, part in parts.items()}
        if set(rows.values()) != {facts.rows}:
            raise DatasetError(f"Expected {facts.rows} rows in {folder}, was {rows}: prepare them again.")
        return cls(facts, **{name: np.asarray(part) if part.ndim == 1 else part for name, part in parts.items()})

    @classmethod
    def raw(
        cls,
        features: NDArray[Any],
        ts: NDArray[np.int64],
        mid: NDArray[np.float64],
        *,
        spread_bps: NDArray[np.float64] | None = None,
        instrument: NDArray[np.integer] | None = None,
        instruments: Sequence[str] = ("RAW",),
        names: Sequence[str] | None = None,
        grid_ms: int = 1_000,
    ) -> Self:
        """Return arrays of your own: a synthetic problem, data from elsewhere.

        Parameters
        ----------
        features : ndarray
            Shape (rows, columns).
        ts, mid : ndarray
            Grid times, ns, and prices, of shape (rows,).
        spread_bps, instrument : ndarray, optional
            0 by default.
        instruments, names : sequence of str, optional
        grid_ms : int

        Raises
        ------
        DatasetError
            Shapes differ, or times do not ascend within an instrument.
        """
        rows, columns = features.shape
        numbers = np.zeros(rows, np.int16) if instrument is None else instrument.astype(np.int16)
        spread = np.zeros(rows) if spread_bps is None else spread_bps.astype(np.float64)
        names = [f"feature_{i}" for i in range(columns)] if names is None else list(names)
        if not len(ts) == len(mid) == len(numbers) == len(spread) == rows or len(names) != columns:
            raise DatasetError(f"Expected {rows} times, prices, spreads and instruments and {columns} names, was fewer")
        if ((np.diff(ts) <= 0) & (np.diff(numbers) == 0)).any() or (np.diff(numbers) < 0).any():
            raise DatasetError("Expected rows sorted by instrument and time, was not")
        schema = FeatureSchema(
            columns=tuple(Column(name, "raw", "") for name in names), versions={"raw": 1}, settings={"grid_ms": grid_ms}
        )
        parts: dict[str, NDArray[Any]] = {
            "features": np.ascontiguousarray(features, np.float32),
            "ts": ts.astype(np.int64),
            "instrument": numbers,
            "mid": mid.astype(np.float64),
            "spread_bps": spread,
        }
        facts = ArrayFacts(
            format=FORMAT,
            hash=content_hash(parts, schema),
            source="",
            schema=schema,
            instruments=tuple(instruments),
            grid_ms=grid_ms,
            rows=rows,
        )
        return cls(facts, **parts)

    def save(self, folder: Path | str) -> Path:
        """Write the arrays to a folder that `open` reads; it appears when it is whole."""
        folder = Path(folder)
        with whole_folder(folder) as part:
            for name in PARTS:
                np.save(part / f"{name}.npy", getattr(self, name), allow_pickle=False)
            (part / FACTS).write_bytes(msgspec.json.encode(self.facts))
        return folder

    @property
    def grid_ns(self) -> int:
        """Distance of the grid times, ns."""
        return self.facts.grid_ms * 1_000_000

    @property
    def prices(self) -> Prices:
        """What the labels are made of."""
        ahead = rows_ahead(self.ts, self.instrument, self.mid, self.grid_ns)
        return Prices(self.mid, self.spread_bps, ahead, self.grid_ns)

    def rows_without_value(self) -> dict[str, int]:
        """Return for each column that lacks a value in some rows how many rows these are, the most first.

        Such a row is in no window.
        """
        missing = np.zeros(len(self.facts.schema), np.int64)
        for at in range(0, len(self.ts), 65_536):
            missing += (~np.isfinite(self.features[at : at + 65_536])).sum(axis=0)
        order = np.argsort(-missing, kind="stable")
        return {self.facts.schema.names[column]: int(missing[column]) for column in order if missing[column]}

    def samples(self, config: LabelConfig, *, window: int) -> "Samples":
        """Return every sample: a window that is whole, ready and without a gap, whose label is known.

        Parameters
        ----------
        config : LabelConfig
        window : int
            Rows of a window.

        Raises
        ------
        DatasetError
            No row has all features; naming those that never have a value.
        """
        prices = self.prices
        labels = label(prices, config)
        lengths = self._run_lengths(prices)
        if len(lengths) and not lengths.any():
            raise DatasetError(self._nothing_ready())
        rows = np.flatnonzero((lengths >= window) & labels.known)
        return Samples(
            rows=rows,
            ts=self.ts[rows],
            classes=labels.classes[rows],
            return_bps=labels.return_bps[rows],
            volatility_bps=labels.volatility_bps[rows],
            cost_bps=labels.cost_bps[rows],
            entry_cost_bps=2.0 * config.fee_bps + self.spread_bps[rows],
            exit_ts=self.ts[rows + labels.exit[rows]],
            instrument=self.instrument[rows].astype(np.int64),
            past_classes=past_classes(prices, config)[rows],
            window=window,
            reach_ns=(window - 1) * self.grid_ns + config.horizon_ns,
        )

    def labels(self, config: LabelConfig) -> Labels:
        """Return the label of every row."""
        return label(self.prices, config)

    def fit_scaler(self, rows: NDArray[np.int64], kind: Literal["standard", "robust"] = "robust") -> Normalisation:
        """Fit centres and scales on some rows and nothing else.

        At most 200,000 of them, evenly spaced, so that data beyond memory can be fitted.

        Parameters
        ----------
        rows : ndarray
            Rows of the training windows.
        kind : {"standard", "robust"}
        """
        from fathom.ml.features import fit

        chosen = rows[:: -(-len(rows) // 200_000)] if len(rows) else rows
        ts = self.ts[chosen]
        values = self.features[chosen].astype(np.float64)
        return fit(kind, self.facts.schema.names, ts, values, before_ns=int(ts.max(initial=0)) + 1)

    def _nothing_ready(self) -> str:
        missing = self.rows_without_value()
        never = [name for name, rows in missing.items() if rows == len(self.ts)]
        named = ", ".join(never) if never else ", ".join(f"{name} ({rows:,} rows)" for name, rows in missing.items())
        what = "These never have a value" if never else "No feature lacks one in all rows, but each row lacks some"
        return (
            f"Expected rows with a value of every feature, was none of {len(self.ts):,}. {what}: {named}. Leave "
            "them out (data.inputs of the training, features.groups or features.features of the table), or import what "
            "they need: bars and the flow of orders need trades."
        )

    def _run_lengths(self, prices: Prices) -> NDArray[np.int64]:
        # Rows up to and with each row that are ready and follow each other on the grid.
        ready = np.concatenate(
            [np.isfinite(self.features[at : at + 65_536]).all(axis=1) for at in range(0, len(self.ts), 65_536)]
            or [np.zeros(0, np.bool_)]
        )
        begins = np.append(True, prices.ahead[:-1] == 0)[: len(ready)]
        at = np.arange(len(ready))
        last_break = np.maximum.accumulate(np.where(~ready, at + 1, np.where(begins, at, 0)))
        lengths: NDArray[np.int64] = at - last_break + 1
        return lengths


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Windows and their labels, of shape (samples,), in the order of the rows.

    Attributes
    ----------
    rows : ndarray
        Last row of each window: the grid time at which the model decides.
    ts, exit_ts : ndarray
        Its time, and when the label is known, ns.
    classes : ndarray of int64
        HOLD 0, BUY 1, SELL 2.
    return_bps, volatility_bps, cost_bps : ndarray of float64
        See `fathom.ml.samples.labels.Labels`.
    entry_cost_bps : ndarray of float64
        The cost as far as it is known at the time: two fees and the spread of that moment.
    instrument : ndarray of int64
    past_classes : ndarray of int64
        What naive persistence says.
    window : int
        Rows of a window.
    reach_ns : int
        From the first row of a window to the end of its label.

    Examples
    --------
    >>> arrays = Arrays.raw(np.zeros((5, 2)), np.arange(5) * 10**9, np.full(5, 100.0))
    >>> samples = arrays.samples(LabelConfig(horizon_secs=1.0), window=3)
    >>> len(samples), samples.reach_ns, samples.class_shares().tolist()
    (2, 3000000000, [1.0, 0.0, 0.0])
    """

    rows: NDArray[np.int64]
    ts: NDArray[np.int64]
    classes: NDArray[np.int64]
    return_bps: NDArray[np.float64]
    volatility_bps: NDArray[np.float64]
    cost_bps: NDArray[np.float64]
    entry_cost_bps: NDArray[np.float64]
    exit_ts: NDArray[np.int64]
    instrument: NDArray[np.int64]
    past_classes: NDArray[np.int64]
    window: int
    reach_ns: int

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, positions: NDArray[np.int64]) -> "Samples":
        """Return some of the samples."""
        parts = {name: getattr(self, name)[positions] for name in self.__slots__ if name not in ("window", "reach_ns")}
        return Samples(**parts, window=self.window, reach_ns=self.reach_ns)

    def class_shares(self) -> NDArray[np.float64]:
        """Return the share of each class."""
        return np.bincount(self.classes, minlength=len(CLASSES)) / max(len(self.rows), 1)

    def class_weights(self, kind: Literal["none", "sqrt", "balanced"]) -> NDArray[np.float64]:
        """Return a weight a class, with mean 1 over the samples: 1, or falling with the class's share (or its root)."""
        shares = self.class_shares()
        present = shares > 0.0
        power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[kind]
        weights = np.where(present, np.where(present, shares, 1.0) ** -power, 0.0)
        return weights / max(float((weights * shares).sum()), 1e-300)

    def touched_rows(self) -> NDArray[np.int64]:
        """Return every row that is in one of the windows, once, in order."""
        if not len(self.rows):
            return self.rows
        edges = np.zeros(int(self.rows.max()) + 2, np.int64)
        np.add.at(edges, self.rows - self.window + 1, 1)
        np.add.at(edges, self.rows + 1, -1)
        return np.flatnonzero(np.cumsum(edges[:-1]) > 0)


def windows(features: NDArray[Any], window: int) -> NDArray[Any]:
    """Return every run of `window` rows as a view of shape (rows - window + 1, window, columns); nothing is copied.

    Examples
    --------
    >>> rows = np.arange(6.0).reshape(3, 2)
    >>> windows(rows, 2).shape, np.shares_memory(windows(rows, 2), rows)
    ((2, 2, 2), True)
    """
    if len(features) < window:
        raise DatasetError(f"Expected at least {window} rows for a window, was {len(features)}")
    view: NDArray[Any] = np.lib.stride_tricks.sliding_window_view(features, window, axis=0).transpose(0, 2, 1)
    return view


def content_hash(parts: Mapping[str, NDArray[Any]], schema: FeatureSchema) -> str:
    """Return the hash of all arrays and of what their columns are."""
    digest = sha256(schema.to_json())
    for name in PARTS:
        part = parts[name]
        for at in range(0, len(part), 65_536):
            digest.update(np.ascontiguousarray(part[at : at + 65_536]).tobytes())
    return digest.hexdigest()
