"""Bars against their naive twin, and the rules that are easily got wrong."""

import numpy as np
import pytest

from fathom.market import EVENT, Kind, TradeFlag
from fathom.market.bar_rows import WINDOW
from fathom.ml.features import BAR
from fathom.ml.features.bar_group import BarGroup
from tests.makers import trade_streams
from tests.makers.trade_streams import SECOND, START
from tests.twins import naive_bars

FIELDS = ("open", "high", "low", "close", "volume")


def group(interval_secs: float = 1.0, *, outside: bool = False) -> BarGroup:
    return BarGroup(price_increment=1.0, size_increment=1.0, interval_ns=int(interval_secs * SECOND), outside=outside)


def bar_at(made: BarGroup, ts_ns: int) -> dict[str, float]:
    out = np.empty(len(made.specs))
    made.sample(ts_ns, out)
    return dict(zip(FIELDS, out[:5].tolist(), strict=True))


def trades(*rows: tuple[float, int, int]) -> np.ndarray:
    made = np.zeros(len(rows), EVENT)
    made["kind"] = Kind.TRADE
    for row, (secs, price, size) in zip(made, rows, strict=True):
        row["ts_init"], row["price"], row["size"] = START + int(secs * SECOND), price, size
    return made


@pytest.mark.parametrize("interval_secs", [0.25, 1, 5, 60])
def test_bars_are_those_of_the_definition(interval_secs: float) -> None:
    rows = trade_streams.busy(3, 3_000)
    made = group(interval_secs)
    made.absorb(rows)
    end = int(rows["ts_init"][-1])
    made.sample(end, np.empty(len(made.specs)))
    want = naive_bars.bars_before(rows, end, int(interval_secs * SECOND))
    assert made.bars_closed == len(want)
    kept = want[-WINDOW:]
    np.testing.assert_array_equal(made.snapshot()["bars"].T, np.array(kept))


def test_a_trade_on_the_edge_belongs_to_the_next_bar() -> None:
    made = group()
    made.absorb(trades((0.0, 10, 1), (0.999, 12, 1), (1.0, 50, 1)))
    assert bar_at(made, START + SECOND) == {"open": 10, "high": 12, "low": 10, "close": 12, "volume": 2}
    assert bar_at(made, START + 2 * SECOND) == {"open": 50, "high": 50, "low": 50, "close": 50, "volume": 1}


def test_a_bar_is_closed_by_time_alone_and_not_before_it() -> None:
    made = group()
    made.absorb(trades((0.2, 10, 1)))
    assert np.isnan(bar_at(made, START + SECOND - 1)["close"])
    assert bar_at(made, START + SECOND)["close"] == 10


def test_an_interval_without_trades_stays_at_the_last_close() -> None:
    made = group()
    made.absorb(trades((0.2, 10, 3), (0.4, 11, 3)))
    assert bar_at(made, START + 4 * SECOND) == {"open": 11, "high": 11, "low": 11, "close": 11, "volume": 0}
    assert made.bars_closed == 4


def test_a_silence_longer_than_the_window_costs_no_more_than_the_window() -> None:
    made = group()
    made.absorb(trades((0.2, 10, 3), (1e9 - 0.5, 11, 3)))
    assert made.bars_closed == 10**9 - 1
    assert bar_at(made, START + 10**9 * SECOND)["volume"] == 3


def test_block_trades_are_left_out_and_rpi_trades_count() -> None:
    rows = trades((0.1, 10, 1), (0.2, 99, 50), (0.3, 11, 2))
    rows["flags"] = [0, TradeFlag.BLOCK, TradeFlag.RPI]
    made = group()
    made.absorb(rows)
    assert bar_at(made, START + SECOND) == {"open": 10, "high": 11, "low": 10, "close": 11, "volume": 3}


def test_bars_from_outside_replace_trades() -> None:
    bars = np.zeros(2, BAR)
    bars["ts_init"] = [START, START + SECOND]
    for name, value in zip(FIELDS, (5, 9, 4, 6, 7), strict=True):
        bars[name] = value
    bars["turnover"] = [41.0, np.nan]
    made = group(outside=True)
    made.absorb(trades((0.1, 1_000, 1)))
    made.absorb_bars(bars)
    assert bar_at(made, START + 5 * SECOND) == {"open": 5, "high": 9, "low": 4, "close": 6, "volume": 7}
    assert made.bars_closed == 2
    np.testing.assert_array_equal(made.snapshot()["bars"][5], [41.0, (9 + 4 + 6) / 3 * 7])


def test_bars_are_refused_where_they_are_built() -> None:
    with pytest.raises(ValueError, match="built from trades here"):
        group().absorb_bars(np.zeros(1, BAR))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"interval_ns": 0}, "Expected a bar length above 0 ns, was 0"),
        ({"price_increment": 0.0}, "Expected increments above 0"),
    ],
)
def test_settings_are_checked(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BarGroup(**{"price_increment": 1.0, "size_increment": 1.0, "interval_ns": SECOND, **settings})  # type: ignore[arg-type]


def test_a_state_with_other_bars_is_refused() -> None:
    with pytest.raises(ValueError, match="restore it into a set with the same bar_ms"):
        group(1).restore(group(5).snapshot())
