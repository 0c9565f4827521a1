"""Components that know nothing of Fathom: a plain `Strategy` or `DataActor` of the engine, with its own config."""

import inspect
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from nautilus_trader.common import DataActorConfig
from nautilus_trader.model import ActorId, BarType, InstrumentId, Price, Quantity, StrategyId
from nautilus_trader.trading import StrategyConfig

from fathom.settings.nearest import nearest

_TYPES: Final = {kind.__name__: kind for kind in (InstrumentId, BarType, Price, Quantity)}


def is_native(config: Any) -> bool:
    """Tell whether a configuration class is the engine's own kind."""
    return isinstance(config, type) and issubclass(config, StrategyConfig | DataActorConfig)


def own_fields(config: type) -> dict[str, inspect.Parameter]:
    """Return the fields that a subclass of the engine's configuration adds, by name.

    They are the named arguments of its `__init__`, or of its `__new__`.
    """
    for method in ("__init__", "__new__"):
        if method in vars(config):
            known = inspect.signature(vars(config)[method]).parameters
            variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
            return {name: each for name, each in list(known.items())[1:] if each.kind not in variable}
    return {}


def check_fields(config: type, values: Mapping[str, Any]) -> None:
    """Raise ValueError if a value is given to a field that the configuration does not have, or one is missing."""
    fields = own_fields(config)
    for name in values:
        if name not in fields:
            raise ValueError(f"Expected a field of {config.__name__}, was '{name}'. {nearest(name, fields)}")
    for name, field in fields.items():
        filled = name in values or name == "instrument_id" or field.default is not inspect.Parameter.empty
        if not filled:
            raise ValueError(f"Expected a value of '{name}' for {config.__name__}, was absent.")


def native_config(config: Any, values: Mapping[str, Any], name: str, instrument_id: str) -> Any:
    """Return the engine's configuration of one component.

    Texts become what the field's annotation names: `InstrumentId`, `BarType`, `Price`, `Quantity` or `Decimal`.

    Parameters
    ----------
    config
        A subclass of the engine's `StrategyConfig` or `DataActorConfig`.
    values
        Of its own fields.
    name
        Id of the component.
    instrument_id
        Goes into the field `instrument_id`, if there is one and `values` lack it.
    """
    fields = own_fields(config)
    given = dict(values)
    if "instrument_id" in fields:
        given.setdefault("instrument_id", instrument_id)
    given = {key: _converted(value, fields[key].annotation) for key, value in given.items()}
    if issubclass(config, StrategyConfig):
        return config(**given, strategy_id=StrategyId(name))
    return config(**given, actor_id=ActorId(name))


def _converted(value: Any, annotation: Any) -> Any:
    wanted = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    if isinstance(value, str) and wanted in _TYPES:
        return _TYPES[wanted].from_str(value)
    return Decimal(str(value)) if wanted == "Decimal" else value
