"""The validator in backtests: what it answers, when, on which window, and what it logs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fathom.actors.validation import ValidationActorConfig
from fathom.backtests import run
from fathom.backtests.setup.run_files import RunFiles
from tests.makers.small_market import make_market
from tests.makers.validated_run import tiny, validated_config


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_market(tmp_path_factory.mktemp("market"), seconds=70.0).path


def validated(folder: Path, catalog: Path, validation: str, **texts: Any) -> tuple[list[Any], list[Any], RunFiles]:
    """Return decisions and predictions of a run, and its files."""
    config = validated_config(folder, catalog, validation, **texts)
    files = RunFiles(run([config], out=folder / "runs", pages=False).path)
    decisions, predictions = files.kept_table("decisions"), files.kept_table("predictions")
    assert decisions is not None
    assert predictions is not None
    return decisions.to_pylist(), predictions.to_pylist(), files


def test_a_model_that_agrees_passes_and_one_that_does_not_halves(market: Path, tmp_path: Path) -> None:
    model = tiny(tmp_path / "up", bias=(0.0, 2.0, 0.0))
    decisions, predictions, _ = validated(
        tmp_path, market, f'model = "{model}"\ninference_latency_ms = 12.5\nblending = {{ threshold = 0.6 }}'
    )
    up = float(np.exp(2.0) / (np.exp(2.0) + 2.0))
    for row in decisions:
        counted = up if row["side"] == "BUY" else up / 2.0
        assert row["confidence"] == pytest.approx(up, abs=1e-6)
        assert row["blended"] == pytest.approx(0.5 * 0.7 + 0.5 * counted, abs=1e-6)
        assert row["aligned"] == (row["side"] == "BUY")
        assert row["model_direction"] == 1
        assert row["model_version"].startswith("up:")
        assert (row["ts_validated"] - row["ts"]).value == 12_500_000
        assert row["inference_ms"] == 12.5
    assert [row["ended"] for row in decisions] == ["", "validation", "risk"]  # the last is held already
    assert decisions[1]["reason"] == f"blended {0.35 + up / 4:.3f} under 0.600"
    assert [row["answered"] for row in predictions] == [True] * 3
    assert {row["error"] for row in predictions} == {""}


def test_thresholds_are_of_the_source(market: Path, tmp_path: Path) -> None:
    model = tiny(tmp_path / "up", bias=(0.0, 2.0, 0.0))
    strict = "blending = { threshold = 0.0, thresholds = { scripted = 0.99 } }"
    decisions, _, files = validated(tmp_path, market, f'model = "{model}"\n{strict}')
    assert {row["ended"] for row in decisions} == {"validation"}
    assert files.table("orders").num_rows == 0


def test_a_model_that_must_agree_blocks_the_other_side_and_hold(market: Path, tmp_path: Path) -> None:
    strict = "blending = { threshold = 0.0, must_agree = true }"
    up, hold = tiny(tmp_path / "up", bias=(0.0, 2.0, 0.0)), tiny(tmp_path / "hold", bias=(2.0, 0.0, 0.0))
    decisions, _, _ = validated(tmp_path, market, f'model = "{up}"\n{strict}')
    assert [(row["ended"] == "validation") for row in decisions] == [row["side"] == "SELL" for row in decisions]
    assert {row["reason"] for row in decisions if row["side"] == "SELL"} == {
        "the model says the opposite and must agree"
    }
    decisions, _, files = validated(tmp_path, market, f'model = "{hold}"\n{strict}')
    assert {row["reason"] for row in decisions} == {"the model says HOLD and must agree"}
    assert files.table("orders").num_rows == 0


def test_a_threshold_of_a_source_that_never_came_is_told(market: Path, tmp_path: Path) -> None:
    model = tiny(tmp_path / "up", bias=(0.0, 2.0, 0.0))
    thresholds = "blending = { thresholds = { scripted = 0.3, scriptd = 0.99 } }"
    _, _, files = validated(tmp_path, market, f'model = "{model}"\n{thresholds}')
    told = [note for note in files.summary()["notes"] if "threshold" in note]
    assert told == ["No signal came from 'scriptd', for which blending names a threshold; some from scripted."]


def test_a_challenger_in_shadow_is_logged_and_never_traded(market: Path, tmp_path: Path) -> None:
    up, down = tiny(tmp_path / "up", bias=(0.0, 2.0, 0.0)), tiny(tmp_path / "down", bias=(0.0, 0.0, 3.0))
    text = f'model = "{up}"\nblending = {{ threshold = 0.6 }}'
    alone, _, _ = validated(tmp_path, market, text)
    decisions, predictions, _ = validated(tmp_path, market, f'{text}\nchallenger = "{down}"')
    assert str(decisions) == str(alone)
    assert [(row["role"], row["direction"], row["answered"]) for row in predictions] == [
        ("champion", 1, True),
        ("challenger", -1, False),
    ] * 3
    assert predictions[0]["window_end"] == predictions[1]["window_end"]


def test_a_share_of_the_signals_is_answered_by_the_challenger(market: Path, tmp_path: Path) -> None:
    up, down = tiny(tmp_path / "up", bias=(0.0, 2.0, 0.0)), tiny(tmp_path / "down", bias=(0.0, 0.0, 3.0))
    text = f'model = "{up}"\nchallenger = "{down}"\n'
    decisions, _, _ = validated(tmp_path, market, f"{text}challenger_share = 1.0")
    assert {row["model_direction"] for row in decisions} == {-1}
    signals = ", ".join(f'[{second}, "BUY", 0.7]' for second in range(5, 65))
    decisions, predictions, _ = validated(
        tmp_path, market, f"{text}challenger_share = 0.5", strategy=f"signals = [{signals}]"
    )
    by_challenger = {row["signal_id"] for row in predictions if row["answered"] and row["role"] == "challenger"}
    assert 15 < len(by_challenger) < 45
    for row in decisions:
        assert row["model_direction"] == (-1 if row["signal_id"] in by_challenger else 1)


def test_before_the_window_is_full_the_fallback_answers_and_the_breaker_stays_closed(
    market: Path, tmp_path: Path
) -> None:
    model = tiny(tmp_path / "up", bias=(0.0, 2.0, 0.0))
    signals = 'signals = [[1, "BUY", 0.7], [10, "BUY", 0.7]]'
    text = f'model = "{model}"\nbreaker = {{ failures = 1 }}\nfallback = {{ name = "BLOCK" }}'
    decisions, predictions, _ = validated(tmp_path, market, text, strategy=signals)
    assert decisions[0]["fallback"] == "BLOCK"
    assert "of 8 feature vectors so far; blocked without a model" in decisions[0]["reason"]
    assert decisions[1]["fallback"] == ""
    assert [row["breaker"] for row in predictions] == ["CLOSED"] * 2


def test_an_old_model_does_not_answer(market: Path, tmp_path: Path) -> None:
    day = 86_400 * 10**9
    model = tiny(tmp_path / "old", bias=(0.0, 2.0, 0.0), until_ns=1_723_161_600 * 10**9 - 8 * day)
    text = f'model = "{model}"\nfallback = {{ name = "PASS" }}\nmodel_age_days = '
    decisions, _, _ = validated(tmp_path, market, f"{text}9.0")
    assert {row["fallback"] for row in decisions} == {""}
    decisions, _, _ = validated(tmp_path, market, f"{text}7.0")
    assert {row["fallback"] for row in decisions} == {"PASS"}
    assert "model 8.0 days old, over 7 days" in decisions[0]["validation"]


def test_a_model_of_other_features_does_not_answer(market: Path, tmp_path: Path) -> None:
    from fathom.ml.features import FeatureConfig
    from tests.makers.tiny_model import schema_of, write_model

    other = schema_of(FeatureConfig(groups=("orderbook",), grid_ms=1_000), ("imbalance_5",))
    model = write_model(tmp_path / "other", other, window=8)
    decisions, predictions, files = validated(tmp_path, market, f'model = "{model}"\nfallback = {{ name = "BLOCK" }}')
    assert "setting grid_ms" in predictions[0]["error"]
    assert {row["ended"] for row in decisions} == {"validation"}
    assert files.table("orders").num_rows == 0


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "Expected either model or server, was None and None"),
        ({"model": "a", "server": "http://x:1"}, "Expected either model or server"),
        ({"model": "a", "challenger_share": 0.5}, "Expected a challenger with challenger_share"),
        ({"server": "x:1"}, "Expected the URL of a model server"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError) as caught:
        ValidationActorConfig(instruments=("A.B",), **settings)
    assert told in str(caught.value)
