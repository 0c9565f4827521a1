"""Actors that read the replayed catalog themselves: the same messages, at the same times, as from engine objects."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.detection import DetectionActorConfig
from data_catalog.catalog import Catalog
from data_catalog.errors import CatalogError
from data_catalog.recorded_arrivals import RecordedArrivals
from ml.features import FeatureConfig
from tests.feature_replay import make_actor, replay
from tests.unit.actors import test_detection
from tests.unit.actors.test_detection import listen, make
from tests.unit.backtests.small_market import BTC, ETH, SECOND, START

catalog = test_detection.catalog
SPANS: list[dict[str, int]] = [{}, {"start_ns": START + 31 * SECOND + 7, "end_ns": START + 60 * SECOND}]
KINDS = [("book", "trades"), ("trades", "book")]


def detections(catalog: Path, kinds: Sequence[str], span: dict[str, int], **settings: str) -> list[str]:
    heard = listen(catalog, make(BTC, ETH, **settings), kinds=kinds, **span).heard
    return [f"{message.topic} {message.to_json()}" for message in heard]


def vectors(catalog: Path, kinds: Sequence[str], span: dict[str, Any], **settings: Any) -> list[tuple[str, int, bytes]]:
    collector = replay(catalog, make_actor(BTC, ETH, **settings), kinds=kinds, **span)
    return [(name, one.ts_init, one.values.tobytes()) for name in (BTC, ETH) for one in collector.vectors[name]]


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("span", SPANS)
def test_the_detectors_say_the_same_at_the_same_times(
    catalog: Path, kinds: Sequence[str], span: dict[str, int]
) -> None:
    want = detections(catalog, kinds, span, flags_from=str(catalog))
    assert sum(text.startswith("alerts") for text in want) > 5
    assert detections(catalog, kinds, span, rows_from=str(catalog)) == want


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("grid_ms", [100, 1_000])
def test_the_vectors_are_the_same_at_the_same_times(
    catalog: Path, kinds: Sequence[str], span: dict[str, int], grid_ms: int
) -> None:
    config = FeatureConfig(max_silence_ms=6_000, grid_ms=grid_ms)
    want = vectors(catalog, kinds, span, features=config, flags_from=str(catalog))
    assert len(want) > 40
    assert vectors(catalog, kinds, span, features=config, rows_from=str(catalog)) == want


def test_readers_of_one_replay_share_what_is_read(catalog: Path) -> None:
    whole = np.concatenate(list(Catalog(catalog).events(BTC)))
    one, other = (RecordedArrivals(Catalog(catalog), BTC, start_ns=0) for _ in range(2))
    cuts = [START + second * SECOND for second in (1, 20, 21, 90)]
    parts = [one.take(cut)[0] for cut in cuts]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert np.shares_memory(parts[1], other.take(cuts[1])[0])
    assert [len(part) for part in one.take(cuts[-1] + SECOND)] == [0, 0]


def test_a_replay_keeps_no_state() -> None:
    with pytest.raises(ValueError, match="Expected no state_folder with rows_from"):
        DetectionActorConfig(instruments=(BTC,), rows_from="x", state_folder="y")


def test_a_replay_is_not_continued(catalog: Path) -> None:
    arrivals = RecordedArrivals(Catalog(catalog), BTC, start_ns=0)
    for call in (arrivals.save, lambda: arrivals.load(b"")):
        with pytest.raises(CatalogError, match="Expected a replay from beginning to end"):
            call()
