"""The file of rules: each has a name of its own and, unless it is assumed, a source."""

import pytest

from fathom.live.standin.rules import RULES_FILE, load_rules
from fathom.settings.toml import read_toml

RULES = load_rules()


@pytest.mark.parametrize("name", RULES)
def test_a_rule_that_is_not_assumed_has_a_source(name: str) -> None:
    rule = RULES[name]
    assert rule.text.endswith(".")
    assert rule.source or rule.status == "assumed"


def test_no_name_is_given_twice() -> None:
    assert len(RULES) == len(read_toml(RULES_FILE)["rule"]) > 25
