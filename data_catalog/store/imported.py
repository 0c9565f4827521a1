"""The ledger of imports: which file went into the catalog, with which settings, and what came of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.store.layout import OWN_DATA

_FOLDER: Final = f"{OWN_DATA}/ledger"


@dataclass(frozen=True, slots=True)
class Entry:
    """One imported file.

    Parameters
    ----------
    file : str
        Its name at the time.
    sha256 : str
        Hash of its content.
    size : int
        In bytes.
    kind : str
        ``book``, ``trades`` or ``bars``.
    instrument_id : str
    settings : mapping
        Whatever changes the rows: feed latency, and so on.
    rows : int
    first_ns, last_ns : int
        First and last ts_init.
    place : str
        The file in the catalog, relative.
    notes : mapping
        Anything else worth keeping, such as whether the source had an RPI column.
    warnings : list of str

    Examples
    --------
    >>> entry = Entry("x.zip", "ab", 7, "book", "BTCUSDT-LINEAR.BYBIT", {"latency_ns": 0}, 1, 5, 5, "data/x.parquet")
    >>> entry.key == Entry.key_of("ab", "book", "BTCUSDT-LINEAR.BYBIT", {"latency_ns": 0})
    True
    """

    file: str
    sha256: str
    size: int
    kind: str
    instrument_id: str
    settings: Mapping[str, Any]
    rows: int
    first_ns: int
    last_ns: int
    place: str
    notes: Mapping[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Name under which the ledger keeps it."""
        return self.key_of(self.sha256, self.kind, self.instrument_id, self.settings)

    @staticmethod
    def key_of(sha256: str, kind: str, instrument_id: str, settings: Mapping[str, Any]) -> str:
        """Return the key of an import: equal content with equal settings has equal keys."""
        text = json.dumps([sha256, kind, instrument_id, settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class Ledger:
    """The imports of one catalog.

    Parameters
    ----------
    catalog : Path
        The catalog folder.

    Examples
    --------
    >>> Ledger(Path("nowhere")).entries()
    []
    """

    def __init__(self, catalog: Path) -> None:
        self.catalog = catalog

    def place(self, key: str) -> str:
        """Return where an entry lies, relative to the catalog."""
        return f"{_FOLDER}/{key}.json"

    def find(self, key: str) -> Entry | None:
        """Return an import whose data the catalog still holds."""
        path = self.catalog / self.place(key)
        if not path.is_file():
            return None
        entry = _read(path)
        return entry if (self.catalog / entry.place).is_file() else None

    def entries(self) -> list[Entry]:
        """Return the imports whose data the catalog still holds, in order of instrument, kind and time."""
        found = [_read(path) for path in (self.catalog / _FOLDER).glob("*.json")]
        held = [entry for entry in found if (self.catalog / entry.place).is_file()]
        return sorted(held, key=lambda entry: (entry.instrument_id, entry.kind, entry.first_ns))

    @staticmethod
    def encode(entry: Entry) -> bytes:
        """Return an entry as it lies on disk."""
        return json.dumps(asdict(entry), indent=1).encode() + b"\n"


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file's content, whatever its size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> Entry:
    try:
        return Entry(**json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise CatalogError(
            f"Expected an import's entry in {path}, was broken: {error}. Delete it, and the data that it tells of "
            "where you want to import them again."
        ) from error
