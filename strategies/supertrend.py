"""SuperTrend as an engine strategy, and the example of how to write one.

A strategy of Fathom has three parts, and this file shows how they meet:

1. **The policy** (`strategies.policy.supertrend`) is pure: closed bars in, `Signal` out. It knows no engine, so that it
   can be tested bar by bar, swept over arrays, and run live unchanged. Every `if` about the market belongs there.
2. **The configuration** (`SuperTrendConfig`) is a frozen msgspec struct. Its fields are what a TOML file may set under
   `[strategies.parameters]`; a wrong name or type is an error that names the file and the path.
3. **The engine strategy** (`SuperTrend`) is thin: it subscribes, converts what arrives to plain numbers, asks the
   policy, and hands the answer to `decide`. Orders are the business of `strategies.brackets`.

To add one of your own: write its policy with a test, copy this file, and name it in `strategies.system.STRATEGIES` (or
write `name = "my.module:MyStrategy,my.module:MyConfig"` in the configuration). `fathom backtest run` and `fathom live`
then both know it.
"""

from typing import Annotated

from msgspec import Meta
from nautilus_trader.model import Bar, BarType, BookType

from strategies.brackets import BracketConfig, BracketStrategy
from strategies.numbers import nearest
from strategies.policy.supertrend import SuperTrendPolicy


class SuperTrendConfig(BracketConfig, frozen=True, kw_only=True):
    """Parameters of `SuperTrend`, beside those of `BracketConfig`.

    Attributes
    ----------
    bars
        Bar type without the instrument: internal bars of trades (`5-SECOND-LAST-INTERNAL`), of the book's mid
        (`1-MINUTE-MID-INTERNAL`), or bars of the data (`1-MINUTE-LAST-EXTERNAL`).
    atr_period, multiplier, volume_window, volume_ratio, stop_atr, target_atr
        See `SuperTrendPolicy`. Bars of the mid have no volume: there, `volume_window` must be 0.

    Examples
    --------
    >>> SuperTrendConfig(bars="1-MINUTE-MID-INTERNAL", volume_window=0).atr_period
    10
    """

    bars: str = "1-MINUTE-LAST-INTERNAL"
    atr_period: Annotated[int, Meta(ge=2)] = 10
    multiplier: Annotated[float, Meta(gt=0)] = 3.0
    volume_window: Annotated[int, Meta(ge=0)] = 20
    volume_ratio: Annotated[float, Meta(ge=0)] = 1.0
    stop_atr: Annotated[float, Meta(gt=0)] = 2.0
    target_atr: Annotated[float, Meta(gt=0)] = 4.0

    def __post_init__(self) -> None:
        try:
            bar_type = BarType.from_str(f"A.B-{self.bars}")
        except ValueError as error:
            raise ValueError(f"Expected bars such as '5-SECOND-LAST-INTERNAL', was '{self.bars}'") from error
        if self.volume_window and _of_quotes(bar_type):
            raise ValueError(f"Expected volume_window = 0 with bars of quotes ('{self.bars}'), which have no volume")


class SuperTrend(BracketStrategy):
    """Trade the SuperTrend flips of one instrument with brackets.

    Parameters
    ----------
    config, instrument_id, strategy_id
        See `BracketStrategy`.

    Examples
    --------
    >>> SuperTrend(SuperTrendConfig(), "BTCUSDT-LINEAR.BYBIT", "SuperTrend-BTCUSDT").policy.trend
    0
    """

    def __init__(self, config: SuperTrendConfig, instrument_id: str, strategy_id: str) -> None:
        super().__init__(config, instrument_id, strategy_id)
        self.bar_type = BarType.from_str(f"{instrument_id}-{config.bars}")
        self.policy = SuperTrendPolicy(
            instrument_id,
            atr_period=config.atr_period,
            multiplier=config.multiplier,
            volume_window=config.volume_window,
            volume_ratio=config.volume_ratio,
            stop_atr=config.stop_atr,
            target_atr=config.target_atr,
        )

    def on_start(self) -> None:
        super().on_start()
        if _of_quotes(self.bar_type):  # the engine makes quotes only from a book that somebody holds
            self.subscribe_book_deltas(self.instrument_id, BookType.L2_MBP, managed=True)
        self.subscribe_bars(self.bar_type)

    def on_bar(self, bar: Bar) -> None:
        high, low, close, volume = (nearest(value) for value in (bar.high, bar.low, bar.close, bar.volume))
        signal = self.policy.update(high, low, close, volume, ts_init=bar.ts_init)
        self.decide(close, signal)


def _of_quotes(bar_type: BarType) -> bool:
    return bar_type.is_internally_aggregated() and str(bar_type).split("-")[-2] in ("MID", "BID", "ASK")
