"""The engine's equity against a ledger in plain Python: balance and profit from nothing but fills and prices."""

import subprocess
import sys
from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from fathom.backtests import run
from fathom.backtests.setup.run_files import RunFiles
from tests.makers import odd_strategies
from tests.makers.odd_strategies import SCRIPT, WATCH, Sample
from tests.makers.small_market import BTC, ETH, config_file, make_market

CENT = Decimal("0.01")


class Line(NamedTuple):
    """A fill as the ledger reads it: signed size, price, fee; all exact."""

    time: int
    instrument: str
    signed: Decimal
    price: Decimal
    fee: Decimal


class Ledger:
    """A starting balance and fills; equity is cash plus positions at given prices."""

    def __init__(self, files: RunFiles) -> None:
        self.start = Decimal(repr(files.summary()["starting_equity"]))
        self.lines = [
            Line(
                fill["ts_event"].value,
                fill["instrument_id"],
                Decimal(repr(fill["quantity"])) * (1 if fill["side"] == "BUY" else -1),
                Decimal(repr(fill["price"])),
                Decimal(repr(fill["commission"])),
            )
            for fill in files.table("fills").to_pylist()
        ]
        assert [line.time for line in self.lines] == sorted(line.time for line in self.lines)
        self.times = [line.time for line in self.lines]

    def equity(self, time: int, prices: dict[str, Decimal]) -> Decimal:
        cash, held = self.start, dict.fromkeys(prices, Decimal(0))
        for line in self.lines[: bisect_right(self.times, time)]:
            cash -= line.signed * line.price + line.fee
            held[line.instrument] += line.signed
        return cash + sum((size * prices[name] for name, size in held.items()), Decimal(0))


@pytest.fixture
def watched() -> Iterator[list[Sample]]:
    odd_strategies.WATCHED.clear()
    yield odd_strategies.WATCHED
    odd_strategies.WATCHED.clear()


def check_samples(ledger: Ledger, samples: list[Sample], instruments: set[str]) -> tuple[int, int]:
    """Compare at every sampled time; return how many times, and how many of them with a position."""
    by_time: dict[int, list[Sample]] = {}
    for sample in samples:
        by_time.setdefault(sample.time, []).append(sample)
    times = [time for time, group in by_time.items() if {sample.instrument_id for sample in group} == instruments]
    held = 0
    for time in times:
        group = by_time[time]
        assert len({sample.balance for sample in group}) == 1
        unrealized = sum((Decimal(sample.unrealized) for sample in group), Decimal(0))
        engine = Decimal(group[0].balance) + unrealized
        plain = ledger.equity(time, {sample.instrument_id: Decimal(sample.mid) for sample in group})
        assert abs(engine - plain) < CENT, (time, engine, plain)
        held += unrealized != 0
    return len(times), held


def check_grid(ledger: Ledger, files: RunFiles) -> None:
    """Compare `equity.parquet` with the ledger at the prices of `prices.parquet`, at every sample."""
    marks: dict[int, dict[str, Decimal]] = {}
    for row in files.table("prices").to_pylist():
        mark = Decimal(repr(row["mark"])) if row["mark"] is not None else Decimal(0)
        marks.setdefault(row["ts"].value, {})[row["instrument_id"]] = mark
    for row in files.table("equity").to_pylist():
        plain = ledger.equity(row["ts"].value, marks[row["ts"].value])
        assert abs(Decimal(repr(row["equity"])) - plain) < CENT


def test_a_scripted_run(tmp_path: Path, watched: list[Sample]) -> None:
    catalog = make_market(tmp_path / "catalog", ("BTCUSDT", "ETHUSDT")).path
    orders = '[[2, "BUY", "0.4"], [5, "SELL", "1.7"], [9, "BUY", "0.3"], [20, "BUY", "3.0"], [40, "SELL", "1.1"]]'
    watch = f'[[actors]]\nname = "{WATCH}"\n[actors.parameters]\nevery_ms = 250\nfirst_ms = 101\n'
    config = config_file(tmp_path, catalog, strategy=SCRIPT, more=f"orders = {orders}\n{watch}")
    instruments = f'data.instruments=["{BTC}", "{ETH}"]'
    files = RunFiles(run([config], out=tmp_path / "runs", assignments=[instruments], pages=False).path)
    ledger = Ledger(files)
    assert len(ledger.lines) >= 12
    times, held = check_samples(ledger, watched, {BTC, ETH})
    assert times > 230
    assert held > 200
    check_grid(ledger, files)


@pytest.mark.real_data
def test_a_run_on_recorded_perpetuals(real_data: Path, project: Path, tmp_path: Path, watched: list[Sample]) -> None:
    catalog = tmp_path / "catalog"
    archives = [str(path) for path in sorted((real_data / "perp-ticks").iterdir())]
    command = [sys.executable, "-m", "fathom", "data", "import", "bybit", *archives, "--catalog", str(catalog)]
    subprocess.run(command, check=True, capture_output=True, cwd=project)
    watch = tmp_path / "watch.toml"
    watch.write_text(
        (project / "configs" / "backtest" / "perp-ticks.toml").read_text() + f'\n[[actors]]\nname = "{WATCH}"\n'
    )
    sets = [f"data.catalog={catalog}", "strategies.0.parameters.bars=2-SECOND-LAST-INTERNAL"]
    files = RunFiles(run([watch], out=tmp_path / "runs", assignments=sets, pages=False).path)
    assert files.summary()["trades"]["closed"] >= 4
    ledger = Ledger(files)
    times, held = check_samples(ledger, watched, {BTC, ETH})
    assert times > 300
    assert held > 50
    check_grid(ledger, files)
