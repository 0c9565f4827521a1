"""Vectors of features as they are stored, what every store offers, and the store in this process."""

import time
from collections.abc import Callable
from typing import Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.ml.features.errors import SchemaMismatchError
from fathom.ml.features.schema import FeatureSchema

TTL_SECS: Final = 60
"""Seconds after which a stored vector is forgotten."""

WINDOW: Final = 60
"""Vectors that a model reads at once."""

KEPT: Final = 600
"""Vectors of a symbol that may be found: more than a window on any grid, and bounded whatever happens."""


class StoredVector(msgspec.Struct, frozen=True):
    """A vector as it is stored.

    Parameters
    ----------
    symbol : str
        Instrument the features are of, with its venue, such as ``BTCUSDT-LINEAR.BYBIT``.
    timestamp_ms : int
        Grid time, milliseconds since the epoch.
    groups : dict
        Values of each top group (``orderbook``, ``candles``, ``indicators``) in the order of the schema.
    computed_at : int
        Wall time at which the vector was stored, ns since the epoch.
    version : str
        Hash of the schema.

    Examples
    --------
    >>> StoredVector("BTCUSDT", 1_000, {"candles": [1.5]}, 0, "ab12").groups["candles"]
    [1.5]
    """

    symbol: str
    timestamp_ms: int
    groups: dict[str, list[float]]
    computed_at: int
    version: str

    def values(self, schema: FeatureSchema) -> NDArray[np.float64]:
        """Return the values in the order of `schema`.

        Raises
        ------
        SchemaMismatchError
            Where the vector was stored under another schema.
        """
        if self.version != schema.hash:
            raise SchemaMismatchError(schema.hash[:12], f"the stored vector of {self.symbol}", [self.version[:12]])
        values = np.empty(len(schema))
        for group, positions in schema.groups.items():
            values[positions] = self.groups[group]
        return values


class StoreCounts(msgspec.Struct):
    """What became of writes and reads.

    Examples
    --------
    >>> StoreCounts(hits=3, misses=1).hit_rate
    0.75
    """

    written: int = 0
    dropped: int = 0  # the queue was full, or the vector had outlived its time in it
    failures: int = 0  # batches and reads that the server did not take or answer
    garbage: int = 0  # stored values that are no vectors
    hits: int = 0
    misses: int = 0

    @property
    def hit_rate(self) -> float:
        """Share of reads that found a vector; NaN before the first read."""
        reads = self.hits + self.misses
        return self.hits / reads if reads else float("nan")


class FeatureStore(Protocol):
    """Keep the newest vectors of each symbol for other readers.

    Examples
    --------
    >>> store: FeatureStore = MemoryStore()
    >>> store.latest("BTCUSDT") is None, store.counts.misses
    (True, 1)
    """

    @property
    def counts(self) -> StoreCounts: ...

    def put(self, symbol: str, ts_ns: int, values: NDArray[np.float64], schema: FeatureSchema) -> None:
        """Store a vector; return at once, whatever the state of the store."""
        ...

    def get(self, symbol: str, timestamp_ms: int) -> StoredVector | None:
        """Return the vector of a grid time, or None where it is not there (any more)."""
        ...

    def latest(self, symbol: str) -> StoredVector | None:
        """Return the vector that was stored last, or None."""
        ...

    def window(self, symbol: str, count: int = WINDOW) -> list[StoredVector]:
        """Return up to `count` vectors up to the latest, oldest first, in one round trip."""
        ...

    def flush(self, timeout_secs: float) -> bool:
        """Wait until everything put so far is stored or dropped; return whether it is."""
        ...

    def close(self) -> None:
        """Store what is waiting, as far as that is possible at once, and let go of threads and sockets."""
        ...


class Waiting(msgspec.Struct, frozen=True):
    """A vector on its way into a store; turning it into its stored form is left to whoever has the time.

    Examples
    --------
    >>> schema = FeatureSchema(columns=(), versions={}, settings={})
    >>> Waiting("BTCUSDT", 1_000_000, np.zeros(0), schema, 0, 60.0).symbol
    'BTCUSDT'
    """

    symbol: str
    ts_ns: int
    values: NDArray[np.float64]
    schema: FeatureSchema
    computed_at: int
    until: float


