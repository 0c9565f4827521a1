"""The two ways along the grid are one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathom.ml.features.grid import EventGrid

NONE = np.zeros(0, np.int64)


@given(
    gaps=st.lists(st.integers(0, 60), max_size=40),
    bar_gaps=st.lists(st.integers(0, 60), max_size=10),
    cut=st.integers(0, 40),
    asked=st.lists(st.integers(0, 300), max_size=3),
)
def test_one_by_one_is_all_at_once(gaps: list[int], bar_gaps: list[int], cut: int, asked: list[int]) -> None:
    rows, bars = (np.cumsum(np.array(steps, np.int64)) + 5 for steps in (gaps, bar_gaps))
    one, many = (EventGrid(step_ns=10, silence_ns=25) for _ in range(2))
    middle = rows[cut - 1] if 0 < cut <= len(rows) else 0
    split = int(np.searchsorted(bars, middle, side="right"))
    for some, some_bars in ((rows[:cut], bars[:split]), (rows[cut:], bars[split:])):
        newest = max([0, *some[-1:].tolist(), *some_bars[-1:].tolist()])
        if not newest:
            continue
        due = one.due(newest, some, some_bars)
        arrays = many.due_many(newest, some, some_bars)
        assert due == list(zip(*(array.tolist() for array in arrays), strict=True))
        for ahead in asked:
            due = one.due(newest + ahead, NONE, NONE)
            arrays = many.due_many(newest + ahead, NONE, NONE)
            assert due == list(zip(*(array.tolist() for array in arrays), strict=True))
        assert (one.next_ns, one.newest_ns) == (many.next_ns, many.newest_ns)


@pytest.mark.parametrize(("first", "times"), [(5, [10, 20]), (10, [20]), (9, [10, 20]), (0, [10, 20])])
def test_the_first_time_is_after_the_first_event(first: int, times: list[int]) -> None:
    grid = EventGrid(step_ns=10, silence_ns=100)
    events = np.array([first, 20])
    assert [ts for ts, _, _ in grid.due(20, events, NONE)] == times


def test_what_is_late() -> None:
    grid = EventGrid(step_ns=10, silence_ns=100)
    grid.due(5, np.array([5]), NONE)
    grid.due(30, NONE, NONE)
    assert grid.late(np.array([29])) == 1
    assert grid.late(np.array([12, 30, 31])) == 1
    assert grid.late(np.array([30])) == 0
    assert grid.late(NONE) == 0
