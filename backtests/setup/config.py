"""The configuration of a backtest: what is simulated, on which data, at which venue, with which strategies."""

import datetime
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from fathom.backtests.setup import replayed_rows
from fathom.backtests.setup.identity import code_of
from fathom.backtests.setup.run_files import digest
from fathom.settings.times import duration_ns
from fathom.settings.toml import MOST_SEED, ConfigPath, Layers, decode, dump_toml
from fathom.settings.urls import redacted
from fathom.strategies.risk.config import RiskConfig
from fathom.strategies.system_config import (
    BARS_DELAY_MS,
    Actor,
    ActorSpec,
    Depth,
    Strategy,
    StrategySpec,
    Strict,
    check_instrument,
    components_of,
)
from fathom.strategies.trading.pacer import ORDERS_PER_SEC

_RICHEST: Final = 10**12
_LONGEST_GRID: Final = 10_000

type Rate = Annotated[float, Meta(ge=-0.01, le=0.1)]
type Milliseconds = Annotated[float, Meta(ge=0.0, le=60_000.0)]
type Moment = Annotated[datetime.datetime, Meta(tz=True)]


class Data(Strict, frozen=True, kw_only=True):
    """What is replayed.

    Attributes
    ----------
    catalog
        Folder of the catalog, as `fathom data import --catalog`.
    instruments
        Ids, such as `BTCUSDT-LINEAR.BYBIT`; all of one venue, settled in one currency.
    types
        `book` (changes of the order book), `trades`, `bars`.
    bars
        Bar types of the catalog, without the instrument: `["1-MINUTE-LAST-EXTERNAL"]`. Needed with the type `bars`.
    start, end
        First and last `ts_init`, both included, as TOML date-times with a zone; all data without them.
    depth
        Levels a side of the book that all components read: 50, 200 or 1000, as the venue's feeds have them, or `all`.
        Absent: what the actors ask for (`features.depth`, `watch.surveillance.depth`), else `all`.
    chunk_events
        How many events are read at a time.
    rows
        Where the actors `features` and `detection` take the rows of book and trades from: they read them in the
        `catalog`, or make them of the engine's `objects`, as live. What they publish is the same, at the same times;
        the first takes less time. See `fathom.backtests.setup.replayed_rows`.
    flags
        Whether these actors know the flags of the catalog's trades (RPI, block), as they do live and in feature tables.
    """

    catalog: ConfigPath
    instruments: Annotated[list[str], Meta(min_length=1)]
    types: Annotated[list[Literal["book", "trades", "bars"]], Meta(min_length=1)] = msgspec.field(
        default_factory=lambda: ["book", "trades"]
    )
    bars: list[str] = []
    start: Moment | None = None
    end: Moment | None = None
    depth: Depth | None = None
    chunk_events: Annotated[int, Meta(ge=1_000, le=1_000_000)] = 20_000
    rows: Literal["catalog", "objects"] = "catalog"
    flags: bool = True

    def __post_init__(self) -> None:
        venues = sorted({instrument.rpartition(".")[2] for instrument in self.instruments})
        if len(venues) > 1:
            raise ValueError(f"Expected data.instruments of one venue, was {', '.join(venues)}")
        for what, names in (("instruments", self.instruments), ("types", self.types), ("bars", self.bars)):
            if len(set(names)) < len(names):
                raise ValueError(f"Expected data.{what} without repetition, was {', '.join(names)}")
        if ("bars" in self.types) != bool(self.bars):
            raise ValueError("Expected data.bars together with the type 'bars', and only then")
        if self.start and self.end and self.start >= self.end:
            raise ValueError(f"Expected data.start before data.end, was {self.start} and {self.end}")

    @property
    def has_book(self) -> bool:
        """Whether the order book is replayed; without it, orders meet the last price only."""
        return "book" in self.types


class Fees(Strict, frozen=True, kw_only=True):
    """Commission as a fraction of the notional; negative is a rebate. No default: it decides the result.

    Attributes
    ----------
    maker, taker
        Of an order that waits in the book, and of one that takes from it.
    """

    maker: Rate
    taker: Rate


class Latency(Strict, frozen=True, kw_only=True):
    """Time from a command to its effect at the venue: `base_ms` plus the one of the command.

    The command meets the book as it is then. The time from the venue to us is in the data (`ts_init` of the catalog).

    Attributes
    ----------
    base_ms
        Of every command.
    insert_ms, update_ms, cancel_ms
        More, for a new order, an amendment, a cancel.
    """

    base_ms: Milliseconds = 20.0
    insert_ms: Milliseconds = 0.0
    update_ms: Milliseconds = 0.0
    cancel_ms: Milliseconds = 0.0


