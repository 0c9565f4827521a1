"""Vectors as custom data: through a catalog and through JSON without losing a bit."""

from pathlib import Path

import numpy as np
from nautilus_trader.model import NautilusDataType
from nautilus_trader.persistence import ParquetDataCatalog

from fathom.data_catalog.messages.features import FeatureVector

BTC, ETH = "BTCUSDT-LINEAR.BYBIT", "ETHUSDT-LINEAR.BYBIT"


def vectors(instrument_id: str, count: int) -> list[FeatureVector]:
    rng = np.random.default_rng(21)
    values = rng.normal(size=(count, 7)) * 10.0 ** rng.integers(-300, 300, (count, 7))
    values[0, 2], values[1, 3] = np.nan, -0.0
    return [
        FeatureVector(
            instrument_id=instrument_id, ts_event=10 * i, ts_init=10 * i + 3, values=values[i], schema_hash="ab"
        )
        for i in range(1, count)
    ]


def same(one: FeatureVector, other: FeatureVector) -> bool:
    plain = [{**each.to_dict(), "values": each.values.tobytes()} for each in (one, other)]
    return plain[0] == plain[1]


def test_a_catalog_gives_back_the_same_vectors_by_instrument(tmp_path: Path) -> None:
    catalog = ParquetDataCatalog(str(tmp_path))
    for name in (BTC, ETH):
        catalog.write_custom_data([vector.custom_data() for vector in vectors(name, 5)])
    for name in (BTC, ETH):
        found = catalog.query_custom_data(NautilusDataType.Custom("FeatureVector"), [name])
        assert len(found) == 4
        assert all(same(one.data, want) for one, want in zip(found, vectors(name, 5), strict=True))


def test_json_gives_back_the_same_vector() -> None:
    for vector in vectors(BTC, 5):
        assert same(FeatureVector.from_json(vector.to_json()), vector)
        assert same(FeatureVector.from_json(vector.to_dict()), vector)


def test_a_vector_with_a_nan_is_not_ready() -> None:
    whole = vectors(BTC, 3)[0]
    broken = FeatureVector(
        instrument_id=BTC, ts_event=1, ts_init=2, values=np.array([1.0, np.nan]), schema_hash=whole.schema_hash
    )
    assert whole.ready
    assert not broken.ready
    assert broken.topic == f"features.{BTC}"


def test_the_data_type_names_the_instrument() -> None:
    kind = vectors(ETH, 2)[0].custom_data().data_type
    assert (kind.type_name, kind.identifier) == ("FeatureVector", ETH)
    assert kind == FeatureVector.data_type(ETH)
