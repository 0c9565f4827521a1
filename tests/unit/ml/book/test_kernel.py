import numpy as np
import pytest
from numba.core.errors import NumbaError

from ml.book import flow, levels, lifecycle
from ml.book.kernel import kernel


@kernel
def _allocates(n: int) -> float:
    return float(np.zeros(n).sum())


@kernel
def _divides(a: float, b: float) -> float:
    return a / b


def test_a_kernel_that_allocates_does_not_compile() -> None:
    with pytest.raises(NumbaError):
        _allocates(3)


def test_division_by_zero_is_not_an_error() -> None:
    assert _divides(1.0, 0.0) == np.inf
    assert np.isnan(_divides(0.0, 0.0))


@pytest.mark.parametrize("module", [levels, lifecycle, flow])
def test_no_kernel_of_the_book_counts_references(module: object) -> None:
    compiled = [function for function in vars(module).values() if hasattr(function, "py_func")]
    assert compiled
    assert all(function.targetoptions["_nrt"] is False for function in compiled)
