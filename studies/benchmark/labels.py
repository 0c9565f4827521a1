"""Which candidates of the detectors are orders of an actor: candidates and truth brought together."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fathom.detectors.book.alerts import AlertKind
from fathom.market.actors_truth import ActorKind, Ending

LAYERS_SEEN: Final = 3  # layers of an episode that a cluster must contain


class Market(NamedTuple):
    """A stream of rows and the truth about its actors.

    Parameters
    ----------
    name : str
        Instrument.
    rows : ndarray of EVENT
    truth : ndarray of TRUTH
        Empty for an untouched stream.
    hours : float
        Time watched.
    slack_ns : int
        How much later than the truth's times the feed may show an act: 0 where these are times of messages.
    depth : int
        Levels a side that the feed shows, 0 for all.

    Examples
    --------
    >>> from fathom.market import EVENT
    >>> from fathom.market.actors_truth import TRUTH
    >>> Market("BTCUSDT", np.zeros(0, EVENT), np.zeros(0, TRUTH), 0.1, 0, 0).name
    'BTCUSDT'
    """

    name: str
    rows: NDArray[Any]
    truth: NDArray[Any]
    hours: float
    slack_ns: int
    depth: int


def label_orders(
    side: Any, price: Any, placed: Any, removed: Any, truth: NDArray[Any], slack_ns: int
) -> NDArray[np.int64]:
    """Return for each withdrawn order the row of the truth that it is, or -1.

    Side and price must agree, and both times up to the slack of the feed.
    """
    found = np.full(len(side), -1, np.int64)
    at: dict[tuple[int, int], list[int]] = {}
    for shown in np.flatnonzero((truth["placed"] > 0) & (truth["lots"] > 0)).tolist():
        at.setdefault((int(truth["side"][shown]), int(truth["price"][shown])), []).append(shown)
    early = 1_000_000
    for n, key in enumerate(zip(side.tolist(), price.tolist(), strict=True)):
        for k in at.get(key, ()):
            late_in, late_out = placed[n] - truth["placed"][k], removed[n] - truth["removed"][k]
            if -early <= late_in <= early + slack_ns and -early <= late_out <= early + slack_ns:
                found[n] = k
    return found


def label_candidates(log: NDArray[Any], truth: NDArray[Any], slack_ns: int) -> NDArray[np.int64]:
    """Return for each candidate of `Surveillance.candidates` a row of the truth that it contains, or -1.

    A cluster is an episode of layering when it contains at least three of its layers, withdrawn at most 0.6 s before.
    A moment of quote stuffing lies between the beginning and the end of a burst.
    """
    found = np.full(len(log), -1, np.int64)
    orders = log["kind"] == AlertKind.SPOOFING
    part = log[orders]
    found[orders] = label_orders(part["side"], part["price_low"], part["placed"], part["removed"], truth, slack_ns)
    layers = np.flatnonzero((truth["kind"] == ActorKind.LAYERING) & (truth["placed"] > 0))
    told = truth[layers]
    early, late = 1_000_000, 600_000_000 + slack_ns
    for n in np.flatnonzero(log["kind"] == AlertKind.LAYERING):
        row = log[n]
        gone = row["removed"] - told["removed"]
        inside = (told["side"] == row["side"]) & (told["price"] >= row["price_low"])
        inside &= told["price"] <= row["price_high"]
        inside &= (gone >= -early) & (gone <= late) & (told["placed"] >= row["placed"] - early - slack_ns)
        if inside.any():
            episodes, counts = np.unique(told["episode"][inside], return_counts=True)
            if counts.max() >= LAYERS_SEEN:
                episode = episodes[counts.argmax()]
                found[n] = layers[np.flatnonzero(inside & (told["episode"] == episode))[0]]
    moments = np.flatnonzero(log["kind"] == AlertKind.QUOTE_STUFFING)
    for k in np.flatnonzero((truth["kind"] == ActorKind.QUOTE_STUFFING) & (truth["removed"] > 0)):
        ts = log["removed"][moments]
        found[moments[(ts >= truth["placed"][k]) & (ts <= truth["removed"][k] + slack_ns + 100_000_000)]] = k
    return found


class Episode(NamedTuple):
    """One episode of an actor, as far as the feed shows it.

    Parameters
    ----------
    kind : int
        `fathom.market.actors_truth.ActorKind`.
    carries : bool
        Whether a genuine opposite order traded, or the same was done more than once.
    benefit, recurs : bool
    multiple, distance, life_secs : float
        Means over its orders.
    layers : int
        Orders placed at once.
    began : int
        When its first order was placed.

    Examples
    --------
    >>> Episode(1, True, True, False, 4.0, 3.0, 0.5, 1, 0).carries
    True
    """

    kind: int
    carries: bool
    benefit: bool
    recurs: bool
    multiple: float
    distance: float
    life_secs: float
    layers: int
    began: int


def episodes_of(truth: NDArray[Any], kind: int) -> dict[int, Episode]:
    """Return the episodes of a kind by number.

    Of manipulation only those count in which at least one bait was shown and withdrawn by its owner: an order that
    traded was no bait, and one placed and withdrawn between two messages cannot be seen by anybody.
    """
    mine = truth[truth["kind"] == kind]
    if kind in (ActorKind.SPOOFING, ActorKind.LAYERING):
        mine = mine[np.isin(mine["ending"], [Ending.WITHDRAWN, Ending.EVADED]) & (mine["placed"] > 0)]
    else:
        mine = mine[mine["removed"] > 0]
    found = {}
    for number in np.unique(mine["episode"]):
        orders = mine[mine["episode"] == number]
        starts = len(np.unique(orders["start"]))
        benefit = bool((orders["benefit"] > 0).any())
        found[int(number)] = Episode(
            kind=kind,
            carries=benefit or starts > 1,
            benefit=benefit,
            recurs=starts > 1,
            multiple=float(orders["multiple"].mean()),
            distance=float(orders["distance"].mean()),
            life_secs=float((orders["removed"] - orders["placed"]).mean()) * 1e-9,
            layers=round(len(orders) / starts),
            began=int(orders["placed"].min()),
        )
    return found


def evident(truth: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which orders could be told from honest ones: a benefit, or a like order before in the same episode."""
    first: dict[int, int] = {}
    for number, start in zip(truth["episode"].tolist(), truth["start"].tolist(), strict=True):
        first[number] = min(first.get(number, start), start)
    before = np.array([first[number] for number in truth["episode"].tolist()], dtype=np.int64)
    return np.asarray((truth["benefit"] > 0) | (truth["start"] > before))
