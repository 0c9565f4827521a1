"""The strategies in a backtest: each trades, the SAR trails, the members of an ensemble vote and never trade alone."""

import math
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from fathom.backtests import run
from fathom.backtests.setup.run_files import RunFiles
from fathom.data_catalog.catalog import Catalog
from fathom.data_catalog.instruments import default_instruments
from fathom.data_catalog.messages.signals import Signal
from fathom.market.events import Kind
from fathom.settings.errors import SettingsError
from fathom.strategies.ensemble import Ensemble, EnsembleConfig
from fathom.strategies.momentum import Momentum, MomentumConfig
from fathom.strategies.sar_wave import SarWave, SarWaveConfig
from fathom.strategies.supertrend import SuperTrendConfig
from fathom.strategies.trading.policy_strategy import Saved
from tests.makers.random_market import random_market
from tests.makers.scripted import ORACLE
from tests.makers.small_market import BTC, config_file, make_market

MOMENTUM = 'bars = "1-SECOND-LAST-INTERNAL"\nlookback = 3\nwindow = 10\nmin_score = 0.3'
SAR_WAVE = """
bars = "1-SECOND-LAST-INTERNAL"
max_flat = 1.0
min_wave_confidence = 0.0
target_risk = 20.0
flat = { window = 8 }
wave = { reversal = 2.0 }
"""
SUPERTREND = 'bars = "2-SECOND-LAST-INTERNAL"\natr_period = 3\nmultiplier = 1.0\nvolume_window = 0'
PROFILE = (
    'bars = "1-SECOND-LAST-INTERNAL"\nsession = 20\nbins = 10\nvolume_ratio = 0.0\nmin_reward = 0.0\nacceptance = 2'
)
SIZE = "notional = 60000.0"
MEMBERS = f"""
[strategies.parameters.momentum]
{MOMENTUM}
[strategies.parameters.supertrend]
{SUPERTREND}
"""


def swinging(seconds: float) -> int:
    """Return a price that rises and falls in waves of growing and fading size."""
    return 600_000 + round(
        300 * math.sin(seconds / 4.0) + 500 * math.sin(seconds / 23.0) + 60 * math.sin(seconds * 1.7)
    )


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_market(tmp_path_factory.mktemp("market"), seconds=180.0, mid=swinging).path


def played(folder: Path, catalog: Path, strategy: str, more: str) -> tuple[list[dict[str, Any]], RunFiles]:
    """Return the journal of a run, and its files."""
    config = config_file(folder, catalog, strategy=strategy, more=more)
    files = RunFiles(run([config], out=folder / "runs", pages=False).path)
    table = files.kept_table("decisions")
    assert table is not None
    return table.to_pylist(), files


@pytest.mark.parametrize(
    ("strategy", "settings"),
    [("momentum", MOMENTUM), ("sar_wave", SAR_WAVE), ("supertrend", ""), ("volume_profile", PROFILE)],
)
def test_each_strategy_trades_what_its_policy_says(market: Path, tmp_path: Path, strategy: str, settings: str) -> None:
    rows, files = played(tmp_path, market, strategy, settings if strategy == "supertrend" else f"{SIZE}\n{settings}")
    assert {row["source"] for row in rows} == {strategy}
    trips = files.table("positions").to_pylist()
    assert len(trips) >= 3
    assert {trip["side"] for trip in trips} == {"LONG", "SHORT"}
    assert len([row for row in rows if row["stage"] == "closed"]) == len(trips)
    assert files.summary()["trades"]["open"] == 0


def test_the_sar_moves_the_stop_and_only_nearer(market: Path, tmp_path: Path) -> None:
    won: dict[str, list[float]] = {}
    for trail in ("true", "false"):
        folder = tmp_path / trail
        folder.mkdir()
        rows, files = played(folder, market, "sar_wave", f"{SIZE}\n{SAR_WAVE}\ntrail = {trail}")
        orders = files.table("orders").to_pylist()
        moved = []
        for row in rows:
            stops = [o for o in orders if o["role"] == "STOP" and o["signal_id"] == row["signal_id"]]
            if row["stage"] == "closed" and stops:
                sign = 1 if row["side"] == "BUY" else -1
                moved.append(sign * (stops[-1]["trigger_price"] - row["placed_stop"]))
        won[trail] = moved
    assert len(won["true"]) >= 3
    assert min(won["true"]) > -0.1  # a tick of rounding
    assert sum(gain > 1.0 for gain in won["true"]) >= 2
    assert max(abs(gain) for gain in won["false"]) < 0.1


