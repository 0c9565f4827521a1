"""What a set of features asks of each of its parts: absorb event rows, answer a grid time, save and restore."""

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fathom.ml.features.config import FeatureConfig
from fathom.ml.features.micro_price import MicroPriceTable
from fathom.ml.features.spec import FeatureSpec


class Group(Protocol):
    """A part of a `FeatureSet` that computes some of its features from the event rows of one instrument.

    The set cuts the stream at the grid: before it asks for the values at grid time T it has given the group every
    row with ``ts_init < T`` and none with ``ts_init >= T``. Grid times only grow. `absorb` and `sample` are the
    online driver, `run` the batch driver; both must go through the same compiled steps, so that the values are equal
    to the last bit however the rows are cut into chunks.

    Attributes
    ----------
    specs : tuple of FeatureSpec
        The features, in the order of the values that `sample` writes.
    versions : Mapping[str, int]
        Version of each top group among `specs`; raise it whenever a value would change.
    neutral : Mapping[str, float]
        Values of the features that have a neutral one (see `fathom.ml.features.filling`).
    alike : Mapping[tuple[str, str], str]
        Pairs of features that may have a correlation beyond 0.999, and why.
    reads_book : bool
        Whether it reads the changes of the order book; otherwise trades alone are read from a catalog.

    Examples
    --------
    A group that counts the rows it has seen:

    >>> class Count(Group):
    ...     specs = (
    ...         FeatureSpec(name="rows", group="count.rows", unit="-", formula="n", source="Fathom", warm_up=0,
    ...                     nan_rule="never", stationary=False, text="Rows so far."),
    ...     )
    ...     versions = {"count": 1}
    ...     def __init__(self, **increments):
    ...         self.state = np.zeros(1)
    ...     def absorb(self, rows):
    ...         self.state[0] += len(rows)
    ...     def sample(self, ts_ns, out):
    ...         out[0] = self.state[0]
    ...     def snapshot(self):
    ...         return {"state": self.state.copy()}
    ...     def restore(self, state):
    ...         self.state[:] = state["state"]
    >>> from fathom.market import EVENT
    >>> out = np.empty((2, 1))
    >>> Count().run(np.zeros(5, EVENT), np.array([10, 20]), np.array([2, 5]), out)
    >>> out.ravel().tolist()
    [2.0, 5.0]
    """

    specs: tuple[FeatureSpec, ...]
    versions: Mapping[str, int]
    neutral: Mapping[str, float] = MappingProxyType({})
    alike: Mapping[tuple[str, str], str] = MappingProxyType({})
    reads_book: bool = True

    def __init__(self, *, price_increment: float, size_increment: float) -> None: ...

    @classmethod
    def of(
        cls,
        config: FeatureConfig,
        *,
        price_increment: float,
        size_increment: float,
        micro_price: MicroPriceTable | None = None,
    ) -> Self:
        """Return the group for an instrument with these increments; a group with more settings reads `config`."""
        return cls(price_increment=price_increment, size_increment=size_increment)

    @classmethod
    def settings(cls, config: FeatureConfig) -> Mapping[str, int | float | str]:
        """Return what in `config` changes the values, besides the grid: it goes into the schema."""
        return {}

    @abstractmethod
    def absorb(self, rows: NDArray[np.void]) -> None:
        """Take rows (`fathom.market.EVENT`, in ``ts_init`` order) that no pending grid time cuts."""
        ...

    @abstractmethod
    def sample(self, ts_ns: int, out: NDArray[np.float64]) -> None:
        """Write the values at grid time `ts_ns` into `out` of shape (features,); NaN where undefined."""
        ...

    def run(
        self,
        rows: NDArray[np.void],
        times: NDArray[np.int64],
        cuts: NDArray[np.int64],
        out: NDArray[np.float64],
    ) -> None:
        """Do what `absorb` and `sample` do at once: sample row i of `out` at ``times[i]``, after ``rows[:cuts[i]]``.

        The rows after the last cut are absorbed as well. `out` is C-contiguous, of shape (grid times, features).
        """
        run_slowly(self, rows, times, cuts, out)

    @abstractmethod
    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold the whole state."""
        ...

    @abstractmethod
    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over the arrays of a `snapshot` of a group with the same settings."""
        ...


def run_slowly(
    group: Group,
    rows: NDArray[np.void],
    times: NDArray[np.int64],
    cuts: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None:
    """Drive `absorb` and `sample` as `Group.run` must: the reference for tests, and a start for a new group."""
    done = 0
    for i, (ts_ns, cut) in enumerate(zip(times.tolist(), cuts.tolist(), strict=True)):
        group.absorb(rows[done:cut])
        group.sample(ts_ns, out[i])
        done = cut
    group.absorb(rows[done:])
