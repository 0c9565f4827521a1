from pathlib import Path

import pytest

from fathom.data_catalog.simulation.loading import load_scenario
from fathom.settings.errors import SettingsError


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    return tmp_path / "market.toml"


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ('scenario = "x"\n[feed]\ndepth = 0', "feed.depth", "Expected int >= 1, was 0 (int)."),
        ('scenario = "x"\n[[episodes]]\nkind = "spoofin"', "episodes[0].kind", "Did you mean 'spoofing'?"),
        ('scenario = "x"\n[feed]\ntrades = "with_bok"', "feed.trades", "Did you mean 'with_book'?"),
        ('scenario = "x"\n[[instruments]]\nsymbl = "A"', "instruments[0].symbl", "Did you mean 'symbol'?"),
        (
            'scenario = "x"\n[[states]]\nname = "up"\nnext = { dwn = 1.0 }\n[[states]]\nname = "down"',
            "states[0].next",
            "'dwn' is no state to go to. Did you mean 'down'?",
        ),
        ('scenario = "x"\n[[states]]\nname = "up"\n[[states]]\nname = "up"', "states", "was 'up' twice"),
        ('scenario = "x"\n[[disturbances]]\nkind = "gap"\nsecs = [5.0, 1.0]', "disturbances[0].secs", "[low, high]"),
        ('scenario = "x"\n[[instruments]]\nstart_price = 10.0', "instruments[0].start_price", "Expected at least"),
    ],
)
def test_an_error_names_file_place_and_remedy(scenario: Path, text: str, place: str, problem: str) -> None:
    scenario.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_scenario(scenario)
    assert caught.value.path == place
    assert problem in str(caught.value)
    assert str(caught.value).startswith(f"{scenario}: {place}: ")


def test_changes_are_applied_over_the_file(scenario: Path) -> None:
    scenario.write_text('scenario = "x"\n[[states]]\nname = "a"\n[[states]]\nname = "b"\n')
    changes = ["feed.depth=20", "feed.trades=with_book", "instruments.0.symbol=ETHUSDT", "states.1.mean_secs=5"]
    config = load_scenario(scenario, changes)
    assert (config.feed.depth, config.feed.trades) == (20, "with_book")
    assert [one.symbol for one in config.instruments] == ["ETHUSDT"]
    assert config.states[1].mean_secs == 5


@pytest.mark.parametrize("name", ["null", "edge", "regimes", "manipulated", "stress", "demo"])
def test_the_scenarios_of_the_project_are_valid(project: Path, name: str) -> None:
    assert load_scenario(project / "configs" / "simulation" / f"{name}.toml").scenario == name
