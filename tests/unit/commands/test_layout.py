"""Tables on terminals of any width: nothing is cut, nothing stands wider than the terminal that could be narrower."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathom.commands.layout import table_text

IDS = st.from_regex(r"[A-Z0-9.-]{1,30}", fullmatch=True)
PROSE = st.lists(st.from_regex(r"[a-z]{1,9}", fullmatch=True), max_size=25).map(" ".join)
ROWS = st.lists(st.tuples(IDS, st.integers(-(10**9), 10**9).map("{:,}".format), PROSE), min_size=1, max_size=5)


@given(ROWS, st.sampled_from([60, 80, 200]))
def test_no_cell_is_cut_and_no_line_is_too_wide(rows: list[tuple[str, str, str]], width: int) -> None:
    text = table_text(("instrument", "count", "why"), rows, width)
    assert all(len(line) <= width for line in text.split("\n"))
    for name, count, prose in rows:
        assert name in text
        assert count in text
        words = text.split()
        assert all(word in words for word in prose.split())


def test_a_pipe_gets_one_line_a_row() -> None:
    rows = [("A" * 90, "why " * 40), ("B", "x")]
    lines = table_text(("id", "reason"), rows).splitlines()
    assert len(lines) == 3
    assert "A" * 90 in lines[1]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (40, "id           n  why\nBTCUSDT  1,234  It did not pass the\n                filter at all"),
        (30, "id: BTCUSDT\n  n: 1,234\n  why: It did not pass the\n      filter at all"),
    ],
)
def test_prose_is_broken_first_then_rows(width: int, expected: str) -> None:
    assert (
        table_text(("id", "n", "why"), [("BTCUSDT", "1,234", "It did not pass the filter at all")], width) == expected
    )
