"""The strategies and actors by name: Fathom's own, and a user's as `"module:Class"`."""

import inspect
import sys
from typing import Any, Final, NamedTuple

from fathom.settings.doors import Registry, load
from fathom.settings.errors import SettingsError

STRATEGIES: Final = Registry(
    "strategy",
    {
        "ensemble": "fathom.strategies.ensemble:Ensemble",
        "momentum": "fathom.strategies.momentum:Momentum",
        "sar_wave": "fathom.strategies.sar_wave:SarWave",
        "supertrend": "fathom.strategies.supertrend:SuperTrend",
        "volume_profile": "fathom.strategies.volume_profile:VolumeProfile",
    },
)
"""Name in the configuration -> where the class is, so that only the strategies of a run are imported."""

ACTORS: Final = Registry(
    "actor",
    {
        "detection": "fathom.actors.detection:DetectionActor",
        "features": "fathom.actors.features:FeatureActor",
        "validation": "fathom.actors.validation:ValidationActor",
    },
)
"""The same for actors: they speak with the strategies over the message bus only."""


class Entry(NamedTuple):
    """A strategy or an actor: its class, and the class of its configuration."""

    component: Any
    config: Any


def find(name: str, kind: str = "strategy") -> Entry:
    """Return the entry of a name, or of a class given as `"module:Class"`.

    Its configuration is the class attribute `Config`, or the class `<Class>Config` of its module, or the annotation of
    its argument `config`. `"module:Class,module:Config"` names both.

    Parameters
    ----------
    name
        As in the configuration.
    kind
        `strategy` or `actor`.

    Raises
    ------
    SettingsError
        The name, the module, the class or its configuration is unknown.

    Examples
    --------
    >>> find("supertrend").config.__name__
    'SuperTrendConfig'
    >>> find("supertrnd")
    Traceback (most recent call last):
    ...
    fathom.settings.errors.SettingsError: Expected the name of a strategy, was 'supertrnd'. Did you ...
    """
    known = STRATEGIES if kind == "strategy" else ACTORS
    first, _, second = name.partition(",")
    component = known.load(first)
    if second:
        return Entry(component, load(second, kind="configuration"))
    if not isinstance(component, type):
        raise SettingsError(f"Expected a class at '{name}', was {component!r}.")
    return Entry(component, _config_of(component, name))


def _config_of(component: type, name: str) -> Any:
    module = sys.modules[component.__module__]
    config = getattr(component, "Config", None) or getattr(module, f"{component.__name__}Config", None)
    for method in ("__init__", "__new__"):
        if config is None and method in vars(component):
            argument = inspect.signature(vars(component)[method]).parameters.get("config")
            annotation = argument.annotation if argument is not None else inspect.Parameter.empty
            config = getattr(module, annotation, None) if isinstance(annotation, str) else annotation
    if not isinstance(config, type) or config is inspect.Parameter.empty:
        raise SettingsError(
            f"Expected a configuration class of '{name}', was none: give the class an attribute Config, name the class "
            f"{component.__name__}Config, or annotate its argument config."
        )
    return config
