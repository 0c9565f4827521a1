"""The benchmark of the manipulation detectors: fitted and tuned on some markets, reported on others."""

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.detectors.book.alerts import AlertKind
from fathom.detectors.book.evidence import SPOOFING
from fathom.detectors.book.surveillance import SurveillanceConfig
from fathom.market.actors_truth import ActorKind
from fathom.studies.benchmark.baselines import vanished
from fathom.studies.benchmark.curves import OTHER, Curve, Raised, Scored, curve, raised, sort
from fathom.studies.benchmark.fit import Candidates, candidates_of, fit, odds_of, part_of
from fathom.studies.benchmark.labels import Episode, Market, episodes_of, label_orders
from fathom.studies.benchmark.tables import recall_tables, reliability

FloatArray = NDArray[np.float64]
Markets = Callable[[], Iterable[Market]]

BUDGET: Final = 60.0
"""False alerts an hour that an instrument may raise."""
MOST_HONEST: Final = 0.035
"""Share of the honest large orders that may be flagged where thresholds are tuned without an untouched stream."""
STUFFING_SHARE: Final = 0.05
"""Part of the budget of false alerts for quote stuffing; the others divide the rest as the markets tuned on say."""

_RARITY: Final = SPOOFING.index("rarity")
_GRIDS: Final = {
    "detector": 1.0 / (1.0 + np.exp(-np.linspace(-8.0, 5.0, 131))),
    "textbook": np.geomspace(1.0, 1000.0, 31),
    "size_only": np.linspace(0.5, 8.0, 31),
}


class Point(msgspec.Struct, frozen=True):
    """What a threshold gives on the held-out markets.

    Parameters
    ----------
    threshold : float
    false_per_hour : float
        Series of alerts on the untouched streams.
    precision : float
        Share of the series in markets with actors that began with manipulation; NaN where none began.
    recall : float
        Share of the episodes that carry benefit or recurrence, and show in the feed, that were found.
    recall_all : float
        Share of all episodes that show.
    honest : dict of str to list of int
        For each kind of honest actor, episodes that raised an alert, and all.
    honest_large : list of float
        Share of the honest large orders that were withdrawn (clusters of them, for layering), natural ones included,
        that raised an alert; and their number.
    delay_ms : list of float
        Median and 90th percentile of the time from the withdrawal to the alert, then from the first placing.

    Examples
    --------
    >>> Point(0.5, 31.3, 0.6, 0.7, 0.6, {"large": [3, 60]}, [0.01, 9000.0], [50.0, 58.0, 700.0, 4000.0]).recall
    0.7
    """

    threshold: float
    false_per_hour: float
    precision: float
    recall: float
    recall_all: float
    honest: dict[str, list[int]]
    honest_large: list[float]
    delay_ms: list[float]


class KindResult(msgspec.Struct, frozen=True):
    """One detector on held-out markets.

    Parameters
    ----------
    kind : str
    episodes : int
        That carry benefit or recurrence and show in the feed.
    episodes_all : int
    curves : dict of str to dict
        For the detector and each baseline: threshold, precision, recall, recall_all, false_per_hour.
    areas : dict of str to float
        Average precision of each.
    at_budget : Point
        At the lowest threshold that keeps the budget on the held-out untouched stream.
    carried : Point
        At the threshold that keeps the budget on the untouched streams it was tuned on.
    baselines : dict of str to Point
        The baselines at the same budget.
    tables : dict of str to dict
        Recall at `carried` of the episodes that carry benefit or recurrence: by size and distance, life, evidence and
        layers; each cell is [found, all].
    reliability : list of list of float
        Confidence and share of manipulation among the candidates, by bins of confidence.
    """

    kind: str
    episodes: int
    episodes_all: int
    curves: dict[str, dict[str, list[float]]]
    areas: dict[str, float]
    at_budget: Point
    carried: Point
    baselines: dict[str, Point]
    tables: dict[str, dict[str, list[int]]]
    reliability: list[list[float]]


class Result(msgspec.Struct, frozen=True):
    """What was found on one set of held-out markets.

    Parameters
    ----------
    family : str
        ``recorded`` or ``simulated``.
    tuned_on, reported_on : list of str
        Markets, in words.
    hours : float
        Of the markets with actors that are reported on.
    config : SurveillanceConfig
        As fitted and tuned.
    kinds : list of KindResult
    pooled_recall : list of float
        Recall of spoofing and layering together at both thresholds: of `at_budget` and of `carried`.
    """

    family: str
    tuned_on: list[str]
    reported_on: list[str]
    hours: float
    config: SurveillanceConfig
    kinds: list[KindResult]
    pooled_recall: list[float]


