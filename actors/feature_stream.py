"""The features of one instrument while events come in: rows in, vectors of the grid times that they complete out."""

from typing import Final

import msgspec
import numpy as np

from data_catalog.arrivals import Arrivals
from ml.features import FeatureSet, Vectors

_HELD_ROWS: Final = 256
"""Rows that may wait before they are taken in: a few messages, so that the fixed cost of a step is shared."""


class _Saved(msgspec.Struct, frozen=True):
    features: bytes
    arrivals: bytes


class FeatureStream:
    """Feed a `FeatureSet` with events as they arrive, and collect its vectors.

    Call `until` with the ts_init of each event before giving the event to `arrivals`: it takes in what is earlier and
    returns the vectors of the grid times that have come.

    Parameters
    ----------
    features : FeatureSet
    arrivals : Arrivals, optional
        Where the events wait.

    Attributes
    ----------
    arrivals : Arrivals
        The events that wait for those of the same time.

    Examples
    --------
    >>> from ml.book import EVENT, Kind
    >>> from ml.features import FeatureConfig
    >>> config = FeatureConfig(groups=("candles",), features=("close", "volume"))
    >>> stream = FeatureStream(FeatureSet(config, price_increment=0.1, size_increment=0.5))
    >>> trades = np.zeros(2, EVENT)
    >>> trades["kind"], trades["price"], trades["size"] = Kind.TRADE, 500, 3
    >>> trades["ts_init"] = 900_000_000, 1_000_000_000
    >>> for trade in trades.reshape(-1, 1):
    ...     vectors = stream.until(int(trade["ts_init"][0]))
    ...     stream.arrivals.add_trade(trade, int(trade["ts_init"][0]))
    >>> vectors.ts.tolist(), vectors.values.tolist()
    ([1000000000], [[50.0, 1.5]])
    """

    def __init__(self, features: FeatureSet, arrivals: Arrivals | None = None) -> None:
        self.features = features
        self.arrivals = arrivals or Arrivals()
        self._grid_ns = features.config.grid_ms * 1_000_000
        self._due_ns = 0

    def until(self, ts_ns: int) -> Vectors | None:
        """Take in the events before `ts_ns`; return the vectors of the grid times up to it, None where there are none.

        Events with ``ts_init < ts_ns`` that come later are late: see `FeatureSet.late`.
        """
        if ts_ns < self._due_ns and self.arrivals.held < _HELD_ROWS:
            return None
        rows, bars = self.arrivals.take(ts_ns)
        first = self.features.update(rows, bars)
        if ts_ns < self._due_ns:
            return None
        self._due_ns = (ts_ns // self._grid_ns + 1) * self._grid_ns
        rest = self.features.advance(ts_ns)
        if not len(first.ts):
            return rest if len(rest.ts) else None
        return Vectors(np.concatenate([first.ts, rest.ts]), np.concatenate([first.values, rest.values]))

    def save(self) -> bytes:
        """Return the whole state, for `load`."""
        return msgspec.msgpack.encode(_Saved(self.features.snapshot(), self.arrivals.save()))

    def load(self, state: bytes) -> None:
        """Take over what `save` returned; go on as if nothing had happened.

        Raises
        ------
        FeatureError
            Where the state is of other features or another instrument.
        """
        saved = msgspec.msgpack.decode(state, type=_Saved)
        self.features.restore(saved.features)
        self.arrivals.load(saved.arrivals)
        self._due_ns = 0
