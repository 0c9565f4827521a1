"""Does an input follow the returns to come? What honest inputs can never do, told from the arrays alone.

Whatever follows the price follows its latest steps, and a good predictor follows the next step, then later steps less
and less. So a column leaks if it follows

- a later step more closely than the next step and than all past steps, or
- the next step closely, and more closely than all past steps, or
- the return over the coming steps so closely that no honest predictor was ever seen to, and more closely than the
  market's own past returns do: where prices trend, honest inputs know much of the coming return.

"How closely" is Spearman's rank correlation, with a z score that counts the independent observations (Bartlett 1935,
doi:10.2307/2983611): a column that hardly changes, or a return that overlaps the next one, holds fewer of them. Each
instrument is looked at alone, and each quarter of its time, since a leak may begin in the middle.
"""

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.ml.samples.datasets import Arrays
from fathom.ml.samples.labels import rows_ahead

LIMIT: Final = 0.5
"""Rank correlation from which a column is suspected. Real predictors of one step or of one horizon stay below."""

MARGIN: Final = 0.1
"""By how much a suspected correlation exceeds those that an honest column may have."""

MIN_Z: Final = 5.0
"""By how many standard errors a suspected correlation differs from 0: none does by chance among 10^6 looks."""

_PARTS: Final = 4
_LEAST_ROWS: Final = 500
_MOST_ROWS: Final = 20_000


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """A column that seems to know the future.

    Parameters
    ----------
    name : str
    instrument : str
    since_ns, until_ns : int
        Span of the rows in which it was seen.
    what : str
        What it follows, such as ``the step 5 rows ahead``.
    ahead : float
        Rank correlation with that.
    behind : float
        The highest rank correlation that an honest column may have instead.
    """

    name: str
    instrument: str
    since_ns: int
    until_ns: int
    what: str
    ahead: float
    behind: float


class Segment(msgspec.Struct, frozen=True):
    """Rows of one instrument and one part of its time that have all steps before and after them.

    Parameters
    ----------
    number : int
        Of the instrument.
    rows : int64 array, shape (n,)
    """

    number: int
    rows: NDArray[np.int64]


def suspects(arrays: Arrays, horizon: int) -> tuple[list[Suspect], Suspect | None]:
    """Look for columns that follow the returns to come.

    Parameters
    ----------
    arrays : Arrays
    horizon : int
        Rows until the label's return is known, at least 1.

    Returns
    -------
    list of Suspect
        The most suspicious look at each column that leaks.
    Suspect or None
        The look at the honest column that follows the next step most closely; None if there are too few rows.
    """
    worst: dict[str, Suspect] = {}
    strongest: Suspect | None = None
    for segment in segments(arrays, horizon):
        for look, guilty in _looks(arrays, segment, horizon):
            if guilty and (look.name not in worst or abs(look.ahead) > abs(worst[look.name].ahead)):
                worst[look.name] = look
            if not guilty and (strongest is None or abs(look.ahead) > abs(strongest.ahead)):
                strongest = look
    return list(worst.values()), strongest