class _Touched(msgspec.Struct):
    found: Candidates
    levels: tuple[NDArray[np.int64], FloatArray]
    level_labels: NDArray[np.int64]


class Tuned(NamedTuple):
    """A configuration with fitted weights and thresholds.

    Parameters
    ----------
    config : SurveillanceConfig
    shares : dict of AlertKind to float
        How the budget of false alerts is divided among the detectors: as found most of the episodes tuned on.
    """

    config: SurveillanceConfig
    shares: dict[AlertKind, float]


def tune(
    markets: Markets,
    untouched: Markets | None,
    config: SurveillanceConfig,
    budget: float = BUDGET,
) -> Tuned:
    """Return the configuration with fitted weights and thresholds.

    Parameters
    ----------
    markets : callable
        Gives the markets with actors.
    untouched : callable or None
        Gives the streams whose alerts an hour the thresholds keep within the budget. Where there are none, the
        thresholds flag at most `MOST_HONEST` of the honest large orders of `markets`.
    config : SurveillanceConfig
    budget : float

    Returns
    -------
    Tuned
    """
    quiet = untouched or (lambda: ())
    config = fit(lambda: [*quiet(), *markets()], config)
    touched = [candidates_of(market, config) for market in markets()]
    if not untouched:
        strict = {kind: _strict(kind, touched, config) for kind in AlertKind}
        return Tuned(with_thresholds(config, strict), dict.fromkeys(AlertKind, 1.0 / 3.0))
    calm = [candidates_of(market, config) for market in untouched()]
    curves = {kind: _tuning_curve(kind, touched, calm, config) for kind in AlertKind}
    shares = _divided(curves, touched, budget)
    at = _within(curves, shares, budget)
    thresholds = {kind: round(float(found.threshold[at[kind]]), 4) for kind, found in curves.items()}
    return Tuned(with_thresholds(config, thresholds), shares)


def _within(curves: dict[AlertKind, Curve], shares: dict[AlertKind, float], budget: float) -> dict[AlertKind, int]:
    """Return the place on each curve that keeps the budget: spoofing may use what the others leave."""
    at, left = {}, budget
    for kind in (AlertKind.QUOTE_STUFFING, AlertKind.LAYERING):
        at[kind] = curves[kind].within(budget * shares[kind])
        left -= float(np.nan_to_num(curves[kind].false_per_hour[at[kind]]))
    at[AlertKind.SPOOFING] = curves[AlertKind.SPOOFING].within(left)
    return at


def with_thresholds(config: SurveillanceConfig, thresholds: dict[AlertKind, float]) -> SurveillanceConfig:
    """Return the configuration with other thresholds."""
    replace = msgspec.structs.replace
    parts = {
        kind.name.lower(): replace(part_of(config, kind), threshold=threshold) for kind, threshold in thresholds.items()
    }
    return replace(config, **parts)


def _tuning_curve(
    kind: AlertKind, touched: list[Candidates], calm: list[Candidates], config: SurveillanceConfig
) -> Curve:
    actors = [episodes_of(one.market.truth, int(kind)) for one in touched]
    scored = [_scored(one, kind, config) for one in touched]
    return curve(
        [(s, _carrying(kind, e), set(e)) for s, e in zip(scored, actors, strict=True)],
        [(_scored(one, kind, config), one.market.hours) for one in calm],
        _GRIDS["detector"],
    )


def _divided(curves: dict[AlertKind, Curve], touched: list[Candidates], budget: float) -> dict[AlertKind, float]:
    best, shares = -1.0, {}
    numbers = {
        kind: sum(len(_carrying(kind, episodes_of(one.market.truth, int(kind)))) for one in touched)
        for kind in (AlertKind.SPOOFING, AlertKind.LAYERING)
    }
    for share in np.linspace(0.1, 0.9, 17).tolist():
        parts = {
            AlertKind.SPOOFING: 1.0 - share - STUFFING_SHARE,
            AlertKind.LAYERING: share,
            AlertKind.QUOTE_STUFFING: STUFFING_SHARE,
        }
        at = _within(curves, parts, budget)
        hits = sum(float(curves[kind].recall[at[kind]]) * number for kind, number in numbers.items())
        # Among equals the one nearest to an even division.
        gain = hits - 0.01 * abs(share - 0.5)
        if gain > best:
            best, shares = gain, parts
    return shares


def _carrying(kind: AlertKind, episodes: dict[int, Episode]) -> set[int]:
    return set(episodes) if kind is AlertKind.QUOTE_STUFFING else {n for n, one in episodes.items() if one.carries}


