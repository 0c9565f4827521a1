"""The description of a feature table: statistics, alike features, predictions, on the terminal and as a page."""

import json
import re
import zlib
from base64 import b64decode
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from fathom.commands.features.group import features as command
from fathom.data_catalog.errors import CatalogError
from fathom.ml.features import Column, FeatureSchema, Vectors
from fathom.ml.tables.file import FORMAT, TableFacts, as_arrow
from fathom.ml.tables.rank_correlation import Ranked, correlate
from fathom.ml.tables.statistics import HORIZONS_SECS, QUANTILES, Description, describe, forward_returns

A, B = "A-LINEAR.BYBIT", "B-LINEAR.BYBIT"
NS = 1_000_000_000
ROWS = 800
COLUMNS = {
    "mid_price": "price",
    "imbalance_5": "-",  # predicts the next second
    "imbalance_10": "-",  # the same with another sign
    "price_pressure": "-",  # noise
    "rpi_share": "-",  # never changes within an instrument
    "sma_200_bps": "bps",  # looks back on more than a tenth of the rows
}


@pytest.fixture(scope="module")
def values() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(61)
    found = {}
    for name, start in ((A, 60_000.0), (B, 3_000.0)):
        signal = rng.normal(size=ROWS)
        moves = 1e-4 * (0.5 * signal + rng.normal(size=ROWS))
        mids = start * np.concatenate([[1.0], np.cumprod(1 + moves)[:-1]])
        slow = np.cumsum(rng.normal(size=ROWS))
        slow[:200] = np.nan
        found[name] = np.stack(
            [mids, signal, -signal, rng.normal(size=ROWS), np.full(ROWS, start * 1e-3), slow], axis=1
        )
    return found


