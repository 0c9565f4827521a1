"""What all policies share: the closed bar they are fed with, and a state that can be saved and restored."""

from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.messages.signals import Signal

type Floats = NDArray[np.float64]

_NAN = float("nan")


class MarketBar(NamedTuple):
    """One closed bar and what else is known at its close, as plain numbers. A policy reads of it what it needs.

    Parameters
    ----------
    high, low, close : float
        Prices.
    volume : float
        Traded volume, base units; 0 for bars of the mid.
    ts_init : int
        When the bar was known, ns.
    flow : float
        Order-flow imbalance of the bar over the mean size at the touch (see `OrderFlow`); NaN where no book is known.
    flat_strength : float
        Of `detectors.FlatMarket`, 0 to 1; NaN while unknown.
    wave : int
        Elliott wave under way (`detectors.Wave`): 1 to 5, 6 to 8 for A to C, 0 without a count.
    wave_direction : int
        Direction of the counted impulse, 1 or -1; 0 without a count.
    wave_confidence : float
        0 to 1; NaN without a count.

    Examples
    --------
    >>> MarketBar(101.0, 99.0, 100.5, 3.0, ts_init=0).wave
    0
    """

    high: float
    low: float
    close: float
    volume: float
    ts_init: int
    flow: float = _NAN
    flat_strength: float = _NAN
    wave: int = 0
    wave_direction: int = 0
    wave_confidence: float = _NAN


class Policy:
    """Closed bars in, signals out; all memory in one flat array of numbers.

    Not used by itself: `MomentumPolicy`, `SarWavePolicy`, `SuperTrendPolicy` and `VolumeProfilePolicy` are policies.

    Parameters
    ----------
    instrument_id : str
        What the signals are about.
    state : ndarray
        float64 of shape (cells,), before the first bar.
    params : sequence of float
        The settings, as the kernel reads them.

    Examples
    --------
    >>> policy = Policy("A.B", np.zeros(2), (1.0,))
    >>> other = Policy("A.B", np.zeros(2), (2.0,))
    >>> other.restore(policy.snapshot())
    Traceback (most recent call last):
    ...
    ValueError: Expected the snapshot of a Policy with the same settings, was another. Start afresh, or restore ...
    """

    source = ""
    """Name of the policy in its signals."""

    def __init__(self, instrument_id: str, state: Floats, params: tuple[float, ...]) -> None:
        self.instrument_id = instrument_id
        self.state = state
        self.params = np.array(params, dtype=np.float64)

    @property
    def trailing_stop(self) -> float:
        """Where the stop of a position in the policy's direction belongs after the last bar; NaN to leave it."""
        return _NAN

    @property
    def trend(self) -> int:
        """Direction to which `trailing_stop` belongs: 1 or -1; 0 where it has none."""
        return 0

    def decide(self, bar: MarketBar) -> Signal | None:
        """Take one closed bar; return a signal if there is reason for one."""
        raise NotImplementedError

    def snapshot(self) -> dict[str, Floats]:
        """Return a copy of the whole state."""
        return {"state": self.state.copy(), "params": self.params.copy()}

    def restore(self, snapshot: Mapping[str, Floats]) -> Self:
        """Continue from a `snapshot` of a policy with the same settings; return the policy.

        Raises
        ------
        ValueError
            The settings differ.
        """
        state, params = snapshot["state"], snapshot["params"]
        if state.shape != self.state.shape or not np.array_equal(params, self.params):
            raise ValueError(
                f"Expected the snapshot of a {type(self).__name__} with the same settings, was another. "
                "Start afresh, or restore it with the settings it was saved with."
            )
        self.state[:] = state
        return self

    def _signal(
        self, direction: int, bar: MarketBar, *, strength: float, stop: float, target: float, entry: float | None = None
    ) -> Signal:
        return Signal(
            instrument_id=self.instrument_id,
            side="BUY" if direction > 0 else "SELL",
            strength=min(1.0, max(0.0, strength)),
            entry=bar.close if entry is None else entry,
            stop=stop,
            target=target,
            horizon_secs=0.0,
            ts_init=bar.ts_init,
            source=self.source,
        )
