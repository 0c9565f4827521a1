"""Vectors that know nothing of what comes after them: computed anew from the events before a grid time."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.catalog import Catalog
from fathom.market.bar_rows import BAR
from fathom.market.events import EVENT
from fathom.ml.features import FeatureSet
from fathom.ml.tables.build import TableJob, bars_of_table, fitted_micro_price, job_of
from fathom.ml.tables.config import TableConfig


def replayed(
    config: TableConfig, instrument: str, moments: Sequence[int]
) -> Iterator[tuple[int, NDArray[np.float64], FeatureSet]]:
    """Yield for each moment the vector of a feature table, with only the events before the moment fed so far.

    Parameters
    ----------
    config : TableConfig
        Of the table: bars from outside and a fitted micro-price are taken into account.
    instrument : str
    moments : sequence of int
        Grid times of the table in ns, ascending.

    Yields
    ------
    int
        The moment.
    float64 array, shape (features,)
    FeatureSet
        That computed it: its schema names the values.

    Raises
    ------
    CatalogError
        The catalog lacks the instrument, or data of it.
    """
    job = job_of(Catalog(config.catalog), config, instrument)
    features = job.features(fitted_micro_price(job))
    bars = bars_of_table(job, job.start_ns, moments[-1])
    waiting = _events(job, moments[-1])
    rows: NDArray[np.void] = np.zeros(0, EVENT)
    for moment in moments:
        vectors = []
        while True:
            early = int(np.searchsorted(rows["ts_init"], moment))
            if early:
                vectors.append(features.update_many(rows[:early], _before(bars, int(rows["ts_init"][early - 1]) + 1)))
                bars = bars[len(_before(bars, int(rows["ts_init"][early - 1]) + 1)) :]
            rows = rows[early:]
            following = None if len(rows) else next(waiting, None)
            if following is None:
                break
            rows = following
        closed = _before(bars, moment)
        vectors.append(features.update_many(np.zeros(0, EVENT), closed))
        bars = bars[len(closed) :]
        vectors.append(features.advance(moment))
        for part in vectors:
            for row in np.flatnonzero(part.ts == moment):
                yield moment, part.values[row], features


def _events(job: TableJob, last_ns: int) -> Iterator[NDArray[np.void]]:
    book = job.config.features.reads_book
    return job.catalog.events(job.instrument, start_ns=job.start_ns, end_ns=last_ns - 1, book=book)


def _before(bars: NDArray[np.void], moment: int) -> NDArray[np.void]:
    return bars[: int(np.searchsorted(bars["ts_init"], moment))] if len(bars) else np.zeros(0, BAR)
