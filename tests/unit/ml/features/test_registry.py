"""Every registered feature is described well enough to be computed by hand."""

import re

import pytest

from fathom.ml.features import FeatureConfig, FeatureSpec, UnknownFeatureError
from fathom.ml.features.registry import NEUTRAL, SPECS, build_groups, spec

GROUPS = {"orderbook", "candles", "indicators"}


def test_names_are_unique_and_groups_known() -> None:
    groups = build_groups(FeatureConfig(), price_increment=0.1, size_increment=0.001)
    built = [each.name for group in groups for each in group.specs]
    # Without a fitted table there is no micro-price in the sense of Stoikov.
    assert built == [name for name in SPECS if not name.startswith("stoikov")]
    assert {each.top_group for each in SPECS.values()} == GROUPS


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
        assert each.stationary_of in SPECS


def test_prices_are_not_stationary() -> None:
    assert not [each.name for each in SPECS.values() if each.unit == "price" and each.stationary]


def test_what_is_not_stationary_has_a_stationary_form_unless_it_is_listed() -> None:
    forms = {each.stationary_of for each in SPECS.values()}
    # What stands in for each: volume_ma_ratio (volume), sma_20_bps (the middle band is the average).
    assert {each.name for each in SPECS.values() if not each.stationary} - forms == {"bollinger_middle"}


def test_neutral_values_belong_to_features_that_can_be_undefined() -> None:
    assert all(SPECS[name].nan_rule != "never" for name in NEUTRAL)


def test_an_unknown_name() -> None:
    assert spec("vwap_bps").stationary_of == "vwap"
    with pytest.raises(UnknownFeatureError, match="Did you mean 'vwap_bps'"):
        spec("vwap_bp")
