"""The figures of a run: the content of `summary.json`, and its meaning."""

import msgspec

from fathom.backtests.setup.in_sample import InSample


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Time covered: ISO 8601 texts in UTC, and seconds."""

    start: str
    end: str
    seconds: float


class Pnl(msgspec.Struct, frozen=True, kw_only=True):
    """Profit and loss: `price + fees + funding + slippage = net`, `gross = price + slippage`.

    Each is a contribution: fees paid are negative. `price` is what the trades would have made at their reference
    prices (`RunFiles`), `slippage` what the difference to the executed prices cost.
    """

    net: float
    gross: float
    price: float
    fees: float
    funding: float
    slippage: float


class Risk(msgspec.Struct, frozen=True, kw_only=True):
    """Risk of the equity sampled every `period`; annualised with 365 days.

    Attributes
    ----------
    period, periods
        The sampling step of the returns (`1s`, `1m`, `1h`, `1d`) and how many there are.
    volatility_annual
        Standard deviation (n - 1) of the simple returns, times sqrt(periods a year).
    sharpe, sortino
        Mean over standard deviation (or over the root mean square of the negative returns), times sqrt(periods a year);
        risk-free rate 0.
    max_drawdown, max_drawdown_money
        Largest fall from a running maximum, as a fraction (0 or negative) and in money. Every mark of every position
        counts, not the grid alone.
    longest_drawdown_secs
        Longest time below a running maximum.
    """

    period: str
    periods: int
    volatility_annual: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown: float
    max_drawdown_money: float
    longest_drawdown_secs: float


class Trades(msgspec.Struct, frozen=True, kw_only=True):
    """Closed round trips (flat to flat), net of fees; null where no trade defines the figure."""

    closed: int
    open: int
    long: int
    short: int
    wins: int
    losses: int
    win_rate: float | None
    profit_factor: float | None
    expectancy: float | None
    mean_win: float | None
    mean_loss: float | None
    largest_win: float | None
    largest_loss: float | None
    holding_secs_mean: float | None
    holding_secs_median: float | None
    holding_secs_min: float | None
    holding_secs_max: float | None


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """How many orders were sent and what became of them."""

    count: int
    by_status: dict[str, int]
    by_type: dict[str, int]
    by_role: dict[str, int]


class Fills(msgspec.Struct, frozen=True, kw_only=True):
    """How many fills, and on which terms; shares and means are weighted with notional."""

    count: int
    turnover: float
    maker_share: float | None
    taker_share: float | None
    slippage_bps: float | None
    arrival_slippage_bps: float | None
    fee_bps: float | None


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """Exposure on the grid, leverage being gross / equity; `time_in_market` is the share of time with a position."""

    time_in_market: float
    gross_mean: float
    gross_max: float
    net_mean: float
    leverage_mean: float | None
    leverage_max: float | None


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """Buy and hold of one instrument, or of several in equal shares, from the first mark to the last, without costs."""

    instruments: list[str]
    total_return: float | None
    max_drawdown: float | None
    sharpe: float | None


class Funding(msgspec.Struct, frozen=True, kw_only=True):
    """Where funding rates came from (`none`, `catalog` or `constant`), and how many payments were settled."""

    source: str
    payments: int


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """Check of the engine's account against plain arithmetic over the fills, at every sample of the grid."""

    samples: int
    largest_difference: float


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """The share of one instrument."""

    pnl: Pnl
    fills: int
    trades: int
    turnover: float
    first_mark: float | None
    last_mark: float | None


class ResultInterval(msgspec.Struct, frozen=True, kw_only=True):
    """The interval of a result at a level; without bounds, `note` says why there is none."""

    level: float
    low: float | None
    high: float | None
    note: str


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in `summary.json`; the same config and data give the same bytes.

    Attributes
    ----------
    name, config_hash, seed
        The config's name, the first digits of its SHA-256, its seed.
    currency
        Currency of every amount of money.
    span, data_span
        The time configured (that of the data, where `data.start` or `data.end` is absent), and the time of the data in
        it, which is what was simulated.
    starting_equity, final_equity, total_return
        `total_return` = final / starting - 1.
    annual_return
        Compound, 365 days; null for spans under 360 days, where it would be noise.
    net_interval, trade_interval
        Of the net result, and of the mean result of a closed round trip.
    equity_interval
        Step of the grid of `equity.parquet` and `prices.parquet`, such as `1s`.
    events
        Data fed to the engine: `book_deltas`, `trades`, `bars`, `funding`, and `total`.
    in_sample
        Where the run trades on data that its model has learnt from, or that chose it; empty where it does not.
    notes
        What the reader must know, in sentences (approximations, missing funding, a position left open, ...).
    undefined
        For figures that are null: path -> reason, such as `risk.sharpe` -> `fewer than 3 periods`.
    """

    name: str
    config_hash: str
    seed: int
    currency: str
    instruments: dict[str, Instrument]
    strategies: list[str]
    span: Span
    data_span: Span
    starting_equity: float
    final_equity: float
    total_return: float
    annual_return: float | None
    equity_interval: str
    pnl: Pnl
    net_interval: ResultInterval
    trade_interval: ResultInterval
    risk: Risk
    trades: Trades
    orders: Orders
    fills: Fills
    exposure: Exposure
    benchmark: Benchmark
    funding: Funding
    ledger: Ledger
    events: dict[str, int]
    in_sample: list[InSample]
    notes: list[str]
    undefined: dict[str, str]
