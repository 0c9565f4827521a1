"""The features of one instrument while events come in: rows in, vectors of the grid times that they complete out."""

from typing import Final

import msgspec
import numpy as np

from fathom.data_catalog.replay.arrivals import Arrivals
from fathom.data_catalog.replay.recorded_arrivals import RecordedArrivals
from fathom.ml.features import FeatureSet, Vectors

_HELD_ROWS: Final = 256
"""Rows that may wait before they are taken in: a few messages, so that the fixed cost of a step is shared."""
_AHEAD_STEPS: Final = 64
"""Grid times that a replay looks ahead: far enough that the fixed cost of a step is shared."""


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
    next_ns : int
        The next grid time; `until` returns nothing for earlier times.

    Examples
    --------
    >>> from fathom.market import EVENT, Kind
    >>> from fathom.ml.features import FeatureConfig
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
        self.next_ns = 0

    def until(self, ts_ns: int) -> Vectors | None:
        """Take in the events before `ts_ns`; return the vectors of the grid times up to it, None where there are none.

        Events with ``ts_init < ts_ns`` that come later are late: see `FeatureSet.late`.
        """
        if ts_ns < self.next_ns and self.arrivals.held < _HELD_ROWS:
            return None
        rows, bars = self.arrivals.take(ts_ns)
        first = self.features.update(rows, bars)
        if ts_ns < self.next_ns:
            return None
        self.next_ns = (ts_ns // self._grid_ns + 1) * self._grid_ns
        found = _joined(first, self.features.advance(ts_ns))
        return found if len(found.ts) else None

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
        self.next_ns = 0


class RecordedFeatureStream(FeatureStream):
    """Say the same at the same times in a replay, and compute the vectors of many grid times at once.

    It knows the events before they are told. A vector is kept until `until` is called with its grid time or later.

    Parameters
    ----------
    features : FeatureSet
        With bars of its own, or none.
    arrivals : RecordedArrivals

    Examples
    --------
    >>> import tempfile
    >>> from fathom.data_catalog.catalog import Catalog
    >>> from fathom.data_catalog.instruments import default_instruments
    >>> from fathom.market import EVENT, Kind
    >>> from fathom.ml.features import FeatureConfig
    >>> catalog, instrument = Catalog(tempfile.mkdtemp()), default_instruments()["BTCUSDT"]
    >>> trades = np.zeros(2, EVENT)
    >>> trades["kind"], trades["side"], trades["price"], trades["size"] = Kind.TRADE, 1, 500, 3
    >>> trades["ts_init"] = 900_000_000, 2_500_000_000
    >>> with catalog.trade_writer(instrument) as writer:
    ...     writer.write(trades, ["a", "b"])
    >>> config = FeatureConfig(groups=("candles",), features=("volume",))
    >>> features = FeatureSet(config, price_increment=0.1, size_increment=0.5)
    >>> stream = RecordedFeatureStream(features, RecordedArrivals(catalog, str(instrument.id), start_ns=0))
    >>> found = [stream.until(ms * 1_000_000) for ms in (900, 2_500)]
    >>> found[0] is None, found[1].ts.tolist(), found[1].values.tolist()
    (True, [1000000000, 2000000000], [[1.5], [0.0]])
    """

    def __init__(self, features: FeatureSet, arrivals: RecordedArrivals) -> None:
        super().__init__(features, arrivals)
        self._recorded = arrivals
        self._ahead_ns = 0
        self._known = _none_of(features)

    def until(self, ts_ns: int) -> Vectors | None:
        if ts_ns < self.next_ns:
            return None
        if ts_ns >= self._ahead_ns:
            self._look(ts_ns)
            step = self._grid_ns
            ahead_ns = min((ts_ns // step + _AHEAD_STEPS) * step, self._recorded.near_ns)
            if ahead_ns > ts_ns:
                self._look(ahead_ns)
            self._ahead_ns = ahead_ns
        self.next_ns = (ts_ns // self._grid_ns + 1) * self._grid_ns
        known = self._known
        due = int(np.searchsorted(known.ts, ts_ns, side="right"))
        if not due:
            return None
        self._known = Vectors(known.ts[due:], known.values[due:])
        return Vectors(known.ts[:due], known.values[:due])

    def _look(self, before_ns: int) -> None:
        rows, _ = self.arrivals.take(before_ns)
        found = self.features.update_many(rows)
        self._known = _joined(_joined(self._known, found), self.features.advance(before_ns))


def _none_of(features: FeatureSet) -> Vectors:
    return Vectors(np.zeros(0, np.int64), np.zeros((0, len(features.schema))))


def _joined(one: Vectors, two: Vectors) -> Vectors:
    if not len(two.ts):
        return one
    if not len(one.ts):
        return two
    return Vectors(np.concatenate([one.ts, two.ts]), np.concatenate([one.values, two.values]))
