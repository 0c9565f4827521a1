"""Every registered feature is described well enough to be computed by hand."""

import re

import pytest

from ml.features import FeatureConfig, FeatureSpec, UnknownFeatureError
from ml.features.registry import NEUTRAL, SPECS, build_groups, spec

GROUPS = {"orderbook", "candles", "indicators"}
UNITS = {"price", "base units", "ticks", "bps", "bps per bar", "percent", "-"}


def test_names_are_unique_and_groups_known() -> None:
    groups = build_groups(FeatureConfig(), price_increment=0.1, size_increment=0.001)
    built = [each for group in groups for each in group.specs]
    assert [each.name for each in built] == list(SPECS)
    assert {each.top_group for each in built} <= GROUPS


@pytest.mark.parametrize("each", SPECS.values(), ids=lambda each: each.name)
def test_a_description_is_complete(each: FeatureSpec) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", each.name)
    assert each.formula
    assert each.source
    assert each.unit
    assert each.text.endswith(".")
    assert each.warm_up >= 0
    if each.stationary_of is not None:
        assert each.stationary
        assert not SPECS[each.stationary_of].stationary


def test_prices_and_sizes_are_not_stationary() -> None:
    assert not [each.name for each in SPECS.values() if each.unit in ("price", "base units") and each.stationary]


def test_neutral_values_belong_to_features_that_can_be_undefined() -> None:
    assert all(SPECS[name].nan_rule != "never" for name in NEUTRAL)


def test_an_unknown_name() -> None:
    assert spec("vwap_bps").stationary_of == "vwap"
    with pytest.raises(UnknownFeatureError, match="did you mean 'vwap_bps'"):
        spec("vwap_bp")