def _strict(kind: AlertKind, found: list[Candidates], config: SurveillanceConfig) -> float:
    scored = [_scored(one, kind, config) for one in found]
    orders = [s.score[_innocent(kind, s, one.market.truth)] for s, one in zip(scored, found, strict=True)]
    wanted = float(np.quantile(np.concatenate(orders), 1.0 - MOST_HONEST))
    return round(min(0.9999, max(0.0001, wanted)), 4)


def _innocent(kind: AlertKind, scored: Scored, truth: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which candidates are honest and as large as a bait: at least its 5th percentile."""
    least = 0.0
    if kind is AlertKind.SPOOFING:
        baits = truth["lots"][(truth["kind"] == ActorKind.SPOOFING) & (truth["lots"] > 0)]
        least = float(np.percentile(baits, 5)) if len(baits) else 0.0
    return np.asarray((scored.episode == -1) & (scored.lots >= least))


def report(
    family: str,
    tuned_on: list[str],
    markets: Iterable[Market],
    untouched: Iterable[Market],
    tuned: Tuned,
    budget: float = BUDGET,
) -> Result:
    """Measure a tuned configuration on markets it has not seen."""
    config = tuned.config
    touched = [_touch(market, config) for market in markets]
    calm = [_touch(market, config) for market in untouched]
    found: dict[AlertKind, KindResult] = {}
    left = budget
    for kind in (
        AlertKind.QUOTE_STUFFING,
        AlertKind.LAYERING,
        AlertKind.SPOOFING,
    ):  # spoofing has what the others leave
        allowed = left if kind is AlertKind.SPOOFING else budget * tuned.shares[kind]
        found[kind] = _kind(kind, touched, calm, config, allowed)
        left -= float(np.nan_to_num(found[kind].at_budget.false_per_hour))
    kinds = [found[kind] for kind in AlertKind]
    both = kinds[:2]
    total = max(1, sum(k.episodes for k in both))
    return Result(
        family=family,
        tuned_on=tuned_on,
        reported_on=[one.found.market.name for one in touched],
        hours=sum(one.found.market.hours for one in touched),
        config=config,
        kinds=kinds,
        pooled_recall=[
            sum(k.at_budget.recall * k.episodes for k in both) / total,
            sum(k.carried.recall * k.episodes for k in both) / total,
        ],
    )


def _touch(market: Market, config: SurveillanceConfig) -> _Touched:
    levels, ratios = vanished(market.rows, market.depth)
    labels = label_orders(levels[:, 0], levels[:, 1], levels[:, 2], levels[:, 3], market.truth, market.slack_ns)
    return _Touched(candidates_of(market, config), (levels, ratios), labels)


def _episodes(labels: NDArray[np.int64], truth: NDArray[Any], kind: AlertKind) -> tuple[NDArray[np.int64], ...]:
    if not len(truth):
        return np.full(len(labels), -1, np.int64), np.full(len(labels), -1, np.int64)
    actor = np.where(labels >= 0, truth["kind"][labels], 0)
    number = truth["episode"][labels]
    mine = np.where(actor == int(kind), number, np.where((actor > 0) & (actor < ActorKind.FLICKER), OTHER, -1))
    return mine, np.where(actor >= ActorKind.FLICKER, number, -1)


def _scored(one: Candidates, kind: AlertKind, config: SurveillanceConfig) -> Scored:
    log, evidence, labels = one.of(kind)
    score = 1.0 / (1.0 + np.exp(-np.clip(odds_of(kind, config, evidence), -40, 40)))
    episode, honest = _episodes(labels, one.market.truth, kind)
    lots = log["lots"] if kind is AlertKind.SPOOFING else np.zeros(len(log), np.int64)
    return sort(Scored(score, *_when(log), lots, episode, honest))


def _when(log: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    return log["ts_event"], log["removed"], log["side"].astype(np.int64)


def _size_only(one: Candidates, kind: AlertKind) -> Scored:
    log, evidence, labels = one.of(AlertKind.SPOOFING)
    episode, honest = _episodes(labels, one.market.truth, kind)
    return sort(Scored(evidence[:, _RARITY], *_when(log), log["lots"], episode, honest))


def _textbook(one: _Touched, kind: AlertKind) -> Scored:
    levels, ratios = one.levels
    episode, honest = _episodes(one.level_labels, one.found.market.truth, kind)
    return sort(Scored(ratios, levels[:, 3], levels[:, 3], levels[:, 0], levels[:, 4], episode, honest))


class _Method(NamedTuple):
    """Candidates as one method scores them: of each market with actors, and of each untouched stream."""

    name: str
    scored: list[Scored]
    silent: list[Scored]


class _Truth(NamedTuple):
    """What a kind of manipulation did in each market with actors, and the hours of the untouched streams."""

    kind: AlertKind
    markets: list[Market]
    actors: list[dict[int, Episode]]
    hours: list[float]

    @property
    def carrying(self) -> list[set[int]]:
        return [_carrying(self.kind, episodes) for episodes in self.actors]

    @property
    def shown(self) -> list[set[int]]:
        return [set(episodes) for episodes in self.actors]


def _kind(
    kind: AlertKind, touched: list[_Touched], calm: list[_Touched], config: SurveillanceConfig, allowed: float
) -> KindResult:
    markets = [one.found.market for one in touched]
    actors = [episodes_of(market.truth, int(kind)) for market in markets]
    truth = _Truth(kind, markets, actors, [one.found.market.hours for one in calm])
    scores: dict[str, Callable[[_Touched], Scored]] = {"detector": lambda one: _scored(one.found, kind, config)}
    if kind is not AlertKind.QUOTE_STUFFING:
        scores["textbook"] = lambda one: _textbook(one, kind)
        scores["size_only"] = lambda one: _size_only(one.found, kind)
    methods = [_Method(name, [*map(of, touched)], [*map(of, calm)]) for name, of in scores.items()]
    known = list(zip(truth.carrying, truth.shown, strict=True))
    curves: dict[str, Curve] = {}
    at_budget: dict[str, Point] = {}
    for name, scored, silent in methods:
        curves[name] = found = curve(
            [(candidates, *sets) for candidates, sets in zip(scored, known, strict=True)],
            list(zip(silent, truth.hours, strict=True)),
            _GRIDS[name],
        )
        threshold = float(found.threshold[found.within(allowed)])
        at_budget[name] = _point(threshold, _Method(name, scored, silent), truth)
    detector, carried = methods[0], part_of(config, kind).threshold
    return KindResult(
        kind=kind.name.lower(),
        episodes=sum(map(len, truth.carrying)),
        episodes_all=sum(map(len, truth.shown)),
        curves={
            name: {field: np.asarray(value).tolist() for field, value in found._asdict().items()}
            for name, found in curves.items()
        },
        areas={name: found.area for name, found in curves.items()},
        at_budget=at_budget.pop("detector"),
        carried=_point(carried, detector, truth),
        baselines=at_budget,
        tables=recall_tables(carried, detector.scored, truth.carrying, actors),
        reliability=reliability(detector.scored),
    )


def _point(threshold: float, method: _Method, truth: _Truth) -> Point:
    made = [raised(found, threshold) for found in method.scored]
    series = sum(r.series for r in made)
    quiet = sum(raised(found, threshold).series for found in method.silent)
    hits = [{*r.hits} for r in made]
    return Point(
        threshold=round(threshold, 4),
        false_per_hour=quiet / sum(truth.hours) if truth.hours else float("nan"),
        precision=1.0 - sum(r.false for r in made) / series if series else float("nan"),
        recall=_share_found(truth.carrying, hits),
        recall_all=_share_found(truth.shown, hits),
        honest=_honest(made, truth.markets),
        honest_large=_honest_large(threshold, method, truth),
        delay_ms=_delays_ms(made, truth.actors),
    )


def _share_found(episodes: list[set[int]], hits: list[set[int]]) -> float:
    return sum(len(own & hit) for own, hit in zip(episodes, hits, strict=True)) / max(1, sum(map(len, episodes)))


def _honest(made: list[Raised], markets: list[Market]) -> dict[str, list[int]]:
    counts: dict[str, list[int]] = {}
    for r, market in zip(made, markets, strict=True):
        for actor in ActorKind:
            numbers = set(episodes_of(market.truth, int(actor))) if actor >= ActorKind.FLICKER else set()
            if numbers:
                count = counts.setdefault(actor.name.lower(), [0, 0])
                count[0] += len(numbers & r.honest)
                count[1] += len(numbers)
    return counts


def _honest_large(threshold: float, method: _Method, truth: _Truth) -> list[float]:
    kind = truth.kind if method.name == "detector" else AlertKind.LAYERING
    flagged = total = 0
    for found, market in zip(method.scored, truth.markets, strict=True):
        innocent = _innocent(kind, found, market.truth)
        total += int(innocent.sum())
        flagged += int((innocent & (found.score >= threshold)).sum())
    return [flagged / max(1, total), total]


def _delays_ms(made: list[Raised], actors: list[dict[int, Episode]]) -> list[float]:
    delays, since = [], []
    for r, episodes in zip(made, actors, strict=True):
        for number, (known, gone) in r.hits.items():
            delays.append((known - gone) * 1e-6)
            if number in episodes:
                since.append((known - episodes[number].began) * 1e-6)
    return [float(np.percentile(part, q)) if part else float("nan") for part in (delays, since) for q in (50, 90)]
