import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core.errors import NumbaError

from fathom.market import flow, levels, lifecycle
from fathom.market.kernel import kernel
from tests.conftest import PROJECT


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


def test_a_changed_callee_is_compiled_anew(tmp_path: Path) -> None:
    callee, caller = tmp_path / "callee.py", tmp_path / "caller.py"
    head = "from fathom.market.kernel import kernel\n"
    caller.write_text(
        head + "from callee import inner\n\n@kernel\ndef outer(x):\n    return inner(x)\n\nprint(outer(5))\n"
    )
    answers = []
    for factor in (2, 3):
        callee.write_text(head + f"\n@kernel\ndef inner(x):\n    return {factor} * x\n")
        environment = os.environ | {"PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, str(caller)], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
        )
        answers.append(int(done.stdout))
    assert answers == [10, 15]
    assert list((tmp_path / "__pycache__").glob("caller.outer*.nbi"))
