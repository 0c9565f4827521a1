"""A plain NautilusTrader strategy, and a plain actor, run in a backtest of Fathom."""

from pathlib import Path

import pytest

import fathom
from fathom.settings.errors import SettingsError
from tests.makers.plain_nautilus import Count
from tests.makers.small_market import BTC, config_file, make_market

TURN = "tests.makers.plain_nautilus:Turn"
PARAMETERS = f'bar_type = "{BTC}-2-SECOND-LAST-INTERNAL"\ntrade_size = 0.1\n'


def test_a_plain_strategy_and_a_plain_actor_run(tmp_path: Path) -> None:
    make_market(tmp_path / "catalog")
    config = config_file(tmp_path, tmp_path / "catalog", strategy=TURN, more=PARAMETERS)
    config.write_text(
        config.read_text()
        + f'[[actors]]\nname = "tests.makers.plain_nautilus:Count"\n[actors.parameters]\ninstrument_id = "{BTC}"\n'
    )
    Count.seen = 0
    run = fathom.backtest(config, out=tmp_path / "runs", pages=False)
    assert len(run.fills) >= 6
    assert set(run.orders["strategy_id"]) == {"Turn-BTCUSDT"}
    assert Count.seen == 150
    again = fathom.backtest(run.path / "config.toml", out=tmp_path / "again", pages=False)
    assert again.fills.equals(run.fills)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        (
            'bar_type = "x"\ntrade_siz = 1\n',
            r"Expected a field of TurnConfig, was 'trade_siz'\. Did you mean 'trade_size'",
        ),
        ("trade_size = 1\n", r"Expected a value of 'bar_type' for TurnConfig, was absent"),
    ],
)
def test_wrong_parameters_are_named(tmp_path: Path, parameters: str, problem: str) -> None:
    make_market(tmp_path / "catalog")
    config = config_file(tmp_path, tmp_path / "catalog", strategy=TURN, more=parameters)
    with pytest.raises(SettingsError, match=rf"c\.toml: strategies\[0\]\.parameters: {problem}"):
        fathom.backtest(config, out=tmp_path / "runs")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("no_such_module:X", "Expected a module 'no_such_module' for the strategy"),
        ("tests.makers.plain_nautilus:Trn", r"Expected 'Trn' in the module .*Did you mean 'Turn'"),
        ("collections:OrderedDict", "Expected a configuration class of 'collections:OrderedDict', was none"),
        ("supertrnd", r"Did you mean 'supertrend'\? Your own code: \"module:Name\""),
    ],
)
def test_a_wrong_name_is_explained(tmp_path: Path, name: str, problem: str) -> None:
    make_market(tmp_path / "catalog")
    config = config_file(tmp_path, tmp_path / "catalog", strategy=name)
    with pytest.raises(SettingsError, match=problem):
        fathom.backtest(config, out=tmp_path / "runs")


MEMBER = "tests.makers.outside_policy:Turns"


def test_a_policy_from_outside_votes_in_the_ensemble(tmp_path: Path) -> None:
    make_market(tmp_path / "catalog")
    ensemble = {
        "quorum": 1,
        "min_margin": 0.0,
        "notional": 60_000.0,
        "members": {
            "turns": {"strategy": MEMBER, "bars": "2-SECOND-LAST-INTERNAL", "every": 5},
            "momentum": {"bars": "2-SECOND-LAST-INTERNAL", "lookback": 2, "window": 4},
        },
    }
    settings = {
        "name": "ensemble",
        "data": {"catalog": str(tmp_path / "catalog"), "instruments": [BTC]},
        "venue": {"fees": {"maker": 0.0, "taker": 0.0}},
        "strategies": [{"name": "ensemble", "parameters": ensemble}],
    }
    run = fathom.backtest(settings, out=tmp_path / "runs", pages=False)
    votes = run.decisions[run.decisions["source"] == "turns"]
    assert len(votes) >= 5
    assert len(run.fills) >= 2
    ensemble["members"]["turns"]["evry"] = 3  # type: ignore[index]
    with pytest.raises(SettingsError, match=r"members\.turns.*unknown field 'evry'"):
        fathom.backtest(settings, out=tmp_path / "runs", pages=False)
    ensemble["members"]["turns"] = {"strategy": "no.such:Thing"}  # type: ignore[index]
    with pytest.raises(SettingsError, match=r"Expected a module 'no\.such'"):
        fathom.backtest(settings, out=tmp_path / "runs", pages=False)
