"""Bars of a simulated market with the states that they were made in, for `fathom.studies.regimes.check`."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.errors import CatalogError
from fathom.data_catalog.simulation.truth import truth_folder
from fathom.data_catalog.store.layout import BOOK
from fathom.detectors.bars.detector import BAR_FIELDS
from fathom.detectors.bars.market_bars import EDGE, add_trades, begin, close_bar, is_due, new_market_bars
from fathom.market.follow import BookFollower
from fathom.studies.detection.run import Progress
from fathom.studies.regimes.check import STATES, LabelledBars


def labelled_bars(catalog: Path | str, bar_ms: int, on_progress: Progress | None = None) -> list[LabelledBars]:
    """Return the bars of each instrument of a simulated catalog, and their states.

    A market without spells (scenario `null`) is `flat` throughout.

    Parameters
    ----------
    catalog : Path or str
    bar_ms : int
        Length of the bars, built from trades and the mid.
    on_progress : callable, optional
        Called with the instrument's id, rows done and rows in all.

    Raises
    ------
    CatalogError
        The catalog is not simulated, or its states are not those of the scenario `regimes`.
    """
    found = []
    for span in Catalog(catalog).spans():
        if span.data_type == BOOK:
            states = _states(Path(catalog), span.identifier)
            found.append(_labelled(catalog, span.identifier, span.rows, states, bar_ms * 1_000_000, on_progress))
    if not found:
        raise CatalogError(f"Expected an order book in {catalog}, was none. Make one: fathom data simulate.")
    return found


def _labelled(
    catalog: Path | str, name: str, total: int, states: pa.Table, length_ns: int, on_progress: Progress | None
) -> LabelledBars:
    follower, forming = BookFollower(), new_market_bars(length_ns)
    bars, ends, done = [], [], 0
    bar = np.empty(BAR_FIELDS)
    for rows in Catalog(catalog).events(name):
        ts, first = rows["ts_init"], 0
        begin(forming, int(ts[0]))
        while ts[-1] >= forming.clock[EDGE]:
            cut = first + int(np.searchsorted(ts[first:], forming.clock[EDGE]))
            follower.update(rows[first:cut])
            add_trades(forming, rows, first, cut)
            first = cut
            while is_due(forming, int(ts[first])):
                end = int(forming.clock[EDGE])
                if close_bar(forming, follower.book, bar):
                    bars.append(bar.copy())
                    ends.append(end)
        follower.update(rows[first:])
        add_trades(forming, rows, first, len(rows))
        done += len(rows)
        if on_progress is not None:
            on_progress(name, done, max(total, done))
    times = np.array(ends, np.int64) - length_ns // 2
    if not states.num_rows:
        return LabelledBars(np.array(bars), np.zeros(len(bars), np.int64))
    starts = states["ts_from"].cast(pa.int64()).to_numpy()
    numbers = np.array([STATES.index(state) for state in states["state"].to_pylist()])
    at = np.clip(np.searchsorted(starts, times, "right") - 1, 0, None)
    return LabelledBars(np.array(bars), numbers[at].astype(np.int64))


def _states(catalog: Path, name: str) -> pa.Table:
    path = catalog / truth_folder(name) / "states.parquet"
    if not path.is_file():
        raise CatalogError(f"Expected the truth of a simulated market at {path}, was none. Use fathom data simulate.")
    table = pq.read_table(path)
    unknown = sorted(set(table["state"].to_pylist()) - set(STATES))
    if unknown == ["steady"] or not table.num_rows:
        return table.slice(0, 0)
    if unknown:
        raise CatalogError(
            f"Expected the states {', '.join(STATES)} in {path}, was {unknown[0]}. "
            "Simulate configs/simulation/regimes.toml."
        )
    return table
