"""Market data at rest: imported, recorded or simulated, in the engine's Parquet layout.
Backtests and training read the same files.
"""

from typing import TYPE_CHECKING

from fathom.settings.lazy_names import lazy_names

if TYPE_CHECKING:
    from fathom.data_catalog.catalog import Catalog
    from fathom.data_catalog.errors import CatalogError, InstrumentError
    from fathom.data_catalog.instruments import Grid, Instruments
else:
    _PLACES = {
        "Catalog": "fathom.data_catalog.catalog",
        "CatalogError": "fathom.data_catalog.errors",
        "Grid": "fathom.data_catalog.instruments",
        "InstrumentError": "fathom.data_catalog.errors",
        "Instruments": "fathom.data_catalog.instruments",
    }
    __getattr__, __dir__ = lazy_names(__name__, _PLACES)

__all__ = ["Catalog", "CatalogError", "Grid", "InstrumentError", "Instruments"]
