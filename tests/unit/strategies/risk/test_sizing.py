"""Sizes: the risk, the caps, and the venue's smallest order."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathom.strategies.risk.sizing import sized


@given(
    equity=st.floats(10, 1e7),
    entry=st.floats(0.01, 1e5),
    distance=st.floats(1e-4, 0.5),
    lot=st.sampled_from([0.001, 1.0, 1e-8, 0.1]),
    risk=st.floats(1e-4, 0.2),
    leverage=st.floats(0.1, 50),
)
def test_neither_risk_nor_leverage_is_exceeded(
    equity: float, entry: float, distance: float, lot: float, risk: float, leverage: float
) -> None:
    stop = entry * (1.0 - distance)
    caps = {"max_leverage": equity * leverage / entry}
    lots = sized(equity=equity, entry=entry, stop=stop, lot=lot, risk_fraction=risk, notional=None, caps=caps).lots
    size = lots * lot
    assert size * abs(entry - stop) <= equity * risk * (1 + 1e-9)
    assert size * entry <= equity * leverage * (1 + 1e-9)
    room = min(equity * risk / abs(entry - stop), equity * leverage / entry)
    assert size > room * (1 - 1e-9) - lot  # no whole lot is left out


@pytest.mark.parametrize(
    ("wrong", "lots"),
    [
        ({"equity": 0.0}, 0),
        ({"equity": -5.0}, 0),
        ({"stop": 100.0}, 0),
        ({"stop": float("nan")}, 0),
        ({"entry": 0.0}, 0),
        ({"min_lots": 501}, 0),
        ({"min_lots": 500}, 500),
        ({"min_notional": 50_000.1}, 0),
        ({"notional": 1_000.0}, 10),
        ({"notional": 1e9}, 10_000),
    ],
)
def test_what_cannot_be_traded_is_zero(wrong: dict[str, float], lots: int) -> None:
    given_: dict[str, Any] = {
        "equity": 100_000.0,
        "entry": 100.0,
        "stop": 98.0,
        "lot": 1.0,
        "risk_fraction": 0.01,
        "notional": None,
        "caps": {"max_leverage": 10_000.0},
    }
    assert sized(**(given_ | wrong)).lots == lots


@given(
    scale=st.floats(0, 1),
    caps=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.floats(-5, 5_000) | st.just(math.nan), max_size=3),
    multiplier=st.sampled_from([1.0, 0.01, 10.0]),
)
def test_a_size_is_within_the_scaled_wish_and_every_cap(
    scale: float, caps: dict[str, float], multiplier: float
) -> None:
    size = sized(
        equity=10_000.0,
        entry=100.0,
        stop=98.0,
        lot=0.1,
        risk_fraction=0.05,
        notional=None,
        scale=scale,
        caps=caps,
        multiplier=multiplier,
    )
    wish = 500.0 / 2.0 / multiplier * scale
    room = min([wish, *caps.values()])
    if any(math.isnan(cap) for cap in caps.values()) or not room > 0.0:
        assert size.lots == 0
    else:
        assert size.lots * 0.1 <= room * (1 + 1e-9)
        assert size.lots * 0.1 > room * (1 - 1e-9) - 0.1
        assert (size.bound == "wish") == (room == wish)
