"""Splits in time: which samples train, stop early and test, such that none of them shares a price with another part.

A sample at grid time T reads features from T - window on and its label looks to T + horizon. A part is cut from the
others by an embargo of at least window + horizon between grid times, across all instruments: no interval
[T - window, T + horizon] of a training sample touches one of a test sample. Validation samples, for early stopping and
calibration, come from the training span, cut off in the same way.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fathom.ml.samples.plain_times import times_ns


class SplitConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a split.

    Parameters
    ----------
    kind : {"anchored", "rolling", "combinatorial"}
        Walk-forward with a training span that grows, or that keeps its length and moves; or every choice of
        `test_groups` out of `folds` groups of time (combinatorial purged cross-validation).
    folds : int
        Test blocks of the walk-forward, or groups of the cross-validation.
    first_train : float
        Share of the span before the first test block (walk-forward).
    validation : float
        Share of the training span, its end, that validates.
    embargo_secs : float or None
        Distance of grid times of different parts; None means the least there may be, just above window + horizon.
    test_groups : int
        Groups that test at once (combinatorial).

    Examples
    --------
    >>> SplitConfig(folds=3).kind
    'anchored'
    """

    kind: Literal["anchored", "rolling", "combinatorial"] = "anchored"
    folds: Annotated[int, Meta(ge=1)] = 5
    first_train: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.4
    validation: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.2
    embargo_secs: Annotated[float, Meta(ge=0.0)] | None = None
    test_groups: Annotated[int, Meta(ge=1)] = 2

    def __post_init__(self) -> None:
        if self.kind == "combinatorial" and self.test_groups >= self.folds:
            raise ValueError(f"Expected test_groups below folds, which is {self.folds}, was {self.test_groups}")


class Fold(NamedTuple):
    """One split: positions of samples, in order of time within each part.

    Attributes
    ----------
    number : int
        From 0.
    train, validation, test : ndarray of int64
        Positions in the times that were split.

    Examples
    --------
    >>> folds = list(split(np.arange(100), SplitConfig(folds=2, first_train=0.5), reach_ns=4))
    >>> [(len(fold.train), len(fold.validation), len(fold.test)) for fold in folds]
    [(32, 10, 25), (52, 15, 25)]
    """

    number: int
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


class PurgedWalkForward(SplitConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A walk-forward over plain arrays of times, purged and with an embargo; see `SplitConfig` for the settings.

    Examples
    --------
    >>> times = np.arange(100) * 1_000_000_000
    >>> walk = PurgedWalkForward(folds=2, first_train=0.5)
    >>> [(len(train), len(test)) for _, train, _, test in walk.split(times, horizon_secs=3.0, window_secs=1.0)]
    [(32, 25), (52, 25)]
    """

    kind: Literal["anchored", "rolling"] = "anchored"

    def split(self, times: Any, *, horizon_secs: float, window_secs: float = 0.0) -> Iterator[Fold]:
        """Yield the folds of samples at `times`: features look `window_secs` back, labels `horizon_secs` ahead.

        Parameters
        ----------
        times : array
            See `times_ns`.
        horizon_secs, window_secs : float

        Raises
        ------
        ValueError
            See `fathom.ml.samples.splits.split`.
        """
        return split(times_ns(times), self, reach_ns=round((horizon_secs + window_secs) * 1e9))


def split(ts: NDArray[np.int64], config: SplitConfig, *, reach_ns: int) -> Iterator[Fold]:
    """Yield the folds of samples at grid times `ts`.

    Parameters
    ----------
    ts : ndarray
        Grid time of each sample, ns, in any order, of any number of instruments.
    config : SplitConfig
    reach_ns : int
        From the start of a sample's window to the end of its label: window + horizon. The embargo must exceed it.

    Raises
    ------
    ValueError
        The embargo is too short, or a part of a fold is left without a sample.
    """
    embargo = reach_ns + 1 if config.embargo_secs is None else round(config.embargo_secs * 1e9)
    if embargo <= reach_ns:
        raise ValueError(
            f"Expected embargo_secs above window + horizon, which is {reach_ns / 1e9:g} s, was {embargo / 1e9:g}"
        )
    if len(ts) == 0:
        raise ValueError("Expected samples to split, was none: the data are too short for the window and the horizon")
    order = np.argsort(ts, kind="stable")
    times = ts[order]
    first, last = int(times[0]), int(times[-1]) + 1
    if config.kind == "combinatorial":
        edges = np.linspace(first, last, config.folds + 1).round().astype(np.int64)
        plans: list[tuple[int, list[tuple[int, int]]]] = [
            (first, [(int(edges[group]), int(edges[group + 1])) for group in groups])
            for groups in combinations(range(config.folds), config.test_groups)
        ]
    else:
        begin = first + round((last - first) * config.first_train)
        edges = np.linspace(begin, last, config.folds + 1).round().astype(np.int64)
        moving = config.kind == "rolling"
        plans = [
            (first + int(edges[k] - edges[0]) if moving else first, [(int(edges[k]), int(edges[k + 1]))])
            for k in range(config.folds)
        ]
    for number, (start, blocks) in enumerate(plans):
        test = np.zeros(len(times), np.bool_)
        free = times >= start
        if config.kind != "combinatorial":
            free &= times < blocks[0][0]  # a walk-forward never learns from what comes after its test
        for low, high in blocks:
            test |= (times >= low) & (times < high)
            free &= (times <= low - embargo) | (times >= high - 1 + embargo)
        validation = _validation(times, free, config.validation)
        train = free & _apart(times, validation, embargo)
        parts = {"training": train, "validation": validation, "test": test}
        for name, chosen in parts.items():
            if not chosen.any():
                raise ValueError(
                    f"Expected {name} samples in fold {number}, was none: use fewer folds, a shorter horizon or "
                    f"window, or more data (embargo {embargo / 1e9:g} s, data {(last - first) / 1e9:g} s)"
                )
        yield Fold(number, order[train], order[validation], order[test])


def _validation(times: NDArray[np.int64], free: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
    # The last of the training samples, by number, at whole grid times.
    own = times[free]
    if not len(own):
        return free
    cut = own[min(int(len(own) * (1.0 - share)), len(own) - 1)]
    chosen: NDArray[np.bool_] = free & (times >= cut)
    return chosen


def _apart(times: NDArray[np.int64], part: NDArray[np.bool_], embargo: int) -> NDArray[np.bool_]:
    # Which times are an embargo away from each of the part's: its nearest neighbours decide.
    own: Sequence[int] | NDArray[np.int64] = times[part]
    if not len(own):
        return ~part
    at = np.searchsorted(own, times)
    before = times - np.asarray(own)[np.maximum(at - 1, 0)]
    after = np.asarray(own)[np.minimum(at, len(own) - 1)] - times
    near = ((at > 0) & (before < embargo)) | ((at < len(own)) & (after < embargo))
    apart: NDArray[np.bool_] = ~near & ~part
    return apart
