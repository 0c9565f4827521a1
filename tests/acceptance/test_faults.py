"""Whatever fails, a run ends well: no order without validation or its stated fallback, and the report says what was."""

import contextlib
import gc
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any

import msgspec
import numpy as np
import pytest

from fathom.actors.features import FeatureActor
from fathom.actors.validation import ValidationActor
from fathom.backtests import run
from fathom.backtests.setup.run_files import RunFiles
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import default_instruments
from fathom.data_catalog.messages.features import FeatureVector
from fathom.ml.models.artifacts import load_artifact
from fathom.ml.models.inference import Predictor
from fathom.ml.serving.protocol import card_of
from fathom.ml.serving.server import make_app
from tests.makers.small_market import SECOND, START, book_rows, make_market, trade_rows
from tests.makers.tiny_model import schema_of, write_model
from tests.makers.validated_run import FEATURES, NAMES, WINDOW, tiny, validated_config
from tests.servers import redis_server
from tests.servers.served_app import served

# After each failure the next signal: five open the breaker, which lets one try again after 20 s.
SECONDS = (4, 8, 12, 16, 20, 24, 28, 45, 50, 60)
SIGNALS = "signals = [" + ", ".join(f'[{at}, "{"BUY" if at % 8 else "SELL"}", 0.9]' for at in SECONDS) + "]"
BREAKER = "breaker = { failures = 5, open_secs = 20.0 }\nblending = { threshold = 0.4 }\n"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_market(tmp_path_factory.mktemp("market"), seconds=70.0).path


class Told:
    """A finished run: its decisions, predictions, orders, and what its pages say."""

    def __init__(self, folder: Path, catalog: Path, validation: str, **texts: Any) -> None:
        config = validated_config(folder, catalog, f"{BREAKER}{validation}", **({"strategy": SIGNALS} | texts))
        self.files = RunFiles(run([config], out=folder / "runs").path)
        gc.collect()  # the engine's strategies may end in the thread alone that made them, and a server has another
        decisions, predictions = self.files.kept_table("decisions"), self.files.kept_table("predictions")
        assert decisions is not None
        assert predictions is not None
        self.decisions: list[dict[str, Any]] = decisions.to_pylist()
        self.predictions: list[dict[str, Any]] = predictions.to_pylist()
        self.entries = [order for order in self.files.table("orders").to_pylist() if order["role"] == "ENTRY"]
        self.notes = " ".join(self.files.summary()["notes"])

    def check(self) -> None:
        """Every entry order belongs to a signal that was answered, and accepted, before it was sent."""
        by_order = {row["order_id"]: row for row in self.decisions if row["order_id"]}
        for order in self.entries:
            row = by_order[order["client_order_id"]]
            assert row["ts_validated"] is not None
            assert row["ts_validated"] <= order["ts_init"]
            assert row["ended"] not in ("validation", "filter", "policy")
            assert row["fallback"] in ("", "RULE_BASED", "PASS")
        for note in self.files.summary()["notes"]:
            for page in ("tearsheet.html", "execution.html"):
                text = (self.files.path / page).read_text()
                assert _plain(note)[:60] in _plain(text), note


@pytest.fixture(autouse=True)
def no_strategies_are_left() -> None:
    """End those of earlier tests, before a server could."""
    gc.collect()


def _plain(text: str) -> str:
    return text.replace("&#39;", "'").replace("&#34;", '"').replace("&amp;", "&").replace("&gt;", ">")


