"""Fathom: find out whether an order-book signal is worth trading, then trade it with the same code.

Examples
--------
>>> import fathom
>>> fathom.Run.load("no/such/run")
Traceback (most recent call last):
...
fathom.backtests.errors.NoRunError: Expected a run directory with a summary.json, was no/such/run. ...
"""

from typing import TYPE_CHECKING, Any

from fathom.settings.lazy_names import lazy_names

if TYPE_CHECKING:
    from fathom.backtests.results import Run, backtest
    from fathom.ml.tables.catalog import Catalog
    from fathom.settings.errors import FathomError

    __version__: str
else:
    _PLACES = {
        "Catalog": "fathom.ml.tables.catalog",
        "FathomError": "fathom.settings.errors",
        "Run": "fathom.backtests.results",
        "backtest": "fathom.backtests.results",
    }
    _PACKAGES = [
        "actors",
        "backtests",
        "data_catalog",
        "detectors",
        "live",
        "market",
        "ml",
        "pages",
        "settings",
        "strategies",
        "studies",
    ]
    _find, _names = lazy_names(__name__, _PLACES, _PACKAGES)

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            return version("fathom-trader")
        return _find(name)

    def __dir__() -> list[str]:
        return [*_names(), "__version__"]


__all__ = ["Catalog", "FathomError", "Run", "backtest"]
