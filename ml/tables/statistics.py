"""What a feature table looks like: distributions, features that are alike, what each says of the returns to come."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fathom.data_catalog.errors import CatalogError
from fathom.ml.features import FeatureSchema
from fathom.ml.features.spec import FeatureSpec
from fathom.ml.tables.file import TableFacts, read_facts
from fathom.ml.tables.rank_correlation import Floats, RankCorrelation, Ranked, combined, correlate

HORIZONS_SECS: Final = (1, 5, 10, 30, 60)
QUANTILES: Final = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
SAME: Final = 0.999
"""Two features with a correlation beyond this say the same."""

_BINS: Final = 40
_SAMPLE: Final = 20_000
_MIDS: Final = ("mid_price", "close")


class FeatureStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """One feature over all rows of a table.

    Parameters
    ----------
    name, group, unit : str
    stationary : bool
        Whether a model may use it as it is.
    count : int
        Rows with a value.
    nan_share : float
        Share of rows without: those of the warm-up.
    mean, std : float
    quantiles : tuple of float
        At `QUANTILES`; the first and the last are the extremes.
    constant : bool
        Whether it never changes, in any instrument.
    edges : tuple of float
        First and last edge of the histogram: the quantiles 0.01 and 0.99. What lies beyond is in the outermost bins.
    histogram : tuple of int
        Counts of bins of equal width.
    predictions : dict
        Horizon in seconds -> correlation of the feature at T with the return of the mid from T to T + horizon. There is
        no interval for a feature that is not stationary, nor for one that looks back on more than a tenth of the rows:
        a price is high in a sample, or in a window, because it falls afterwards, and would seem to predict that.

    Examples
    --------
    >>> one = FeatureStatistics(
    ...     name="spread", group="orderbook", unit="bps", stationary=True, count=2, nan_share=0.0, mean=1.0, std=0.0,
    ...     quantiles=(1.0,) * 9, constant=True, edges=(1.0, 1.0), histogram=(2,), predictions={}
    ... )
    >>> one.median
    1.0
    """

    name: str
    group: str
    unit: str
    stationary: bool
    count: int
    nan_share: float
    mean: float
    std: float
    quantiles: tuple[float, ...]
    constant: bool
    edges: tuple[float, float]
    histogram: tuple[int, ...]
    predictions: dict[int, RankCorrelation]

    @property
    def median(self) -> float:
        """The middle value."""
        return self.quantiles[len(QUANTILES) // 2]


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """A feature table described.

    Parameters
    ----------
    path : str
    facts : TableFacts
    rows : dict
        Instrument id -> rows.
    first_ns, last_ns : int
        First and last grid time.
    features : tuple of FeatureStatistics
        In the order of the schema.
    alike : tuple
        Pairs of features whose correlation is beyond 0.999, with it.
    correlations : ndarray
        Of shape (features, features); NaN where undefined.
    compared_rows : int
        Rows that the correlations come from: those without NaN, or an even sample of them.
    mid : str
        The feature that was taken for the mid; empty where the table has none, and so no predictions.
    """

    path: str
    facts: TableFacts
    rows: dict[str, int]
    first_ns: int
    last_ns: int
    features: tuple[FeatureStatistics, ...]
    alike: tuple[tuple[str, str, float], ...]
    correlations: Floats
    compared_rows: int
    mid: str


class _Market(msgspec.Struct):
    where: slice
    ts: NDArray[np.int64]
    # Horizon in seconds -> steps of the grid, and the return from each row on (NaN where its end is not in the table).
    returns: dict[int, tuple[int, Floats]]
    # Horizon -> which of its returns were ranked last, and their ranks: features of one warm-up follow each other.
    ranked: dict[int, tuple[bytes, Ranked]]

    def correlate(self, values: Floats, horizon: int) -> RankCorrelation:
        steps, returns = self.returns[horizon]
        mine = values[self.where]
        both = ~(np.isnan(mine) | np.isnan(returns))
        known = self.ranked.get(horizon)
        if known is None or known[0] != both.tobytes():
            known = self.ranked[horizon] = (both.tobytes(), Ranked.of(returns[both], steps))
        return correlate(Ranked.of(mine[both], steps), known[1])


def describe(
    path: Path,
    *,
    instrument: str | None = None,
    horizons_secs: Sequence[int] = HORIZONS_SECS,
    on_feature: Callable[[str], None] | None = None,
) -> Description:
    """Describe a feature table.

    Distributions are those of all rows. Correlations, among features and with returns, are taken within each
    instrument: prices of different height would make everything alike.

    Parameters
    ----------
    path : Path
    instrument : str, optional
        Describe the rows of this one only.
    horizons_secs : sequence of int
        Horizons of the returns; those that are no multiple of the grid are left out.
    on_feature : callable, optional
        Called with each feature that is done.

    Raises
    ------
    CatalogError
        The file is no feature table, or has no rows (of the instrument).
    """
    facts = read_facts(path)
    schema, specs = facts.schema, facts.specs
    if instrument is not None and instrument not in facts.schemas:
        raise CatalogError(f"Expected one of {', '.join(facts.schemas)}, was '{instrument}'.")
    chosen = None if instrument is None else [("instrument", "==", instrument)]

    def column(name: str) -> Floats:
        return np.asarray(pq.read_table(path, columns=[name], filters=chosen).column(0).to_numpy())

    frame = pq.read_table(path, columns=["ts", "instrument"], filters=chosen)
    if not frame.num_rows:
        raise CatalogError(f"Expected a table with rows, was one with none: {path}.")
    ts = frame.column("ts").cast(pa.int64()).to_numpy()
    instruments = frame.column("instrument").cast(pa.string()).to_numpy(zero_copy_only=False)
    mid = next((name for name in _MIDS if name in schema.names), "")
    steps = {h: h * 1000 // int(schema.settings["grid_ms"]) for h in horizons_secs}
    steps = {h: count for h, count in steps.items() if h * 1000 == count * int(schema.settings["grid_ms"])}
    markets = _markets(ts, instruments, column(mid) if mid else None, steps)
    ready = np.ones(len(ts), np.bool_)
    features = []
    for i in range(len(schema)):
        values = column(schema.names[i])
        ready &= ~np.isnan(values)
        features.append(_statistics(values, schema, i, list(markets.values()), specs.get(schema.names[i])))
        if on_feature:
            on_feature(schema.names[i])
    correlations, compared = _correlations(column, schema.names, ready, list(markets.values()))
    return Description(
        path=str(path),
        facts=facts,
        rows={name: len(market.ts) for name, market in markets.items()},
        first_ns=int(ts.min()),
        last_ns=int(ts.max()),
        features=tuple(features),
        alike=tuple(_alike(schema.names, correlations)),
        correlations=correlations,
        compared_rows=compared,
        mid=mid,
    )


def forward_returns(ts: NDArray[np.int64], mids: Floats, horizon_ns: int) -> Floats:
    """Return the return from each row to the one `horizon_ns` later; NaN where that is not there.

    Examples
    --------
    >>> forward_returns(np.array([0, 1, 3]), np.array([100.0, 101.0, 99.0]), 1).round(4).tolist()
    [0.01, nan, nan]
    """
    later = np.searchsorted(ts, ts + horizon_ns)
    inside = later < len(ts)
    inside[inside] = ts[later[inside]] == ts[inside] + horizon_ns
    returns = np.full(len(ts), np.nan)
    returns[inside] = mids[later[inside]] / mids[inside] - 1.0
    return returns


def _markets(
    ts: NDArray[np.int64], instruments: NDArray[np.object_], mids: Floats | None, steps: dict[int, int]
) -> dict[str, _Market]:
    edges = [0, *(np.flatnonzero(instruments[1:] != instruments[:-1]) + 1).tolist(), len(ts)]
    markets = {}
    for first, end in itertools.pairwise(edges):
        where = slice(first, end)
        returns = {}
        if mids is not None:
            returns = {
                h: (count, forward_returns(ts[where], mids[where], h * 1_000_000_000)) for h, count in steps.items()
            }
        markets[str(instruments[first])] = _Market(where, ts[where], returns, {})
    return markets


def _statistics(
    values: Floats, schema: FeatureSchema, at: int, markets: list[_Market], spec: FeatureSpec | None
) -> FeatureStatistics:
    column = schema.columns[at]
    known = values[~np.isnan(values)]
    quantiles = np.quantile(known, QUANTILES) if len(known) else np.full(len(QUANTILES), np.nan)
    low, high = float(quantiles[1]), float(quantiles[-2])
    histogram = np.histogram(np.clip(known, low, high), _BINS, (low, high))[0] if len(known) else np.zeros(0, np.int64)
    stationary = spec is not None and spec.stationary
    trusted = (
        spec is not None and stationary and all(_memory(spec, schema) * 10 <= len(market.ts) for market in markets)
    )
    predictions = {}
    for horizon in markets[0].returns:
        one = combined([market.correlate(values, horizon) for market in markets])
        predictions[horizon] = one if trusted else RankCorrelation(one.value, np.nan, np.nan, one.effective)
    return FeatureStatistics(
        name=column.name,
        group=column.group,
        unit=column.unit,
        stationary=stationary,
        count=len(known),
        nan_share=1.0 - len(known) / len(values),
        mean=float(known.mean()) if len(known) else np.nan,
        std=float(known.std()) if len(known) else np.nan,
        quantiles=tuple(quantiles.tolist()),
        constant=len(known) > 0 and all(_is_constant(values[market.where]) for market in markets),
        edges=(low, high),
        histogram=tuple(histogram.tolist()),
        predictions=predictions,
    )


def _memory(spec: FeatureSpec, schema: FeatureSchema) -> float:
    # In steps of the grid, as told by the warm-up: steps for the order book, bars for what comes of bars.
    step = (
        schema.settings.get("bar_ms", 1) if spec.top_group in ("candles", "indicators") else schema.settings["grid_ms"]
    )
    return spec.warm_up * int(step) / int(schema.settings["grid_ms"])


def _is_constant(values: Floats) -> bool:
    known = values[~np.isnan(values)]
    return not len(known) or bool((known == known[0]).all())


def _correlations(
    column: Callable[[str], Floats], names: tuple[str, ...], ready: NDArray[np.bool_], markets: list[_Market]
) -> tuple[Floats, int]:
    rows = np.flatnonzero(ready)
    rows = rows[:: max(1, len(rows) // _SAMPLE)]
    if len(rows) < 2:
        return np.full((len(names), len(names)), np.nan), len(rows)
    scores = np.empty((len(rows), len(names)))
    for i, name in enumerate(names):
        scores[:, i] = column(name)[rows]
    for market in markets:
        mine = (rows >= market.where.start) & (rows < market.where.stop)
        part = scores[mine]
        if len(part):
            spread = part.std(axis=0)
            # What is left of a constant after its mean is rounding, no variation.
            spread[spread <= 1e-12 * np.abs(part).max(axis=0)] = np.inf
            scores[mine] = (part - part.mean(axis=0)) / spread
    products = scores.T @ scores
    sizes = np.sqrt(np.diag(products))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(products / np.outer(sizes, sizes), -1.0, 1.0), len(rows)


def _alike(names: tuple[str, ...], correlations: Floats) -> list[tuple[str, str, float]]:
    upper = np.triu(np.nan_to_num(np.abs(correlations)), 1) > SAME
    return [(names[i], names[j], float(correlations[i, j])) for i, j in np.argwhere(upper).tolist()]
