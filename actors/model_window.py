"""The last vectors of an instrument, and whether a model may look at them."""

import numpy as np
from numpy.typing import NDArray

from fathom.ml.features import FeatureSchema, SchemaMismatchError
from fathom.ml.models.artifacts import ModelSchema
from fathom.settings.errors import FathomError
from fathom.settings.times import MS


class WindowUnfitError(FathomError):
    """There is no window that a model may look at; the message says why in a few words.

    Parameters
    ----------
    reason
        Why.
    warming
        Whether that is no fault: the first vectors have not all come yet.

    Examples
    --------
    >>> WindowUnfitError("12 of 60 vectors so far", warming=True).warming
    True
    """

    def __init__(self, reason: str, *, warming: bool = False) -> None:
        super().__init__(reason)
        self.warming = warming


class ModelWindow:
    """Keep the last vectors of one instrument on the grid without a gap.

    Parameters
    ----------
    length
        How many vectors are kept: the longest window of a model.

    Attributes
    ----------
    schema
        What the vectors mean; None until it is known.
    ts_ns
        Grid time of the last vector; 0 before the first.

    Examples
    --------
    >>> window = ModelWindow(2)
    >>> window.add(1_000, np.array([1.0, 2.0]), "ab")
    >>> window.last("imbalance_5", now_ns=1_000, max_age_ms=1.0)
    nan
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.schema: FeatureSchema | None = None
        self.ts_ns = 0
        self._hash = ""
        self._seen_hash = ""
        self._values = np.zeros((0, 0))
        self._times = np.zeros(0, np.int64)
        self._count = 0
        self._was_ready = False
        self._positions: list[tuple[ModelSchema, NDArray[np.int64]]] = []  # two models at most

    def mean(self, schema: FeatureSchema) -> None:
        """Take note of what the vectors mean."""
        self.schema, self._hash = schema, schema.hash
        self._positions.clear()

    def add(self, ts_ns: int, values: NDArray[np.float64], schema_hash: str) -> None:
        """Take the next vector.

        Parameters
        ----------
        ts_ns
            Its grid time.
        values
            float64 of shape (features,).
        schema_hash
            Of what it means; a change begins anew.
        """
        if schema_hash != self._seen_hash:
            self._seen_hash = schema_hash
            # Each vector is written twice, half the buffer apart, so that every window is one slice.
            self._values = np.full((2 * self.length, values.size), np.nan)
            self._times = np.zeros(2 * self.length, np.int64)
            self._count = 0
        at = self._count % self.length
        self._values[at] = self._values[at + self.length] = values
        self._times[at] = self._times[at + self.length] = ts_ns
        self._count += 1
        self.ts_ns = ts_ns

    def of(self, model: ModelSchema, *, now_ns: int, max_age_ms: float) -> NDArray[np.float64]:
        """Return the window that a model reads.

        Parameters
        ----------
        model
            What it reads.
        now_ns
            The time.
        max_age_ms
            The last vector may be so old.

        Returns
        -------
        ndarray
            float64 of shape (window, features of the model), oldest first.

        Raises
        ------
        WindowUnfitError
            There are too few vectors, one is missing in between or too old, a value is NaN, or the model reads what the
            vectors have not.
        """
        rows = model.window
        if rows > self.length:
            raise WindowUnfitError(f"the model reads {rows} vectors, {self.length} are kept: raise window")
        if self._count < rows:
            raise WindowUnfitError(f"{self._count} of {rows} feature vectors so far", warming=True)
        age_ms = (now_ns - self.ts_ns) / MS
        if age_ms > max_age_ms:
            raise WindowUnfitError(f"features {age_ms:,.0f} ms old, over {max_age_ms:,.0f} ms")
        columns = self._columns(model)
        end = (self._count - 1) % self.length + self.length + 1
        times = self._times[end - rows : end]
        steps = np.diff(times)
        if steps.size and (steps != model.grid_ms * MS).any():
            raise WindowUnfitError("a feature vector is missing in the window")
        window = self._values[end - rows : end][:, columns]
        if not np.isfinite(window).all():
            row, column = np.argwhere(~np.isfinite(window))[-1].tolist()
            name = model.features.names[column]
            reason = f"feature {name} not finite {rows - 1 - row} vectors ago"
            raise WindowUnfitError(reason, warming=not self._was_ready)
        self._was_ready = True
        return window

    def last(self, name: str, *, now_ns: int, max_age_ms: float) -> float:
        """Return the last value of a feature; NaN where it is not known or too old."""
        known = self.schema is not None and self._seen_hash == self._hash and self._count > 0
        if not known or (now_ns - self.ts_ns) / MS > max_age_ms:
            return float("nan")
        assert self.schema is not None
        names = self.schema.names
        if name not in names:
            return float("nan")
        return float(self._values[(self._count - 1) % self.length, names.index(name)])

    def _columns(self, model: ModelSchema) -> NDArray[np.int64]:
        if self.schema is None:
            raise WindowUnfitError("what the feature vectors mean is not known")
        if self._seen_hash != self._hash:
            raise WindowUnfitError("the feature vectors mean something else than was announced")
        for known, positions in self._positions:
            if known is model:
                return positions
        try:
            positions = self.schema.positions(model.features)
        except SchemaMismatchError as error:
            raise WindowUnfitError(f"the model reads other features: {error}") from None
        self._positions.append((model, positions))
        return positions
