"""Speed and memory, measured against a baseline in the same run. `make bench` runs every module here that has `run`."""

from dataclasses import dataclass

__all__ = ["Measure"]


@dataclass(frozen=True)
class Measure:
    """One measured number.

    Parameters
    ----------
    name : str
        What was measured, such as "import bybit book".
    value : float
        The median of several repeats.
    unit : str
        Such as "level changes/s", "MiB".
    baseline : float or None
        The same work done by the bar to compare with, in the same unit and the same run.
    note : str
        What the baseline is, and how many repeats.
    """

    name: str
    value: float
    unit: str
    baseline: float | None
    note: str

    @property
    def ratio(self) -> float | None:
        """How many times the baseline the value is."""
        return self.value / self.baseline if self.baseline else None