class StoredForm:
    """Turn vectors into their stored form; the hash and the groups of a schema are worked out once.

    Examples
    --------
    >>> schema = FeatureSchema(columns=(), versions={}, settings={})
    >>> StoredForm().of(Waiting("BTCUSDT", 1_000_000, np.zeros(0), schema, 0, 60.0)).timestamp_ms
    1
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[FeatureSchema, str, dict[str, NDArray[np.int64]]]] = {}

    def of(self, waiting: Waiting) -> StoredVector:
        schema = waiting.schema
        known = self._known.get(id(schema))
        if known is None or known[0] is not schema:
            groups = {group: np.array(positions, np.int64) for group, positions in schema.groups.items()}
            known = self._known[id(schema)] = (schema, schema.hash, groups)
        _, version, groups = known
        return StoredVector(
            waiting.symbol,
            waiting.ts_ns // 1_000_000,
            {group: waiting.values[positions].tolist() for group, positions in groups.items()},
            waiting.computed_at,
            version,
        )


class MemoryStore:
    """Keep the newest vectors of each symbol in this process.

    Parameters
    ----------
    ttl_secs : float
        Seconds after which a vector is forgotten.
    clock : callable
        Seconds, for the time to live.

    Examples
    --------
    >>> from fathom.ml.features import FeatureConfig, FeatureSet
    >>> config = FeatureConfig(groups=("candles",), features=("close",))
    >>> schema = FeatureSet(config, price_increment=0.1, size_increment=1.0).schema
    >>> store = MemoryStore()
    >>> store.put("BTCUSDT", 1_000_000_000, np.array([50.5]), schema)
    >>> store.latest("BTCUSDT").values(schema).tolist()
    [50.5]
    >>> [vector.timestamp_ms for vector in store.window("BTCUSDT")], store.counts.hit_rate
    ([1000], 1.0)
    """

    def __init__(self, *, ttl_secs: float = TTL_SECS, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts = StoreCounts()
        self._ttl_secs = ttl_secs
        self._clock = clock
        self._form = StoredForm()
        self._vectors: dict[str, dict[int, Waiting]] = {}
        self._latest: dict[str, int] = {}

    def put(self, symbol: str, ts_ns: int, values: NDArray[np.float64], schema: FeatureSchema) -> None:
        now = self._clock()
        vectors = self._vectors.setdefault(symbol, {})
        timestamp_ms = ts_ns // 1_000_000
        vectors.pop(timestamp_ms, None)
        vectors[timestamp_ms] = Waiting(symbol, ts_ns, values.copy(), schema, time.time_ns(), now + self._ttl_secs)
        self._latest[symbol] = timestamp_ms
        self.counts.written += 1
        for old in list(vectors):
            if len(vectors) <= KEPT and vectors[old].until > now:
                break
            del vectors[old]

    def get(self, symbol: str, timestamp_ms: int) -> StoredVector | None:
        found = self._find(symbol, timestamp_ms)
        self._count(found is not None)
        return found

    def latest(self, symbol: str) -> StoredVector | None:
        return self.get(symbol, self._latest.get(symbol, -1))

    def window(self, symbol: str, count: int = WINDOW) -> list[StoredVector]:
        latest = self._latest.get(symbol, -1)
        times = sorted(t for t in self._vectors.get(symbol, {}) if t <= latest)[-count:]
        found = [vector for t in times if (vector := self._find(symbol, t)) is not None]
        self._count(bool(found))
        return found

    def flush(self, timeout_secs: float) -> bool:
        return True

    def close(self) -> None:
        self._vectors.clear()

    def _find(self, symbol: str, timestamp_ms: int) -> StoredVector | None:
        kept = self._vectors.get(symbol, {}).get(timestamp_ms)
        return None if kept is None or kept.until <= self._clock() else self._form.of(kept)

    def _count(self, hit: bool) -> None:
        if hit:
            self.counts.hits += 1
        else:
            self.counts.misses += 1
