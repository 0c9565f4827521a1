"""Laws of everything that computes from a stream: chunks, the future and a restart must not change what it says."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Restorable(Protocol):
    """What saves its whole state and takes it over again."""

    def snapshot(self) -> Any: ...
    def restore(self, state: Any, /) -> Any: ...


def check_recurrence[T: Restorable](
    make: Callable[[], T],
    drivers: Sequence[Callable[[T, Any], Sequence[object]]],
    rows: Any,
    *,
    seed: int = 0,
    pieces: int = 20,
) -> None:
    """Assert that chunks, drivers, the future and a restart do not change what is said.

    Parameters
    ----------
    make : callable
        Returns a new object, always the same.
    drivers : sequence of callable
        Each takes an object and rows and returns what the object says of them, as values that compare exactly (bytes
        where there may be NaN). The first one, over all rows at once, is the measure.
    rows : sequence or ndarray
        The stream.
    seed, pieces : int
        Of the random cuts, and how many.

    Raises
    ------
    AssertionError
        Naming the law, the cut and the first difference.

    Examples
    --------
    >>> class Sum:
    ...     total = 0
    ...     def snapshot(self):
    ...         return self.total
    ...     def restore(self, state):
    ...         self.total = state
    ...     def feed(self, rows):
    ...         said = []
    ...         for row in rows:
    ...             self.total += row
    ...             said.append(self.total)
    ...         return said
    >>> check_recurrence(Sum, [Sum.feed], list(range(50)))
    >>> check_recurrence(Sum, [lambda each, rows: [sum(rows)] * len(rows)], list(range(50)))
    Traceback (most recent call last):
    ...
    AssertionError: Law 1 (any chunks give the same): expected 1225 at place 0, was ...
    """
    expected = list(drivers[0](make(), rows))
    assert expected, "Expected rows of which something is said, was silence: give more rows"
    rng = np.random.default_rng(seed)
    cuts = np.unique(np.concatenate([[0], rng.integers(0, len(rows) + 1, pieces), [len(rows)]])).tolist()
    spans = [slice(first, last) for first, last in pairwise(cuts)]
    for number in range(len(drivers) + 1):
        each, said = make(), list[object]()
        for turn, span in enumerate(spans):
            driver = drivers[number] if number < len(drivers) else drivers[turn % len(drivers)]
            said += driver(each, rows[span])
        _same(said, expected, "Law 1 (any chunks give the same)")
    for cut in cuts[1 : -1 : max(1, len(cuts) // 3)]:
        said = list(drivers[0](make(), rows[:cut]))
        _same(said, expected[: len(said)], f"Law 2 (no look-ahead; rows[:{cut}])")
    each, said = make(), []
    for span in spans:
        said += drivers[0](each, rows[span])
        state, each = each.snapshot(), make()
        each.restore(state)
    _same(said, expected, "Law 5 (a restart changes nothing)")


def check_detector(
    make: Callable[[], Any], bars: NDArray[np.float64], bar: Callable[..., Any], *, seed: int = 0
) -> None:
    """Assert the laws of a bar detector: `update_many` in any chunks, no look-ahead, `snapshot` and `restore`.

    Parameters
    ----------
    make : callable
        Returns a new detector.
    bars : ndarray
        Shape (n, fields), see `fathom.detectors.bars_of`.
    bar : callable
        `fathom.detectors.Bar`: `update` must leave the same state as `update_many`.
    seed : int
        Of the cuts.
    """
    check_recurrence(make, [lambda each, rows: [row.tobytes() for row in each.update_many(rows)]], bars, seed=seed)
    online, batch = make(), make()
    for row in bars.tolist():
        online.update(bar(*row))
    batch.update_many(bars)
    assert _bytes(online.snapshot()) == _bytes(batch.snapshot()), "Law 1 (update = update_many): the states differ"


def check_policy(make: Callable[[], Any], bars: Sequence[Any], *, seed: int = 0) -> None:
    """Assert the laws of a policy: what it decides depends on the bars so far and on nothing else.

    Parameters
    ----------
    make : callable
        Returns a new policy.
    bars : sequence
        `fathom.strategies.policy.policy.MarketBar`.
    seed : int
        Of the cuts.
    """
    check_recurrence(make, [lambda each, rows: [each.decide(row) for row in rows]], bars, seed=seed)


def _bytes(state: Mapping[str, NDArray[Any]]) -> dict[str, bytes]:
    return {name: np.asarray(array).tobytes() for name, array in state.items()}


def _same(said: Sequence[object], expected: Sequence[object], law: str) -> None:
    for place, (was, want) in enumerate(zip(said, expected, strict=False)):
        assert was == want, f"{law}: expected {want!r} at place {place}, was {was!r}"
    assert len(said) == len(expected), f"{law}: expected {len(expected)} answers, was {len(said)}"
