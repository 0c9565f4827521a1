"""What a simulated market is made of; every field has its default here and a TOML file states only what differs."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, get_args

import msgspec
from msgspec import Meta

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Lean = Annotated[float, Meta(ge=-1, le=1)]
Count = Annotated[int, Meta(ge=1)]
Span = tuple[NotNegative, NotNegative]

EpisodeKind = Literal[
    "spoofing",
    "layering",
    "quote_stuffing",
    "decoy_flicker",
    "decoy_large_trade",
    "decoy_large_cancel",
    "decoy_iceberg",
    "decoy_scroll",
]
DisturbanceKind = Literal["gap", "burst", "one_sided", "crossed", "halt", "duplicate", "clock_step"]
EPISODE_KINDS: Final[tuple[str, ...]] = get_args(EpisodeKind)
DISTURBANCE_KINDS: Final[tuple[str, ...]] = get_args(DisturbanceKind)


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class InstrumentSpec(_Section, frozen=True):
    """One simulated perpetual; the scales multiply what the other sections say.

    Attributes
    ----------
    symbol
        Without the venue: `BTCUSDT` becomes `BTCUSDT-LINEAR.SIM`.
    start_price
        Where the price begins.
    tick_size, lot_size
        Steps of prices and of sizes, as text.
    maker_fee_bps, taker_fee_bps
        Commission of the instrument, in bps of the notional.
    volatility_scale
        Multiplies `price.volatility_bps`.
    rate_scale
        Multiplies the rates of orders, resting and taking.
    size_scale
        Multiplies the sizes of orders and `book.large_lots`.
    distance_scale
        Multiplies the distances of resting orders from the touch.

    Examples
    --------
    >>> InstrumentSpec().instrument_id
    'BTCUSDT-LINEAR.SIM'
    """

    symbol: Annotated[str, Meta(pattern="^[A-Z0-9]+$")] = "BTCUSDT"
    start_price: Positive = 60_000.0
    tick_size: str = "0.10"
    lot_size: str = "0.001"
    maker_fee_bps: float = 2.0
    taker_fee_bps: float = 5.5
    volatility_scale: Positive = 1.0
    rate_scale: Positive = 1.0
    size_scale: Positive = 1.0
    distance_scale: Positive = 1.0

    @property
    def instrument_id(self) -> str:
        """Return the engine's identifier; the venue SIM says that no exchange ever quoted it."""
        return f"{self.symbol}-LINEAR.SIM"


class Price(_Section, frozen=True):
    """The efficient price: a compound Poisson process on the tick lattice, told nothing by the book.

    Attributes
    ----------
    volatility_bps
        Standard deviation per square root of a second, without the drift.
    moves_per_sec
        Mean number of moves of the price.
    tail
        Sigma of the lognormal size of a move.
    traded_share
        Share of the moves that trade through the book; in the others, quotes are pulled and replaced.
    correlation
        Share of the moves that all instruments make together.
    shared_states
        Whether all instruments have the same hidden states at the same times.

    Examples
    --------
    >>> Price(moves_per_sec=2.0).volatility_bps
    1.2
    """

    volatility_bps: Positive = 1.2
    moves_per_sec: Positive = 1.0
    tail: Positive = 0.9
    traded_share: Share = 0.4
    correlation: Share = 0.0
    shared_states: bool = False


class Spread(_Section, frozen=True):
    """Spells in which both sides step back from the touch by as much, so that the mid stays.

    Attributes
    ----------
    wide_per_hour
        How often it happens.
    wide_ticks
        How far each side steps back.
    wide_secs
        How long a spell lasts, on average.

    Examples
    --------
    >>> Spread().wide_ticks
    15
    """

    wide_per_hour: NotNegative = 60.0
    wide_ticks: Count = 15
    wide_secs: Positive = 0.4


class Population(_Section, frozen=True):
    """Resting orders of one kind: they arrive, wait in the queue of a level, and are cancelled or filled.

    `life_secs` is the mean time to cancellation of one order, so that a population left alone holds
    `orders_per_sec * life_secs` orders, half of them on each side.

    Attributes
    ----------
    name
        What the kind is called.
    orders_per_sec
        New orders, both sides together.
    life_secs
        Mean time to the cancellation of an order.
    distance_ticks
        Mean distance from the touch, exponential.
    size_lots, size_sigma
        Median and sigma of the lognormal size.
    pegged_share
        Share of orders at the touch that follow it when the price moves.
    follow_share
        Share of orders anywhere that keep their distance when the price moves.

    Examples
    --------
    >>> Population(name="touch", orders_per_sec=50.0, life_secs=2.0).distance_ticks
    0.0
    """

    name: str
    orders_per_sec: Positive
    life_secs: Positive
    distance_ticks: NotNegative = 0.0
    size_lots: Positive = 20.0
    size_sigma: NotNegative = 1.5
    pegged_share: Share = 0.0
    follow_share: Share = 0.0


