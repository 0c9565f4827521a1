"""Messages of the detectors as custom data: through a catalog and through JSON without losing anything."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from nautilus_trader.model import NautilusDataType
from nautilus_trader.persistence import ParquetDataCatalog

from fathom.data_catalog.messages.detections import (
    Detection,
    LevelUpdate,
    ManipulationAlert,
    RegimeChange,
    WaveUpdate,
    trace_id_of,
)

BTC, ETH = "BTCUSDT-LINEAR.BYBIT", "ETHUSDT-LINEAR.BYBIT"
NAN = float("nan")


def alert(name: str, ts_ns: int) -> ManipulationAlert:
    return ManipulationAlert(
        instrument_id=name,
        ts_event=ts_ns,
        ts_init=ts_ns + 7,
        kind="LAYERING",
        side="SELL",
        confidence=0.1 + ts_ns / 1e9,
        price_low=100.1,
        price_high=100.7,
        size=12.345,
        distance_ticks=3,
        levels=6,
        size_ratio=1 / 3,
        benefit=-0.25,
        recurrence=NAN,
        life_low_ms=20.0,
        life_high_ms=40.0,
        series=2,
        trace_id=trace_id_of(name, "LAYERING", ts_ns, 0),
        placed=ts_ns - 5,
        removed=ts_ns - 1,
    )


def levels(name: str, ts_ns: int) -> LevelUpdate:
    resistances = ((101.0, 0.5), (103.5, 1 / 3), (107.0, 0.9)) if ts_ns % 20 else ()
    return LevelUpdate(
        instrument_id=name, ts_event=ts_ns, ts_init=ts_ns, supports=((99.0, 0.25),), resistances=resistances
    )


def regime(name: str, ts_ns: int) -> RegimeChange:
    return RegimeChange(
        instrument_id=name,
        ts_event=ts_ns,
        ts_init=ts_ns + 1,
        regime="crash",
        previous="",
        confidence=0.75,
        pause=ts_ns % 20 == 0,
        is_flat=ts_ns % 20 != 0,
        flat_strength=NAN,
    )


def wave(name: str, ts_ns: int) -> WaveUpdate:
    return WaveUpdate(
        instrument_id=name, ts_event=ts_ns, ts_init=ts_ns, wave="B", direction=-1, confidence=0.2, invalidation=NAN
    )


type Make = Callable[[str, int], Detection]

MAKERS: tuple[Make, ...] = (alert, levels, regime, wave)


def same(one: Detection, other: Detection) -> bool:
    return type(one) is type(other) and one.to_json() == other.to_json()  # NaN equals itself as text


@pytest.mark.parametrize("make", MAKERS)
def test_a_catalog_gives_back_the_same_messages_by_instrument(make: Make, tmp_path: Path) -> None:
    catalog = ParquetDataCatalog(str(tmp_path))
    for name in (BTC, ETH):
        catalog.write_custom_data([make(name, ts_ns).custom_data() for ts_ns in range(10, 60, 10)])
    for name in (BTC, ETH):
        want = [make(name, ts_ns) for ts_ns in range(10, 60, 10)]
        found = catalog.query_custom_data(NautilusDataType.Custom(type(want[0]).__name__), [name])
        assert len(found) == 5
        assert all(same(one.data, each) for one, each in zip(found, want, strict=True))
        assert all(type(one.data.to_dict()) is dict for one in found)


@pytest.mark.parametrize("make", MAKERS)
def test_json_gives_back_the_same_message(make: Make) -> None:
    for ts_ns in (10, 20):
        message = make(BTC, ts_ns)
        again = type(message).from_json(message.to_json())
        for name in message.__struct_fields__:
            one, other = getattr(message, name), getattr(again, name)
            assert type(one) is type(other), name
            assert one == other or (one != one and other != other), name


@pytest.mark.parametrize("make", MAKERS)
def test_topic_and_data_type_name_the_instrument(make: Make) -> None:
    message = make(ETH, 10)
    kind = message.custom_data().data_type
    assert (kind.type_name, kind.identifier) == (type(message).__name__, ETH)
    assert kind == message.data_type(ETH)
    assert message.topic.partition(".")[2] == ETH
    assert make(ETH, 10).topic != make(BTC, 10).topic


def test_the_topics_of_the_four_kinds_differ() -> None:
    assert [make(BTC, 10).topic.partition(".")[0] for make in MAKERS] == ["alerts", "levels", "regimes", "waves"]


def test_messages_do_not_change() -> None:
    with pytest.raises(AttributeError):
        alert(BTC, 10).confidence = 1.0  # type: ignore[misc]
    assert msgspec.structs.replace(alert(BTC, 10), series=9).series == 9


def test_the_nearest_levels_come_first() -> None:
    with_both, below_only = levels(BTC, 10), levels(BTC, 20)
    assert (with_both.support, with_both.resistance) == (99.0, 101.0)
    assert below_only.resistance != below_only.resistance
    assert ([alert(BTC, 10).direction, msgspec.structs.replace(alert(BTC, 10), side="BUY").direction]) == [-1, 1]


def test_a_trace_id_depends_on_everything_that_names_an_alert() -> None:
    base = (BTC, "SPOOFING", 10, 0)
    others = [(ETH, "SPOOFING", 10, 0), (BTC, "LAYERING", 10, 0), (BTC, "SPOOFING", 11, 0), (BTC, "SPOOFING", 10, 1)]
    assert trace_id_of(*base) == trace_id_of(*base)
    assert len({trace_id_of(*each) for each in (base, *others)}) == 5
