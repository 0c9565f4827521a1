"""A kernel is compiled again when its own code or the code that it calls changes, and at no other edit."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fathom.market.kernel_cache import cached, stamp

CALLER = """
from fathom.market.kernel_cache import cached
from callee import inner, FACTOR
import callee as other


@cached
def outer(x):
    return inner(x) * FACTOR + other.TABLE[0]


print(outer(5), sum(outer.stats.cache_misses.values()))
"""
CALLEE = """
import numpy as np
from fathom.market.kernel_cache import cached

FACTOR = 2
TABLE = np.array([10, 20])


@cached
def inner(x):
    return 3 * x


@cached
def unused(x):
    return x
"""


def run(folder: Path) -> tuple[int, int]:
    """Return the answer, and how many kernels were compiled."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(folder / "caller.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, env=environment)
    answer, compiled = done.stdout.split()
    return int(answer), int(compiled)


@pytest.fixture
def kernels(tmp_path: Path) -> Path:
    (tmp_path / "caller.py").write_text(CALLER)
    (tmp_path / "callee.py").write_text(CALLEE)
    assert run(tmp_path) == (40, 1)
    assert run(tmp_path) == (40, 0)
    return tmp_path


@pytest.mark.parametrize(
    ("change", "answer"),
    [(("3 * x", "4 * x"), 50), (("FACTOR = 2", "FACTOR = 3"), 55), (("[10, 20]", "[11, 20]"), 41)],
    ids=["callee", "constant", "array"],
)
def test_a_change_of_what_a_kernel_reads_compiles_it_again(kernels: Path, change: tuple[str, str], answer: int) -> None:
    (kernels / "callee.py").write_text(CALLEE.replace(*change))
    assert run(kernels) == (answer, 1)


def test_an_edit_elsewhere_compiles_nothing(kernels: Path) -> None:
    text = CALLEE.replace("    return x\n", "    return 2 * x\n").replace(
        "\nFACTOR", "\n# A comment moves lines.\nFACTOR"
    )
    (kernels / "callee.py").write_text(text + "\n\ndef more():\n    return 1\n")
    (kernels / "caller.py").write_text("# A comment.\n" + CALLER)
    assert run(kernels) == (40, 0)


def test_kernels_that_call_each_other_have_a_stamp() -> None:
    assert stamp(_even) == stamp(_even)
    assert stamp(_even) != stamp(_alone)


@cached
def _alone(n: int) -> int:
    return n


@cached
def _even(n: int) -> bool:
    return n == 0 or _odd(n - 1)


def _odd(n: int) -> bool:
    return bool(n != 0 and _even(n - 1)) and bool(np.isfinite(n))