@pytest.fixture(scope="module")
def table(values: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    schema = FeatureSchema(
        columns=tuple(
            Column(name, "indicators" if name.startswith("sma") else "orderbook", unit)
            for name, unit in COLUMNS.items()
        ),
        versions={"orderbook": 1, "indicators": 1},
        settings={"grid_ms": 1000, "bar_ms": 1000},
    )
    facts = TableFacts(
        format=FORMAT, hash="ab<c>", config={}, schemas=dict.fromkeys((A, B), schema), sources=[], micro_price={}
    )
    path = tmp_path_factory.mktemp("table") / "some <table>.parquet"
    with pq.ParquetWriter(path, facts.arrow_schema()) as writer:
        for name, matrix in values.items():
            ts = (1_700_000_000 + np.arange(ROWS) + 5 * (np.arange(ROWS) >= 700)) * NS  # with a hole
            writer.write_table(as_arrow(name, schema, [Vectors(ts, matrix)]).cast(facts.arrow_schema()))
    return path


@pytest.fixture(scope="module")
def found(table: Path) -> Description:
    return describe(table)


def test_statistics_are_those_of_numpy(found: Description, values: dict[str, np.ndarray]) -> None:
    whole = np.concatenate([values[A], values[B]])
    for i, one in enumerate(found.features):
        known = whole[~np.isnan(whole[:, i]), i]
        assert one.count == len(known)
        assert one.nan_share == pytest.approx(1 - len(known) / len(whole))
        assert one.mean == pytest.approx(known.mean())
        assert one.std == pytest.approx(known.std())
        assert one.quantiles == pytest.approx(np.quantile(known, QUANTILES))
        assert sum(one.histogram) == len(known)
    assert found.rows == {A: ROWS, B: ROWS}
    assert found.last_ns - found.first_ns == (ROWS + 4) * NS


def test_what_never_changes_is_told(found: Description) -> None:
    assert [one.name for one in found.features if one.constant] == ["rpi_share"]


def test_features_are_compared_within_an_instrument(found: Description, table: Path) -> None:
    # mid_price and rpi_share differ by the instrument, and would be alike over both.
    assert [pair[:2] for pair in found.alike] == [("imbalance_5", "imbalance_10")]
    assert found.alike[0][2] == pytest.approx(-1.0)
    assert found.compared_rows == 2 * (ROWS - 200)
    alone = describe(table, instrument=A)
    assert alone.rows == {A: ROWS}
    at = list(COLUMNS).index("price_pressure")
    matrix = pq.read_table(table, filters=[("instrument", "==", A)]).to_pandas().iloc[200:, 2:]
    want = np.corrcoef(matrix["price_pressure"], matrix["imbalance_5"])[0, 1]
    assert alone.correlations[at, 1] == pytest.approx(want)
    assert np.isnan(alone.correlations[4]).all()


def test_predictions_are_those_of_each_instrument_together(
    found: Description, table: Path, values: dict[str, np.ndarray]
) -> None:
    alone = [describe(table, instrument=name).features[1].predictions[5] for name in (A, B)]
    both = found.features[1].predictions[5]
    weights = [one.effective for one in alone]
    assert both.value == pytest.approx(np.average([one.value for one in alone], weights=weights))
    assert both.effective == pytest.approx(max(weights))
    ts = np.arange(ROWS) + 5 * (np.arange(ROWS) >= 700)
    returns = forward_returns(ts, values[A][:, 0], 5)
    known = ~np.isnan(returns)
    assert alone[0] == correlate(Ranked.of(values[A][known, 1], 5), Ranked.of(returns[known], 5))


def test_only_what_can_be_trusted_has_an_interval(found: Description) -> None:
    first = {one.name: one.predictions[1] for one in found.features}
    assert first["imbalance_5"].excludes_zero
    assert 0.3 < first["imbalance_5"].value < 0.6
    assert not first["price_pressure"].excludes_zero
    assert not np.isnan(first["price_pressure"].low)
    for name in ("mid_price", "sma_200_bps"):
        assert not np.isnan(first[name].value)
        assert np.isnan(first[name].low)
    assert np.isnan(first["rpi_share"].value)


def test_forward_returns_end_where_the_row_is_missing() -> None:
    ts = np.array([0, 1, 2, 5, 6]) * NS
    found = forward_returns(ts, np.array([100.0, 110.0, 99.0, 100.0, 101.0]), NS)
    np.testing.assert_allclose(found, [0.1, -0.1, np.nan, 0.01, np.nan])


def test_the_command_prints_and_writes(table: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = CliRunner().invoke(command, ["describe", str(table), "--html", str(page)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert re.search(r"imbalance_5 +0\.0%.*\+0\.4\d\*", result.stdout)
    assert "rpi_share (never changes)" in result.stdout
    assert "imbalance_5 and imbalance_10" in result.stdout
    told = json.loads(CliRunner().invoke(command, ["describe", str(table), "--json", "--instrument", B]).stdout)
    assert list(told["rows"]) == [B]
    assert told["features"][0]["predictions"]["1"]["low"] is None
    assert list(told["features"][1]["predictions"]) == [str(horizon) for horizon in HORIZONS_SECS]
    wrong = CliRunner().invoke(command, ["describe", str(table), "--instrument", "C"])
    assert wrong.exit_code == 1
    assert f"Expected one of {A}, {B}, was 'C'" in wrong.output


def test_the_page_needs_no_network_and_escapes(table: Path, tmp_path: Path) -> None:
    CliRunner().invoke(command, ["describe", str(table), "--html", str(tmp_path / "page.html")])
    text = (tmp_path / "page.html").read_text()
    assert "http" not in text
    assert "some &lt;table&gt;.parquet" in text
    assert "<table>.parquet" not in text
    assert "ab<c>" not in text
    for name in COLUMNS:
        assert f'id="f-{name}"' in text
    assert text.count("<svg") == len(COLUMNS)
    assert "no interval" in text
    assert list(tmp_path.iterdir()) == [tmp_path / "page.html"]


def test_the_map_is_a_picture_of_the_correlations(table: Path, tmp_path: Path) -> None:
    CliRunner().invoke(command, ["describe", str(table), "--html", str(tmp_path / "page.html")])
    encoded = re.search(r"data:image/png;base64,([^\"]+)", (tmp_path / "page.html").read_text())
    assert encoded is not None
    png = b64decode(encoded[1])
    at = png.index(b"IDAT")
    size = int.from_bytes(png[at - 4 : at], "big")
    stationary = [name for name in COLUMNS if name != "mid_price"]
    lines = np.frombuffer(zlib.decompress(png[at + 4 : at + 4 + size]), np.uint8).reshape(len(stationary), -1)
    pixels = lines[:, 1:].reshape(len(stationary), len(stationary), 3)
    assert pixels[0, 0].tolist() == [185, 121, 28]  # with itself
    assert pixels[0, 1].tolist() == [31, 95, 168]  # with its opposite
    assert pixels[0, 3].tolist() == [223, 228, 233]  # with what never changes


def test_a_table_without_prices_has_no_predictions(table: Path, tmp_path: Path) -> None:
    part = pq.read_table(table, columns=["ts", "instrument", "imbalance_5"])
    schema = FeatureSchema(
        columns=(Column("imbalance_5", "orderbook", "-"),), versions={"orderbook": 1}, settings={"grid_ms": 1000}
    )
    facts = TableFacts(format=FORMAT, hash="x", config={}, schemas={A: schema, B: schema}, sources=[], micro_price={})
    pq.write_table(part.cast(facts.arrow_schema()), tmp_path / "bare.parquet")
    result = CliRunner().invoke(
        command, ["describe", str(tmp_path / "bare.parquet"), "--html", str(tmp_path / "x.html")]
    )
    assert result.exit_code == 0, result.output
    assert "no correlation with returns" in result.stdout
    assert "no returns to compare with" in (tmp_path / "x.html").read_text()


def test_an_empty_table_is_refused(table: Path, tmp_path: Path) -> None:
    pq.write_table(pq.read_table(table).slice(0, 0), tmp_path / "empty.parquet")
    with pytest.raises(CatalogError, match="Expected a table with rows"):
        describe(tmp_path / "empty.parquet")
