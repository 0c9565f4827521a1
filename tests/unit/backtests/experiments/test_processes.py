"""Each task has a process of its own, and none outlives its caller."""

import operator
import os

import psutil
import pytest

from fathom.backtests.experiments.processes import in_processes


def _workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


def test_each_task_has_its_own_process() -> None:
    found = dict(in_processes(os.getpid, [(), (), ()], jobs=2))
    assert sorted(found) == [0, 1, 2]
    assert len({*found.values(), os.getpid()}) == 4


def test_a_failure_is_that_of_the_task_and_ends_the_others() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_processes(operator.truediv, [(1, 0), (1, 1)], jobs=1))
    assert _workers() == []


def test_a_process_that_dies_is_told() -> None:
    with pytest.raises(ChildProcessError, match="exit code 7"):
        list(in_processes(os._exit, [(7,)], jobs=1))


def test_no_process_outlives_a_caller_that_stops_asking() -> None:
    results = in_processes(operator.add, [(1, 1), (2, 2), (3, 3)], jobs=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert _workers() == []
