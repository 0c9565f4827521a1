"""Vendors' files in their own columns: what comes into the catalog is the book that a plain reader would hold."""

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from fathom.commands.main import main
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.ingest.presets.preset import PRESETS
from fathom.market.events import Action, Kind, Side
from fathom.market.follow import BookFollower
from fathom.market.lifecycle import UNSURE
from tests.makers.small_market import BTC

T0 = 1_723_161_600_000_000  # us: 2024-08-09
type Ladders = list[tuple[list[tuple[int, int]], list[tuple[int, int]]]]


def run(folder: Path, *options: str | Path) -> Result:
    arguments = ["--instrument", BTC, "--catalog", folder / "catalog", *options]
    return CliRunner().invoke(main, ["data", "import", "table", *map(str, arguments)])


def ladders(count: int, levels: int, seed: int = 1) -> Ladders:
    """Return ladders of a wandering market as (price in ticks, size in lots), from the touch outwards."""
    rng, found, mid = np.random.default_rng(seed), [], 600_000
    for _ in range(count):
        mid += int(rng.integers(-2, 3))
        bids = [(mid - 1 - int(step), int(rng.integers(1, 5))) for step in np.cumsum(rng.integers(1, 3, levels))]
        asks = [(mid + int(step), int(rng.integers(1, 5))) for step in np.cumsum(rng.integers(1, 3, levels))]
        found.append((bids, asks))
    return found


def price(ticks: int) -> str:
    return f"{ticks / 10:.1f}"


def size(lots: int) -> str:
    return f"{lots / 1000:.3f}"


def books(folder: Path) -> dict[int, tuple[dict[int, int], dict[int, int]]]:
    """Return the book after each message, by ts_init in ns: price to size, bids and asks; read plainly."""
    rows = np.concatenate(list(Catalog(folder / "catalog").events(BTC)))
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    found = {}
    for row in rows[rows["kind"] == Kind.BOOK]:
        side = bids if row["side"] == Side.BUY else asks
        if row["action"] == Action.CLEAR:
            bids, asks = {}, {}
        elif row["action"] == Action.DELETE:
            side.pop(int(row["price"]), None)
        else:
            side[int(row["price"])] = int(row["size"])
        found[int(row["ts_init"])] = (dict(bids), dict(asks))
    return found


def tardis_snapshots(folder: Path, made: Ladders) -> Path:
    levels = len(made[0][0])
    names = [f"{side}[{n}].{what}" for n in range(levels) for side in ("asks", "bids") for what in ("price", "amount")]
    lines = [",".join(["exchange", "symbol", "timestamp", "local_timestamp", *names])]
    for number, (bids, asks) in enumerate(made):
        at = T0 + 100_000 * number
        cells = [text for n in range(levels) for side in (asks, bids) for text in _cells(side, n)]
        lines.append(",".join(["bybit", "BTCUSDT", str(at - 7_000), str(at), *cells]))
    path = folder / f"book_snapshot_{levels}.csv.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def _cells(side: list[tuple[int, int]], n: int) -> tuple[str, str]:
    return (price(side[n][0]), size(side[n][1])) if n < len(side) and side[n][1] else ("", "")


def databento(folder: Path, made: Ladders, kind: str) -> Path:
    fixed = [
        "ts_recv",
        "ts_event",
        "rtype",
        "publisher_id",
        "instrument_id",
        "action",
        "side",
        "depth",
        "price",
        "size",
    ]
    fixed += ["flags", "ts_in_delta", "sequence"]
    names = [f"{side}_{what}_{n:02}" for n in range(10) for what in ("px", "sz", "ct") for side in ("bid", "ask")]
    lines = [",".join([*fixed, *names, "symbol"])]
    for number, (bids, asks) in enumerate(made):
        at = (T0 + 100_000 * number) * 1000
        cells = [str(at), str(at - 7_000_000), "10", "1", "5482", "A", "B", "0", "1", "1", "128", "9", str(number)]
        for n in range(10):
            for what in range(3):
                for side in (bids, asks):
                    ticks, lots = side[n]
                    nano = str(ticks * 10**8) if lots else str(2**63 - 1)
                    pretty = f"{ticks / 10:.9f}" if lots else ""
                    cells.append([nano if kind == "nano" else pretty, size(lots), "1"][what])
        lines.append(",".join([*cells, "BTCUSDT"]))
    path = folder / "mbp-10.csv"
    path.write_text("\n".join(lines))
    if kind == "parquet":  # as to_df().to_parquet() gives it: prices are floats, NaN where there is no level
        table = pa_csv.read_csv(path)
        path = folder / "mbp-10.parquet"
        pq.write_table(table, path)
    return path


