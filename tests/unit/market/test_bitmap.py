import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fathom.market.bitmap import WINDOW, WORDS, clear_bit, last_bit, next_bit, set_bit

positions = st.sets(
    st.integers(0, WINDOW - 1) | st.sampled_from([0, 63, 64, 4095, 4096, WINDOW - 65, WINDOW - 64, WINDOW - 1]),
    max_size=30,
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(positions, positions, st.integers(0, WINDOW))
def test_a_bitmap_is_an_ordered_set(present: set[int], removed: set[int], start: int) -> None:
    bits = np.zeros((2, WORDS), np.uint64)
    for x in present:
        set_bit(bits, 1, x)
    for x in removed & present:
        clear_bit(bits, 1, x)
    left = present - removed
    assert last_bit(bits, 1) == max(left, default=-1)
    assert next_bit(bits, 1, start) == min((x for x in left if x >= start), default=-1)
    walked = []
    x = next_bit(bits, 1, 0)
    while x >= 0:
        walked.append(x)
        x = next_bit(bits, 1, x + 1)
    assert walked == sorted(left)
    assert not bits[0].any()
    assert left or not bits.any()
