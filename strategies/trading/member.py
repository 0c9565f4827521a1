"""A policy with what feeds it: its bars, the flow of the book, and the detectors' view, its own or from the bus."""

from typing import Any, Final, Literal, get_args

import numpy as np
from nautilus_trader.model import Bar, BarType

from fathom.data_catalog.messages.detections import RegimeChange, WaveName, WaveUpdate
from fathom.data_catalog.messages.features import FeatureVector
from fathom.data_catalog.messages.signals import Signal
from fathom.detectors import Bar as PlainBar
from fathom.detectors import ElliottWave, ElliottWaveConfig, FlatMarket, FlatMarketConfig
from fathom.market.saved_arrays import SavedArray, pack_all, unpack_all
from fathom.ml.features import FeatureConfig, FeatureError, FeatureSet
from fathom.strategies.policy.order_flow import OrderFlow
from fathom.strategies.policy.policy import MarketBar, Policy
from fathom.strategies.trading.engine_numbers import nearest

type Parts = dict[str, dict[str, SavedArray]]
type FlowFrom = Literal["quotes", "features", "none"]
type DetectorsFrom = Literal["own", "bus", "none"]

FLOW_FEATURE: Final = "ofi_1s"
"""The feature that is summed over a bar where the flow comes from vectors; it looks back one second."""
_GRID_MS: Final = 1_000
_WAVES: Final = ("", "1", "2", "3", "4", "5", "A", "B", "C")  # in the order of `detectors.Wave`
assert set(_WAVES) == set(get_args(WaveName.__value__))


