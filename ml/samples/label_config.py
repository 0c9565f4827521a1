"""Settings of the labels: which kind, over which horizon, against which cost."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from fathom.settings.doors import Registry

LABELS: Final = Registry(
    "label", {"barrier": "fathom.ml.samples.labels:barrier", "fixed": "fathom.ml.samples.labels:fixed"}
)
"""Functions by the kind of label; see `fathom.ml.samples.labels.LabelKind`."""


class LabelConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a label.

    Parameters
    ----------
    kind : str
        ``fixed``: the return after the horizon against a threshold; ``barrier``: which of two barriers is touched
        first; or your own ``"module:label"``.
    horizon_secs : float
        How far the label looks ahead.
    fee_bps : float
        Fee of one side of a trade, bps of its value. It is paid twice.
    threshold_bps : float or None
        What a return must exceed to be BUY or SELL. None means the cost of the trade: two fees and the spread.
    barrier_width : float
        Distance of the barriers in standard deviations of the return over the horizon; not below the threshold.
    volatility_secs : float
        Span before the grid time over which that deviation is measured.

    Examples
    --------
    >>> LabelConfig(horizon_secs=30.0, fee_bps=2.0).horizon_ns
    30000000000
    >>> LabelConfig(horizon_secs=0.0)
    Traceback (most recent call last):
    ...
    ValueError: Expected horizon_secs above 0, was 0.0
    """

    kind: str = "fixed"
    horizon_secs: float = 10.0
    fee_bps: Annotated[float, Meta(ge=0.0)] = 5.5
    threshold_bps: Annotated[float, Meta(ge=0.0)] | None = None
    barrier_width: float = 1.0
    volatility_secs: float = 60.0

    def __post_init__(self) -> None:
        for name in ("horizon_secs", "barrier_width", "volatility_secs"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"Expected {name} above 0, was {getattr(self, name)}")
        LABELS.place(self.kind)

    @property
    def horizon_ns(self) -> int:
        """The horizon in nanoseconds."""
        return round(self.horizon_secs * 1e9)


class FixedHorizon(LabelConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the label that compares the return after the horizon with a threshold; see `LabelConfig`.

    Examples
    --------
    >>> FixedHorizon(horizon_secs=30.0).kind
    'fixed'
    """

    kind: Literal["fixed"] = "fixed"


class TripleBarrier(LabelConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the label that says which of two barriers a price touches first; see `LabelConfig`.

    Examples
    --------
    >>> TripleBarrier(horizon_secs=30.0, barrier_width=2.0).kind
    'barrier'
    """

    kind: Literal["barrier"] = "barrier"