def test_momentum_hears_the_book_from_quotes_or_vectors(tmp_path: Path) -> None:
    rows_of_market = random_market(3, seconds=120.0, odd=False)  # changes, not snapshots: these are no flow in features
    catalog, instrument = Catalog(tmp_path / "catalog"), default_instruments()["BTCUSDT"]
    with catalog.book_writer(instrument) as writer:
        writer.write(rows_of_market[rows_of_market["kind"] == Kind.BOOK])
    trades = rows_of_market[rows_of_market["kind"] == Kind.TRADE]
    with catalog.trade_writer(instrument) as writer:
        writer.write(trades, [str(number) for number in range(len(trades))])
    features = '[[actors]]\nname = "features"\n[actors.parameters.features]\ngroups = ["orderbook"]'
    sides: dict[str, list[tuple[Any, str]]] = {}
    for book, more in (
        ("quotes", ""),
        ("none", ""),
        ("features", f'\nfeatures = {{ groups = ["orderbook"] }}\n{features}'),
    ):
        folder = tmp_path / book
        folder.mkdir()
        flow_only = "price_weight = 0.0\nvolume_weight = 0.0\nflow_weight = 1.0"
        text = f'{SIZE}\n{MOMENTUM}\n{flow_only}\nbook = "{book}"{more}'
        rows, _ = played(folder, catalog.path, "momentum", text)
        sides[book] = [(row["ts"], row["side"]) for row in rows]
    assert sides["none"] == []
    assert len(sides["quotes"]) >= 5
    assert len(sides["features"]) >= 5


def test_vectors_of_another_feature_set_are_journalled_as_errors(market: Path, tmp_path: Path) -> None:
    actor = '[[actors]]\nname = "features"\n[actors.parameters.features]\ngroups = ["orderbook"]'
    rows, files = played(tmp_path, market, "momentum", f'{MOMENTUM}\nbook = "features"\n{actor}')
    assert {row["stage"] for row in rows} == {"error"}
    assert "Expected vectors of the features that momentum is configured with" in rows[0]["reason"]
    assert files.table("orders").num_rows == 0


def test_sar_wave_takes_flatness_and_waves_from_the_bus(market: Path, tmp_path: Path) -> None:
    actor = """
[[actors]]
name = "detection"
[actors.parameters.watch]
detectors = ["flat", "waves", "regime"]
bar_ms = 1000
regime = { warm_up = 9, min_bars = 0 }
flat = { window = 8 }
waves = { reversal = 2.0 }
"""
    for name, more in (("alone", ""), ("told", actor)):
        folder = tmp_path / name
        folder.mkdir()
        rows, _ = played(folder, market, "sar_wave", f'{SIZE}\n{SAR_WAVE}\ndetectors = "bus"{more}')
        assert (len(rows) >= 3) == (name == "told")  # without the actor nothing is known, so nothing is traded


@pytest.mark.parametrize("validator", [False, True])
def test_members_vote_and_only_the_elected_is_traded(market: Path, tmp_path: Path, validator: bool) -> None:
    oracle = f'[[actors]]\nname = "{ORACLE}"\n[actors.parameters]\ndelay_ms = 20.0' if validator else ""
    text = f"{SIZE}\nquorum = 2\nwindow_secs = 10.0\nvalidator = {str(validator).lower()}\n{MEMBERS}\n{oracle}"
    rows, files = played(tmp_path, market, "ensemble", text)
    votes = [row for row in rows if row["source"] != "ensemble"]
    elected = [row for row in rows if row["source"] == "ensemble"]
    assert {row["source"] for row in votes} == {"momentum", "supertrend"}
    assert {row["ended"] for row in votes} == {"vote"}
    assert not [row for row in votes if row["order_id"]]
    assert len(elected) >= 3
    assert all(
        "elected by momentum, supertrend" in row["risk_reason"] + row["reason"] or row["risk"] for row in elected
    )
    deciding = [row for row in votes if ": elected " in row["reason"]]
    assert [row["reason"].rpartition(" ")[2] for row in deciding] == [row["signal_id"] for row in elected]
    entries = [order for order in files.table("orders").to_pylist() if order["role"] == "ENTRY"]
    assert {order["client_order_id"] for order in entries} == {row["order_id"] for row in elected if row["order_id"]}
    assert len(entries) >= 3
    if validator:
        assert {row["blended"] for row in votes} == {0.8}
        assert elected[0]["weight"] == pytest.approx(0.8)
    else:
        assert all(0.0 < row["weight"] <= 1.0 for row in elected)


def test_a_quorum_of_one_trades_each_members_signal(market: Path, tmp_path: Path) -> None:
    text = f"{SIZE}\nquorum = 1\nmin_margin = 0.0\nwindow_secs = 0.5\n{MEMBERS}"
    rows, _ = played(tmp_path, market, "ensemble", text)
    votes = [row for row in rows if row["source"] != "ensemble"]
    assert all(": elected " in row["reason"] for row in votes if row["strength"] > 0.0)


