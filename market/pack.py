"""Many arrays handed to a kernel as one: a call from Python pays for each argument, and a book has dozens of arrays."""

# numba and llvmlite are not typed.
# mypy: disable-error-code="no-untyped-call, attr-defined, import-untyped"

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import typeof, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array
from numpy.typing import NDArray


class ArrayPack[Arrays: tuple[Any, ...]]:
    """The layout of a named tuple of arrays (and of such tuples), by which a kernel gets at them through one array.

    To unpack an argument numba spends 0.14 us on each array: 7 us for the 49 arrays of the detectors, with nothing done
    yet. `words` writes down once where each array lies and its shape, and `unpack`, called in a kernel, makes the same
    tuple of that in some nanoseconds. (numba's own ``structref`` needs the reference counts that kernels go without.)
    The words hold no reference: whoever makes them keeps the arrays, and makes new ones when he puts another array in
    the place of one, or is copied (``__setstate__``).

    Parameters
    ----------
    example : tuple
        A tuple of C-contiguous arrays as later ones will be, but for their lengths.

    Attributes
    ----------
    unpack : callable
        For kernels: from the words to the tuple.

    Examples
    --------
    >>> from typing import NamedTuple
    >>> from numba import njit
    >>> class Two(NamedTuple):
    ...     counts: NDArray[np.int64]
    ...     sums: NDArray[np.float64]
    >>> pack = ArrayPack(Two(np.zeros(1, np.int64), np.zeros((1, 1))))
    >>> unpack = pack.unpack
    >>> @njit
    ... def note(words, value):
    ...     two = unpack(words)
    ...     two.counts[0] += 1
    ...     two.sums[0, two.sums.shape[1] - 1] += value
    >>> two = Two(np.zeros(3, np.int64), np.zeros((2, 4)))
    >>> words = pack.words(two)
    >>> note(words, 0.5)
    >>> two.counts.tolist(), float(two.sums[0, 3])
    ([1, 0, 0], 0.5)
    """

    def __init__(self, example: Arrays) -> None:
        self._kind: Any = typeof(example)
        self.unpack: Callable[[NDArray[np.int64]], Arrays] = _unpacker(self._kind)

    def words(self, arrays: Arrays) -> NDArray[np.int64]:
        """Return where the arrays lie, and their shapes, for `unpack`.

        Raises
        ------
        TypeError
            An array is not of the dtype, dimensions or layout of the example.
        """
        kind = typeof(arrays)
        if kind != self._kind:
            raise TypeError(f"Expected arrays of the example's types, {self._kind}, was {kind}")
        found: list[int] = []
        _note(arrays, found)
        return np.array(found, np.int64)


def _note(arrays: Any, found: list[int]) -> None:
    if isinstance(arrays, tuple):
        for each in arrays:
            _note(each, found)
    else:
        found += [arrays.ctypes.data, *arrays.shape]


def _unpacker(kind: Any) -> Any:
    @intrinsic
    def unpack(_context: Any, words: Any) -> Any:
        def codegen(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            base = make_array(words)(context, builder, arguments[0]).data
            place = 0

            def next_word() -> Any:
                nonlocal place
                word = builder.load(builder.gep(base, [ir.Constant(ir.IntType(64), place)]))
                place += 1
                return word

            def build(of: Any) -> Any:
                if isinstance(of, types.BaseTuple):
                    return context.make_tuple(builder, of, [build(each) for each in of.types])
                array = make_array(of)(context, builder)
                address = next_word()
                shape = [next_word() for _ in range(of.ndim)]
                size = context.get_abi_sizeof(context.get_data_type(of.dtype))
                item = context.get_constant(types.intp, size)
                strides = [item]
                for length in reversed(shape[1:]):
                    strides.insert(0, builder.mul(strides[0], length))
                populate_array(
                    array,
                    data=builder.inttoptr(address, array.data.type),
                    shape=cgutils.pack_array(builder, shape),
                    strides=cgutils.pack_array(builder, strides),
                    itemsize=item,
                    meminfo=None,
                )
                return array._getvalue()

            return build(kind)

        return kind(words), codegen

    return unpack