def broken(kind: str, folder: Path) -> Path:
    """Return the directory of a model that cannot be used, and why is in its name."""
    path = folder / kind
    if kind == "missing":
        return path
    tiny(path, bias=(0.0, 2.0, 0.0))
    model = path / "model.onnx"
    if kind == "corrupt":
        content = bytearray(model.read_bytes())
        content[len(content) // 2] ^= 0xFF
        model.write_bytes(bytes(content))
    elif kind == "truncated":
        model.write_bytes(model.read_bytes()[:100])
    elif kind == "half":
        (path / "schema.json").unlink()
    return path


@pytest.mark.parametrize(
    ("kind", "fallback"),
    [
        *(("missing", fallback) for fallback in ("RULE_BASED", "PASS", "BLOCK")),
        *((kind, "RULE_BASED") for kind in ("corrupt", "truncated", "half")),
    ],
)
def test_a_model_that_cannot_be_used(market: Path, tmp_path: Path, kind: str, fallback: str) -> None:
    path = broken(kind, tmp_path)
    told = Told(tmp_path, market, f'model = "{path}"\nfallback = {{ name = "{fallback}" }}')
    told.check()
    assert len(told.decisions) == len(SECONDS)
    assert {row["fallback"] for row in told.decisions} == {fallback}
    assert bool(told.entries) == (fallback == "PASS")  # the book of this market is balanced: the rule never agrees
    states = [row["breaker"] for row in told.predictions]
    assert states == ["CLOSED"] * 5 + ["OPEN"] * 2 + ["HALF_OPEN"] + ["OPEN"] * 2
    assert f"The model did not answer 10 of 10 signals; the fallback {fallback} did" in told.notes
    assert f"{path.name}" in told.notes


class Handler(BaseHTTPRequestHandler):
    """A model server in a bad way."""

    way = ""
    card = b""

    def do_GET(self) -> None:
        if self.way == "hang at the start":
            self.hang()
            return
        self.answer(b"<html>404</html>" if self.way == "garbage at the start" else self.card)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if self.way == "hang":
            self.hang()
        elif self.way == "drip":
            self.drip()
        elif self.way == "error":
            self.send_error(503)
        elif self.way == "garbage":
            self.answer(b"\x00\xffnonsense")
        elif self.way == "no probability":
            reply = {"direction": 1, "probabilities": [5.0, 0.2, 0.3], "confidence": 9.0, "expected_return_bps": 1.0}
            self.answer(json.dumps(reply | {"volatility_bps": 1.0, "inference_ms": 1.0, "version": "x"}).encode())

    def hang(self) -> None:
        HANGING.wait(20.0)

    def drip(self) -> None:
        with contextlib.suppress(OSError):
            for letter in b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + b"{" * 1_000:
                if HANGING.wait(0.02):
                    return
                self.wfile.write(bytes([letter]))
                self.wfile.flush()

    def answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


HANGING = threading.Event()


@contextlib.contextmanager
def server(way: str, model: Path) -> Iterator[str]:
    """Serve in this way on a free port."""

    class Threaded(ThreadingMixIn, HTTPServer):
        daemon_threads = True

    HANGING.clear()
    handler = type("Way", (Handler,), {"way": way, "card": msgspec.json.encode(card_of(load_artifact(model)))})
    listening = Threaded(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_address[1]}"
    finally:
        HANGING.set()
        listening.shutdown()
        listening.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("way", "told_of"),
    [
        ("hang", "no answer within 60 ms"),
        ("drip", "no answer within 60 ms"),
        ("hang at the start", "no answer within 60 ms"),
        ("garbage", "Expected the JSON of a Reply"),
        ("garbage at the start", "Expected the JSON of a Card"),
        ("no probability", "Expected probabilities with the sum 1"),
        ("error", "status 503"),
    ],
)
def test_a_model_server_in_a_bad_way(market: Path, tmp_path: Path, way: str, told_of: str) -> None:
    model = tiny(tmp_path / "up", bias=(0.0, 2.0, 0.0))
    with server(way, model) as url:
        told = Told(tmp_path, market, f'server = "{url}"\ndeadline_ms = 60.0\nfallback = {{ name = "PASS" }}')
    told.check()
    assert {row["fallback"] for row in told.decisions} == {"PASS"}
    assert [row["breaker"] for row in told.predictions].count("OPEN") == 4
    assert told_of in told.notes
    waits = {(row["ts_validated"] - row["ts"]).value / 1e6 for row in told.decisions[:5]}
    assert waits == ({60.0} if "60 ms" in told_of else {1.0})  # the wait is charged to the simulated clock


@pytest.mark.parametrize("reads", ["the same", "other features"])
def test_a_model_server_that_comes_back_with_another_model(market: Path, tmp_path: Path, reads: str) -> None:
    """One signal is answered by the fallback; then the new model answers, under its own name."""
    first, names = tiny(tmp_path / "first", bias=(0.0, 2.0, 0.0)), NAMES if reads == "the same" else NAMES[:2]
    second = write_model(
        tmp_path / "second", schema_of(FEATURES, names), window=WINDOW, bias=(0.0, 0.0, 2.0), name="second"
    )
    apps = [make_app(Predictor.open(path)) for path in (first, second)]
    serving = 0

    async def either(scope: Any, receive: Any, send: Any) -> None:
        await apps[serving](scope, receive, send)

    asked = 0
    original = ValidationActor.on_proposal

    def counted(self: ValidationActor, signal: Any) -> None:
        nonlocal asked, serving
        asked += 1
        serving = int(asked > 3)
        original(self, signal)

    with served(either) as url, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ValidationActor, "on_proposal", counted)
        validation = f'server = "{url}"\ndeadline_ms = 10000.0\nfallback = {{ name = "BLOCK" }}'
        told = Told(tmp_path, market, validation)
    told.check()
    assert [row["fallback"] for row in told.decisions] == [""] * 3 + ["BLOCK"] + [""] * 6
    assert [row["model_version"].partition(":")[0] for row in told.decisions] == ["first"] * 3 + [""] + ["second"] * 6
    assert [row["model_direction"] for row in told.decisions] == [1] * 3 + [0] + [-1] * 6


