"""The rules of the venue that the stand-in follows, each with its source: `rules.toml`."""

from pathlib import Path
from typing import Final, Literal

import msgspec

from fathom.settings.toml import read

RULES_FILE: Final = Path(__file__).with_name("rules.toml")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule.

    Parameters
    ----------
    name, text : str
    status : {"documented", "measured", "assumed"}
    source : str
        Where the venue says so; empty where it does not.
    """

    name: str
    text: str
    status: Literal["documented", "measured", "assumed"]
    source: str = ""


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rules, in the order of the file."""

    rule: list[Rule]


def load_rules(file: Path = RULES_FILE) -> dict[str, Rule]:
    """Return the rules by name.

    Examples
    --------
    >>> load_rules()["window"].status
    'documented'
    """
    return {rule.name: rule for rule in read(Rules, file).rule}