def segments(arrays: Arrays, horizon: int) -> Iterator[Segment]:
    """Yield the rows to look at: per instrument, all its time in up to four parts of at least 500 rows."""
    ahead = rows_ahead(arrays.ts, arrays.instrument, arrays.mid, arrays.grid_ns)
    first = np.flatnonzero(ahead >= 2 * horizon + 1)
    rows = first + horizon + 1
    rows = rows[arrays.mid[rows] > 0]
    for number in range(len(arrays.facts.instruments)):
        own = rows[arrays.instrument[rows] == number]
        parts = max(1, min(_PARTS, len(own) // _LEAST_ROWS))
        for part in np.array_split(own, parts):
            if len(part) > horizon:
                yield Segment(number, part[:_MOST_ROWS])


def _looks(arrays: Arrays, segment: Segment, horizon: int) -> Iterator[tuple[Suspect, bool]]:
    rows = segment.rows
    prices = np.log(arrays.mid)
    lags = np.arange(-horizon + 1, horizon + 1)
    steps = np.stack([prices[rows + lag] - prices[rows + lag - 1] for lag in lags])
    spans = sorted({*range(2, min(horizon, 30)), *np.geomspace(2, max(horizon, 2), 12).astype(int).tolist(), horizon})
    spans = [span for span in spans if 1 < span <= horizon]
    returns = np.array([prices[rows + span] - prices[rows] for span in spans]).reshape(len(spans), len(rows))
    targets = np.concatenate([ranks(steps), ranks(np.abs(steps)), ranks(returns)]) / len(rows)
    count = len(lags)
    pasts = ranks(np.array([prices[rows] - prices[rows - span] for span in spans]).reshape(len(spans), len(rows)))
    trends = np.abs(pasts @ targets[2 * count :].T) if spans else np.zeros((1, 1))
    limit = max(LIMIT, float(trends.max()) + MARGIN)
    for column, name in enumerate(arrays.facts.schema.names):
        level = arrays.features[rows, column].astype(np.float64)
        change = level - arrays.features[rows - 1, column]
        ready = np.isfinite(level) & np.isfinite(change)
        if not ready.all():
            if ready.sum() <= horizon:
                continue
            level, change = (np.where(ready, values, np.median(values[ready])) for values in (level, change))
        forms = ranks(np.stack([level, change]))
        found = forms @ targets.T
        looks = [
            look
            for form, correlations in zip(forms, found, strict=True)
            for look in (
                *_step_looks(correlations[:count], horizon, len(rows), "the step"),
                *_step_looks(correlations[count : 2 * count], horizon, len(rows), "the size of the step"),
                *_return_looks(correlations[2 * count :], spans, form, limit),
            )
        ]
        what, ahead, behind, guilty = max(looks, key=lambda look: (look[3], abs(look[1])))
        since, until = int(arrays.ts[rows[0]]), int(arrays.ts[rows[-1]])
        instrument = arrays.facts.instruments[segment.number]
        yield (
            Suspect(
                name=name, instrument=instrument, since_ns=since, until_ns=until, what=what, ahead=ahead, behind=behind
            ),
            guilty,
        )


type _Look = tuple[str, float, float, bool]


def _step_looks(correlations: NDArray[np.float64], horizon: int, rows: int, noun: str) -> Iterator[_Look]:
    past, future = np.abs(correlations[:horizon]), np.abs(correlations[horizon:])
    honest = float(past.max())
    certain = MIN_Z / np.sqrt(rows)
    following = float(future[0])
    close = following > max(LIMIT, honest + MARGIN, certain) and not noun.startswith("the size")
    yield f"{noun} 1 row ahead", float(correlations[horizon]), honest, close
    if horizon > 1:
        later = int(np.argmax(future[1:])) + 1
        honest = max(honest, following)
        guilty = float(future[later]) > max(honest + MARGIN, certain)
        yield f"{noun} {later + 1} rows ahead", float(correlations[horizon + later]), honest, guilty


def _return_looks(
    correlations: NDArray[np.float64], spans: list[int], form: NDArray[np.float64], limit: float
) -> Iterator[_Look]:
    if not len(spans):
        return
    most = int(np.argmax(np.abs(correlations)))
    close = abs(float(correlations[most]))
    guilty = close > limit and close > MIN_Z / np.sqrt(independent(form, spans[most]))
    yield f"the return over the next {spans[most]} rows", float(correlations[most]), limit, guilty


def independent(form: NDArray[np.float64], span: int) -> float:
    """Return how many independent pairs of a column and an overlapping return of `span` rows there are."""
    count = len(form)
    inflation = 1.0
    for lag in range(1, min(span, count - 1)):
        autocorrelation = float(np.dot(form[:-lag], form[lag:])) / count
        inflation += 2.0 * autocorrelation * (1.0 - lag / span)
    return count / max(inflation, 1.0)


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ranks of each row of values, scaled to mean 0 and variance 1, ties alike; 0 where nothing varies."""
    from scipy.stats import rankdata

    ranked = rankdata(values, axis=-1)
    ranked -= ranked.mean(axis=-1, keepdims=True)
    deviation = ranked.std(axis=-1, keepdims=True)
    return np.divide(ranked, deviation, out=np.zeros_like(ranked), where=deviation > 0)