class Activity(_Section, frozen=True):
    """Busy spells of all order flow, telling nothing of the price: messages of very different length.

    Attributes
    ----------
    busy_factor
        Multiplies all order flow in a busy spell; 1 is no busy spells.
    busy_secs, calm_secs
        Mean length of a busy spell, and of the time between two.

    Examples
    --------
    >>> Activity(busy_factor=1.0).busy_secs
    0.4
    """

    busy_factor: Annotated[float, Meta(ge=1)] = 4.0
    busy_secs: Positive = 0.4
    calm_secs: Positive = 2.0


class Takers(_Section, frozen=True):
    """Market orders: they meet the opposite touch, first come first filled, and never take its last lot.

    Attributes
    ----------
    orders_per_sec
        Mean number of market orders, both sides together.
    size_lots, size_sigma
        Median and sigma of the lognormal size.
    persistence
        Probability of the same side as the order before (split parents).

    Examples
    --------
    >>> Takers().persistence
    0.2
    """

    orders_per_sec: NotNegative = 10.0
    size_lots: Positive = 18.0
    size_sigma: NotNegative = 2.3
    persistence: Share = 0.2


class Rpi(_Section, frozen=True):
    """Retail price improvement: hidden size at the touch that only retail takers meet, and flagged trades.

    Attributes
    ----------
    taker_share
        Share of market orders that are retail; 0 is no RPI.
    refills_per_sec
        How often hidden size comes back.
    size_lots, size_sigma
        Median and sigma of the lognormal hidden size.

    Examples
    --------
    >>> Rpi().taker_share
    0.0
    """

    taker_share: Share = 0.0
    refills_per_sec: NotNegative = 1.0
    size_lots: Positive = 200.0
    size_sigma: NotNegative = 1.0


class HiddenState(_Section, frozen=True):
    """One state of the hidden Markov chain that drives flow and price.

    The mean stay is exponential; `next` weighs the states that may follow (all others alike where it is empty).

    Attributes
    ----------
    name
        What the state is called in `states.parquet` and in `next`.
    mean_secs
        Mean stay.
    next
        Weights of the states that may follow, by name; empty: all others alike.
    drift_bps_per_sec
        Of the price.
    volatility
        Multiplies the size of the price moves.
    moves
        Multiplies `price.moves_per_sec`.
    intensity
        Multiplies all order flow.
    taker_lean
        Of market orders: -1 only sells, 1 only buys.
    order_lean
        Of new resting orders: -1 only on the ask side, 1 only on the bid side.
    half_spread_ticks
        How far each side keeps away from the price.

    Examples
    --------
    >>> HiddenState(name="up", drift_bps_per_sec=0.4).mean_secs
    3600.0
    """

    name: str
    mean_secs: Positive = 3600.0
    next: dict[str, Positive] = {}
    drift_bps_per_sec: float = 0.0
    volatility: Positive = 1.0
    moves: Positive = 1.0
    intensity: Positive = 1.0
    taker_lean: Lean = 0.0
    order_lean: Lean = 0.0
    half_spread_ticks: Annotated[int, Meta(ge=0)] = 0


class Episodes(_Section, frozen=True):
    """A kind of manipulation or of honest look-alike, and how often it happens.

    Sizes are multiples of `Book.large_lots`; ranges are [low, high] of uniform draws.

    Attributes
    ----------
    kind
        Manipulation, or the look-alike (`decoy_...`).
    per_hour
        How often it happens.
    size
        Of the orders, in `book.large_lots`.
    orders
        Number of orders.
    distance_ticks
        From the touch.
    life_secs
        How long the orders stand.
    trade_share
        Share of the manipulations whose opposite order trades before the bait is pulled.
    evade_share
        Share of the manipulations whose bait is pulled before a move reaches it.
    response
        How far the market orders of others, and the price, lean with the bait.

    Examples
    --------
    >>> Episodes(kind="spoofing").orders
    (1, 1)
    """

    kind: EpisodeKind
    per_hour: NotNegative = 20.0
    size: Span = (1.0, 4.0)
    orders: tuple[Count, Count] = (1, 1)
    distance_ticks: Span = (1.0, 40.0)
    life_secs: Span = (0.5, 6.0)
    trade_share: Share = 0.8
    evade_share: Share = 0.85
    response: Share = 0.0


