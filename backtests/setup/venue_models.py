"""The simulated venue: fees, latency, fills, liquidation and account, as the engine takes them."""

from decimal import Decimal
from typing import Any

from nautilus_trader.backtest import BacktestVenueConfig
from nautilus_trader.execution import DefaultFillModel, MakerTakerFeeModel, StaticLatencyModel
from nautilus_trader.model import BookType, OmsType

from fathom.backtests.setup.config import Config, Fees, Latency

_MS = 1_000_000


def venue_config(config: Config) -> BacktestVenueConfig:
    """Return the engine's venue for a configuration.

    With a book in the data, orders walk it level by level; without, they meet the last price (of the trades or bars).
    Bars execute orders only where there is neither book nor trades.

    Examples
    --------
    >>> from fathom.backtests.setup.config import Data, Fees, Venue
    >>> data = Data(catalog="c", instruments=["BTCUSDT-LINEAR.BYBIT"])
    >>> venue = venue_config(Config(name="x", data=data, venue=Venue(fees=Fees(maker=0.0002, taker=0.00055))))
    >>> venue.name, venue.book_type, venue.starting_balances
    ('BYBIT', BookType.L2_MBP, ['100000 USDT'])
    """
    venue, data = config.venue, config.data
    liquidation = venue.liquidation
    return BacktestVenueConfig(
        name=data.instruments[0].rpartition(".")[2],
        oms_type=OmsType.NETTING,
        account_type="MARGIN",
        starting_balances=[venue.starting_balance],
        book_type=BookType.L2_MBP if data.has_book else BookType.L1_MBP,
        bar_execution=data.types == ["bars"],
        trade_execution=True,
        reject_stop_orders=True,
        support_contingent_orders=False,  # the venue knows none
        use_reduce_only=True,
        use_random_ids=False,
        queue_position=venue.fill.queue_position and "trades" in data.types,
        liquidity_consumption=venue.fill.liquidity_consumption,
        default_leverage=Decimal(repr(venue.leverage)),
        fill_model=DefaultFillModel(venue.fill.limit_probability, venue.fill.slip_probability, config.seed),
        fee_model=fee_model(venue.fees),
        latency_model=latency_model(venue.latency),
        liquidation_enabled=liquidation.enabled,
        liquidation_trigger_ratio=liquidation.trigger_ratio * venue.leverage,  # the engine's margin is divided by it
        liquidation_cancel_open_orders=liquidation.cancel_open_orders,
    )


def fee_model(fees: Fees) -> MakerTakerFeeModel:
    """Return the engine's fee model with exactly the decimals of the configuration."""
    return MakerTakerFeeModel(Decimal(repr(fees.maker)), Decimal(repr(fees.taker)))


def latency_model(latency: Latency) -> StaticLatencyModel | None:
    """Return the engine's latency model; None where every command takes effect at once."""
    spans = [latency.base_ms, latency.insert_ms, latency.update_ms, latency.cancel_ms]
    nanos = [round(span * _MS) for span in spans]
    return StaticLatencyModel(*nanos) if any(nanos) else None


def money(text: str) -> tuple[float, str]:
    """Return amount and currency of a text such as `100000 USDT`."""
    amount, _, currency = text.replace("_", "").partition(" ")
    return float(amount), currency


def check_instrument(instrument: Any, currency: str) -> str:
    """Return why the ledger cannot account for an instrument, or "" where it can."""
    if getattr(instrument, "is_inverse", False) or getattr(instrument, "is_quanto", False):
        return "Expected a linear instrument, was an inverse or quanto one: its PnL is not in quote currency."
    settled = str(getattr(instrument, "settlement_currency", instrument.quote_currency))
    if settled != currency:
        return f"Expected a venue.starting_balance in {settled}, in which it settles, was {currency}."
    return ""
