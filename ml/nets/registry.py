"""The nets by name."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Final

from torch import nn

from fathom.ml.errors import TrainingError
from fathom.ml.nets.heads import PredictionHeads
from fathom.settings.doors import Registry
from fathom.settings.errors import SettingsError
from fathom.settings.nearest import nearest

NETS: Final = Registry(
    "net",
    {
        "compact": "fathom.ml.nets.compact:Compact",
        "fusion": "fathom.ml.nets.fusion:Fusion",
        "hybrid_cnn_lstm": "fathom.ml.nets.hybrid:HybridCnnLstm",
        "stockformer": "fathom.ml.nets.stockformer:Stockformer",
    },
)
"""Classes by registered name. A net is built with `features`, `window`, `groups` and settings; it answers `Heads`."""

_GIVEN: Final = frozenset({"self", "features", "window", "groups"})


class NetError(TrainingError):
    """A net's name or one of its settings is unknown or cannot be used.

    Examples
    --------
    >>> build("hybrid_cnn", features=5)
    Traceback (most recent call last):
        ...
    fathom.ml.nets.registry.NetError: Expected the name of a net, was 'hybrid_cnn'. Did you mean
    'hybrid_cnn_lstm'? Your own code: "module:Name".
    """


def build(
    name: str,
    *,
    features: int,
    window: int = 60,
    groups: Mapping[str, Sequence[int]] | None = None,
    **parameters: Any,
) -> nn.Module:
    """Return a new net; its weights are drawn from torch's random generator.

    Parameters
    ----------
    name : str
        A key of `NETS`, or your own "module:Net".
    features, window : int
        Columns and rows of a window.
    groups : mapping, optional
        Columns of each group of features (`fathom.ml.features.FeatureSchema.groups`).
    **parameters
        Settings of the net.

    Raises
    ------
    NetError
        Where the name or a setting is unknown (and which was probably meant), or a value cannot be used.

    Examples
    --------
    >>> build("compact", features=5, hiden=3)
    Traceback (most recent call last):
        ...
    fathom.ml.nets.registry.NetError: Expected a setting of compact (...), was 'hiden'. Did you mean 'hidden'?
    """
    try:
        net = NETS.load(name)
    except SettingsError as error:
        raise NetError(error.problem) from None
    known = [parameter for parameter in inspect.signature(net).parameters if parameter not in _GIVEN]
    for parameter in parameters:
        if parameter not in known:
            raise NetError(
                f"Expected a setting of {name} ({', '.join(known)}), was '{parameter}'. {nearest(parameter, known)}"
            )
    try:
        built: nn.Module = net(features=features, window=window, groups=groups, **parameters)
    except (TypeError, ValueError, RuntimeError) as error:
        settings = ", ".join(f"{key}={value!r}" for key, value in parameters.items()) or "its defaults"
        raise NetError(f"Expected settings that {name} can be built with, was {settings}: {error}") from error
    if not isinstance(getattr(built, "heads", None), PredictionHeads):
        raise NetError(f"Expected the net {name} with its last layer `heads`, a PredictionHeads, was without.")
    return built
