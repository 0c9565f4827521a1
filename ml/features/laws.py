"""The laws of a group of features, for its tests: any chunks, no look-ahead, a restart, and both drivers alike."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fathom.market.laws import check_recurrence
from fathom.ml.features.config import FeatureConfig
from fathom.ml.features.feature_set import FeatureSet, Vectors


def check_feature_set(
    make: Callable[[], FeatureSet], rows: NDArray[np.void], *, seed: int = 0, pieces: int = 20
) -> None:
    """Assert the laws of feature sets, bitwise.

    Parameters
    ----------
    make : callable
        Returns a new set.
    rows : ndarray
        Event rows (`fathom.market.EVENT`) of some minutes.
    seed, pieces : int
        Of the random cuts.
    """
    check_recurrence(
        make,
        [lambda each, part: _said(each.update_many(part)), lambda each, part: _said(each.update(part))],
        rows,
        seed=seed,
        pieces=pieces,
    )


def check_feature_group(
    group: str, rows: NDArray[np.void], *, price_increment: float = 0.1, size_increment: float = 0.001, seed: int = 0
) -> None:
    """Assert the laws of one group by its name or "module:Group"; see `check_feature_set`.

    Examples
    --------
    >>> from fathom.market import EVENT, Kind
    >>> trades = np.zeros(400, EVENT)
    >>> trades["kind"], trades["size"], trades["price"] = Kind.TRADE, 1, 500 + np.arange(400) % 7
    >>> trades["ts_init"] = np.arange(1, 401) * 300_000_000
    >>> check_feature_group("candles", trades)
    """
    config = FeatureConfig(groups=(group,), max_silence_ms=10**9)

    def make() -> FeatureSet:
        return FeatureSet(config, price_increment=price_increment, size_increment=size_increment)

    check_feature_set(make, rows, seed=seed)
    values = make().update_many(rows).values
    assert not np.isinf(values).any(), "Expected numbers or NaN, was infinite: say NaN where a value is undefined"


def _said(vectors: Vectors) -> list[tuple[int, bytes]]:
    return [(ts, row.tobytes()) for ts, row in zip(vectors.ts.tolist(), vectors.values, strict=True)]