@pytest.mark.parametrize("levels", [5, 25])
def test_tardis_snapshots_become_the_changes_between_them(tmp_path: Path, levels: int) -> None:
    made = ladders(60, levels)
    result = run(tmp_path, "--preset", "tardis:book_snapshot", "--book", tardis_snapshots(tmp_path, made))
    assert result.exit_code == 0, result.output
    assert "unsure" not in result.output
    assert books(tmp_path) == {
        (T0 + 100_000 * n) * 1000: (dict(bids), dict(asks)) for n, (bids, asks) in enumerate(made)
    }
    rows = np.concatenate(list(Catalog(tmp_path / "catalog").events(BTC)))
    assert np.count_nonzero(rows["action"] == Action.CLEAR) == 1
    assert len(rows) < 60 * levels * 2 * 2
    assert set((rows["ts_init"] - rows["ts_event"]).tolist()) == {7_000_000}


def test_a_ladder_that_cannot_be_makes_a_hole(tmp_path: Path) -> None:
    made = ladders(40, 5)
    bids, asks = made[10]
    made[10] = ([(asks[0][0] + 5, 1), *bids[1:]], asks)  # crossed
    made[20] = (made[20][0], [(ticks, 0) for ticks, _ in made[20][1]])  # no ask
    made[21] = ([(1, 0)] * 5, [(1, 0)] * 5)  # nothing
    path = tardis_snapshots(tmp_path, made)
    options = ("--preset", "tardis:book_snapshot", "--book", path)
    assert run(tmp_path, *options, "--strict").exit_code == 1
    told = run(tmp_path, *options)
    assert told.exit_code == 0, told.output
    crossing = price(asks[0][0] + 5), price(asks[0][0])
    expected = f"best bid above the best ask, first at line 12: bid {crossing[0]}0, ask {crossing[1]}0"
    assert expected in told.output
    assert "2 snapshots without one side, first at line 22: bids 5, asks 0" in told.output
    assert "after a break of the feed" not in told.output
    found = books(tmp_path)
    for n, (bids, asks) in enumerate(made):
        hole = n in (10, 20, 21)
        expected_book = ({}, {}) if hole else (dict(bids), dict(asks))
        assert found.get((T0 + 100_000 * n) * 1000, ({}, {})) == expected_book


@pytest.mark.parametrize("kind", ["pretty", "nano", "parquet"])
def test_databento_ladders(tmp_path: Path, kind: str) -> None:
    made = ladders(50, 10)
    made[7] = ([*made[7][0][:8], (1, 0), (1, 0)], made[7][1])  # fewer than ten levels
    result = run(tmp_path, "--preset", "databento:mbp-10", "--book", databento(tmp_path, made, kind))
    assert result.exit_code == 0, result.output
    made[7] = (made[7][0][:8], made[7][1])
    assert books(tmp_path) == {
        (T0 + 100_000 * n) * 1000: (dict(bids), dict(asks)) for n, (bids, asks) in enumerate(made)
    }


INCREMENTAL = """exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount
bybit,BTCUSDT,1723161599990000,1723161600000000,true,bid,60000.0,2
bybit,BTCUSDT,1723161599990000,1723161600000000,true,ask,60001.0,2
bybit,BTCUSDT,1723161600090000,1723161600100000,false,bid,60000.0,1
bybit,BTCUSDT,1723161600190000,1723161600200000,false,ask,60001.0,0
bybit,BTCUSDT,1723161600190000,1723161600200000,false,ask,60002.0,3
bybit,BTCUSDT,1723161605000000,1723161605010000,true,bid,60010.0,4
bybit,BTCUSDT,1723161605000000,1723161605010000,true,ask,60011.0,4
bybit,BTCUSDT,1723161605090000,1723161605100000,false,ask,60011.0,0.5
"""