class Disturbance(_Section, frozen=True):
    """A fault of the feed or of the venue, and how often it happens.

    Attributes
    ----------
    kind
        What goes wrong.
    per_hour
        How often it happens.
    secs
        How long it lasts.
    size
        Burst: factor of the flow; crossed: ticks; clock_step: seconds; duplicate: copies.

    Examples
    --------
    >>> Disturbance(kind="gap").secs
    (1.0, 5.0)
    """

    kind: DisturbanceKind
    per_hour: NotNegative = 10.0
    secs: Span = (1.0, 5.0)
    size: Positive = 1.0


class Book(_Section, frozen=True):
    """How far from the touch orders rest, and what counts as a large one.

    Attributes
    ----------
    range_ticks
        Orders rest no farther from the touch than this.
    warmup_secs
        How long the market runs before `start`, so that the book is full.
    large_lots
        What counts as a large order.

    Examples
    --------
    >>> Book().range_ticks
    2048
    """

    range_ticks: Annotated[int, Meta(ge=64, le=1 << 16)] = 2048
    warmup_secs: NotNegative = 30.0
    large_lots: Positive = 4000.0


class Feed(_Section, frozen=True):
    """What the venue publishes of its book, how often and how late.

    Attributes
    ----------
    interval_ms
        Time between two messages of the book; 0: every change is its own message.
    depth
        Levels a side.
    latency_ms, jitter_ms
        Time on the way, and how much it varies.
    trades
        `at_once`: each trade when it happens; `with_book`: with the next message of the book.

    Examples
    --------
    >>> Feed(interval_ms=20.0).depth
    1000
    """

    interval_ms: NotNegative = 50.0
    depth: Count = 1000
    latency_ms: NotNegative = 2.0
    jitter_ms: NotNegative = 1.0
    trades: Literal["with_book", "at_once"] = "at_once"


class Labels(_Section, frozen=True):
    """At which horizons and thresholds the best possible prediction is computed.

    Attributes
    ----------
    horizons_secs
        How far ahead is predicted.
    threshold_bps
        A smaller move counts as none.
    fees_bps
        Fees for which the best possible gain is computed, a side.

    Examples
    --------
    >>> Labels().fees_bps
    (5.5, 2.0, 0.0)
    """

    horizons_secs: tuple[Positive, ...] = (1.0, 5.0, 10.0, 30.0, 60.0)
    threshold_bps: NotNegative = 1.0
    fees_bps: tuple[NotNegative, ...] = (5.5, 2.0, 0.0)


DEFAULT_POPULATIONS: Final = (
    Population(name="touch", orders_per_sec=50, life_secs=2.2, size_lots=35, size_sigma=1.6, pegged_share=0.95),
    Population(name="near", orders_per_sec=35, life_secs=0.4, distance_ticks=100, size_lots=40, size_sigma=2.0),
    Population(
        name="quick",
        orders_per_sec=240,
        life_secs=2.0,
        distance_ticks=700,
        size_lots=80,
        size_sigma=1.9,
        follow_share=0.5,
    ),
    Population(name="patient", orders_per_sec=35, life_secs=60, distance_ticks=1000, size_lots=20, size_sigma=2.2),
)


class Simulation(_Section, frozen=True):
    """A whole simulated market.

    Attributes
    ----------
    scenario
        What the market is called.
    start
        First instant of the market.
    duration_secs
        How long it lasts.
    instruments, price, spread, populations, activity, takers, rpi, states, episodes, disturbances, book, feed, labels
        See the structs of these sections.

    Examples
    --------
    >>> Simulation(scenario="null").states[0].name
    'steady'
    """

    scenario: str
    start: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    duration_secs: Positive = 3600.0
    instruments: Annotated[tuple[InstrumentSpec, ...], Meta(min_length=1)] = (InstrumentSpec(),)
    price: Price = Price()
    spread: Spread = Spread()
    populations: Annotated[tuple[Population, ...], Meta(min_length=1, max_length=8)] = DEFAULT_POPULATIONS
    activity: Activity = Activity()
    takers: Takers = Takers()
    rpi: Rpi = Rpi()
    states: Annotated[tuple[HiddenState, ...], Meta(min_length=1, max_length=32)] = (HiddenState(name="steady"),)
    episodes: tuple[Episodes, ...] = ()
    disturbances: tuple[Disturbance, ...] = ()
    book: Book = Book()
    feed: Feed = Feed()
    labels: Labels = Labels()
