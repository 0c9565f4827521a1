"""The ledger of trials: every trial counts once, whoever writes it, and for all data that overlap its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.trials import DataSpan, TrialLedger

HOUR = 3_600_000_000_000
DAY = DataSpan(("BTCUSDT-LINEAR.BYBIT",), 0, 24 * HOUR)

_WRITER = """
import sys
from fathom.data_catalog.trials import DataSpan, TrialLedger
ledger, data = TrialLedger(sys.argv[1]), DataSpan(("A",), 0, 10)
for number in range(50):
    ledger.record("tune", f"{sys.argv[2]}-{number}", "x", data, {"padding": "y" * 300})
    ledger.record("tune", f"shared-{number}", "x", data)
"""


def test_processes_that_write_at_once_lose_nothing(project: Path, tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path), str(writer)], cwd=project)
        for writer in range(3)
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert TrialLedger(tmp_path).count(DataSpan(("A",), 0, 10)) == 3 * 50 + 50


def test_a_killed_writer_leaves_a_ledger_that_goes_on(project: Path, tmp_path: Path) -> None:
    endless = _WRITER.replace("range(50)", "range(10**9)").replace("import sys", "import sys; print(flush=True)", 1)
    writer = subprocess.Popen([sys.executable, "-c", endless, str(tmp_path), "0"], cwd=project, stdout=subprocess.PIPE)
    data = DataSpan(("A",), 0, 10)
    while TrialLedger(tmp_path).count(data) < 20:
        assert writer.poll() is None
    writer.kill()
    writer.communicate()
    before = TrialLedger(tmp_path).count(data)
    assert TrialLedger(tmp_path).record("tune", "after", "x", data)
    assert TrialLedger(tmp_path).count(data) == before + 1


@pytest.mark.parametrize(
    ("other", "counts"),
    [
        (DAY, True),
        (DataSpan(DAY.instruments, 12 * HOUR, 36 * HOUR), True),
        (DataSpan((*DAY.instruments, "ETHUSDT-LINEAR.BYBIT"), 0, 24 * HOUR), True),
        (DataSpan(DAY.instruments, 6 * HOUR, 7 * HOUR), True),
        (DataSpan(DAY.instruments, 23 * HOUR, 47 * HOUR), False),
        (DataSpan(DAY.instruments, 25 * HOUR, 47 * HOUR), False),
        (DataSpan(("ETHUSDT-LINEAR.BYBIT",), 0, 24 * HOUR), False),
    ],
)
def test_a_trial_counts_for_data_that_overlap(tmp_path: Path, other: DataSpan, counts: bool) -> None:
    ledger = TrialLedger(tmp_path)
    ledger.record("backtest", "a", "x", other)
    assert ledger.count(DAY) == counts


def test_the_same_thing_on_overlapping_data_counts_once(tmp_path: Path) -> None:
    ledger = TrialLedger(tmp_path)
    assert ledger.record("backtest", "a", "x", DAY)
    assert ledger.record("backtest", "a", "x", DataSpan(DAY.instruments, 0, 20 * HOUR))
    assert not ledger.record("tune", "a", "x", DAY)
    assert (ledger.count(DAY), len(ledger.trials())) == (1, 2)


def test_a_deleted_ledger_is_noticed(tmp_path: Path) -> None:
    ledger = TrialLedger(tmp_path)
    assert ledger.trials() == []
    ledger.record("backtest", "a", "x", DAY)
    ledger.record("backtest", "b", "x", DAY)
    for path in tmp_path.glob("fathom/trials.sqlite*"):
        path.unlink()
    for look in (ledger.trials, lambda: ledger.record("backtest", "c", "x", DAY)):
        with pytest.raises(CatalogError, match=r"which held 2 trials, was deleted\. Restore it"):
            look()
    (tmp_path / "fathom" / "trials.count").unlink()
    assert ledger.trials() == []


def test_what_is_no_ledger_is_named(tmp_path: Path) -> None:
    (tmp_path / "fathom").mkdir()
    (tmp_path / "fathom" / "trials.sqlite").write_bytes(b"hello" * 1_000)
    with pytest.raises(CatalogError, match=r"Expected to read the ledger of trials .*sqlite, was: file is not a"):
        TrialLedger(tmp_path).trials()