def test_a_reconnection_of_tardis_replaces_the_book(tmp_path: Path) -> None:
    path = tmp_path / "incremental.csv"
    path.write_text(INCREMENTAL)
    options = ("--preset", "tardis:incremental_book_L2", "--book", path)
    refused = run(tmp_path, *options, "--strict")
    assert refused.exit_code == 1
    told = run(tmp_path, *options)
    for output in (refused.output, told.output):
        text = " ".join(output.split())
        assert "1 snapshot after a break of the feed, first at line 7: 4810 ms after the message before" in text
    found = books(tmp_path)
    second = 1_000_000_000
    at = T0 * 1000
    assert found[at + second // 5] == ({}, {})  # unsure from the last message before the reconnection on
    assert found[at + 5_010_000_000] == ({600_100: 4000}, {600_110: 4000})
    assert found[at + 5_100_000_000] == ({600_100: 4000}, {600_110: 500})
    assert told.output.endswith("8 book changes in 6 messages, 0 trades.\n")


def test_a_table_with_snapshots_marks_them_itself(tmp_path: Path) -> None:
    lines = ["ts_init,is_snapshot,side,price,size", f"{T0},0,bid,60000.0,1", f"{T0 + 5},1,bid,60000.0,2"]
    lines += [f"{T0 + 5},1,ask,60001.0,2", f"{T0 + 9},0,bid,60000.0,0"]
    path = tmp_path / "book.csv"
    path.write_text("\n".join(lines))
    result = run(tmp_path, "--book", path, "--time-unit", "us")
    assert "1 message before the first snapshot: the book is incomplete there" in result.output
    assert list(books(tmp_path).values())[-1] == ({}, {600_010: 2000})


@pytest.mark.parametrize(("numbers", "gap"), [((1, 2, 3, 7, 8), True), ((10, 87, 90, 300, 421), False)])
def test_a_sequence_that_counts_messages_shows_its_gaps(tmp_path: Path, numbers: tuple[int, ...], gap: bool) -> None:
    lines = ["ts_init,sequence,side,price,size", f"{T0},{numbers[0]},ask,60001.0,2", f"{T0},{numbers[0]},bid,60000.0,9"]
    lines += [f"{T0 + n},{number},bid,60000.0,{n}" for n, number in enumerate(numbers) if n]
    path = tmp_path / "book.csv"
    path.write_text("\n".join(lines))
    told = run(tmp_path, "--book", path, "--time-unit", "us")
    expected = "1 gap in the sequence (messages are missing), first at line 6: before sequence 7"
    assert (expected in told.output) == gap
    assert list(books(tmp_path).values())[-1] == (({}, {}) if gap else ({600_000: 4000}, {600_010: 2000}))
    assert run(tmp_path / "strict", "--book", path, "--time-unit", "us", "--strict").exit_code == gap


def test_a_first_message_of_one_side_is_kept_and_told(tmp_path: Path) -> None:
    path = tmp_path / "book.csv"
    path.write_text(f"ts_init,side,price,size\n{T0},bid,60000.0,1\n{T0 + 5},ask,60001.0,2\n")
    told = run(tmp_path, "--book", path, "--time-unit", "us")
    assert "1 snapshot without one side, first at line 2: bids 1, asks 0" in told.output
    assert "it is unsure until a column is_snapshot marks another; say --continues" in told.output
    assert list(books(tmp_path).values())[-1] == ({600_000: 1000}, {600_010: 2000})
    follower = BookFollower()
    follower.update(np.concatenate(list(Catalog(tmp_path / "catalog").events(BTC))))
    assert follower.book.head[UNSURE] == 1
    sure = run(tmp_path / "b", "--book", path, "--time-unit", "us", "--continues", "--strict")
    assert sure.exit_code == 0, sure.output


DEPTH = [
    {"lastUpdateId": 160, "bids": [["60000.0", "2"]], "asks": [["60001.0", "2"], ["60002.0", "1"]]},
    {"e": "depthUpdate", "E": 1723161600000, "T": 1723161599990, "s": "BTCUSDT", "U": 150, "u": 155, "pu": 149,
     "b": [["59000.0", "9"]], "a": []},
    {"e": "depthUpdate", "E": 1723161600100, "T": 1723161600090, "s": "BTCUSDT", "U": 158, "u": 165, "pu": 157,
     "b": [["60000.0", "1.5"]], "a": [["60001.0", "0"]]},
    {"e": "depthUpdate", "E": 1723161600200, "T": 1723161600190, "s": "BTCUSDT", "U": 166, "u": 170, "pu": 165,
     "b": [["59999.9", "1"]], "a": []},
    {"e": "depthUpdate", "E": 1723161600400, "T": 1723161600390, "s": "BTCUSDT", "U": 176, "u": 180, "pu": 175,
     "b": [], "a": [["60002.0", "7"]]},
]  # fmt: skip


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("spot", [False, True])
def test_binance_depth_updates(tmp_path: Path, wrapped: bool, spot: bool) -> None:
    records = [
        {name: value for name, value in record.items() if not (spot and name in ("pu", "T"))} for record in DEPTH
    ]
    path = tmp_path / "depth.jsonl.gz"
    whole = ({"stream": "btcusdt@depth", "data": record} if wrapped else record for record in records)
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, whole)).encode()))
    told = run(tmp_path, "--preset", "binance:depthUpdate", "--book", path)
    assert told.exit_code == 0, told.output
    assert "1 gap in the sequence (messages are missing), first at line 5: before sequence 180" in told.output
    found, at = books(tmp_path), T0 * 1000
    assert list(found) == [at, at + 100_000_000, at + 200_000_000]
    assert found[at] == ({600_000: 2000}, {600_010: 2000, 600_020: 1000})
    assert found[at + 100_000_000] == ({600_000: 1500}, {600_020: 1000})
    assert found[at + 200_000_000] == ({}, {})  # unsure from here on
    rows = np.concatenate(list(Catalog(tmp_path / "catalog").events(BTC)))
    assert (rows["ts_init"] - rows["ts_event"]).tolist()[-1] == (0 if spot else 10_000_000)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_binance_depth_updates_as_a_table(tmp_path: Path, kind: str) -> None:
    messages = [dict(DEPTH[2], U=1, pu=0), *DEPTH[3:]]
    path = tmp_path / f"depth.{kind}"
    if kind == "csv":
        columns = {name: [json.dumps(m[name]) if name in "ba" else m[name] for m in messages] for name in messages[0]}
        pa_csv.write_csv(pa.table(columns), path)
    else:
        pq.write_table(pa.Table.from_pylist(messages), path)
    told = run(tmp_path, "--preset", "binance:depthUpdate", "--book", path)
    assert told.exit_code == 0, told.output
    assert "2 messages before the first snapshot" in told.output
    assert "1 gap in the sequence" in told.output


