"""What makes two vectors mean the same, and what is said where they do not."""

import hashlib
import json

import pytest

from fathom.ml.features import Column, FeatureSchema, SchemaMismatchError, UnknownFeatureError
from fathom.ml.features.bar_group import SPECS, VERSIONS

SCHEMA = FeatureSchema.of(SPECS, VERSIONS, {"grid_ms": 1000, "bar_ms": 1000})


def test_the_hash_is_that_of_the_canonical_text_and_stable() -> None:
    columns = (Column("rsi_14", "indicators", "percent"), Column("close", "candles", "price"))
    schema = FeatureSchema(columns=columns, versions={"indicators": 2, "candles": 1}, settings={"grid_ms": 1000})
    content = {
        "columns": [
            {"name": "rsi_14", "group": "indicators", "unit": "percent"},
            {"name": "close", "group": "candles", "unit": "price"},
        ],
        "versions": {"candles": 1, "indicators": 2},
        "settings": {"grid_ms": 1000},
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert schema.to_json().decode() == text
    assert schema.hash == hashlib.sha256(text.encode()).hexdigest()
    assert schema.hash.startswith("af863568")


def test_survives_json() -> None:
    assert FeatureSchema.from_json(SCHEMA.to_json()) == SCHEMA


@pytest.mark.parametrize(
    ("other", "differences"),
    [
        (SCHEMA.select(SCHEMA.names[1:]), ["missing: open"]),
        (SCHEMA.select(["close"]), [f"missing: {name}" for name in SCHEMA.names if name != "close"]),
        (SCHEMA.select((*SCHEMA.names[1::-1], *SCHEMA.names[2:])), ["reordered: place 0 is open here, high there"]),
        (
            FeatureSchema.of(SPECS, {"candles": 1, "indicators": 2}, SCHEMA.settings),
            ["version of indicators: 1 here, 2 there"],
        ),
        (
            FeatureSchema.of(SPECS, VERSIONS, {"grid_ms": 500, "depth": 50}),
            [
                "setting bar_ms: 1000 here, absent there",
                "setting depth: absent here, 50 there",
                "setting grid_ms: 1000 here, 500 there",
            ],
        ),
        (
            FeatureSchema(
                columns=(
                    Column("opening", "candles", "price"),
                    *SCHEMA.columns[1:3],
                    Column("close", "candles", "ticks"),
                    *SCHEMA.columns[4:],
                ),
                versions=SCHEMA.versions,
                settings=SCHEMA.settings,
            ),
            [
                "missing: open (there is 'opening')",
                "not expected: opening",
                "close: candles in price here, candles in ticks there",
            ],
        ),
    ],
)
def test_a_difference_is_named(other: FeatureSchema, differences: list[str]) -> None:
    assert SCHEMA.hash != other.hash
    assert SCHEMA.differences(other) == differences
    with pytest.raises(SchemaMismatchError, match="Expected the features of the model, were those of the set: "):
        SCHEMA.require(other, "the model", "the set")


def test_equal_schemas_are_accepted() -> None:
    SCHEMA.require(FeatureSchema.from_json(SCHEMA.to_json()), "the model", "the set")
    assert SCHEMA.differences(SCHEMA) == []


def test_positions_of_a_part() -> None:
    part = SCHEMA.select(["rsi_14", "close"])
    assert SCHEMA.positions(part).tolist() == [SCHEMA.index("rsi_14"), 3]
    with pytest.raises(SchemaMismatchError, match="missing: rsi_14"):
        SCHEMA.select(["close", "rsi_28"]).positions(part)


def test_groups_cover_every_place_once() -> None:
    places = sorted(place for positions in SCHEMA.groups.values() for place in positions)
    assert places == list(range(len(SCHEMA)))


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownFeatureError, match=r"was 'rsi14'\. Did you mean 'rsi_14'"):
        SCHEMA.index("rsi14")
    with pytest.raises(UnknownFeatureError, match=r"was 'xyzzy'\. `fathom features describe` lists them"):
        SCHEMA.select(["xyzzy"])


def test_a_feature_may_stand_only_once() -> None:
    with pytest.raises(ValueError, match="given twice: open"):
        FeatureSchema.of([*SPECS, SPECS[0]], VERSIONS, {})
