"""An import that happens once: the ledger knows the file by its content, and appears together with its rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fathom.data_catalog.store.imported import Entry, Ledger, content_hash
from fathom.data_catalog.store.writers import SpanWriter
from fathom.settings.times import interval_name


class Once:
    """One file on its way into a catalog.

    Parameters
    ----------
    catalog : Path
        The catalog folder.
    file : Path
    kind : str
        ``book``, ``trades`` or ``bars``.
    instrument_id : str
    settings : mapping
        Whatever changes the rows.

    Attributes
    ----------
    earlier : Entry or None
        The same import, if it happened before and its data are still there.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "bars.csv").write_text("x")
    >>> Once(folder / "catalog", folder / "bars.csv", "bars", "BTCUSD.BITSTAMP", {}).earlier is None
    True
    """

    def __init__(self, catalog: Path, file: Path, kind: str, instrument_id: str, settings: Mapping[str, Any]) -> None:
        self._ledger = Ledger(catalog)
        self._file = file
        self._kind = kind
        self._instrument_id = instrument_id
        self._settings = settings
        self._hash = content_hash(file)
        self._key = Entry.key_of(self._hash, kind, instrument_id, settings)
        self.earlier = self._ledger.find(self._key)

    def record(self, writer: SpanWriter, notes: Mapping[str, Any], warnings: Sequence[str] = ()) -> None:
        """Let the ledger's entry appear together with the writer's file; notes are read when that happens."""
        writer.also(self._ledger.place(self._key), lambda: Ledger.encode(self._entry(writer, notes, warnings)))

    def _entry(self, writer: SpanWriter, notes: Mapping[str, Any], warnings: Sequence[str]) -> Entry:
        assert writer.first_ns is not None
        assert writer.last_ns is not None
        return Entry(
            file=self._file.name,
            sha256=self._hash,
            size=self._file.stat().st_size,
            kind=self._kind,
            instrument_id=self._instrument_id,
            settings=self._settings,
            rows=writer.rows,
            first_ns=writer.first_ns,
            last_ns=writer.last_ns,
            place=f"{writer.folder}/{interval_name(writer.first_ns, writer.last_ns)}",
            notes=dict(notes),
            warnings=list(warnings),
        )
