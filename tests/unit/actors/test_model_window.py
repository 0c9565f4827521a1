"""The window of a model: which vectors it may look at, and why not."""

import numpy as np
import pytest

from fathom.actors.model_window import ModelWindow, WindowUnfitError
from fathom.ml.models.artifacts import ModelSchema
from tests.makers.tiny_model import schema_of
from tests.makers.validated_run import FEATURES, NAMES

MS = 1_000_000
GRID = 250 * MS
LIVE = schema_of(FEATURES)
MODEL = ModelSchema(features=LIVE.select(NAMES), window=4, grid_ms=250, horizon_secs=5.0, label={"kind": "fixed"})


def filled(count: int, *, length: int = 6, known: bool = True) -> ModelWindow:
    window = ModelWindow(length)
    if known:
        window.mean(LIVE)
    for number in range(count):
        window.add((number + 1) * GRID, np.arange(len(LIVE), dtype=np.float64) + 1_000.0 * number, LIVE.hash)
    return window


def of(window: ModelWindow, now_ns: int | None = None, model: ModelSchema = MODEL) -> np.ndarray:
    return window.of(model, now_ns=window.ts_ns if now_ns is None else now_ns, max_age_ms=1_000.0)


@pytest.mark.parametrize("count", [4, 5, 6, 7, 11, 12, 13, 100])
def test_it_holds_the_last_vectors_in_order_and_the_columns_of_the_model(count: int) -> None:
    columns = [LIVE.index(name) for name in NAMES]
    wanted = np.array([np.arange(len(LIVE)) + 1_000.0 * n for n in range(count - 4, count)])[:, columns]
    np.testing.assert_array_equal(of(filled(count)), wanted)


def refused(window: ModelWindow, now_ns: int | None = None) -> WindowUnfitError:
    with pytest.raises(WindowUnfitError) as caught:
        of(window, now_ns)
    return caught.value


def test_before_it_is_full_it_is_warming() -> None:
    error = refused(filled(3))
    assert error.warming
    assert str(error) == "3 of 4 feature vectors so far"


def test_an_old_vector_is_a_failure() -> None:
    window = filled(5)
    assert of(window, now_ns=window.ts_ns + 1_000 * MS).shape == MODEL.shape
    error = refused(window, now_ns=window.ts_ns + 1_001 * MS)
    assert not error.warming
    assert str(error) == "features 1,001 ms old, over 1,000 ms"


def test_a_gap_is_a_failure_until_it_has_left_the_window() -> None:
    window = filled(5)
    at = window.ts_ns + GRID
    for number in range(1, 5):
        window.add(at + number * GRID, np.zeros(len(LIVE)), LIVE.hash)
        if number < 4:
            assert str(refused(window)) == "a feature vector is missing in the window"
    assert of(window).shape == MODEL.shape


def test_a_value_that_is_no_number_is_named_and_a_failure_once_there_were_numbers() -> None:
    values = np.zeros(len(LIVE))
    values[LIVE.index("mid_price")] = np.inf
    other = np.full(len(LIVE), np.nan)
    other[[LIVE.index(name) for name in NAMES]] = 0.0
    window = filled(4)
    assert of(window).shape == MODEL.shape
    window.add(window.ts_ns + GRID, other, LIVE.hash)
    assert of(window).shape == MODEL.shape  # what the model does not read may be NaN
    window.add(window.ts_ns + GRID, values, LIVE.hash)
    error = refused(window)
    assert (str(error), error.warming) == ("feature mid_price not finite 0 vectors ago", False)
    cold = filled(3)
    cold.add(cold.ts_ns + GRID, values, LIVE.hash)
    assert refused(cold).warming  # the features are not warm yet


def test_vectors_of_another_meaning_begin_anew() -> None:
    window = filled(5)
    window.add(window.ts_ns + GRID, np.zeros(3), "another")
    assert "1 of 4" in str(refused(window))
    for _ in range(4):
        window.add(window.ts_ns + GRID, np.zeros(3), "another")
    assert "something else than was announced" in str(refused(window))
    assert "not known" in str(refused(filled(5, known=False)))


def test_a_model_that_reads_more_than_is_kept_or_known_is_refused() -> None:
    longer = ModelSchema(features=MODEL.features, window=9, grid_ms=250, horizon_secs=5.0, label={"kind": "fixed"})
    with pytest.raises(WindowUnfitError, match=r"reads 9 vectors, 6 are kept"):
        of(filled(20), model=longer)


def test_the_last_value_of_a_feature_is_not_known_when_it_is_old() -> None:
    window = filled(3)
    index = LIVE.index("imbalance_5")
    assert window.last("imbalance_5", now_ns=window.ts_ns, max_age_ms=10.0) == 2_000.0 + index
    assert np.isnan(window.last("imbalance_5", now_ns=window.ts_ns + 11 * MS, max_age_ms=10.0))
    assert np.isnan(window.last("nothing", now_ns=window.ts_ns, max_age_ms=10.0))
    assert np.isnan(filled(3, known=False).last("imbalance_5", now_ns=0, max_age_ms=1e9))
