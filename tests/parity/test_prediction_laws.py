"""Law 6: what the validator predicts in a backtest is what the model says of the rows of the feature table."""

from pathlib import Path

import numpy as np
import pytest

from fathom.backtests import run
from fathom.backtests.setup.run_files import RunFiles
from fathom.ml.models.inference import Predictor
from fathom.ml.tables.build import build
from fathom.ml.tables.config import TableConfig
from tests.makers.random_market import random_market
from tests.makers.small_market import BTC
from tests.makers.table_vectors import read_vectors
from tests.makers.validated_run import FEATURES, NAMES, WINDOW, tiny, validated_config


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from fathom.data_catalog.catalog import Catalog
    from fathom.data_catalog.instruments import default_instruments
    from fathom.market.events import Kind

    rows = random_market(5, seconds=120.0)
    catalog, instrument = Catalog(tmp_path_factory.mktemp("market")), default_instruments()["BTCUSDT"]
    book, trades = rows[rows["kind"] == Kind.BOOK], rows[rows["kind"] == Kind.TRADE]
    with catalog.book_writer(instrument) as writer:
        writer.write(book)
    with catalog.trade_writer(instrument) as writer:
        writer.write(trades, [str(number) for number in range(len(trades))])
    return catalog.path


def test_the_actor_predicts_what_the_model_says_of_the_table(market: Path, tmp_path: Path) -> None:
    champion, challenger = tiny(tmp_path / "one", seed=1), tiny(tmp_path / "two", seed=2)
    signals = ", ".join(f'[{second}, "{"BUY" if second % 2 else "SELL"}", 0.7]' for second in range(4, 118))
    config = validated_config(
        tmp_path,
        market,
        f'model = "{champion}"\nchallenger = "{challenger}"',
        strategy=f"signals = [{signals}]",
    )
    files = RunFiles(run([config], out=tmp_path / "runs", pages=False).path)
    kept = files.kept_table("predictions")
    assert kept is not None
    rows = kept.to_pylist()
    assert len(rows) > 150
    built = build(TableConfig(catalog=str(market), instruments=(BTC,), features=FEATURES), tmp_path / "tables")
    table = read_vectors(built.path, BTC, NAMES)
    ends = {ts: at for at, ts in enumerate(table.ts.tolist())}
    for role, path in (("champion", champion), ("challenger", challenger)):
        mine = [row for row in rows if row["role"] == role and not row["error"]]
        assert len(mine) > 70
        at = [ends[row["window_end"].value] for row in mine]
        found = Predictor.open(path).predict_many(np.stack([table.values[i - WINDOW + 1 : i + 1] for i in at]))
        assert [row["direction"] for row in mine] == found.direction.tolist()
        logged = np.array([[row["p_hold"], row["p_buy"], row["p_sell"]] for row in mine])
        np.testing.assert_array_equal(logged, found.probabilities.astype(np.float64))
        np.testing.assert_array_equal([row["confidence"] for row in mine], found.confidence.astype(np.float64))
        assert len({row["confidence"] for row in mine}) > 20  # not one answer for all
    for row in rows:
        assert 0 <= (row["ts"] - row["window_end"]).value <= 2_500_000_000  # nothing from the future
