"""The model server over a real socket: the same answers as in this process, and errors that say what is wrong."""

import socket
import time
from collections.abc import Iterator

import numpy as np
import pytest

from fathom.actors.model_providers import ProviderError, Remote
from fathom.ml.models.inference import Predictor
from fathom.ml.serving import ModelClient, ServerError, ServerTimeoutError
from fathom.ml.serving.server import make_app
from tests.makers.validated_run import NAMES, WINDOW, tiny
from tests.servers.served_app import served


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor.open(tiny(tmp_path_factory.mktemp("models") / "one", seed=4, until_ns=77))


@pytest.fixture(scope="module")
def url(predictor: Predictor) -> Iterator[str]:
    with served(make_app(predictor)) as address:
        yield address


def test_the_answers_are_those_of_the_model_itself(predictor: Predictor, url: str) -> None:
    client = ModelClient(url, deadline_ms=10_000.0)
    card = client.card()
    assert card.model_schema == predictor.artifact.schema
    assert (card.name, card.version, card.known_until_ns) == ("one", predictor.artifact.version, 77)
    windows = np.random.default_rng(2).normal(0.0, 1_000.0, (20, WINDOW, len(NAMES)))
    for window in windows:
        ours, theirs = predictor.predict_one(window), client.predict(window, card.model_schema.hash)
        assert theirs._replace(inference_ms=0.0) == ours._replace(inference_ms=0.0)


def test_what_is_wrong_with_a_request_is_said(predictor: Predictor, url: str) -> None:
    client, schema = ModelClient(url, deadline_ms=10_000.0, retries=0), predictor.artifact.schema
    with pytest.raises(ServerError, match=r"status 409: Expected a window of the schema"):
        client.predict(np.zeros(schema.shape), "another")
    with pytest.raises(
        ServerError, match=r"status 422: Expected a window of 8 x 4 float64 \(256 bytes\), was 224 bytes"
    ):
        client.predict(np.zeros((WINDOW - 1, len(NAMES))), schema.hash)
    with pytest.raises(ServerError, match=r"status 422: Expected finite values, was nan in imbalance_5"):
        client.predict(np.full(schema.shape, np.nan), schema.hash)


def test_a_provider_asks_the_server(predictor: Predictor, url: str) -> None:
    remote = Remote(ModelClient(url, deadline_ms=10_000.0))
    assert remote.open().version == predictor.artifact.version
    window = np.ones(predictor.artifact.schema.shape)
    assert remote.predict(window).confidence == predictor.predict_one(window).confidence


def test_a_server_that_accepts_and_says_nothing_costs_the_deadline_and_no_more() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client = ModelClient(f"http://127.0.0.1:{silent.getsockname()[1]}", deadline_ms=80.0, retries=5)
        begun = time.monotonic()
        with pytest.raises(ServerTimeoutError, match="no answer within 80 ms"):
            client.card()
        assert 0.07 < time.monotonic() - begun < 2.0
        with pytest.raises(ProviderError) as caught:
            Remote(client).open()
        assert caught.value.waited_ms == 80.0


def test_a_refused_connection_is_tried_again() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, and does not listen
        client = ModelClient(
            f"http://127.0.0.1:{closed.getsockname()[1]}", deadline_ms=5_000.0, retries=2, pause_ms=30.0
        )
        begun = time.monotonic()
        with pytest.raises(ServerError, match="no connection"):
            client.card()
        assert time.monotonic() - begun >= 0.06
