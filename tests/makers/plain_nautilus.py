"""A strategy and an actor as NautilusTrader's own documentation writes them: they know nothing of Fathom."""

from decimal import Decimal
from typing import Any

from nautilus_trader.common import DataActor, DataActorConfig
from nautilus_trader.model import BarType, InstrumentId, OrderSide
from nautilus_trader.trading import Strategy, StrategyConfig


class TurnConfig(StrategyConfig):
    def __init__(
        self, instrument_id: InstrumentId, bar_type: BarType, trade_size: Decimal, every: int = 4, **kwargs: Any
    ) -> None:
        super().__init__()
        self.instrument_id = instrument_id
        self.bar_type = bar_type
        self.trade_size = trade_size
        self.every = every


class Turn(Strategy):
    """Buys and sells by turns, each time after some bars."""

    def __new__(cls, config: TurnConfig) -> "Turn":
        return super().__new__(cls, config)  # type: ignore[call-arg]

    def __init__(self, config: TurnConfig) -> None:
        super().__init__()
        self.settings = config
        self.bars = 0

    def on_start(self) -> None:
        self.subscribe_bars(self.settings.bar_type)

    def on_bar(self, bar: Any) -> None:
        self.bars += 1
        if self.bars % self.settings.every:
            return
        side = OrderSide.BUY if self.bars // self.settings.every % 2 else OrderSide.SELL
        instrument = self.cache.instrument(self.settings.instrument_id)
        assert instrument is not None
        quantity = instrument.make_qty(float(self.settings.trade_size))
        self.submit_order(self.order_factory.market(self.settings.instrument_id, side, quantity))


class CountConfig(DataActorConfig):
    def __init__(self, instrument_id: InstrumentId, **kwargs: Any) -> None:
        super().__init__()
        self.instrument_id = instrument_id


class Count(DataActor):
    """Counts trades."""

    seen = 0

    def __new__(cls, config: CountConfig) -> "Count":
        return super().__new__(cls, config)  # type: ignore[call-arg]

    def __init__(self, config: CountConfig) -> None:
        super().__init__()
        self.settings = config

    def on_start(self) -> None:
        self.subscribe_trades(self.settings.instrument_id)

    def on_trade(self, trade: Any) -> None:
        type(self).seen += 1
