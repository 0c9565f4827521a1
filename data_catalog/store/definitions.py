"""Definitions of instruments inside a catalog: read, compared, and staged beside the data that needs them."""

from pathlib import Path
from typing import Any, Final

from nautilus_trader.persistence import ParquetDataCatalog

from fathom.data_catalog.errors import InstrumentError
from fathom.data_catalog.store.layout import ENGINE_DATA, folder_of

_COMPARED: Final = (
    *("raw_symbol", "base_currency", "quote_currency", "price_increment", "size_increment", "price_precision"),
    *("size_precision", "multiplier", "min_quantity", "max_quantity", "min_notional", "margin_init", "margin_maint"),
    "info",
)


def held_instruments(catalog: Path) -> dict[str, Any]:
    """Return the instruments that a catalog folder holds, by id."""
    if not (catalog / ENGINE_DATA).is_dir():
        return {}
    try:
        found = {str(instrument.id): instrument for instrument in ParquetDataCatalog(str(catalog)).instruments()}
    except (OSError, ValueError, RuntimeError) as error:
        raise InstrumentError(
            f"Expected readable definitions of instruments in {catalog / ENGINE_DATA}, was: {error}. "
            "Delete the broken file there: the next import writes it again."
        ) from error
    return {name: found[name] for name in sorted(found)}


def is_held(catalog: Path, instrument: Any) -> bool:
    """Tell whether a catalog holds this very definition; raises `InstrumentError` if it holds another."""
    known = held_instruments(catalog).get(str(instrument.id))
    if known is None:
        return False
    before, after = _definition(known), _definition(instrument)
    changed = [f"{name} {before[name]} -> {after[name]}" for name in before if before[name] != after[name]]
    if changed:
        raise InstrumentError(
            f"Expected the definition of {instrument.id} that {catalog} holds, was another one: {'; '.join(changed)}. "
            "Use another catalog, or the instruments file that was used before."
        )
    return True


def stage_instrument(folder: Path, instrument: Any) -> dict[str, str]:
    """Write an instrument into a staging folder; returns the move that brings it into the catalog."""
    name = "instrument"
    (folder / name).mkdir()
    (written,) = ParquetDataCatalog(str(folder / name)).write_instruments([instrument])
    place = "/".join(folder_of(part) for part in str(written).split("/"))
    return {f"{name}/{place}": place}


def _definition(instrument: Any) -> dict[str, str]:
    return {
        "type": type(instrument).__name__,
        **{name: str(getattr(instrument, name, None)) for name in _COMPARED},
    }
