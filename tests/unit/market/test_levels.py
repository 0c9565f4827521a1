import numpy as np
import pytest

from fathom.market.bitmap import WINDOW
from fathom.market.levels import (
    ASK,
    BEST,
    BID,
    COUNT,
    FAR,
    KEY,
    LOTS,
    NO_KEY,
    BookArrays,
    clear_side,
    find,
    first_place,
    insert,
    next_place,
    remove,
    slot_at,
    worst_key,
)
from fathom.market.lifecycle import grown, is_full, new_book


def walk(book: BookArrays, side: int) -> list[tuple[int, int]]:
    found = []
    place = first_place(book, side)
    while place >= 0:
        slot = slot_at(book, side, place)
        found.append((int(book.pool[slot, KEY]), int(book.pool[slot, LOTS])))
        place = next_place(book, side, place + 1)
    return found


@pytest.mark.parametrize("spread", [50, 20_000, 400_000])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_book_is_two_sorted_dictionaries(seed: int, spread: int) -> None:
    rng = np.random.default_rng(seed)
    book = new_book(levels=64)
    twin: list[dict[int, int]] = [{}, {}]
    centre = 1_000_000
    for turn in range(4_000):
        if rng.random() < 0.002:
            centre += int(rng.integers(-3 * WINDOW, 3 * WINDOW))
        if rng.random() < 0.001:
            side = int(rng.integers(2))
            clear_side(book, side)
            twin[side].clear()
        side = int(rng.integers(2))
        levels = twin[side]
        key = (-centre if side == BID else centre) + int(abs(rng.normal(0, spread)))
        if levels and rng.random() < 0.55:
            key = min(levels) if rng.random() < 0.5 else int(rng.choice(list(levels)))
            remove(book, side, find(book, side, key))
            del levels[key]
        elif key not in levels:
            if is_full(book):
                book = grown(book)
            assert find(book, side, key) == -1
            slot = insert(book, side, key)
            book.pool[slot, LOTS] = turn
            levels[key] = turn
        assert book.sides[side, BEST] == min(levels, default=NO_KEY)
        assert book.sides[side, COUNT] == len(levels)
        if turn % 40 == 0:
            for at in (BID, ASK):
                assert walk(book, at) == sorted(twin[at].items())
                assert worst_key(book, at) == max(twin[at], default=-NO_KEY)
                for known in twin[at]:
                    assert book.pool[find(book, at, known), KEY] == known
    taken = [slot for side in (BID, ASK) for slot in (find(book, side, key) for key in twin[side])]
    free = book.free[: book.free[-1]].tolist()
    assert sorted(taken + free) == list(range(len(book.pool)))


def test_far_levels_come_into_the_window_when_the_touch_gets_there() -> None:
    book = new_book(levels=8)
    near, far = insert(book, ASK, 1_000), insert(book, ASK, 1_000 + 2 * WINDOW)
    assert book.sides[ASK, FAR] == 1
    remove(book, ASK, near)
    assert book.sides[ASK, FAR] == 0
    assert (book.sides[ASK, BEST], find(book, ASK, 1_000 + 2 * WINDOW)) == (1_000 + 2 * WINDOW, far)
    insert(book, ASK, -5 * WINDOW)
    assert book.sides[ASK, FAR] == 1
    assert [key for key, _ in walk(book, ASK)] == [-5 * WINDOW, 1_000 + 2 * WINDOW]


def test_growing_keeps_every_slot() -> None:
    book = new_book(levels=2)
    slots = [insert(book, BID, key) for key in (5, 7)]
    assert is_full(book)
    book = grown(book)
    assert not is_full(book)
    assert [find(book, BID, key) for key in (5, 7)] == slots
    insert(book, BID, 6)
    assert [key for key, _ in walk(book, BID)] == [5, 6, 7]