T_DEPTH = """symbol,timestamp,first_update_id,last_update_id,side,update_type,price,qty,pu
BTCUSDT,1723161600000,100,100,b,snap,60000.0,2,-1
BTCUSDT,1723161600000,100,100,a,snap,60001.0,2,-1
BTCUSDT,1723161600100,101,105,b,set,60000.0,1,100
BTCUSDT,1723161600100,101,105,a,set,60001.0,0.5,100
BTCUSDT,1723161600200,111,115,a,set,60001.0,0,110
BTCUSDT,1723161600300,116,120,b,set,60000.0,3,115
"""


def test_binance_ticks_of_depth_and_their_gaps(tmp_path: Path) -> None:
    path = tmp_path / "T_DEPTH.csv"
    path.write_text(T_DEPTH)
    told = run(tmp_path, "--preset", "binance:T_DEPTH", "--book", path)
    assert told.exit_code == 0, told.output
    assert "1 gap in the sequence (messages are missing), first at line 6: before sequence 115" in told.output
    assert "2 messages of such times left out" in told.output
    found, at = books(tmp_path), T0 * 1000
    assert found == {at: ({600_000: 2000}, {600_010: 2000}), at + 100_000_000: ({}, {})}
    follower = BookFollower()
    follower.update(np.concatenate(list(Catalog(tmp_path / "catalog").events(BTC))))
    assert follower.touch is None


AGG = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
AGG_ROWS = ["7,60000.0,0.5,1,1,1723161600000,true", "8,60001.0,0.25,2,4,1723161600500,false"]


