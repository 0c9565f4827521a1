"""States of feature groups as bytes: plain arrays with their types, nothing that could run on loading."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray


class SavedArray(msgspec.Struct, frozen=True, array_like=True):
    """An array as bytes, with its type and shape.

    Examples
    --------
    >>> unpack(pack(np.arange(3))).tolist()
    [0, 1, 2]
    """

    dtype: Any
    shape: tuple[int, ...]
    data: bytes


def pack(array: NDArray[Any]) -> SavedArray:
    """Return `array` as bytes.

    Raises
    ------
    ValueError
        Where the array holds Python objects.
    """
    kind = array.dtype
    if kind.hasobject:
        raise ValueError(f"Expected an array of numbers, was of type {kind}")
    descr = kind.str if kind.names is None else np.lib.format.dtype_to_descr(kind)
    return SavedArray(descr, array.shape, array.tobytes())


def unpack(saved: SavedArray) -> NDArray[Any]:
    """Return the array that `pack` took."""
    descr: Any = saved.dtype if isinstance(saved.dtype, str) else [tuple(field) for field in saved.dtype]
    array = np.frombuffer(saved.data, np.lib.format.descr_to_dtype(descr))
    return array.reshape(saved.shape).copy()


def pack_all(arrays: Mapping[str, NDArray[Any]]) -> dict[str, SavedArray]:
    """Return each array as bytes."""
    return {name: pack(array) for name, array in arrays.items()}


def unpack_all(saved: Mapping[str, SavedArray]) -> dict[str, NDArray[Any]]:
    """Return the arrays that `pack_all` took."""
    return {name: unpack(array) for name, array in saved.items()}