def test_a_model_server_that_refuses(market: Path, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        told = Told(tmp_path, market, f'server = "{url}"\nfallback = {{ name = "BLOCK" }}')
    told.check()
    assert told.entries == []
    assert "no connection (Connection refused)" in told.notes


def test_a_model_server_that_comes_late_is_asked_again(market: Path, tmp_path: Path) -> None:
    """The breaker lets one call try after a while: from then on the model answers."""
    path, real = tmp_path / "late", tiny(tmp_path / "up", bias=(0.0, 2.0, 0.0))
    asked = 0
    original = ValidationActor.on_proposal

    def counted(self: ValidationActor, signal: Any) -> None:
        nonlocal asked
        asked += 1
        if asked == 6:
            shutil.copytree(real, path)
        original(self, signal)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ValidationActor, "on_proposal", counted)
        told = Told(tmp_path, market, f'model = "{path}"\nfallback = {{ name = "BLOCK" }}')
    told.check()
    assert [row["fallback"] for row in told.decisions] == ["BLOCK"] * 7 + [""] * 3
    assert [row["breaker"] for row in told.predictions][5:] == ["OPEN", "OPEN", "HALF_OPEN", "CLOSED", "CLOSED"]


def test_features_that_are_not_numbers(market: Path, tmp_path: Path) -> None:
    original = FeatureActor.publish_message

    def spoiled(self: FeatureActor, topic: str, message: Any) -> None:
        if isinstance(message, FeatureVector) and message.ts_event > START + 15 * SECOND:
            values = message.values.copy()
            values[:] = float("nan")
            message = msgspec.structs.replace(message, values=values)
        original(self, topic, message)

    model = tiny(tmp_path / "up", bias=(0.0, 2.0, 0.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureActor, "publish_message", spoiled)
        told = Told(tmp_path, market, f'model = "{model}"')
    told.check()
    assert [row["fallback"] for row in told.decisions] == [""] * 3 + ["RULE_BASED"] * 7
    assert "not finite 0 vectors ago" in told.notes
    assert "imbalance of the book not known" in told.decisions[-1]["reason"]


def test_features_that_stop(tmp_path: Path) -> None:
    """The feed of the book falls silent: the last vectors grow old, and no model may look at them."""
    catalog, instrument = Catalog(tmp_path / "catalog"), default_instruments()["BTCUSDT"]
    with catalog.book_writer(instrument) as writer:
        writer.write(book_rows(22.0))
    trades = trade_rows(70.0)
    trades = np.concatenate([trades[trades["ts_init"] < START + 22 * SECOND], trades[-1:]])
    with catalog.trade_writer(instrument) as writer:
        writer.write(trades, [f"t{number}" for number in range(len(trades))])
    model = tiny(tmp_path / "up", bias=(0.0, 2.0, 0.0))
    told = Told(
        tmp_path,
        catalog.path,
        f'model = "{model}"\nfallback = {{ name = "BLOCK" }}',
        silence_ms=5_000,
    )
    told.check()
    assert [row["fallback"] for row in told.decisions][:5] == [""] * 5
    assert told.decisions[-1]["fallback"] == "BLOCK"
    assert "ms old, over 2,500 ms" in told.notes


def test_no_validator_at_all(market: Path, tmp_path: Path) -> None:
    text = validated_config(tmp_path, market, 'model = "x"', strategy=SIGNALS).read_text()
    config = tmp_path / "alone.toml"
    config.write_text(text.partition("[[actors]]")[0])
    files = RunFiles(run([config], out=tmp_path / "runs").path)
    assert files.table("orders").num_rows == 0
    assert "10 signals got no answer from a validator and were refused" in " ".join(files.summary()["notes"])


def test_a_policy_that_fails_halts_its_strategy(market: Path, tmp_path: Path) -> None:
    model = tiny(tmp_path / "up", bias=(0.0, 2.0, 0.0))
    told = Told(
        tmp_path, market, f'model = "{model}"', strategy=f"{SIGNALS}\nfails = [10, 14, 18, 26, 40]\nmax_errors = 5"
    )
    told.check()
    assert [row["stage"] for row in told.decisions].count("error") == 5
    assert max(row["ts"].value for row in told.decisions) == START + 40 * SECOND  # no signal after the last failure
    assert "failed 5 times and then halted itself (ZeroDivisionError: the policy divides by nothing)" in told.notes


@pytest.mark.skipif(not redis_server.installed(), reason="no redis-server")
@pytest.mark.parametrize("when", ["before", "while it runs"])
def test_redis_is_gone(market: Path, tmp_path: Path, when: str) -> None:
    model = tiny(tmp_path / "up", bias=(0.0, 2.0, 0.0))
    without = Told(tmp_path, market, f'model = "{model}"')
    redis = redis_server.Server(tmp_path)
    killed = False
    original = FeatureActor.on_time_event

    def killing(self: FeatureActor, event: Any) -> None:
        nonlocal killed
        if not killed and event.ts_event > START + 30 * SECOND:
            killed = True
            redis.kill()
        original(self, event)

    try:
        with pytest.MonkeyPatch.context() as patch:
            if when == "before":
                redis.kill()
            else:
                patch.setattr(FeatureActor, "on_time_event", killing)
            told = Told(tmp_path, market, f'model = "{model}"', features=f'store = "{redis.url}"')
    finally:
        redis.kill()
    told.check()
    assert str(told.decisions) == str(without.decisions)
    assert "The feature store did not take all vectors; the run went on without it." in told.notes