def test_a_refused_member_has_no_vote(market: Path, tmp_path: Path) -> None:
    oracle = f'[[actors]]\nname = "{ORACLE}"\n[actors.parameters]\naccepts = false'
    rows, files = played(tmp_path, market, "ensemble", f"quorum = 1\nvalidator = true\n{MEMBERS}\n{oracle}")
    assert {row["ended"] for row in rows} == {"validation"}
    assert files.table("orders").num_rows == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("quorum = 1", "Expected a table of at least one member"),
        (f"{MEMBERS}\n[strategies.parameters.weights]\nsar_wave = 1.0", "Expected weights of the members"),
        (f"quorum = 3\n{MEMBERS}", "Expected a quorum of at most the members with a weight, was 3"),
        (f"{MEMBERS}\nrisk_fraction = 0.02", "Expected 'risk_fraction' beside the members' tables"),
        (f"{MEMBERS}\nmultiplyer = 2.0", "multiplier"),
    ],
)
def test_an_ensemble_that_makes_no_sense_is_refused(market: Path, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        played(tmp_path, market, "ensemble", text)


def test_state_is_saved_and_loaded_and_other_settings_start_afresh() -> None:
    config = EnsembleConfig(momentum=MomentumConfig(window=20), sar_wave=SarWaveConfig())
    strategy = Ensemble(config, BTC, "Ensemble-BTCUSDT")
    strategy.members[0].policy.state[0] = 17.0
    strategy.vote._votes[1, 0] = -1.0
    saved = strategy.on_save()
    fresh = Ensemble(config, BTC, "Ensemble-BTCUSDT")
    fresh.on_load(saved)
    assert fresh.members[0].policy.state[0] == 17.0
    assert fresh.vote._votes[1, 0] == -1.0
    other = EnsembleConfig(momentum=MomentumConfig(window=30), sar_wave=SarWaveConfig(), supertrend=SuperTrendConfig())
    changed = Ensemble(other, BTC, "Ensemble-BTCUSDT")
    changed.on_load(saved)
    assert changed.members[0].policy.state[0] == 0.0
    swapped = Ensemble(
        EnsembleConfig(momentum=MomentumConfig(window=20), supertrend=SuperTrendConfig()), BTC, "E-BTCUSDT"
    )
    swapped.on_load(saved)
    assert swapped.members[0].policy.state[0] == 17.0
    assert swapped.vote._votes[1, 0] == 0.0  # that vote was another member's
    single = Momentum(MomentumConfig(window=20), BTC, "Momentum-BTCUSDT")
    single.on_load(saved)
    assert single.policy.state[0] == 17.0


class Remembered(SarWave):
    """SAR Wave that starts with what another left in the cache."""

    left: bytes = b""

    def on_start(self) -> None:
        if Remembered.left:
            self.cache.add(f"strategy.{self.strategy_id}", Remembered.left)
        super().on_start()

    def on_stop(self) -> None:
        left = msgspec.msgpack.decode(bytes(self.cache.get(f"strategy.{self.strategy_id}") or b""), type=Saved)
        Remembered.left = msgspec.msgpack.encode(Saved(left.version, policies=left.policies))
        super().on_stop()


def test_policies_are_left_in_the_cache_after_each_bar_and_found_there(
    market: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{__name__}:Remembered,fathom.strategies.sar_wave:SarWaveConfig"
    config = config_file(tmp_path, market, strategy=name, more=f"{SIZE}\n{SAR_WAVE}")

    def sides(start: int, end: int) -> list[tuple[Any, str]]:
        span = [f"data.start=2024-08-09T00:{start // 60:02}:{start % 60:02}Z"] if start else []
        if end:
            span += [f"data.end=2024-08-09T00:{end // 60:02}:{end % 60:02}Z"]
        table = RunFiles(run([config], out=tmp_path, assignments=span, pages=False).path).kept_table("decisions")
        assert table is not None
        return [(row["ts"], row["side"]) for row in table.to_pylist()]

    monkeypatch.setattr(Remembered, "left", b"")
    whole = sides(0, 0)
    monkeypatch.setattr(Remembered, "left", b"")
    first = sides(0, 90)
    later = sides(90, 0)
    monkeypatch.setattr(Remembered, "left", b"")
    afresh = sides(90, 0)
    assert len(first) >= 3
    assert first + later == whole
    assert afresh != later


class Voting(Ensemble):
    """Notes, after each vote, what a crash would leave of the votes, and what they are."""

    left: ClassVar[list[tuple[Any, Any]]] = []

    def decide(self, price: float, signal: Signal | None, confidence: float = 1.0) -> None:
        super().decide(price, signal, confidence)
        if signal is not None:
            assert isinstance(self.settings, EnsembleConfig)
            fresh = Ensemble(self.settings, BTC, "Ensemble-BTCUSDT")
            fresh.on_load({"strategy": bytes(self.cache.get(f"strategy.{self.strategy_id}") or b"")})
            Voting.left.append((fresh.vote.snapshot(), self.vote.snapshot()))


def test_a_vote_that_comes_after_its_bar_is_left_in_the_cache(market: Path, tmp_path: Path) -> None:
    name = f"{__name__}:Voting,fathom.strategies.ensemble:EnsembleConfig"
    oracle = f'[[actors]]\nname = "{ORACLE}"\n[actors.parameters]\ndelay_ms = 20.0'
    Voting.left.clear()
    played(tmp_path, market, name, f"{SIZE}\nvalidator = true\n{MEMBERS}\n{oracle}")
    assert len(Voting.left) >= 5
    for left, cast in Voting.left:
        assert {part: array.tolist() for part, array in left.items()} == {
            part: array.tolist() for part, array in cast.items()
        }
