"""Precision, recall and false alerts by threshold, for the detectors and for the baselines alike."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.detectors.book.alerts import OPEN_SERIES, SERIES, number_in_series
from fathom.market.kernel import kernel

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SERIES_NS: Final = 10_000_000_000
OTHER: Final = -2  # label of a candidate that is another kind of manipulation: neither hit nor false alarm


class Scored(NamedTuple):
    """Candidates of one market with the score of one method.

    Parameters
    ----------
    score : ndarray of float64
        The higher, the more suspicious.
    ts, removed : ndarray of int64
        When it could be known (``ts_event`` of the deciding message), and when the order was gone.
    side, lots : ndarray of int64
        Alerts of a side and a like size go on with a series; no sizes (0) means any size.
    episode : ndarray of int64
        Episode of manipulation that it belongs to, -1 for none, `OTHER` for another kind of manipulation.
    honest : ndarray of int64
        Episode of an honest actor that it belongs to, or -1.
    """

    score: FloatArray
    ts: IntArray
    removed: IntArray
    side: IntArray
    lots: IntArray
    episode: IntArray
    honest: IntArray


class Raised(NamedTuple):
    """What a threshold raises in one market.

    Parameters
    ----------
    series : int
        Series of alerts that began.
    false : int
        Those of them that began with no order of manipulation.
    hits : dict of int to tuple of int
        For each episode of manipulation that raised or went on with an alert, when the first was known and when its
        order was gone.
    honest : set of int
        Episodes of honest actors that did.

    Examples
    --------
    >>> Raised(2, 1, {7: (100, 90)}, set()).series
    2
    """

    series: int
    false: int
    hits: dict[int, tuple[int, int]]
    honest: set[int]


def raised(found: Scored, threshold: float) -> Raised:
    """Go through the candidates above a threshold as the detector would; all of one message count once a side.

    The candidates must be in the order of `sort`.
    """
    episodes = np.unique(found.episode[found.episode >= 0])
    actors = np.unique(found.honest[found.honest >= 0])
    first = np.full((len(episodes), 2), -1, np.int64)
    flagged = np.zeros(len(actors), np.int64)
    counts = np.zeros(2, np.int64)
    _raise(
        found.score,
        threshold,
        found.ts,
        found.removed,
        found.side,
        found.lots,
        np.where(found.episode >= 0, np.searchsorted(episodes, found.episode), found.episode),
        np.where(found.honest >= 0, np.searchsorted(actors, found.honest), -1),
        first,
        flagged,
        counts,
        np.zeros(OPEN_SERIES, SERIES),
    )
    hits = {int(e): (int(row[0]), int(row[1])) for e, row in zip(episodes, first, strict=True) if row[0] >= 0}
    return Raised(int(counts[0]), int(counts[1]), hits, {int(a) for a in actors[flagged > 0]})


def sort(found: Scored) -> Scored:
    """Return the candidates by message and side, the most suspicious of each first."""
    order = np.lexsort((-found.score, found.side, found.ts))
    score, *others = found
    return Scored(score[order], *(field[order] for field in others))


@kernel
def _raise(
    score: FloatArray,
    threshold: float,
    ts: IntArray,
    removed: IntArray,
    side: IntArray,
    lots: IntArray,
    episode: IntArray,
    honest: IntArray,
    first: IntArray,
    flagged: IntArray,
    counts: IntArray,
    series: NDArray[Any],
) -> None:
    at = 0
    n = len(score)
    while at < n:
        end = at
        leader = -1
        true = other = False
        while end < n and ts[end] == ts[at] and side[end] == side[at]:
            if score[end] >= threshold:
                if leader < 0:
                    leader = end
                if episode[end] >= 0:
                    true = True
                    if first[episode[end], 0] < 0:
                        first[episode[end], 0] = ts[end]
                        first[episode[end], 1] = removed[end]
                elif episode[end] == OTHER:
                    other = True
                if honest[end] >= 0:
                    flagged[honest[end]] = 1
            end += 1
        if leader >= 0:
            number = number_in_series(series, 1, side[leader], lots[leader], ts[leader], SERIES_NS)
            if number == 1 and (true or not other):
                counts[0] += 1
                if not true:
                    counts[1] += 1
        at = end


class Curve(NamedTuple):
    """Precision and recall by threshold, over several markets with actors and the untouched ones.

    Parameters
    ----------
    threshold, precision, recall : ndarray of float64
        `recall` is of the episodes that carry benefit or recurrence; NaN precision where nothing is raised.
    recall_all : ndarray of float64
        Recall of all episodes that the feed shows.
    false_per_hour : ndarray of float64
        Series raised on the untouched streams.
    """

    threshold: FloatArray
    precision: FloatArray
    recall: FloatArray
    recall_all: FloatArray
    false_per_hour: FloatArray

    @property
    def area(self) -> float:
        """Area under precision over recall: average precision, by steps."""
        order = np.argsort(-self.threshold)
        recall, precision = self.recall[order], np.nan_to_num(self.precision[order])
        gained = np.diff(np.concatenate([[0.0], np.maximum.accumulate(recall)]))
        return float((gained * precision).sum())

    def within(self, budget: float) -> int:
        """Return the index of the lowest threshold with at most `budget` false alerts an hour."""
        order = np.argsort(self.threshold)
        fine = order[self.false_per_hour[order] <= budget]
        # Series can split when a threshold rises: from here up all must be within the budget.
        worse = order[self.false_per_hour[order] > budget]
        least = self.threshold[worse].max() if len(worse) else -np.inf
        above = [int(i) for i in fine if self.threshold[i] > least]
        return above[0] if above else int(order[-1])


def curve(
    touched: list[tuple[Scored, set[int], set[int]]],
    untouched: list[tuple[Scored, float]],
    thresholds: FloatArray,
) -> Curve:
    """Return the curve of a method.

    Parameters
    ----------
    touched : list of tuples
        For each market with actors the candidates, the episodes that carry benefit or recurrence, and all that show.
    untouched : list of tuples
        Candidates of each untouched stream, and its hours.
    thresholds : ndarray

    Returns
    -------
    Curve
    """
    precision, recall, recall_all, false = (np.zeros(len(thresholds)) for _ in range(4))
    carrying = max(1, sum(len(carry) for _, carry, _ in touched))
    shown = max(1, sum(len(every) for _, _, every in touched))
    hours = sum(h for _, h in untouched)
    for k, threshold in enumerate(thresholds.tolist()):
        made = [(raised(found, threshold), carry, every) for found, carry, every in touched]
        series = sum(r.series for r, _, _ in made)
        precision[k] = 1.0 - sum(r.false for r, _, _ in made) / series if series else np.nan
        recall[k] = sum(len(carry & r.hits.keys()) for r, carry, _ in made) / carrying
        recall_all[k] = sum(len(every & r.hits.keys()) for r, _, every in made) / shown
        false[k] = sum(raised(found, threshold).series for found, _ in untouched) / hours if hours else np.nan
    return Curve(thresholds, precision, recall, recall_all, false)