class Fill(Strict, frozen=True, kw_only=True):
    """How orders meet the market.

    Attributes
    ----------
    queue_position
        A limit order waits until the size that stood before it has traded or was cancelled.
    liquidity_consumption
        What an order took from the book is gone until the level changes.
    limit_probability
        Chance that a limit order is filled when the market only touches it (1: always, where the queue allows).
    slip_probability
        Chance that a market order slips by one tick, where there is no book.
    """

    queue_position: bool = True
    liquidity_consumption: bool = True
    limit_probability: Annotated[float, Meta(ge=0, le=1)] = 1.0
    slip_probability: Annotated[float, Meta(ge=0, le=1)] = 0.0


class Liquidation(Strict, frozen=True, kw_only=True):
    """Whether the venue closes the positions when the equity falls to `trigger_ratio` * maintenance margin.

    The maintenance margin is notional * margin_maint of the instrument. The engine decides by the quotes of a book that
    somebody holds, so with liquidation each book is kept twice, and the run takes two to three times as long; without a
    book in the data it cannot liquidate. Where it is not enabled, the run still looks at the equity on the grid, and
    says in its notes when a venue would have liquidated it.

    Attributes
    ----------
    enabled
        Whether the venue does so.
    trigger_ratio
        Equity as a multiple of the maintenance margin.
    cancel_open_orders
        Whether it cancels the open orders too.
    """

    enabled: bool = False
    trigger_ratio: Annotated[float, Meta(gt=0)] = 1.0
    cancel_open_orders: bool = True


class Venue(Strict, frozen=True, kw_only=True):
    """The simulated exchange and the account at it (margin account, one-way positions).

    Attributes
    ----------
    starting_balance
        Amount and currency, such as `"100000 USDT"`: the currency in which the instruments settle.
    leverage
        Initial margin is notional * margin_init / leverage.
    orders_per_sec
        How many order commands the venue takes of the account in a second, as Bybit does. The strategies of Fathom keep
        to it: stops, targets, cancels and exits go first, an entry waits, and is dropped at the end of its signal's
        horizon. Of any other strategy, the orders and amendments beyond it are refused.
    stale_book_secs
        Without a change for longer than this, a book counts as stale: fills in it stand in the notes of the run, with
        those in a crossed book. It changes no fill. 10 s suits perpetuals, whose books change several times a second.
    """

    fees: Fees
    starting_balance: str = "100000 USDT"
    leverage: Annotated[float, Meta(ge=1, le=1_000)] = 10.0
    orders_per_sec: Annotated[int, Meta(ge=1, le=1_000)] = ORDERS_PER_SEC
    stale_book_secs: Annotated[float, Meta(gt=0, le=86_400)] = 10.0
    latency: Latency = Latency()
    fill: Fill = Fill()
    liquidation: Liquidation = Liquidation()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9][0-9_]*(\.[0-9]+)? [A-Z0-9]+", self.starting_balance):
            shown = self.starting_balance[:40]
            raise ValueError(f"Expected venue.starting_balance such as '100000 USDT', was '{shown}'")
        amount, currency = self.starting_balance.split()
        if not 0 < Decimal(amount) <= _RICHEST:
            raise ValueError(
                f"Expected venue.starting_balance above 0 and up to {_RICHEST:,} {currency}, was {amount[:40]}"
            )


class FundingRates(Strict, frozen=True, kw_only=True):
    """Where the funding of perpetuals comes from.

    `none`: no funding is paid (the summary says so). `catalog`: the funding rates in the catalog. `constant`: `rate` of
    the position's value every `interval_hours`, at multiples of it in UTC; longs pay when it is positive.

    Attributes
    ----------
    source
        `none`, `catalog` or `constant`.
    rate, interval_hours
        Of `constant`.
    """

    source: Literal["none", "catalog", "constant"] = "none"
    rate: Annotated[float, Meta(ge=-0.05, le=0.05)] = 0.0001
    interval_hours: Literal[1, 2, 4, 8, 24] = 8


class Report(Strict, frozen=True, kw_only=True):
    """What the report samples and compares with.

    Attributes
    ----------
    equity_interval
        Step of `equity.parquet`: `1s`, `5s`, `1m`, `1h`, `1d`, ..., or `auto`: the shortest of those that gives no more
        than 10,000 samples.
    benchmark
        Instrument that is bought and held; equal shares of all instruments where absent.
    """

    equity_interval: str = "auto"
    benchmark: str | None = None

    def __post_init__(self) -> None:
        if self.equity_interval != "auto":
            duration_ns(self.equity_interval)


