"""Every custom data class: what Fathom stores in the catalog or sends over the bus beside the engine's own types."""

# No `from __future__ import annotations` here: the engine reads the annotations as types.
from nautilus_trader.model import InstrumentId, register_custom_data_class
from nautilus_trader.model.custom import customdataclass


@customdataclass
class TradeFlags:
    """What a venue says of a trade and the engine's `TradeTick` cannot carry; stored only for trades with a flag.

    Parameters
    ----------
    instrument_id : InstrumentId
    trade_id : str
        The trade that has the flags; ts_event and ts_init equal the trade's.
    flags : int
        `fathom.market.events.TradeFlag` bits: 1 = filled against a retail-price-improvement order, 2 = block trade.

    Examples
    --------
    >>> flags = TradeFlags(1, 2, instrument_id=InstrumentId.from_str("BTCUSDT-LINEAR.BYBIT"), trade_id="a", flags=1)
    >>> flags.ts_init, flags.flags
    (2, 1)
    """

    instrument_id: InstrumentId
    trade_id: str
    flags: int


register_custom_data_class(TradeFlags)