@pytest.mark.parametrize("header", [True, False])
def test_binance_aggregate_trades_with_and_without_a_header(tmp_path: Path, header: bool) -> None:
    path = tmp_path / "BTCUSDT-aggTrades-2024-08-09.csv"
    rows = AGG_ROWS if header else [f"{row},True" for row in AGG_ROWS]  # the spot archive has one column more
    path.write_text("\n".join([AGG, *rows] if header else rows))
    assert run(tmp_path, "--preset", "binance:aggTrades", "--trades", path).exit_code == 0
    trades = np.concatenate(list(Catalog(tmp_path / "catalog").events(BTC)))
    assert trades["side"].tolist() == [Side.SELL, Side.BUY]  # the aggressor is not the maker
    assert trades["size"].tolist() == [500, 250]
    bad = tmp_path / "again.csv"
    bad.write_text("\n".join([AGG, *AGG_ROWS, AGG_ROWS[1]] if header else [*rows, rows[1]]))
    refused = run(tmp_path / "other", "--preset", "binance:aggTrades", "--trades", bad, "--strict")
    line = 4 if header else 3
    assert f"1 trade id again (the trades may be doubled), first at line {line}: that of line {line - 1}" in (
        " ".join(refused.output.split())
    )
    assert refused.exit_code == 1


def test_binance_aggregate_trades_as_the_stream_names_them(tmp_path: Path) -> None:
    path = tmp_path / "agg.csv"
    path.write_text("e,E,s,a,p,q,f,l,T,m\naggTrade,1723161600001,BTCUSDT,7,60000.0,0.5,1,1,1723161600000,true\n")
    assert run(tmp_path, "--preset", "binance:aggTrades", "--trades", path).exit_code == 0
    [row] = np.concatenate(list(Catalog(tmp_path / "catalog").events(BTC)))
    assert (int(row["ts_init"]), int(row["side"]), int(row["size"])) == (T0 * 1000, Side.SELL, 500)


def test_tardis_trades(tmp_path: Path) -> None:
    path = tmp_path / "trades.csv"
    path.write_text(
        "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n"
        "bybit,BTCUSDT,1723161600000000,1723161600004000,a-1,buy,60000.0,0.5\n"
    )
    assert run(tmp_path, "--preset", "tardis:trades", "--trades", path).exit_code == 0
    [row] = np.concatenate(list(Catalog(tmp_path / "catalog").events(BTC)))
    assert (int(row["ts_init"] - row["ts_event"]), int(row["side"]), int(row["size"])) == (4_000_000, 1, 500)


def test_files_of_several_symbols_and_wrong_presets_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mixed.csv"
    path.write_text(INCREMENTAL.replace("BTCUSDT,1723161600090000", "ETHUSDT,1723161600090000"))
    mixed = run(tmp_path, "--preset", "tardis:incremental_book_L2", "--book", path)
    assert "line 4: column 'symbol': Expected one symbol, was BTCUSDT and ETHUSDT" in mixed.output
    lines = tmp_path / "mixed.jsonl"
    lines.write_text("\n".join(json.dumps(dict(message, s=f"X{n}USDT")) for n, message in enumerate(DEPTH[2:4])))
    refused = run(tmp_path, "--preset", "binance:depthUpdate", "--book", lines)
    assert "line 2: Expected messages of one symbol, was X0USDT and X1USDT" in refused.output
    cases: list[tuple[list[str | Path], str]] = [
        (["--preset", "tardis:incremental_book_l2", "--book", path], "Did you mean 'tardis:incremental_book_L2'?"),
        (["--preset", "tardis:trades", "--book", path], "Expected --trades FILE with --preset tardis:trades"),
        (["--preset", "databento:mbp-10", "--book", path], "Expected a column 'ts_recv', was none"),
        (["--preset", "tardis:book_snapshot", "--book", path], r"Expected a column 'bids[0].price', was none"),
    ]
    for options, expected in cases:
        found = run(tmp_path, *options)
        assert found.exit_code == 1
        assert expected in found.output
    assert not list((tmp_path / "catalog").rglob("*.parquet"))


def test_every_preset_is_in_the_help_and_in_the_document(project: Path) -> None:
    shown = CliRunner().invoke(main, ["data", "import", "table", "--help"]).output
    document = (project / "docs" / "data.md").read_text()
    for name in PRESETS:
        assert name in shown
        assert f"--preset {name}" in document
