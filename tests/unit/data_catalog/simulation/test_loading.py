from pathlib import Path

import pytest

from fathom.data_catalog.simulation.loading import ScenarioError, duration_secs, load_scenario
from fathom.data_catalog.simulation.moves import SimulationError


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    return tmp_path / "market.toml"


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ('scenario = "x"\n[feed]\ndepht = 3', "feed", "Unknown name 'depht'. Did you mean 'depth'?"),
        ('scenario = "x"\n[feed]\ndepth = 0', "feed.depth", "Expected `int` >= 1, was 0."),
        ('scenario = "x"\n[[episodes]]\nkind = "spoofin"', "episodes[0].kind", "Did you mean 'spoofing'?"),
        ('scenario = "x"\n[feed]\ntrades = "with_bok"', "feed.trades", "Did you mean 'with_book'?"),
        ('scenario = "x"\n[[instruments]]\nsymbl = "A"', "instruments[0]", "Did you mean 'symbol'?"),
        ('scenario = "x"\nzzz = 1', "", "Unknown name 'zzz'. Expected one of: scenario, start"),
        ("[feed]", "", "missing required field `scenario`"),
        ("scenario = ", "", "Expected TOML"),
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
    with pytest.raises(ScenarioError) as caught:
        load_scenario(scenario)
    assert caught.value.path == place
    assert problem in str(caught.value)
    assert str(caught.value).startswith(f"{scenario}{', ' + place if place else ''}: ")


def test_changes_are_applied_over_the_file(scenario: Path) -> None:
    scenario.write_text('scenario = "x"\n[[states]]\nname = "a"\n[[states]]\nname = "b"\n')
    changes = ["feed.depth=20", "feed.trades=with_book", "instruments.0.symbol=ETHUSDT", "states.1.mean_secs=5"]
    config = load_scenario(scenario, changes)
    assert (config.feed.depth, config.feed.trades) == (20, "with_book")
    assert [one.symbol for one in config.instruments] == ["ETHUSDT"]
    assert config.states[1].mean_secs == 5


@pytest.mark.parametrize("change", ["feed.depth", "states.7.name=x", "scenario.x=1", "=3"])
def test_a_change_that_fits_nowhere_is_refused(scenario: Path, change: str) -> None:
    scenario.write_text('scenario = "x"\n[[states]]\nname = "a"\n')
    with pytest.raises(SimulationError, match="Expected"):
        load_scenario(scenario, [change])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"none\.toml: Expected a readable TOML file"):
        load_scenario(tmp_path / "none.toml")


@pytest.mark.parametrize("name", ["null", "edge", "regimes", "manipulated", "stress", "demo"])
def test_the_scenarios_of_the_project_are_valid(project: Path, name: str) -> None:
    assert load_scenario(project / "configs" / "simulation" / f"{name}.toml").scenario == name


def test_durations() -> None:
    assert [duration_secs(text) for text in ("90s", "1.5m", "1h30m", "2d")] == [90, 90, 5400, 172_800]
    with pytest.raises(SimulationError, match="Expected a duration"):
        duration_secs("5 fortnights")
