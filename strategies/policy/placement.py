"""Where stop and target go when supports and resistances are known: stops behind them, targets before them."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from fathom.data_catalog.messages.signals import Signal

type Positive = Annotated[float, Meta(gt=0)]


class PlacementConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether and how far levels move the prices of a bracket.

    Attributes
    ----------
    stops, targets
        Whether to move them.
    margin_bps
        A stop goes this far behind its level, a target this far before it, in basis points of the level.
    least_strength
        Levels under this are left out.
    least, most
        A stop or target is moved to no less and no more than this multiple of its own distance from the entry.

    Examples
    --------
    >>> PlacementConfig(stops=True).margin_bps
    1.0
    """

    stops: bool = False
    targets: bool = False
    margin_bps: Annotated[float, Meta(ge=0)] = 1.0
    least_strength: Annotated[float, Meta(ge=0, le=1)] = 0.0
    least: Annotated[float, Meta(gt=0, le=1)] = 0.5
    most: Annotated[float, Meta(ge=1)] = 1.5


class Placed(NamedTuple):
    """A stop and a target, and what moved them, in words (empty: nothing).

    Examples
    --------
    >>> Placed(98.0, 103.0, "").stop
    98.0
    """

    stop: float
    target: float
    reason: str


type Levels = Sequence[tuple[float, float]]


def place(signal: Signal, supports: Levels, resistances: Levels, config: PlacementConfig) -> Placed:
    """Return stop and target of a signal, moved behind and before levels where that is configured.

    The stop goes behind the level that leaves it nearest to where it was. The target goes before the first level on its
    way, and stays where none is nearer than it.

    Parameters
    ----------
    signal
        With its own stop and target.
    supports, resistances
        (price, strength) of the levels below and above the price.
    config
        What may move, and how far.

    Examples
    --------
    >>> up = Signal(instrument_id="A.B", side="BUY", strength=0.7, entry=100.0, stop=98.0, target=104.0,
    ...             horizon_secs=0.0, ts_init=0, source="mine")
    >>> both = PlacementConfig(stops=True, targets=True, margin_bps=10.0)
    >>> place(up, [(99.5, 0.9), (97.8, 0.4)], [(103.0, 0.5), (103.5, 0.9)], both)
    Placed(stop=97.702..., target=102.897, reason='stop behind 97.8, target before 103')
    """
    direction = signal.direction
    behind, ahead = (supports, resistances) if direction > 0 else (resistances, supports)
    margin = config.margin_bps / 1e4
    stop, target, moved = signal.stop, signal.target, []
    if config.stops:
        found = _within(behind, signal.entry, signal.stop, -direction, 1.0 - direction * margin, config)
        if found:
            level, stop = min(found, key=lambda pair: abs(pair[1] - signal.stop))
            moved.append(f"stop behind {level:g}")
    if config.targets:
        found = _within(ahead, signal.entry, signal.target, direction, 1.0 - direction * margin, config)
        nearer = [pair for pair in found if direction * (signal.target - pair[1]) > 0.0]
        if nearer:
            level, target = min(nearer, key=lambda pair: direction * pair[1])
            moved.append(f"target before {level:g}")
    return Placed(stop, target, ", ".join(moved))


def _within(
    levels: Levels, entry: float, price: float, direction: int, factor: float, config: PlacementConfig
) -> list[tuple[float, float]]:
    # Levels whose moved price is not too near to the entry and not too far from it, with that price.
    distance = abs(price - entry)
    low, high = config.least * distance, config.most * distance
    pairs = [(level, level * factor) for level, strength in levels if strength >= config.least_strength]
    return [pair for pair in pairs if low <= direction * (pair[1] - entry) <= high]
