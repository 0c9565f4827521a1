"""SuperTrend as an engine strategy, and the example of how to write one.

A strategy of Fathom has three parts, and this file shows how they meet:

1. **The policy** (`strategies.policy.supertrend`) is pure: closed bars in, `Signal` out. It knows no engine, so that it
   can be tested bar by bar, swept over arrays, and run live unchanged. Every `if` about the market belongs there.
2. **The configuration** (`SuperTrendConfig`) is a frozen msgspec struct. Its fields are what a TOML file may set under
   `[strategies.parameters]`; a wrong name or type is an error that names the file and the path. The parameters of the
   policy are written once, beside it; `with_parameters` takes them over. `member` builds the policy, and says what
   feeds it (`fathom.strategies.trading.member`).
3. **The engine strategy** (`SuperTrend`) is thin: `strategies.trading.policy_strategy` subscribes, converts what
   arrives to plain numbers and asks the policy. The answer goes to the strategy's parts: `desk` has it validated and
   filtered, `bracket` makes orders of it, `risk` approves them. It saves and loads the policy's state.

To write one of your own: `fathom new strategy NAME` writes a file and its test. Name it in the configuration by
`name = "my_module:MyStrategy"`, or add a line to `strategies.registry.STRATEGIES`.
"""

from fathom.strategies.policy.supertrend import SuperTrendParameters, SuperTrendPolicy
from fathom.strategies.trading.member import Member
from fathom.strategies.trading.policy_strategy import PolicyStrategy, with_parameters


class SuperTrendConfig(with_parameters(SuperTrendParameters), kw_only=True):  # type: ignore[misc, call-arg]
    """Parameters of `SuperTrend`: those of `PolicyStrategyConfig` and of `SuperTrendParameters`, and its own.

    Bars of the mid have no volume: there, `volume_window` must be 0.

    Attributes
    ----------
    trail
        Whether the band behind the price moves the stop of the position.

    Examples
    --------
    >>> SuperTrendConfig(bars="1-MINUTE-MID-INTERNAL", volume_window=0).atr_period
    10
    """

    trail: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.policy.volume_window and self.without_volume:
            raise ValueError(f"Expected volume_window = 0 with bars of quotes ('{self.bars}'), which have no volume")

    def member(self, instrument_id: str) -> Member:
        policy = SuperTrendPolicy(instrument_id, self.policy)
        return Member(policy, self.bar_type(instrument_id), trails=self.trail)


class SuperTrend(PolicyStrategy):
    """Trade the SuperTrend flips of one instrument with brackets.

    Parameters
    ----------
    config, instrument_id, strategy_id
        See `PolicyStrategy`.

    Examples
    --------
    >>> SuperTrend(SuperTrendConfig(), "BTCUSDT-LINEAR.BYBIT", "SuperTrend-BTCUSDT").policy.trend
    0
    """
