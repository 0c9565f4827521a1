"""Short hand for the specs that stand beside the order-book kernels."""

from collections import namedtuple
from collections.abc import Sequence
from typing import Any, Final

from fathom.ml.features.spec import FeatureSpec

OWN: Final = "Fathom"
CKS: Final = "Cont, Kukanov & Stoikov (2014), doi:10.1093/jjfinec/nbt003"
XGH: Final = "Xu, Gould & Howison (2018), doi:10.1142/S2382626619500114"

EMPTY_SIDE: Final = "a side of the book is empty"
NO_TRADES: Final = "no signed trade in the window"


def places(specs: Sequence[FeatureSpec]) -> Any:
    """Return the places of features as a named tuple, which numba reads as constants.

    Examples
    --------
    >>> describe = Describe("liquidity", 1000)
    >>> places([describe("spread", "bps", "ask - bid", "Distance."), describe("mid", "price", "mid", "Middle.")]).mid
    1
    """
    return namedtuple("Places", [spec.name for spec in specs])(*range(len(specs)))


class Describe:
    """Make the specs of one subgroup.

    Parameters
    ----------
    subgroup : str
        What follows ``"orderbook."`` in the group.
    grid_ms : int
        Step of the grid, which turns seconds of warm-up into samples.

    Examples
    --------
    >>> describe = Describe("liquidity", 500)
    >>> spec = describe("spread", "bps", "ask - bid", "Distance of the best prices.", seconds=2)
    >>> spec.group, spec.warm_up, spec.nan_rule
    ('orderbook.liquidity', 4, 'a side of the book is empty')
    """

    def __init__(self, subgroup: str, grid_ms: int) -> None:
        self.group = f"orderbook.{subgroup}"
        self.grid_ms = grid_ms

    def __call__(
        self,
        name: str,
        unit: str,
        formula: str,
        text: str,
        *,
        source: str = OWN,
        seconds: float = 0.0,
        extra: int = 0,
        nan: str = EMPTY_SIDE,
        stationary: bool = True,
        of: str | None = None,
    ) -> FeatureSpec:
        """Return the spec; `seconds` and `extra` samples make the warm-up (at least one sample)."""
        return FeatureSpec(
            name=name,
            group=self.group,
            unit=unit,
            formula=formula,
            source=source,
            warm_up=max(1, round(seconds * 1000) // self.grid_ms) + extra,
            nan_rule=nan,
            stationary=stationary,
            stationary_of=of,
            text=text,
        )
