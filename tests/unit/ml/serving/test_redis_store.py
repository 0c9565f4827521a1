"""The stores against a real redis-server that is killed, paused, filled with garbage and restarted in mid-stream."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from fathom.market import EVENT, Kind
from fathom.ml.features import FeatureConfig, FeatureSet, SchemaMismatchError
from fathom.ml.serving.redis_store import FeatureStore, MemoryStore, RedisStore, open_store
from tests.servers.redis_server import Server, installed

CONFIG = FeatureConfig(groups=("candles", "indicators"))
SCHEMA = FeatureSet(CONFIG, price_increment=0.1, size_increment=0.001).schema
PATIENCE = 30.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    if not installed():
        pytest.skip("redis-server is not installed")
    running = Server(tmp_path)
    yield running
    running.kill()


@pytest.fixture
def warnings_() -> list[str]:
    return []


@pytest.fixture
def store(server: Server, warnings_: list[str]) -> Iterator[RedisStore]:
    opened = RedisStore(server.url, warn=warnings_.append)
    yield opened
    opened.close()


@pytest.fixture(params=["memory", "redis"])
def any_store(request: pytest.FixtureRequest) -> Iterator[FeatureStore]:
    opened = MemoryStore() if request.param == "memory" else RedisStore(request.getfixturevalue("server").url)
    yield opened
    opened.close()


def vector(number: int) -> NDArray[np.float64]:
    values = np.random.default_rng(number).normal(size=len(SCHEMA))
    values[number % len(SCHEMA)] = np.nan
    return values


def put(store: FeatureStore, numbers: range, symbol: str = "BTCUSDT") -> None:
    for number in numbers:
        store.put(symbol, number * 1_000_000_000, vector(number), SCHEMA)


def test_gives_back_what_was_put_to_the_last_bit(any_store: FeatureStore) -> None:
    put(any_store, range(1, 101))
    assert any_store.flush(PATIENCE)
    window = any_store.window("BTCUSDT")
    assert [found.timestamp_ms for found in window] == [number * 1000 for number in range(41, 101)]
    for number, found in zip(range(41, 101), window, strict=True):
        np.testing.assert_array_equal(found.values(SCHEMA), vector(number))
    newest = any_store.latest("BTCUSDT")
    assert newest is not None
    assert newest.timestamp_ms == 100_000
    assert set(window[0].groups) == {"candles", "indicators"}
    one = any_store.get("BTCUSDT", 7_000)
    assert one is not None
    assert (one.symbol, one.version) == ("BTCUSDT", SCHEMA.hash)
    assert one.computed_at > 1_700_000_000_000_000_000


def test_counts_hits_and_misses(any_store: FeatureStore) -> None:
    put(any_store, range(1, 4))
    assert any_store.flush(PATIENCE)
    assert any_store.get("BTCUSDT", 2_000) is not None
    assert any_store.get("BTCUSDT", 2_500) is None
    assert any_store.latest("ETHUSDT") is None
    assert any_store.window("ETHUSDT") == []
    assert (any_store.counts.written, any_store.counts.hits, any_store.counts.misses) == (3, 1, 3)
    assert any_store.counts.hit_rate == 0.25


def test_latest_is_what_was_put_last_even_when_time_starts_again(any_store: FeatureStore) -> None:
    put(any_store, range(100, 105))
    put(any_store, range(1, 4))
    assert any_store.flush(PATIENCE)
    assert [found.timestamp_ms for found in any_store.window("BTCUSDT", 10)] == [1000, 2000, 3000]


def test_keeps_symbols_apart_and_their_number_bounded(any_store: FeatureStore) -> None:
    put(any_store, range(1, 1_001))
    put(any_store, range(1, 3), "ETHUSDT")
    assert any_store.flush(PATIENCE)
    assert len(any_store.window("BTCUSDT", 5_000)) == 600
    assert [found.symbol for found in any_store.window("ETHUSDT")] == ["ETHUSDT"] * 2


def test_a_vector_of_another_schema_is_refused(any_store: FeatureStore) -> None:
    put(any_store, range(1, 2))
    assert any_store.flush(PATIENCE)
    found = any_store.latest("BTCUSDT")
    assert found is not None
    with pytest.raises(SchemaMismatchError, match="stored vector of BTCUSDT"):
        found.values(SCHEMA.select(["close"]))


def test_memory_forgets_after_the_time_to_live() -> None:
    now = [0.0]
    store = MemoryStore(ttl_secs=60, clock=lambda: now[0])
    put(store, range(1, 3))
    now[0] = 59.9
    assert len(store.window("BTCUSDT")) == 2
    now[0] = 60.0
    assert store.latest("BTCUSDT") is None


def test_keys_expire_and_are_named_as_promised(server: Server, store: RedisStore) -> None:
    put(store, range(1, 4))
    assert store.flush(PATIENCE)
    with server.client() as client:
        names = sorted(key.decode() for key in client.scan_iter())
        assert names == [f"features:live:BTCUSDT:{name}" for name in (1000, 2000, 3000, "index", "latest")]
        assert all(0 < client.pttl(name) <= 60_000 for name in names)
        raw = msgspec.msgpack.decode(client.get("features:live:BTCUSDT:2000"))
    assert set(raw) == {"symbol", "timestamp_ms", "groups", "computed_at", "version"}


def test_a_window_is_one_round_trip(server: Server, store: RedisStore) -> None:
    put(store, range(1, 101))
    assert store.flush(PATIENCE)
    with server.client() as client, client.monitor() as monitor:
        assert len(store.window("BTCUSDT")) == 60
        client.echo("end")
        asked = []
        for command in monitor.listen():
            if command["command"].startswith("ECHO"):
                break
            if command["client_type"] != "lua" and not command["command"].startswith("CLIENT"):
                asked.append(command["command"].split()[0])
    assert asked == ["EVAL"]


def test_killed_and_restarted_in_mid_stream(server: Server, store: RedisStore, warnings_: list[str]) -> None:
    put(store, range(1, 51))
    assert store.flush(PATIENCE)
    server.kill()
    assert store.latest("BTCUSDT") is None
    put(store, range(51, 101))
    assert store.get("BTCUSDT", 99_000) is None
    assert not store.flush(0.5)
    server.start()
    put(store, range(101, 121))
    assert store.flush(PATIENCE)
    # Memory of the killed server is gone; everything put since is there, from the outage too.
    assert [found.timestamp_ms for found in store.window("BTCUSDT", 600)] == [n * 1000 for n in range(51, 121)]
    assert len(warnings_) == 1
    assert "does not answer" in warnings_[0]
    assert store.counts.dropped == 0


def test_paused_in_mid_stream(server: Server, store: RedisStore, warnings_: list[str]) -> None:
    put(store, range(1, 11))
    assert store.flush(PATIENCE)
    server.signal(signal.SIGSTOP)
    put(store, range(11, 31))
    assert store.latest("BTCUSDT") is None
    assert not store.flush(0.5)
    server.signal(signal.SIGCONT)
    assert store.flush(PATIENCE)
    assert [found.timestamp_ms for found in store.window("BTCUSDT", 30)] == [n * 1000 for n in range(1, 31)]
    assert len(warnings_) == 1
    server.kill()
    assert store.latest("BTCUSDT") is None
    assert len(warnings_) == 2  # a second outage is another warning


def test_the_oldest_are_dropped_when_the_queue_is_full(server: Server, warnings_: list[str]) -> None:
    server.signal(signal.SIGSTOP)
    store = RedisStore(server.url, capacity=100, warn=warnings_.append)
    put(store, range(1, 1_001))
    server.signal(signal.SIGCONT)
    assert store.flush(PATIENCE)
    found = [vector.timestamp_ms for vector in store.window("BTCUSDT", 100)]
    assert found == [n * 1000 for n in range(901, 1_001)]
    assert store.counts.dropped + store.counts.written == 1_000
    store.close()


def test_direct_computation_goes_on_whatever_the_server_does(server: Server, warnings_: list[str]) -> None:
    rng = np.random.default_rng(5)
    rows = np.zeros(4_000, EVENT)
    rows["kind"] = Kind.TRADE
    rows["ts_init"] = np.sort(rng.integers(1, 400_000_000_000, len(rows)))
    rows["price"] = 100_000 + np.cumsum(rng.integers(-5, 6, len(rows)))
    rows["size"] = rng.integers(1, 50, len(rows))
    want = FeatureSet(CONFIG, price_increment=0.1, size_increment=0.001).update_many(rows)
    acts = {
        500: lambda: server.signal(signal.SIGSTOP),
        1_500: lambda: server.signal(signal.SIGCONT),
        2_000: server.kill,
        3_500: server.start,
    }
    features = FeatureSet(CONFIG, price_increment=0.1, size_increment=0.001)
    store = RedisStore(server.url, warn=warnings_.append)
    got = []
    for i in range(len(rows)):
        if i in acts:
            acts[i]()
        vectors = features.update(rows[i : i + 1])
        for ts, values in zip(vectors.ts.tolist(), vectors.values, strict=True):
            store.put("BTCUSDT", ts, values, features.schema)
            got.append(values)
    np.testing.assert_array_equal(np.array(got), want.values)
    assert store.flush(PATIENCE)
    newest = store.latest("BTCUSDT")
    assert newest is not None
    np.testing.assert_array_equal(newest.values(SCHEMA), want.values[-1])
    store.close()


def test_garbage_under_our_names_is_ignored_and_replaced(
    server: Server, store: RedisStore, warnings_: list[str]
) -> None:
    with server.client() as client:
        client.set("features:live:BTCUSDT:1000", b"\x00junk")
        client.set("features:live:BTCUSDT:latest", "tomorrow")
        client.set("features:live:BTCUSDT:index", "a string")
        assert store.get("BTCUSDT", 1_000) is None
        assert store.window("BTCUSDT") == []
        put(store, range(2, 5))
        assert store.flush(PATIENCE)
        client.zadd("features:live:BTCUSDT:index", {"1000": 1000, "1500": 1500})
        client.lpush("features:live:BTCUSDT:1500", "a list")
        assert [found.timestamp_ms for found in store.window("BTCUSDT")] == [2000, 3000, 4000]
    assert store.counts.garbage >= 4
    assert len(warnings_) == 1
    assert "no vector" in warnings_[0]


def test_a_full_server_is_an_outage_that_ends(server: Server, store: RedisStore, warnings_: list[str]) -> None:
    with server.client() as client:
        client.config_set("maxmemory", "1")
        put(store, range(1, 4))
        assert not store.flush(0.3)
        client.config_set("maxmemory", "0")
    assert store.flush(PATIENCE)
    assert len(store.window("BTCUSDT")) == 3
    assert len(warnings_) == 1


def test_something_else_that_talks_nonsense(warnings_: list[str]) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def babble() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    thread = threading.Thread(target=babble)
    thread.start()
    store = RedisStore(f"redis://127.0.0.1:{listener.getsockname()[1]}", warn=warnings_.append)
    put(store, range(1, 4))
    assert store.latest("BTCUSDT") is None
    assert not store.flush(0.3)
    store.close()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    assert len(warnings_) == 1
    assert store.counts.dropped == 3


def test_a_cluster(tmp_path: Path, warnings_: list[str]) -> None:
    if not installed():
        pytest.skip("redis-server is not installed")
    node = Server(tmp_path, "--cluster-enabled", "yes")
    try:
        with node.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            while b"cluster_state:ok" not in client.execute_command("CLUSTER", "INFO"):
                pass
        store = RedisStore(f"redis+cluster://127.0.0.1:{node.port}", warn=warnings_.append)
        put(store, range(1, 101))
        put(store, range(1, 11), "ETHUSDT")
        assert store.flush(PATIENCE)
        assert [found.timestamp_ms for found in store.window("BTCUSDT")] == [n * 1000 for n in range(41, 101)]
        assert len(store.window("ETHUSDT")) == 10
        store.close()
        with node.client() as client:
            assert client.exists("features:live:{BTCUSDT}:100000")
    finally:
        node.kill()
    assert warnings_ == []


def test_urls() -> None:
    assert isinstance(open_store(None), MemoryStore)
    with pytest.raises(ValueError, match="Expected a URL like redis://host:6379/0"):
        open_store("http://127.0.0.1")


def test_warnings_do_not_show_passwords(warnings_: list[str]) -> None:
    store = RedisStore("redis://user:secret@127.0.0.1:1", warn=warnings_.append)
    assert store.latest("BTCUSDT") is None
    store.close()
    assert len(warnings_) == 1
    assert "secret" not in warnings_[0]


def test_redis_is_imported_only_when_it_is_used(project: Path) -> None:
    code = "import sys, fathom.ml.serving.redis_store; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=project, check=False).returncode == 0
