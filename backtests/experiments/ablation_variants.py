"""The variants of an ablation: the same backtest, each time with one part taken out."""

import copy
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

type Settings = dict[str, Any]

FULL: Final = "full"
"""Name of the variant with everything in it."""
NO_LIMIT: Final = 1.0
"""The value that switches a loss limit off."""

_PROTECTIONS: Final = ("stoploss_guard", "cooldown", "low_profit")
_LIMITS: Final = {"max_daily_loss": "the daily loss limit", "max_drawdown": "the drawdown limit"}


class Variant(NamedTuple):
    """One backtest of an ablation.

    Attributes
    ----------
    name
        For files and tables, such as `no-validator`.
    part
        What is taken out, in words; empty for the full backtest.
    settings
        The whole configuration.

    Examples
    --------
    >>> Variant("no-validator", "the validator", {}).part
    'the validator'
    """

    name: str
    part: str
    settings: Settings


def variants_of(settings: Settings) -> list[Variant]:
    """Return the full backtest first, then one variant for each part that it has.

    Taken out are: the validator, the manipulation filter, the detectors as a whole, the placement by levels, each
    protection and loss limit of the risk gate, the pause of the regime detector, and, where there are several, each
    strategy, or each member of an ensemble. A part that the backtest does not have, or that does nothing in it, makes
    no variant.

    Parameters
    ----------
    settings
        A whole configuration as plain data, every default spelled out (see `backtests.setup.config.Resolved.text`).

    Examples
    --------
    >>> settings = {"strategies": [{"name": "supertrend", "parameters": {"validator": True}}],
    ...             "actors": [{"name": "features", "parameters": {}}, {"name": "validation", "parameters": {}}]}
    >>> [variant.name for variant in variants_of(settings)]
    ['full', 'no-validator']
    >>> variants_of(settings)[1].settings
    {'strategies': [{'name': 'supertrend', 'parameters': {'validator': False}}], 'actors': [{'name': 'features', ...}]}
    """
    found = [Variant(FULL, "", copy.deepcopy(settings))]
    for name, part, change in _changes(settings):
        changed = copy.deepcopy(settings)
        change(changed)
        if changed != settings:
            found.append(Variant(name, part, changed))
    return found


def _changes(settings: Settings) -> Iterator[tuple[str, str, Callable[[Settings], None]]]:
    yield "no-validator", "the validator", _without_validator
    yield "no-filter", "the manipulation filter", _without_filter
    if any(actor["name"] == "detection" for actor in settings.get("actors", [])):
        yield "no-detectors", "the detection", _without_detectors
    yield "no-levels", "the placement by levels", _without_levels
    risk = settings.get("risk") or {}
    for name in _PROTECTIONS:
        if (risk.get("protections") or {}).get(name) is not None:
            yield f"no-{name.replace('_', '-')}", f"the protection {name}", _dropping("risk", "protections", name)
    for name, part in _LIMITS.items():
        if risk.get(name) is not None:
            yield f"no-{name.removeprefix('max_').replace('_', '-')}", part, _setting("risk", name, NO_LIMIT)
    if risk.get("pause_on_regime"):
        yield "no-pause", "the pause of the regime detector", _setting("risk", "pause_on_regime", False)
    strategies = settings.get("strategies", [])
    if len(strategies) > 1:
        names = [strategy["name"] for strategy in strategies]
        for at, name in enumerate(names):
            number = f"-{at}" if names.count(name) > 1 else ""
            yield f"no-{_slug(name)}{number}", f"the strategy {name}{number}", _without_strategy(at)
    for at, strategy in enumerate(strategies):
        members = _members(strategy)
        weights = strategy["parameters"].get("weights") or {}
        voters = [name for name in members if weights.get(name, 1.0) > 0.0]
        for member in members:
            if set(voters) - {member}:
                yield f"no-member-{_slug(member)}", f"the member {member}", _without_member(at, member)


def _without_validator(settings: Settings) -> None:
    for strategy in settings.get("strategies", []):
        if strategy["parameters"].get("validator"):
            strategy["parameters"]["validator"] = False
    settings["actors"] = [actor for actor in settings.get("actors", []) if actor["name"] != "validation"]


def _without_filter(settings: Settings) -> None:
    for strategy in settings.get("strategies", []):
        chosen = strategy["parameters"].get("manipulation") or {}
        if chosen.get("action", "off") != "off":
            chosen["action"] = "off"


def _without_detectors(settings: Settings) -> None:
    settings["actors"] = [actor for actor in settings.get("actors", []) if actor["name"] != "detection"]


def _without_levels(settings: Settings) -> None:
    for strategy in settings.get("strategies", []):
        chosen = strategy["parameters"].get("placement") or {}
        for name in ("stops", "targets"):
            if chosen.get(name):
                chosen[name] = False


def _without_strategy(at: int) -> Callable[[Settings], None]:
    def change(settings: Settings) -> None:
        del settings["strategies"][at]

    return change


def _members(strategy: Settings) -> list[str]:
    # The members of an ensemble are tables with policies' settings; `weights` names only some of them.
    if strategy["name"] != "ensemble":
        return []
    return [name for name, value in strategy["parameters"].items() if isinstance(value, dict) and "bars" in value]


def _without_member(at: int, member: str) -> Callable[[Settings], None]:
    def change(settings: Settings) -> None:
        parameters = settings["strategies"][at]["parameters"]
        del parameters[member]
        weights = parameters.get("weights") or {}
        weights.pop(member, None)
        left = _members(settings["strategies"][at])
        voters = sum(weights.get(name, 1.0) > 0.0 for name in left)  # a member without weight has no vote
        if parameters.get("quorum", 1) > voters:
            parameters["quorum"] = voters

    return change


def _dropping(*path: str) -> Callable[[Settings], None]:
    def change(settings: Settings) -> None:
        place = settings
        for name in path[:-1]:
            place = place[name]
        place.pop(path[-1], None)

    return change


def _setting(*path_and_value: Any) -> Callable[[Settings], None]:
    *above, name, value = path_and_value

    def change(settings: Settings) -> None:
        place = settings
        for step in above:
            place = place[step]
        place[name] = value

    return change


def _slug(name: str) -> str:
    text = "".join(letter if letter.isalnum() else "-" for letter in name.lower())
    return text.strip("-")[:40]
