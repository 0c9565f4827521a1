"""A kernel that gets its arrays through a pack sees the very arrays, and no others."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from fathom.market.kernel import kernel
from fathom.market.pack import ArrayPack

_ROW = np.dtype([("price", np.int64), ("side", np.uint8)], align=True)


class _Inner(NamedTuple):
    grid: NDArray[np.float64]
    rows: NDArray[Any]


class _Outer(NamedTuple):
    counts: NDArray[np.int32]
    inner: _Inner
    cube: NDArray[np.uint64]


def _arrays(counts: int = 1, grid: tuple[int, int] = (1, 1), rows: int = 1) -> _Outer:
    inner = _Inner(np.zeros(grid), np.zeros(rows, _ROW))
    return _Outer(np.zeros(counts, np.int32), inner, np.zeros((2, 3, 4), np.uint64))


_PACK = ArrayPack(_arrays())
_unpack = _PACK.unpack


@kernel
def _fill(words: NDArray[np.int64]) -> int:
    outer = _unpack(words)
    for i in range(len(outer.counts)):
        outer.counts[i] = i
    grid = outer.inner.grid
    for i in range(grid.shape[0]):
        for k in range(grid.shape[1]):
            grid[i, k] = 10.0 * i + k
    for i in range(len(outer.inner.rows)):
        outer.inner.rows[i].price = -i
        outer.inner.rows[i].side = 2
    outer.cube[1, 2, 3] = 7
    outer.cube[0, 1, 0] = 9
    return len(outer.counts) + grid.size + len(outer.inner.rows)


def test_kernel_writes_into_the_arrays_that_were_packed() -> None:
    arrays = _arrays(5, (3, 4), 2)
    assert _fill(_PACK.words(arrays)) == 5 + 12 + 2
    assert arrays.counts.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(arrays.inner.grid, 10.0 * np.arange(3)[:, None] + np.arange(4))
    assert arrays.inner.rows.tolist() == [(0, 2), (-1, 2)]
    expected = np.zeros((2, 3, 4), np.uint64)
    expected[1, 2, 3], expected[0, 1, 0] = 7, 9
    np.testing.assert_array_equal(arrays.cube, expected)


def test_new_words_lead_to_new_arrays() -> None:
    old, new = _arrays(3), _arrays(6)
    _fill(_PACK.words(old))
    old.counts[:] = 0
    _fill(_PACK.words(new))
    assert old.counts.tolist() == [0, 0, 0]
    assert new.counts.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "counts",
    [np.zeros(3, np.int64), np.zeros((3, 1), np.int32), np.zeros(6, np.int32)[::2]],
    ids=["dtype", "dimensions", "layout"],
)
def test_other_arrays_are_refused(counts: NDArray[Any]) -> None:
    with pytest.raises(TypeError, match="Expected arrays of the example's types"):
        _PACK.words(_arrays()._replace(counts=counts))


def test_read_only_arrays_are_refused() -> None:
    arrays = _arrays()
    arrays.inner.grid.flags.writeable = False
    with pytest.raises(TypeError, match="readonly"):
        _PACK.words(arrays)
