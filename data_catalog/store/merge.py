"""Merge streams of event rows by the time at which the system knew them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fathom.market.kernel_cache import cached


@cached
def _merge(first: NDArray[np.void], second: NDArray[np.void], merged: NDArray[np.void]) -> None:
    i, j = 0, 0
    for k in range(merged.shape[0]):
        if j == second.shape[0] or (i < first.shape[0] and first[i].ts_init <= second[j].ts_init):
            merged[k] = first[i]
            i += 1
        else:
            merged[k] = second[j]
            j += 1


def merge_by_time(*sources: Iterator[NDArray[np.void]]) -> Iterator[NDArray[np.void]]:
    """Merge streams of `EVENT` arrays, each in order of ts_init.

    Parameters
    ----------
    sources : iterators of EVENT arrays
        On equal ts_init, rows of an earlier source come first.

    Yields
    ------
    EVENT array
        Never empty.

    Examples
    --------
    >>> from fathom.market.events import EVENT
    >>> def stream(kind, *times):
    ...     rows = np.zeros(len(times), dtype=EVENT)
    ...     rows["kind"], rows["ts_init"] = kind, times
    ...     yield rows
    >>> for rows in merge_by_time(stream(1, 10, 20, 20), stream(2, 5, 20, 30)):
    ...     print(rows["ts_init"], rows["kind"])
    [ 5 10 20 20] [2 1 1 1]
    [20 30] [2 2]
    """
    if not sources:
        return
    merged = sources[0]
    for source in sources[1:]:
        merged = _merge_two(merged, source)
    yield from (rows for rows in merged if len(rows))


def _merge_two(one: Iterator[NDArray[np.void]], two: Iterator[NDArray[np.void]]) -> Iterator[NDArray[np.void]]:
    first, second = _next(one), _next(two)
    while first is not None and second is not None:
        # Everything up to the earlier of the two ends is settled; of rows at that very time, the second source's must
        # wait until the first source has moved beyond it.
        end = min(first["ts_init"][-1], second["ts_init"][-1])
        i = int(np.searchsorted(first["ts_init"], end, side="right"))
        j = int(np.searchsorted(second["ts_init"], end, side="right" if i < len(first) else "left"))
        merged = np.empty(i + j, dtype=first.dtype)
        _merge(first[:i], second[:j], merged)
        yield merged
        first = first[i:] if i < len(first) else _next(one)
        second = second[j:] if j < len(second) else _next(two)
    for rest, source in ((first, one), (second, two)):
        if rest is not None:
            yield rest
            yield from source


def _next(source: Iterator[NDArray[np.void]]) -> NDArray[np.void] | None:
    return next((rows for rows in source if len(rows)), None)
