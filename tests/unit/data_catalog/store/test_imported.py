"""The ledger of imports."""

from pathlib import Path

from fathom.data_catalog.store.imported import Entry, Ledger, content_hash

SETTINGS = {"latency_ns": 0}
ENTRY = Entry("x.zip", "ab", 7, "book", "BTCUSDT-LINEAR.BYBIT", SETTINGS, 3, 5, 9, "data/x.parquet", {"a": 1}, ["w"])


def put(catalog: Path, entry: Entry) -> Ledger:
    ledger = Ledger(catalog)
    path = catalog / ledger.place(entry.key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(Ledger.encode(entry))
    return ledger


def test_an_entry_comes_back(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.parquet").touch()
    ledger = put(tmp_path, ENTRY)
    assert ledger.find(ENTRY.key) == ENTRY
    assert ledger.entries() == [ENTRY]
    assert ledger.find("other") is None


def test_an_entry_without_its_data_does_not_count(tmp_path: Path) -> None:
    ledger = put(tmp_path, ENTRY)
    assert ledger.find(ENTRY.key) is None
    assert ledger.entries() == []


def test_the_key_depends_on_all_that_changes_the_rows() -> None:
    keys = {
        Entry.key_of(*parts)
        for parts in (
            ("ab", "book", "A.X", {"latency_ns": 0}),
            ("ac", "book", "A.X", {"latency_ns": 0}),
            ("ab", "trades", "A.X", {"latency_ns": 0}),
            ("ab", "book", "B.X", {"latency_ns": 0}),
            ("ab", "book", "A.X", {"latency_ns": 1}),
        )
    }
    assert len(keys) == 5


def test_the_hash_is_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert content_hash(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
