"""Artifacts: loading refuses what is damaged, incomplete or of another schema, and shows both sides."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from fathom.ml.features import Column, FeatureConfig, FeatureSchema
from fathom.ml.models.artifacts import (
    METRICS,
    MODEL,
    PROVENANCE,
    SCALER,
    SCHEMA,
    ArtifactError,
    ModelSchema,
    load_artifact,
)
from fathom.ml.models.inference import Predictor
from tests.makers import tiny_model

FEATURES = tiny_model.schema_of(FeatureConfig(), ("bid_ask_spread_rel", "mid_price", "rsi_14"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_model.write_model(tmp_path / "model", FEATURES, window=4, seed=1)


def test_it_is_loaded_where_the_schema_is_the_expected_one(folder: Path) -> None:
    artifact = load_artifact(folder, expected=FEATURES)
    assert load_artifact(folder, expected=artifact.schema).version == artifact.version
    whole = tiny_model.schema_of(FeatureConfig())
    assert load_artifact(folder, expected=whole).schema.shape == (4, 3)  # the live set may have more columns


def test_a_missing_column_is_named_with_what_was_meant(folder: Path) -> None:
    columns = tuple(
        Column("rsi_41", column.group, column.unit) if column.name == "rsi_14" else column
        for column in FEATURES.columns
    )
    other = FeatureSchema(columns=columns, versions=FEATURES.versions, settings=FEATURES.settings)
    with pytest.raises(ArtifactError, match=r"Expected the schema of the model, was another .*: missing: rsi_14"):
        load_artifact(folder, expected=other)


def test_every_difference_of_the_schemas_is_shown(folder: Path) -> None:
    own = load_artifact(folder).schema
    other = msgspec.structs.replace(own, window=9, horizon_secs=30.0, label={"kind": "barrier", "fee_bps": 1.0})
    with pytest.raises(ArtifactError) as caught:
        Predictor.open(folder, expected=other)
    for difference in (
        "window: 4 here, 9 there",
        "horizon_secs: 10.0 here, 30.0 there",
        "label kind: fixed here, barrier there",
        "label fee_bps: absent here, 1.0 there",
    ):
        assert difference in str(caught.value)


def test_other_versions_and_settings_of_features_are_refused(folder: Path) -> None:
    settings = FEATURES.settings | {"grid_ms": 500}
    other = FeatureSchema(columns=FEATURES.columns, versions=FEATURES.versions, settings=settings)
    with pytest.raises(ArtifactError, match="setting grid_ms: 1000 here, 500 there"):
        load_artifact(folder, expected=other)
    versions = {group: version + 1 for group, version in FEATURES.versions.items()}
    other = FeatureSchema(columns=FEATURES.columns, versions=versions, settings=FEATURES.settings)
    with pytest.raises(ArtifactError, match=r"version of orderbook: .* here, .* there"):
        load_artifact(folder, expected=other)


@pytest.mark.parametrize("file", [MODEL, SCALER, SCHEMA, METRICS, PROVENANCE])
def test_a_missing_file_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(ArtifactError, match=rf"{file}: Expected a readable file"):
        load_artifact(folder)


@pytest.mark.parametrize("file", [MODEL, SCALER, SCHEMA, METRICS])
def test_a_file_that_was_changed_is_named(folder: Path, file: str) -> None:
    (folder / file).write_bytes((folder / file).read_bytes() + b" ")
    with pytest.raises(ArtifactError, match=rf"{file}: Expected the file that was exported"):
        load_artifact(folder)


def test_a_provenance_that_is_none_is_named(folder: Path) -> None:
    (folder / PROVENANCE).write_text("{")
    with pytest.raises(ArtifactError, match=r"provenance\.json: Expected what an export writes"):
        load_artifact(folder)


def test_files_elsewhere_are_not_read(folder: Path) -> None:
    made = json.loads((folder / PROVENANCE).read_text())
    made["files"]["../secret.json"] = "0" * 64
    (folder / PROVENANCE).write_text(json.dumps(made))
    with pytest.raises(ArtifactError, match="Expected the name of a file beside it"):
        load_artifact(folder)


def test_the_model_of_another_schema_is_refused_by_its_own_word(folder: Path, tmp_path: Path) -> None:
    # The same shape under another name: only the hash within the model tells.
    other = tiny_model.schema_of(FeatureConfig(), ("bid_ask_spread_rel", "mid_price", "rsi_28"))
    second = tiny_model.write_model(tmp_path / "other", other, window=4, seed=1)
    shutil.copy(folder / MODEL, second / MODEL)
    made = json.loads((second / PROVENANCE).read_text())
    made["files"][MODEL] = json.loads((folder / PROVENANCE).read_text())["files"][MODEL]
    (second / PROVENANCE).write_text(json.dumps(made))
    with pytest.raises(ArtifactError, match="Expected the model of the schema"):
        Predictor.open(second)


def test_a_precision_that_is_not_there_is_an_error(folder: Path) -> None:
    with pytest.raises(ArtifactError, match="Expected an int8 model, was none"):
        Predictor.open(folder, precision="int8")


def test_a_grid_that_contradicts_the_features_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected the features' grid of 1000 ms, was 500 ms"):
        ModelSchema(features=FEATURES, window=4, grid_ms=500, horizon_secs=10.0, label={})
