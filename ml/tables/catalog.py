"""The catalog with its features: what a notebook calls `fathom.Catalog`."""

import datetime

import pyarrow as pa

from fathom.data_catalog.catalog import Catalog as Stored
from fathom.data_catalog.store.tables import Moment, time_ns
from fathom.ml.features.config import FeatureConfig
from fathom.ml.tables.build import vectors_table
from fathom.ml.tables.config import TableConfig

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class Catalog(Stored):
    """A catalog (`fathom.data_catalog.Catalog`) that computes features too.

    Parameters
    ----------
    path : Path or str

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from fathom.data_catalog.instruments import default_instruments
    >>> from fathom.market import EVENT, Kind
    >>> trades = np.zeros(3, EVENT)
    >>> trades["kind"], trades["side"], trades["price"], trades["size"] = Kind.TRADE, 1, [500, 501, 503], 1
    >>> trades["ts_event"] = trades["ts_init"] = np.array([100, 1_200, 2_700]) * 1_000_000
    >>> catalog = Catalog(tempfile.mkdtemp())
    >>> with catalog.trade_writer(default_instruments()["BTCUSDT"]) as writer:
    ...     writer.write(trades, ["1", "2", "3"])
    >>> config = FeatureConfig(groups=("candles",), features=("close",))
    >>> catalog.features("BTCUSDT-LINEAR.BYBIT", config, end="1970-01-01T00:00:03").to_pandas()
                             ts  close
    0 1970-01-01 00:00:01+00:00   50.0
    1 1970-01-01 00:00:02+00:00   50.1
    2 1970-01-01 00:00:03+00:00   50.3
    """

    def features(
        self,
        instrument_id: str,
        config: FeatureConfig | None = None,
        *,
        bar_type: str | None = None,
        start: Moment = None,
        end: Moment = None,
    ) -> pa.Table:
        """Return features at grid times as a table: `ts` and a column a feature, NaN where it had no value yet.

        The table is held in memory; `fathom features build` writes the same rows to a file.

        Parameters
        ----------
        instrument_id : str
        config : FeatureConfig, optional
            Which features, on which grid; all of them every second by default.
        bar_type : str, optional
            Of the catalog's bars without the instrument, where `config.bars` is ``outside``.
        start, end : str, datetime or pandas Timestamp, optional
            First and last grid time, both included; in UTC where they name no time zone.

        Raises
        ------
        CatalogError
            The catalog lacks the instrument, or data of it in the span.
        """
        table = vectors_table(
            TableConfig(
                catalog=str(self.path),
                instruments=(str(self.instrument(instrument_id).id),),
                features=config or FeatureConfig(),
                bar_type=bar_type,
                start=_datetime(start),
                end=_datetime(end),
            )
        )
        return table.drop_columns(["instrument"])


def _datetime(moment: Moment) -> datetime.datetime | None:
    nanos = time_ns(moment)
    return None if nanos is None else _EPOCH + datetime.timedelta(microseconds=nanos // 1000)
