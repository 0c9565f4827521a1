"""The nets by name."""

import inspect
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final

from torch import nn

from fathom.ml.errors import TrainingError
from fathom.ml.nets.compact import Compact
from fathom.ml.nets.fusion import Fusion
from fathom.ml.nets.hybrid import HybridCnnLstm
from fathom.ml.nets.stockformer import Stockformer

NETS: Final[Mapping[str, type[nn.Module]]] = MappingProxyType(
    {"compact": Compact, "fusion": Fusion, "hybrid_cnn_lstm": HybridCnnLstm, "stockformer": Stockformer}
)
"""Classes by registered name."""

_GIVEN: Final = frozenset({"self", "features", "window", "groups"})


class NetError(TrainingError):
    """A net's name or one of its settings is unknown or cannot be used.

    Examples
    --------
    >>> build("hybrid", features=5)
    Traceback (most recent call last):
        ...
    fathom.ml.nets.registry.NetError: Expected one of the nets compact, ...; was 'hybrid'. Did you mean
    'hybrid_cnn_lstm'?
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
        A key of `NETS`.
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
    if name not in NETS:
        near = get_close_matches(name, NETS, n=1, cutoff=0.4)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise NetError(f"Expected one of the nets {', '.join(sorted(NETS))}; was '{name}'.{hint}")
    known = [parameter for parameter in inspect.signature(NETS[name]).parameters if parameter not in _GIVEN]
    for parameter in parameters:
        if parameter not in known:
            near = get_close_matches(parameter, known, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise NetError(f"Expected a setting of {name} ({', '.join(known)}), was '{parameter}'.{hint}")
    try:
        return NETS[name](features=features, window=window, groups=groups, **parameters)
    except (TypeError, ValueError, RuntimeError) as error:
        settings = ", ".join(f"{key}={value!r}" for key, value in parameters.items()) or "its defaults"
        raise NetError(f"Expected settings that {name} can be built with, was {settings}: {error}") from error
