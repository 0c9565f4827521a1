"""From a policy's signal to a bracket: validated by the model, filtered by the detectors, journalled with its reason.

`SignalStrategy` is what every strategy of Fathom derives from. A strategy asks its policy through `ask`, and hands the
answer to `propose`:

    signal = self.ask(self.policy.update, high, low, close, volume, ts_init=bar.ts_init)
    self.propose(close, signal)

An exception of a policy is caught in `ask`, counted and journalled; after `max_errors` of them the strategy halts.
"""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from data_catalog.messages import Signal
from strategies.brackets import BracketConfig, BracketStrategy


class SignalStrategyConfig(BracketConfig, frozen=True, kw_only=True):
    """Parameters that all strategies share, beside those of `BracketConfig`.

    Attributes
    ----------
    validator
        Whether each signal waits for the answer of the `validation` actor.
    max_errors
        After so many exceptions of its policy the strategy takes no more signals.

    Examples
    --------
    >>> SignalStrategyConfig().validator
    False
    """

    validator: bool = False
    max_errors: Annotated[int, Meta(ge=1)] = 5


class SignalStrategy(BracketStrategy):
    """A strategy in one instrument whose signals are looked at before they become orders.

    Parameters
    ----------
    config, instrument_id, strategy_id
        See `BracketStrategy`.

    Attributes
    ----------
    levels, regime, wave
        Latest `LevelUpdate`, `RegimeChange` and `WaveUpdate` of the instrument; None until one came.
    alerts
        The `ManipulationAlert`s of the instrument that may still matter, oldest first.
    errors
        Exceptions of the policy so far.

    Examples
    --------
    >>> strategy = SignalStrategy(SignalStrategyConfig(), "BTCUSDT-LINEAR.BYBIT", "Mine-BTCUSDT")
    >>> strategy.levels, strategy.alerts
    (None, [])
    """

    def __init__(self, config: SignalStrategyConfig, instrument_id: str, strategy_id: str) -> None:
        super().__init__(config, instrument_id, strategy_id)
        self.settings = config
        self.levels: Any = None
        self.regime: Any = None
        self.wave: Any = None
        self.alerts: list[Any] = []
        self.errors = 0
        self._count = 0

    def on_start(self) -> None:
        super().on_start()
        name = str(self.instrument_id)
        self.subscribe_topic(f"levels.{name}", self.on_levels)
        self.subscribe_topic(f"regimes.{name}", self.on_regime)
        self.subscribe_topic(f"waves.{name}", self.on_wave)
        self.subscribe_topic(f"alerts.{name}", self.on_alert)

    def ask[**P, T](self, policy: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Call a policy; return what it says, None where it fails or the strategy has halted itself."""
        if self.errors >= self.settings.max_errors:
            return None
        try:
            return policy(*args, **kwargs)
        except Exception as error:
            self.errors += 1
            self.log.warning(f"Exception {self.errors} of {self.settings.max_errors} in the policy: {error!r}")
            return None

    def propose(self, price: float, signal: Signal | None) -> None:
        """Take the policy's answer at a price: a signal is looked at, and traded if nothing speaks against it.

        None is the answer of a policy without an opinion: it counts as a decision of `entry_decisions`.
        """
        if signal is not None:
            self._count += 1
            signal = msgspec.structs.replace(signal, signal_id=f"{self.strategy_id}-{self._count}")
        self.decide(price, signal)

    def on_levels(self, update: Any) -> None:
        self.levels = update

    def on_regime(self, change: Any) -> None:
        self.regime = change

    def on_wave(self, update: Any) -> None:
        self.wave = update

    def on_alert(self, alert: Any) -> None:
        self.alerts.append(alert)
