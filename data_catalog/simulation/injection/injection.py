"""Put manipulation and honest look-alikes, whose truth is known, into a stream of events that really happened.

The stream keeps every one of its rows; orders of the injected actors are added to the sizes of the levels, in the
messages that the feed sends anyway, so its granularity stays: what is placed and withdrawn between two messages is
never seen. The market does not react to what is injected. An actor withdraws its order when the touch comes to it.
"""

from typing import Annotated, Any, Final

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from fathom.data_catalog.simulation.injection.kernel import inject_rows, new_stage
from fathom.market.actors_truth import TRUTH, ActorKind
from fathom.market.events import EVENT, Flag, Kind
from fathom.market.lifecycle import new_book

Span = tuple[float, float]
Share = Annotated[float, Meta(ge=0, le=1)]


ACTOR: Final = np.dtype(
    [
        ("episode", "<i8"),
        ("kind", "<i8"),
        ("side", "<i8"),
        ("start", "<i8"),
        ("end", "<i8"),
        ("benefit_at", "<i8"),
        ("distance", "<i8"),
        ("step", "<i8"),
        ("orders", "<i8"),
        ("prints", "<i8"),
        ("multiple", "<f8"),
        ("benefit", "<f8"),
    ],
    align=True,
)
"""One actor: one placing of an order, or of layers. A series of them shares its episode.

`side` is 0 for bids and 1 for asks; times are ``ts_init``; `multiple` is the size of an order over the local depth;
`benefit` the genuine opposite order over the bait, all layers together (0: none), traded at `benefit_at`.
"""


class InjectionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much is injected, and what it looks like; ranges are [low, high] of uniform draws unless said otherwise.

    Parameters
    ----------
    spoofing_per_hour, layering_per_hour, stuffing_per_hour : float
        Episodes of manipulation.
    flickers_per_hour, icebergs_per_hour, large_per_hour, pegs_per_hour : float
        Episodes of honest trading.
    size : tuple of float
        Size of a bait over the local depth, the mean size of the 20 nearest levels of its side (log-uniform).
    layer_size : tuple of float
        The same for one layer.
    distance_ticks : tuple of float
        Distance of a bait, or of the nearest layer, from the touch.
    life_ms : tuple of float
        Time a bait stands (log-uniform).
    layers : tuple of int
        Number of layers.
    benefit_share : float
        Share of the episodes in which a genuine opposite order trades before the bait is withdrawn.
    recurrence_share : float
        Share of the episodes in which the same is done several times.
    benefit_size : tuple of float
        Size of the genuine order over the bait.
    repeats : tuple of int
        Times in a recurring episode.
    warm_up_secs : float
        Nothing is injected before.

    Examples
    --------
    >>> InjectionConfig(spoofing_per_hour=100).layers
    (3, 8)
    """

    spoofing_per_hour: float = 300.0
    layering_per_hour: float = 150.0
    stuffing_per_hour: float = 60.0
    flickers_per_hour: float = 100.0
    icebergs_per_hour: float = 100.0
    large_per_hour: float = 200.0
    pegs_per_hour: float = 100.0
    size: Span = (3.0, 20.0)
    layer_size: Span = (3.0, 20.0)
    distance_ticks: Span = (1.0, 20.0)
    life_ms: Span = (50.0, 5000.0)
    layers: tuple[int, int] = (3, 8)
    benefit_share: Share = 0.5
    recurrence_share: Share = 0.5
    benefit_size: Span = (0.1, 0.5)
    repeats: tuple[int, int] = (3, 6)
    warm_up_secs: float = 30.0


class Injection(msgspec.Struct, frozen=True):
    """A stream with what was injected.

    Parameters
    ----------
    rows : ndarray of EVENT
    truth : ndarray of TRUTH
    actors : ndarray of ACTOR
    hours : float
        Time in which actors were at work.
    """

    rows: NDArray[Any]
    truth: NDArray[Any]
    actors: NDArray[Any]
    hours: float


def inject(rows: NDArray[Any], seed: int, config: InjectionConfig | None = None) -> Injection:
    """Return a copy of an instrument's stream with actors in it.

    Parameters
    ----------
    rows : ndarray of EVENT
        Book and trades in ``ts_init`` order.
    seed : int
        The same seed gives the same actors.
    config : InjectionConfig, optional

    Returns
    -------
    Injection
        With no actors the rows are the same.

    Examples
    --------
    >>> from fathom.market import EVENT
    >>> len(inject(np.zeros(0, EVENT), seed=1).rows)
    0
    """
    config = config or InjectionConfig()
    if not len(rows):
        return Injection(rows.copy(), np.zeros(0, TRUTH), np.zeros(0, ACTOR), 0.0)
    if not rows.dtype.isalignedstruct:  # read from a file: numba would compile everything a second time
        rows = np.concatenate([rows, np.zeros(1, EVENT)])[:-1].astype(EVENT)
    first = int(rows["ts_init"][0] + config.warm_up_secs * 1e9)
    last = int(rows["ts_init"][-1])
    actors = _cast(np.random.default_rng(seed), first, last, config)
    book_rows = rows["kind"] == Kind.BOOK
    messages = int((book_rows & ((rows["flags"] & Flag.LAST) != 0)).sum())
    levels = int(book_rows.sum())
    # Every order placed, moved, withdrawn or traded is a row; stuffing is a few hundred in each of its messages.
    stuffed = actors[actors["kind"] == ActorKind.QUOTE_STUFFING]
    spacing = max(1.0, (rows["ts_init"][-1] - rows["ts_init"][0]) / max(messages, 1))
    room = (
        len(rows)
        + 200 * len(actors)
        + int(sum(2 * a["orders"] * ((a["end"] - a["start"]) / spacing + 4) for a in stuffed))
    )
    pegs = actors[np.isin(actors["kind"], [ActorKind.PEG])]
    room += int(sum(2 * ((a["end"] - a["start"]) / spacing + 4) for a in pegs)) + 10_000
    out = np.zeros(room, EVENT)
    truth = np.zeros(64 * max(len(actors), 1) + 10_000, TRUTH)
    book = new_book(levels=min(max(levels, 1024), 1 << 18))
    made, told = inject_rows(book, rows, actors, out, truth, new_stage(len(actors), seed))
    if made < 0:
        raise RuntimeError("Expected the injected rows to fit into their arrays, was too many. Inject less at once.")
    # Between two messages the actors trade one after the other, not in the order of time.
    streamed = out[:made][np.argsort(out["ts_init"][:made], kind="stable")]
    return Injection(streamed, truth[:told].copy(), actors, max(0, last - first) / 3.6e12)


def _uniform(rng: np.random.Generator, span: Span) -> float:
    return float(rng.uniform(*span))


def _log_uniform(rng: np.random.Generator, span: Span) -> float:
    return float(np.exp(rng.uniform(np.log(span[0]), np.log(span[1]))))


def _cast(rng: np.random.Generator, first: int, last: int, c: InjectionConfig) -> NDArray[Any]:
    """Draw all actors, by their start."""
    hours = max(0.0, (last - first) / 3.6e12)
    actors: list[tuple[Any, ...]] = []
    episode = 0
    plan = [
        (ActorKind.SPOOFING, c.spoofing_per_hour),
        (ActorKind.LAYERING, c.layering_per_hour),
        (ActorKind.QUOTE_STUFFING, c.stuffing_per_hour),
        (ActorKind.FLICKER, c.flickers_per_hour),
        (ActorKind.ICEBERG, c.icebergs_per_hour),
        (ActorKind.LARGE, c.large_per_hour),
        (ActorKind.PEG, c.pegs_per_hour),
    ]
    for kind, per_hour in plan:
        for start in np.sort(rng.uniform(first, last, rng.poisson(per_hour * hours))):
            actors += _episode(rng, episode, kind, int(start), c)
            episode += 1
    cast = np.array(actors, dtype=ACTOR)
    return cast[np.argsort(cast["start"], kind="stable")]


def _episode(
    rng: np.random.Generator, number: int, kind: ActorKind, start: int, c: InjectionConfig
) -> list[tuple[Any, ...]]:
    side = int(rng.integers(2))
    ms = 1_000_000
    actors: list[tuple[Any, ...]] = []

    def add(at: float, life: float, distance: float, multiple: float, **more: Any) -> None:
        made = {"orders": 1, "step": 1, "benefit": 0.0, "benefit_at": 0, "prints": 0, "side": side} | more
        actors.append(
            (
                number,
                int(kind),
                made["side"],
                int(at),
                int(at + life),
                int(made["benefit_at"]),
                int(distance),
                made["step"],
                made["orders"],
                made["prints"],
                multiple,
                made["benefit"],
            )
        )

    if kind in (ActorKind.SPOOFING, ActorKind.LAYERING):
        layering = kind is ActorKind.LAYERING
        benefit = rng.random() < c.benefit_share
        repeats = int(rng.integers(c.repeats[0], c.repeats[1] + 1)) if rng.random() < c.recurrence_share else 1
        multiple = _log_uniform(rng, c.layer_size if layering else c.size)
        life = _log_uniform(rng, c.life_ms) * ms
        distance = _uniform(rng, c.distance_ticks)
        orders = int(rng.integers(c.layers[0], c.layers[1] + 1)) if layering else 1
        step = int(rng.integers(1, 7))
        jitter = float(rng.choice([0.0, 0.1, 0.3]))  # some repeat their size exactly, some nearly
        at = float(start)
        for _ in range(repeats):
            mine = life * float(rng.uniform(0.7, 1.3)) if repeats > 1 else life
            share = _uniform(rng, c.benefit_size) if benefit else 0.0
            lag = min(float(rng.uniform(5, 120)) * ms, 0.5 * mine)
            add(
                at,
                mine,
                max(1.0, distance + (rng.integers(-2, 3) if repeats > 1 else 0)),
                multiple * float(rng.uniform(1 - jitter, 1 + jitter)),
                orders=orders,
                step=step,
                benefit=share,
                benefit_at=at + mine - lag,
                prints=int(rng.integers(1, 4)),
            )
            at += mine + float(rng.uniform(300, 3000)) * ms
    elif kind is ActorKind.QUOTE_STUFFING:
        add(start, rng.uniform(300, 2000) * ms, 1, 0.0, orders=int(rng.integers(50, 301)))
    elif kind is ActorKind.FLICKER:
        at, size = float(start), rng.uniform(0.5, 3.0)
        for k in range(int(rng.integers(10, 40))):
            life = float(rng.uniform(50, 300)) * ms
            add(at, life, float(rng.integers(0, 4)), size * float(rng.uniform(0.8, 1.2)), side=(side + k) % 2)
            at += life + float(rng.uniform(20, 150)) * ms
    elif kind is ActorKind.ICEBERG:
        at, size = float(start), rng.uniform(1.0, 4.0)
        for _ in range(int(rng.integers(3, 9))):
            add(at, rng.uniform(200, 1500) * ms, 0, size, prints=int(rng.integers(1, 4)))
            at += 1500 * ms
    elif kind is ActorKind.LARGE:
        life = _log_uniform(rng, (500.0, 30_000.0)) * ms
        add(start, life, _uniform(rng, (0.0, 12.0)), _log_uniform(rng, c.size), prints=int(rng.integers(1, 6)))
    else:
        add(start, rng.uniform(2000, 10_000) * ms, _uniform(rng, (1.0, 12.0)), _log_uniform(rng, c.size))
    return actors
