"""Simulated markets in the shape of the injector's: a stream of rows, and the truth about every order of an actor."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fathom.data_catalog.simulation.config import Simulation
from fathom.data_catalog.simulation.generator import Generator
from fathom.data_catalog.simulation.injection.injection import ACTOR, Injection
from fathom.data_catalog.simulation.injection.placing import measure_placing
from fathom.data_catalog.simulation.kinds import Act, Channel, Episode
from fathom.market.actors_truth import TRUTH, ActorKind, Ending
from fathom.market.events import Side

_KINDS: Final = {
    Episode.SPOOFING: ActorKind.SPOOFING,
    Episode.LAYERING: ActorKind.LAYERING,
    Episode.QUOTE_STUFFING: ActorKind.QUOTE_STUFFING,
    Episode.DECOY_FLICKER: ActorKind.FLICKER,
    Episode.DECOY_ICEBERG: ActorKind.ICEBERG,
    Episode.DECOY_LARGE_TRADE: ActorKind.LARGE,
    Episode.DECOY_LARGE_CANCEL: ActorKind.LARGE_CANCEL,
    Episode.DECOY_SCROLL: ActorKind.SCROLL,
}


def simulated(config: Simulation, number: int, seed: int, secs: float) -> Injection:
    """Simulate an instrument and tell what its actors did.

    Parameters
    ----------
    config : Simulation
        A scenario with episodes, such as ``manipulated``.
    number : int
        Which of its instruments.
    seed : int
    secs : float
        Simulated time.

    Returns
    -------
    Injection
        Without actors; the truth's `placed` and `removed` are times of the venue, in ns.

    Examples
    --------
    >>> made = simulated(Simulation(scenario="null"), 0, seed=1, secs=0.5)
    >>> len(made.truth)
    0
    """
    books, trades, logs = [], [], []
    for batch in Generator(config, number, seed).run(secs):
        books.append(batch.book)
        trades.append(batch.trades)
        logs.append(batch.truth)
    rows = np.concatenate([*books, *trades])
    rows = rows[np.argsort(rows["ts_init"], kind="stable")]
    log = np.concatenate(logs)
    truth = _orders(log[log["channel"] == Channel.EPISODE])
    return Injection(rows, measure_placing(rows, truth), np.zeros(0, ACTOR), secs / 3600.0)


def _orders(log: NDArray[Any]) -> NDArray[Any]:
    rows: list[tuple[Any, ...]] = []
    open_orders: dict[tuple[int, int, int], list[int]] = {}
    benefits: dict[int, int] = {}
    spans: dict[int, list[int]] = {}
    stuffing: dict[int, int] = {}
    for line in log:
        episode, act, ts = int(line["number"]), int(line["action"]), int(line["ts"])
        kind = _KINDS[Episode(int(line["kind"]))]
        span = spans.setdefault(episode, [ts, ts])
        span[1] = ts
        side = int(line["side"])
        key = (episode, side, int(line["price"]))
        size = int(line["size"])
        if kind is ActorKind.QUOTE_STUFFING:
            if act == Act.START:
                stuffing[episode] = len(rows)
                rows.append((episode, kind, Side.NONE, 0, 0, 0, ts, ts, ts, 0, Ending.CUT, 0, 0.0))
            elif act == Act.END and episode in stuffing:
                rows[stuffing[episode]] = (*rows[stuffing[episode]][:9], ts, Ending.WITHDRAWN, 0, 0.0)
        elif act == Act.PLACE:
            open_orders.setdefault(key, []).append(len(rows))
            rows.append((episode, kind, side, key[2], size, 0, ts, ts, ts, 0, Ending.CUT, 0, float(size)))
        elif act in (Act.CANCEL, Act.FILL, Act.SCROLL_OUT) and open_orders.get(key):
            order = list(rows[open_orders[key][0]])
            if act == Act.FILL:
                order[4] -= size
                if order[4] > 0:
                    rows[open_orders[key][0]] = tuple(order)
                    continue
                order[4] = int(order[12])
            if act == Act.SCROLL_OUT:
                continue
            order[9] = order[7] = ts
            # What was filled to more than half was no bait, whatever its owner wanted.
            filled = act == Act.FILL or 2 * order[4] < order[12]
            order[10] = Ending.TRADED if filled else Ending.WITHDRAWN
            order[4] = int(order[12])
            rows[open_orders[key].pop(0)] = tuple(order)
        elif act == Act.BENEFIT:
            benefits[episode] = benefits.get(episode, 0) + size
    truth = np.array(rows, dtype=TRUTH) if rows else np.zeros(0, TRUTH)
    for t in truth:
        if t["episode"] in benefits:
            t["benefit"] = benefits[int(t["episode"])]
    return truth
