"""Vectors of features shared between processes: in memory by default, in Redis where several processes need them.

The store is a convenience, never a dependency: whoever computes vectors goes on without it. Writing hands a vector to
a background thread and returns; reading gives ``None`` where there is no answer in time, and the caller computes.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.ml.features.schema import FeatureSchema
from fathom.ml.serving.stored_vectors import (
    KEPT,
    TTL_SECS,
    WINDOW,
    FeatureStore,
    MemoryStore,
    StoreCounts,
    StoredForm,
    StoredVector,
    Waiting,
)
from fathom.settings.urls import redacted

__all__ = ["FeatureStore", "MemoryStore", "RedisStore", "StoreCounts", "StoredVector", "open_store"]

LIVE: Final = "live"
"""Run of what reads real data now, unless it says another name, such as `testnet`."""

_BATCH = 256
_WINDOW_SCRIPT: Final = """
local latest = redis.call('GET', KEYS[1])
if not latest then return {} end
local times = redis.call('ZREVRANGEBYSCORE', KEYS[2], latest, '-inf', 'LIMIT', 0, ARGV[1])
if #times == 0 then return {} end
local keys = {}
for i = 1, #times do keys[i] = ARGV[2] .. times[i] end
return redis.call('MGET', unpack(keys))
"""

_log = logging.getLogger(__name__)


class RedisStore:
    """Keep the newest vectors of each symbol in a Redis server or cluster.

    ``features:{run}:{symbol}:{timestamp_ms}`` holds a `StoredVector` as MessagePack for `ttl_secs`,
    ``features:{run}:{symbol}:latest`` the newest timestamp, ``features:{run}:{symbol}:index`` the recent ones. In a
    cluster the symbol stands in braces, so that what belongs together lies on one node and a window takes one round
    trip there too. The run keeps apart what several write at once: a backtest never overwrites a live vector.

    A thread writes, in batches. While the server is down, slow or full, reads are misses (the first waits for
    `timeout_secs`, the later ones not at all), the newest vectors wait in a queue, the oldest are dropped and counted,
    and the thread tries again with growing pauses. An outage gives one warning, its end one notice.

    Parameters
    ----------
    url : str
        ``redis://``, ``rediss://`` or ``unix://`` for a server, ``redis+cluster://`` or ``rediss+cluster://`` for any
        node of a cluster.
    run : str
        Name of who writes: `LIVE`, or that of a backtest.
    ttl_secs : float
        Seconds after which a vector is forgotten.
    timeout_secs : float
        Seconds after which a server that does not answer counts as down.
    capacity : int
        Vectors that may wait to be written.
    warn : callable
        Takes the warning of an outage; the log by default.

    Examples
    --------
    Nothing listens here, and nobody has to wait:

    >>> store = RedisStore("redis://127.0.0.1:1", warn=lambda text: None)
    >>> store.latest("BTCUSDT") is None
    True
    >>> store.close()
    """

    def __init__(
        self,
        url: str,
        *,
        run: str = LIVE,
        ttl_secs: float = TTL_SECS,
        timeout_secs: float = 0.25,
        capacity: int = 10_000,
        warn: Callable[[str], None] = _log.warning,
    ) -> None:
        self.counts = StoreCounts()
        scheme, _, rest = url.partition("://")
        base, plus, kind = scheme.partition("+")
        if base not in ("redis", "rediss", "unix") or (plus and kind != "cluster") or not rest:
            raise ValueError(
                f"Expected a URL like redis://host:6379/0 or redis+cluster://host:7000, was {redacted(url)}"
            )
        self._url = f"{base}://{rest}"
        self._cluster = kind == "cluster"
        self._space = f"features:{run}"
        self._ttl_secs = ttl_secs
        self._timeout_secs = timeout_secs
        self._capacity = capacity
        self._warn = warn
        self._form = StoredForm()
        self._client: Any = None
        self._connecting = threading.Lock()
        self._queue: deque[Waiting] = deque()
        self._wake = threading.Condition()
        self._busy = self._closing = self._down = self._warned_of_garbage = False
        self._pause_secs = 0.0
        self._retry_at = 0.0
        self._thread = threading.Thread(target=self._work, name="feature-store", daemon=True)
        self._thread.start()

    def put(self, symbol: str, ts_ns: int, values: NDArray[np.float64], schema: FeatureSchema) -> None:
        until = time.monotonic() + self._ttl_secs
        waiting = Waiting(symbol, ts_ns, values.copy(), schema, time.time_ns(), until)
        with self._wake:
            if len(self._queue) >= self._capacity:
                self._queue.popleft()
                self.counts.dropped += 1
            self._queue.append(waiting)
            self._wake.notify_all()

    def get(self, symbol: str, timestamp_ms: int) -> StoredVector | None:
        answer = self._ask(lambda client: client.get(f"{self._prefix(symbol)}{timestamp_ms}"))
        found = None if answer is None else self._decode(answer)
        self._count(found is not None)
        return found

    def latest(self, symbol: str) -> StoredVector | None:
        found = self.window(symbol, 1)
        return found[0] if found else None

    def window(self, symbol: str, count: int = WINDOW) -> list[StoredVector]:
        prefix = self._prefix(symbol)
        keys = (f"{prefix}latest", f"{prefix}index")
        count = min(count, KEPT)
        answer = self._ask(lambda client: client.eval(_WINDOW_SCRIPT, 2, *keys, count, prefix)) or ()
        found = [vector for data in answer if data is not None and (vector := self._decode(data)) is not None]
        self._count(bool(found))
        return found[::-1]

    def flush(self, timeout_secs: float) -> bool:
        with self._wake:
            return self._wake.wait_for(lambda: not self._queue and not self._busy, timeout_secs)

    def close(self) -> None:
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        self._thread.join()
        if self._client is not None:
            self._client.close()

    def _prefix(self, symbol: str) -> str:
        return f"{self._space}:{{{symbol}}}:" if self._cluster else f"{self._space}:{symbol}:"

    def _connected(self) -> Any:
        # Redis and its import are needed here only; a process without a store does not pay for them.
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.cluster import RedisCluster
        from redis.retry import Retry

        with self._connecting:
            if self._client is None:
                settings: dict[str, Any] = {
                    "socket_timeout": self._timeout_secs,
                    "socket_connect_timeout": self._timeout_secs,
                    "retry": Retry(NoBackoff(), 0),
                    "protocol": 2,
                }
                kind: Any = RedisCluster if self._cluster else Redis
                self._client = kind.from_url(self._url, **settings)
            return self._client

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        from redis.exceptions import ResponseError

        if self._down:
            return None
        try:
            return question(self._connected())
        except ResponseError as error:
            self._found_garbage(str(error))
        except Exception as error:  # whatever a broken server makes of the answer, the caller goes on
            self._failed(error)
        return None

    def _decode(self, data: Any) -> StoredVector | None:
        try:
            return msgspec.msgpack.decode(data, type=StoredVector)
        except (msgspec.DecodeError, TypeError) as error:
            self._found_garbage(str(error))
            return None

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self._closing:
                    if not self._down and self._queue:
                        break
                    pause = self._retry_at - time.monotonic() if self._down else None
                    if pause is not None and pause <= 0.0:
                        break
                    self._wake.wait(pause)
                batch = list(islice(self._queue, _BATCH))
                if self._closing and (self._down or not batch):
                    self.counts.dropped += len(self._queue)
                    self._queue.clear()
                    return
                for _ in batch:
                    self._queue.popleft()
                self._busy = True
            try:
                self._write(batch)
            except Exception as error:  # the thread outlives whatever the server does
                self._failed(error)
                self._put_back(batch)
            else:
                self._succeeded()
            with self._wake:
                self._busy = False
                self._wake.notify_all()

    def _write(self, batch: list[Waiting]) -> None:
        client = self._connected()
        now = time.monotonic()
        alive = [waiting for waiting in batch if waiting.until > now]
        self.counts.dropped += len(batch) - len(alive)
        if not alive:
            client.ping()
            return
        answers = self._pipeline(client, alive).execute(raise_on_error=False)
        wrong = [answer for answer in answers if isinstance(answer, Exception)]
        if any(str(answer).startswith("WRONGTYPE") for answer in wrong):
            # Somebody else's value under the name of an index: it goes, or no window would ever be read again.
            self._found_garbage(str(wrong[0]))
            for symbol in {waiting.symbol for waiting in alive}:
                client.delete(f"{self._prefix(symbol)}index")
            answers = self._pipeline(client, alive).execute(raise_on_error=False)
            wrong = [answer for answer in answers if isinstance(answer, Exception)]
        if wrong:
            raise wrong[0]
        self.counts.written += len(alive)

    def _pipeline(self, client: Any, batch: list[Waiting]) -> Any:
        pipeline = client.pipeline(transaction=False)
        times: dict[str, list[int]] = {}
        life_ms = int(self._ttl_secs * 1000)
        for waiting in batch:
            vector = self._form.of(waiting)
            times.setdefault(vector.symbol, []).append(vector.timestamp_ms)
            key = f"{self._prefix(vector.symbol)}{vector.timestamp_ms}"
            pipeline.set(key, msgspec.msgpack.encode(vector), px=life_ms)
        for symbol, stamps in times.items():
            prefix = self._prefix(symbol)
            pipeline.set(f"{prefix}latest", stamps[-1], px=life_ms)
            pipeline.zadd(f"{prefix}index", {str(stamp): stamp for stamp in stamps})
            pipeline.zremrangebyrank(f"{prefix}index", 0, -KEPT - 1)
            pipeline.pexpire(f"{prefix}index", life_ms)
        return pipeline

    def _put_back(self, batch: list[Waiting]) -> None:
        with self._wake:
            room = max(self._capacity - len(self._queue), 0)
            kept = batch[len(batch) - min(room, len(batch)) :]
            self.counts.dropped += len(batch) - len(kept)
            self._queue.extendleft(reversed(kept))

    def _failed(self, error: Exception) -> None:
        with self._wake:
            self.counts.failures += 1
            first = not self._down
            self._down = True
            self._pause_secs = min(max(2.0 * self._pause_secs, 0.05), 2.0)
            self._retry_at = time.monotonic() + self._pause_secs
            self._wake.notify_all()
        if first:
            problem = redacted(str(error))
            self._warn(f"The feature store at {self._shown()} does not answer; going on without it ({problem})")

    def _succeeded(self) -> None:
        with self._wake:
            again = self._down
            self._down = False
            self._pause_secs = 0.0
        if again:
            _log.info("The feature store at %s answers again", self._shown())

    def _found_garbage(self, what: str) -> None:
        self.counts.garbage += 1
        if not self._warned_of_garbage:
            self._warned_of_garbage = True
            self._warn(f"The feature store at {self._shown()} holds what is no vector; ignoring it ({what})")

    def _shown(self) -> str:
        return redacted(self._url)

    def _count(self, hit: bool) -> None:
        if hit:
            self.counts.hits += 1
        else:
            self.counts.misses += 1


def open_store(url: str | None, run: str = LIVE) -> FeatureStore:
    """Return the store behind `url`, or one in this process where it is None; see `RedisStore` for the run."""
    return MemoryStore() if url is None else RedisStore(url, run=run)