class Member:
    """One policy of a strategy, fed from the engine's bars and the bus.

    Parameters
    ----------
    policy
        Whom it feeds.
    bar_type
        Its bars, with the instrument.
    flow
        Where the order flow comes from: `quotes`, `features` (vectors on the bus), or `none`.
    features
        The feature set of the actor that publishes them, with `features`.
    detectors
        Where flatness and waves come from: `own` (on these bars), `bus` (`RegimeChange`, `WaveUpdate`), or `none`.
    flat, wave
        Settings of the own detectors.
    trails
        Whether the policy's trailing stop moves the stop of the position.

    Examples
    --------
    >>> from fathom.strategies.policy.supertrend import SuperTrendPolicy
    >>> Member(SuperTrendPolicy("A-B.C"), BarType.from_str("A-B.C-1-MINUTE-LAST-INTERNAL")).name
    'supertrend'
    """

    def __init__(
        self,
        policy: Policy,
        bar_type: BarType,
        *,
        flow: FlowFrom = "none",
        features: FeatureConfig | None = None,
        detectors: DetectorsFrom = "none",
        flat: FlatMarketConfig | None = None,
        wave: ElliottWaveConfig | None = None,
        trails: bool = False,
    ) -> None:
        self.policy = policy
        self.name = policy.source
        self.bar_type = bar_type
        self.flow_from = flow
        self.detectors_from = detectors
        self.trails = trails
        self._bars = self._signals = 0
        self._features = features or FeatureConfig()
        self._flow = OrderFlow()
        self._summed = np.full(1, np.nan)
        self._column = -1
        self._hash = ""
        self._flat = FlatMarket(flat) if detectors == "own" else None
        self._wave = ElliottWave(wave) if detectors == "own" else None

    @property
    def needs_book(self) -> bool:
        """Whether the engine must hold the book: it makes quotes, and bars of quotes, of a book only."""
        return self.flow_from == "quotes" or of_quotes(self.bar_type)

    def open(self, instrument: Any) -> None:
        """Find the place of the flow in the vectors of the instrument."""
        if self.flow_from == "features":
            features = FeatureSet(
                self._features,
                price_increment=nearest(instrument.price_increment),
                size_increment=nearest(instrument.size_increment),
            )
            self._column = features.schema.index(FLOW_FEATURE)
            self._hash = features.schema.hash

    def takes(self, bar: Bar) -> bool:
        """Tell whether a bar is of its type."""
        return bool(bar.bar_type.standard() == self.bar_type.standard())

    def take_quote(self, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        """Take a quote into the flow of the bar."""
        if self.flow_from == "quotes":
            self._flow.update(bid, bid_size, ask, ask_size)

    def take_vector(self, vector: FeatureVector) -> None:
        """Take a vector of features into the flow of the bar.

        Raises
        ------
        FeatureError
            The vector is of another feature set.
        """
        if vector.schema_hash != self._hash:
            raise FeatureError(
                f"Expected vectors of the features that {self.name} is configured with, was another schema. "
                "Give its `features` the settings of the features actor."
            )
        value = float(vector.values[self._column])
        if not np.isnan(value):
            self._summed[0] = value if np.isnan(self._summed[0]) else self._summed[0] + value

    def decide(self, bar: Bar, regime: RegimeChange | None, wave: WaveUpdate | None) -> Signal | None:
        """Take a closed bar and return what the policy says."""
        self._bars += 1
        signal = self.policy.decide(self._market_bar(bar, regime, wave))
        self._signals += signal is not None
        return signal

    def notes(self, strategy_id: str) -> list[str]:
        """Return what a reader must know where the policy had no data, or made no signal of them."""
        if not self._bars:
            return [f"{strategy_id} ({self.name}) received no bar: it subscribed to {self.bar_type}."]
        if not self._signals:
            return [f"{strategy_id} ({self.name}) made no signal in {self._bars:,} bars of {self.bar_type}."]
        return []

    def save(self) -> Parts:
        """Return all state, for `load`."""
        parts = {"policy": self.policy.snapshot(), "flow": self._flow.snapshot(), "sum": {"state": self._summed}}
        if self._flat is not None and self._wave is not None:
            parts |= {"flat": self._flat.snapshot(), "wave": self._wave.snapshot()}
        return {part: pack_all(arrays) for part, arrays in parts.items()}

    def load(self, parts: Parts) -> None:
        """Continue from what `save` returned.

        Raises
        ------
        KeyError, ValueError
            It is of a member with other settings; nothing is loaded then.
        """
        before = self.save()
        try:
            self._restore(parts)
        except (KeyError, ValueError):
            self._restore(before)
            raise

    def _restore(self, saved: Parts) -> None:
        parts = {part: unpack_all(arrays) for part, arrays in saved.items()}
        self.policy.restore(parts["policy"])
        self._flow.restore(parts["flow"])
        self._summed[:] = parts["sum"]["state"]
        if self._flat is not None and self._wave is not None:
            self._flat.restore(parts["flat"])
            self._wave.restore(parts["wave"])

    def _market_bar(self, bar: Bar, regime: RegimeChange | None, wave: WaveUpdate | None) -> MarketBar:
        prices = (nearest(bar.high), nearest(bar.low), nearest(bar.close))
        plain = MarketBar(*prices, nearest(bar.volume), bar.ts_init, flow=self._take_flow())
        if self._flat is not None and self._wave is not None:
            row = PlainBar(*prices, plain.volume)
            count = self._wave.update(row)
            return plain._replace(
                flat_strength=self._flat.update(row).strength,
                wave=int(count.wave),
                wave_direction=count.direction,
                wave_confidence=count.confidence,
            )
        if self.detectors_from == "bus" and regime is not None:
            # A regime is told when it changes, not with each bar: a flat market counts as entirely flat.
            plain = plain._replace(flat_strength=1.0 if regime.is_flat else regime.flat_strength)
        if self.detectors_from == "bus" and wave is not None:
            number = _WAVES.index(wave.wave)
            plain = plain._replace(wave=number, wave_direction=wave.direction, wave_confidence=wave.confidence)
        return plain

    def _take_flow(self) -> float:
        if self.flow_from == "quotes":
            return self._flow.take()
        flow = float(self._summed[0])
        self._summed[0] = np.nan
        return flow


def check_flow_features(features: FeatureConfig) -> None:
    """Raise ValueError unless vectors of these features hold the flow of each second once."""
    if features.grid_ms != _GRID_MS or "orderbook" not in features.groups:
        raise ValueError(f"Expected features with the group orderbook and grid_ms = {_GRID_MS}, was {features.grid_ms}")
    named = features.features
    if isinstance(named, tuple) and FLOW_FEATURE not in named:
        raise ValueError(f"Expected {FLOW_FEATURE} among the features, was absent")


def of_quotes(bar_type: BarType) -> bool:
    """Tell whether the engine makes the bars of quotes: they have no volume.

    Examples
    --------
    >>> [of_quotes(BarType.from_str(f"A-B.C-1-MINUTE-{price}-INTERNAL")) for price in ("MID", "LAST")]
    [True, False]
    """
    return bar_type.is_internally_aggregated() and str(bar_type.standard()).split("-")[-2] in ("MID", "BID", "ASK")