class Config(Strict, frozen=True, kw_only=True):
    """A backtest, as decoded from TOML; `load` makes it.

    Attributes
    ----------
    name
        Of the folder of a run.
    seed
        Of everything that is random.
    data, venue, funding, report, risk, actors, strategies
        See the structs of these sections.
    bars_delay_ms
        How long after its end an internal bar closes: a trade of its last instant may still be on the way to a live
        node, which waits as long.
    ledger
        Whether the run counts in the ledger of trials of its data (`fathom.data_catalog.trials`).

    Examples
    --------
    >>> layers = Layers()
    >>> layers.add({"name": "x", "data": {"catalog": "c", "instruments": ["A.B"]}, "venue": {"fees": {}}}, "x.toml")
    >>> decode(Config, layers.settings, layers)
    Traceback (most recent call last):
    ...
    fathom.settings.errors.SettingsError: x.toml: venue.fees.maker: Expected a value, was absent.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]
    data: Data
    venue: Venue
    seed: Annotated[int, Meta(ge=0, le=MOST_SEED)] = 1
    bars_delay_ms: Annotated[float, Meta(ge=0, le=1_000)] = BARS_DELAY_MS
    actors: list[ActorSpec] = []
    strategies: list[StrategySpec] = []
    funding: FundingRates = FundingRates()
    report: Report = Report()
    risk: RiskConfig | None = None
    ledger: bool = True

    def __post_init__(self) -> None:
        if self.venue.liquidation.enabled and not self.data.has_book:
            raise ValueError("Expected venue.liquidation.enabled = false without the type 'book' in data.types")


class Resolved(NamedTuple):
    """A validated configuration, ready to run.

    Attributes
    ----------
    config
        The configuration.
    actors, strategies
        Its actors and strategies, with decoded parameters; actors know the replayed catalog.
    depth
        Levels a side of the book that all components read; None for all.
    text
        TOML with every default spelled out; reading it gives the same configuration. Passwords of URLs are in it: they
        are left out where it is written (`write_whole`).
    system
        Hash of what trades, the same on a live node that runs this system.
    code
        Hash of the user's own modules that it names; "" where there are none.
    """

    config: Config
    actors: list[Actor]
    strategies: list[Strategy]
    depth: int | None
    text: str
    system: str
    code: str = ""

    @property
    def shown(self) -> dict[str, list[Any]]:
        """Its actors and strategies as a file would say them, defaults included."""
        return {"actors": [each.shown for each in self.actors], "strategies": [each.shown for each in self.strategies]}

    @property
    def digest(self) -> str:
        """First digits of the SHA-256 of text and code: one for each different configuration."""
        return digest(redacted(self.text) + self.code)


def load(files: Iterable[Path | str | Mapping[str, Any]], assignments: Iterable[str] = ()) -> Resolved:
    """Return the configuration of TOML files or dicts, later over earlier, then of `KEY=VALUE` assignments.

    Raises
    ------
    SettingsError
        Naming the file (or the assignment), the path in it, what was expected and the nearest valid name.
    """
    return resolve(Layers.read(files, assignments))


def resolve(layers: Layers) -> Resolved:
    """Return the configuration of merged settings; see `load`."""
    config = decode(Config, layers.settings, layers)
    data, problem_of = config.data, partial(replayed_rows.check, catalog=config.data.catalog, types=config.data.types)
    parts = components_of(config.actors, config.strategies, data.instruments, data.depth, layers, problem_of)
    actors, strategies, depth = parts
    check_instrument(config.report.benchmark, data.instruments, layers, ("report", "benchmark"))
    plain = msgspec.to_builtins(config, builtin_types=(datetime.datetime,))
    if depth in (None, 50, 200, 1_000):
        plain["data"]["depth"] = depth or "all"
    order = ("name", "seed", "bars_delay_ms", "data", "venue", "funding", "report", "risk", "actors", "strategies")
    plain = {key: plain[key] for key in (*order, *["ledger"] * (not config.ledger))}
    for written, actor in zip(plain["actors"], actors, strict=True):
        written["parameters"] = msgspec.to_builtins(actor.parameters)
    for written, strategy in zip(plain["strategies"], strategies, strict=True):
        written["instruments"] = strategy.instruments
        written["parameters"] = msgspec.to_builtins(strategy.parameters)
    catalog, types = config.data.catalog, config.data.types  # not in the text of the actors: there, data says it
    if config.data.flags:
        actors = [a._replace(parameters=replayed_rows.flagged(a.parameters, catalog, types)) for a in actors]
    if config.data.rows == "catalog":
        actors = [a._replace(parameters=replayed_rows.completed(a.parameters, catalog, types)) for a in actors]
    text = dump_toml(plain)
    run = f"backtest-{config.name}-{digest(redacted(text))}"
    actors = [a._replace(parameters=replayed_rows.named(a.parameters, run)) for a in actors]
    system = parts.digest(config.seed, config.bars_delay_ms, config.risk, data.instruments)
    return Resolved(config, actors, strategies, depth, text, system, code_of(text).digest)


def fitting_interval(span_ns: int) -> str:
    """Return the shortest usual interval that cuts a span into no more than 10,000 steps.

    Examples
    --------
    >>> [fitting_interval(days * 86_400 * 10**9) for days in (0, 1, 31, 365)]
    ['1s', '10s', '5m', '1h']
    """
    usual = ("1s", "5s", "10s", "30s", "1m", "5m", "15m", "1h", "4h", "1d")
    return next((text for text in usual if span_ns <= _LONGEST_GRID * duration_ns(text)), usual[-1])
