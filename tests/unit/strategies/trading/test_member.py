"""What feeds a policy: engine bars, quotes, vectors, detectors; and that a restart between two bars changes nothing."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from nautilus_trader.model import Bar, BarType, Price, Quantity

from fathom.data_catalog.instruments import default_instruments
from fathom.data_catalog.messages.detections import RegimeChange, WaveUpdate
from fathom.data_catalog.messages.features import FeatureVector
from fathom.detectors import Bar as PlainBar
from fathom.detectors import ElliottWave, ElliottWaveConfig, FlatMarket, FlatMarketConfig
from fathom.ml.features import FeatureConfig, FeatureError, FeatureSet
from fathom.strategies.momentum import MomentumConfig
from fathom.strategies.policy.policy import MarketBar, Policy
from fathom.strategies.sar_wave import SarWaveConfig
from fathom.strategies.supertrend import SuperTrendConfig
from fathom.strategies.trading.member import Member
from fathom.strategies.trading.policy_strategy import PolicyStrategyConfig
from fathom.strategies.volume_profile import VolumeProfileConfig
from tests.makers.market_bars import rows

BTC = "BTCUSDT-LINEAR.BYBIT"
TYPE = "1-MINUTE-LAST-INTERNAL"
CONFIGS: tuple[PolicyStrategyConfig, ...] = (
    MomentumConfig(lookback=5, window=20, min_score=0.3),
    SarWaveConfig(
        flat=FlatMarketConfig(window=10), wave=ElliottWaveConfig(reversal=1.5), min_wave_confidence=0.05, max_flat=0.9
    ),
    SuperTrendConfig(atr_period=5, multiplier=1.0, volume_window=5, volume_ratio=0.2),
    VolumeProfileConfig(session=40, bins=16, min_reward=0.2, volume_ratio=0.2),
)


class Listener(Policy):
    """A policy that keeps what it is told."""

    source = "listener"

    def __init__(self) -> None:
        super().__init__("A.B", np.zeros(1), ())
        self.heard: list[MarketBar] = []

    def decide(self, bar: MarketBar) -> None:
        self.heard.append(bar)


def engine_bars(seed: int, count: int, bar_type: str = f"{BTC}-{TYPE}") -> list[Bar]:
    kind = BarType.from_str(bar_type)
    found = []
    for at, (high, low, close, volume, _) in enumerate(rows(seed, count + 2)[:count]):
        first, top, bottom, last = (Price(600 * price, 2) for price in (close, high, low, close))
        found.append(Bar(kind, first, top, bottom, last, Quantity(volume, 3), at, at + 1))
    return found


def listening(**settings: Any) -> tuple[Listener, Member]:
    policy = Listener()
    return policy, Member(policy, BarType.from_str(f"{BTC}-{TYPE}"), **settings)


def test_a_bar_comes_as_plain_numbers() -> None:
    policy, member = listening()
    (bar,) = engine_bars(1, 1)
    member.decide(bar, None, None)
    heard = policy.heard[0]
    assert [repr(value) for value in heard[:4]] == [
        str(float(str(v))) for v in (bar.high, bar.low, bar.close, bar.volume)
    ]
    assert heard.ts_init == bar.ts_init
    assert math.isnan(heard.flow)
    assert math.isnan(heard.flat_strength)
    assert member.takes(bar)
    assert not member.takes(engine_bars(1, 1, f"{BTC}-5-MINUTE-LAST-INTERNAL")[0])


def test_a_bar_made_of_other_bars_is_of_the_type_that_was_asked_for() -> None:
    member = Member(Listener(), BarType.from_str(f"{BTC}-15-MINUTE-LAST-INTERNAL@1-MINUTE-EXTERNAL"))
    assert member.takes(engine_bars(1, 1, f"{BTC}-15-MINUTE-LAST-INTERNAL")[0])


def test_own_detectors_see_the_same_bars() -> None:
    flat, wave = FlatMarketConfig(window=10), ElliottWaveConfig(reversal=1.5)
    policy, member = listening(detectors="own", flat=flat, wave=wave)
    one, two = FlatMarket(flat), ElliottWave(wave)
    for bar in engine_bars(2, 120):
        member.decide(bar, None, None)
        heard = policy.heard[-1]
        plain = PlainBar(heard.high, heard.low, heard.close, heard.volume)
        strength, count = one.update(plain).strength, two.update(plain)
        np.testing.assert_equal(heard.flat_strength, strength)
        assert (heard.wave, heard.wave_direction) == (int(count.wave), count.direction)
        np.testing.assert_equal(heard.wave_confidence, count.confidence)
    assert len({bar.wave for bar in policy.heard}) >= 4
    assert not math.isnan(policy.heard[-1].flat_strength)


def test_detectors_of_the_bus_are_told_and_a_flat_market_is_entirely_flat() -> None:
    policy, member = listening(detectors="bus")
    (bar,) = engine_bars(3, 1)
    regime = RegimeChange(
        instrument_id=BTC,
        ts_event=1,
        ts_init=1,
        regime="range",
        previous="",
        confidence=0.7,
        pause=False,
        is_flat=False,
        flat_strength=0.3,
    )
    wave = WaveUpdate(
        instrument_id=BTC, ts_event=1, ts_init=1, wave="B", direction=-1, confidence=0.4, invalidation=1.0
    )
    member.decide(bar, None, None)
    member.decide(bar, regime, wave)
    member.decide(bar, msgspec.structs.replace(regime, is_flat=True, flat_strength=0.52), wave)
    assert math.isnan(policy.heard[0].flat_strength)
    assert policy.heard[0].wave == 0
    assert policy.heard[1][6:] == (0.3, 7, -1, 0.4)
    assert policy.heard[2].flat_strength == 1.0


def test_quotes_become_the_flow_of_the_next_bar() -> None:
    policy, member = listening(flow="quotes")
    assert member.needs_book
    one, two = engine_bars(4, 2)
    member.decide(one, None, None)
    member.take_quote(99.0, 2.0, 101.0, 2.0)
    member.take_quote(99.0, 3.0, 101.0, 1.0)
    member.decide(two, None, None)
    assert math.isnan(policy.heard[0].flow)
    assert policy.heard[1].flow == 1.0


def vector(features: FeatureSet, flow: float, schema_hash: str = "") -> FeatureVector:
    values = np.full(len(features.schema), np.nan)
    values[features.schema.index("ofi_1s")] = flow
    schema = schema_hash or features.schema.hash
    return FeatureVector(instrument_id=BTC, ts_event=1, ts_init=1, values=values, schema_hash=schema)


def test_vectors_are_summed_over_the_bar_and_those_of_other_features_refused() -> None:
    config = FeatureConfig(groups=("orderbook",), features=("mid_price", "ofi_1s"))
    policy, member = listening(flow="features", features=config)
    instrument = default_instruments()["BTCUSDT"]
    member.open(instrument)
    features = FeatureSet(config, price_increment=0.1, size_increment=0.001)
    one, two = engine_bars(5, 2)
    for flow in (1.5, float("nan"), -0.25):
        member.take_vector(vector(features, flow))
    member.decide(one, None, None)
    member.decide(two, None, None)
    assert policy.heard[0].flow == 1.25
    assert math.isnan(policy.heard[1].flow)
    with pytest.raises(FeatureError, match="Expected vectors of the features that listener is configured with"):
        member.take_vector(vector(features, 1.0, schema_hash="other"))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_a_restart_between_any_two_bars_changes_nothing(config: PolicyStrategyConfig) -> None:
    bars = engine_bars(6, 250)

    def quote(member: Member, at: int) -> None:
        member.take_quote(99.0 + at % 3, 2.0 + at % 5, 102.0 + at % 2, 1.0 + at % 7)

    steady = config.member(BTC)
    expected = []
    for at, bar in enumerate(bars):
        quote(steady, at)
        expected.append(steady.decide(bar, None, None))
    assert sum(signal is not None for signal in expected) >= 3
    member = config.member(BTC)
    for at, bar in enumerate(bars):
        quote(member, at)
        saved = member.save()
        member = config.member(BTC)
        member.load(saved)
        assert member.decide(bar, None, None) == expected[at]


def test_a_state_that_does_not_fit_leaves_the_member_as_it_was() -> None:
    config = SarWaveConfig()
    member = config.member(BTC)
    for bar in engine_bars(7, 30):
        member.decide(bar, None, None)
    before = member.save()
    other = msgspec.structs.replace(config, flat=FlatMarketConfig(window=20)).member(BTC).save()
    with pytest.raises(ValueError, match="snapshot of a FlatMarket with the same settings"):
        member.load(other)
    assert member.save() == before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MomentumConfig(lookback=61), "Expected lookback up to window, was 61 over 60"),
        (lambda: MomentumConfig(entry_deviations=0.5), 'Expected entry = "limit" with entry_deviations'),
        (lambda: MomentumConfig(book="features", features=FeatureConfig(grid_ms=500)), "grid_ms = 1000, was 500"),
        (
            lambda: MomentumConfig(book="features", features=FeatureConfig(features=("mid_price",))),
            "Expected ofi_1s among the features",
        ),
        (lambda: SarWaveConfig(acceleration=0.3), r"Expected acceleration up to 0\.2, was 0\.3"),
        (lambda: VolumeProfileConfig(bars="1-MINUTE-MID-INTERNAL"), 'Expected by = "time" with bars of quotes'),
        (lambda: SuperTrendConfig(bars="1-MINUTE-BID-INTERNAL"), "Expected volume_window = 0 with bars of quotes"),
        (lambda: SarWaveConfig(bars="fast"), "Expected bars such as"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
