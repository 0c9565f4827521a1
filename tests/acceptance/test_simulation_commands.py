"""`fathom data simulate` and `fathom data compare`, from the command line."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fathom.commands.main import main


def fathom(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("simulated")
    project = Path(__file__).resolve().parents[2]
    scenario = project / "configs" / "simulation" / "null.toml"
    done = fathom("data", "simulate", scenario, "--catalog", path, "--seed", 7, "--duration", "2m", "--json")
    assert done.exit_code == 0, done.output
    (made,) = json.loads(done.stdout)
    assert made["instrument_id"] == "BTCUSDT-LINEAR.SIM"
    assert made["messages"] > 2000
    return path


def test_simulating_again_says_that_it_is_there(project: Path, catalog: Path) -> None:
    scenario = project / "configs" / "simulation" / "null.toml"
    done = fathom("data", "simulate", scenario, "--catalog", catalog, "--seed", 7, "--duration", "2m")
    assert done.exit_code == 0
    assert "BTCUSDT-LINEAR.SIM: already there" in done.output
    other = fathom("data", "simulate", scenario, "--catalog", catalog, "--seed", 8, "--duration", "2m")
    assert other.exit_code == 1
    assert "with seed 7 and other settings" in other.output.replace("\n", " ")


def test_the_summary_and_a_second_instrument(project: Path, tmp_path: Path) -> None:
    done = fathom(
        "data", "simulate", project / "configs" / "simulation" / "demo.toml", "--catalog", tmp_path, "--duration", "5m"
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "BTCUSDT-LINEAR.SIM" in done.output
    assert "ETHUSDT-LINEAR.SIM" in done.output
    assert "level changes/s into" in done.output


def test_a_wrong_scenario_is_explained(tmp_path: Path) -> None:
    scenario = tmp_path / "market.toml"
    scenario.write_text('scenario = "x"\n[fed]\ndepth = 3\n')
    done = fathom("data", "simulate", scenario, "--catalog", tmp_path / "c")
    assert done.exit_code == 1
    assert "market.toml: fed: Expected one of: " in done.output
    assert "Did you mean 'feed'?" in done.output
    assert not (tmp_path / "c").exists()


def test_comparing_prints_both_sides(catalog: Path, tmp_path: Path) -> None:
    page = tmp_path / "compare.html"
    done = fathom("data", "compare", catalog, catalog, "--html", page)
    assert done.exit_code == 0, done.output
    for measure in ("cancelled to traded volume", "depth by level", "lifetime of a level", "volatility, bps"):
        assert measure in done.output
    text = page.read_text()
    assert "data:image/png;base64," in text
    # Self-contained: nothing on the page is fetched from anywhere.
    assert not re.search(r"(src|href)\s*=\s*['\"](?!data:)", text)
    both = json.loads(fathom("data", "compare", catalog, catalog, "--json").stdout)
    assert both[0] == both[1]


def test_a_catalog_with_several_instruments_needs_a_name(project: Path, catalog: Path, tmp_path: Path) -> None:
    scenario = project / "configs" / "simulation" / "demo.toml"
    fathom("data", "simulate", scenario, "--catalog", tmp_path, "--duration", "1m")
    done = fathom("data", "compare", catalog, tmp_path)
    assert done.exit_code == 1
    assert "BTCUSDT-LINEAR.SIM, ETHUSDT-LINEAR.SIM. Name one with --instrument-a" in done.output.replace("\n", " ")


@pytest.mark.real_data
def test_simulated_beside_real(real_data: Path, project: Path, tmp_path: Path) -> None:
    files = sorted((real_data / "perp-ticks").glob("*BTCUSDT*"))
    assert fathom("data", "import", "bybit", *files, "--catalog", tmp_path / "real").exit_code == 0
    scenario = project / "configs" / "simulation" / "null.toml"
    assert fathom("data", "simulate", scenario, "--catalog", tmp_path / "sim", "--duration", "6m").exit_code == 0
    done = fathom("data", "compare", tmp_path / "real", tmp_path / "sim", "--json")
    real, simulated = json.loads(done.stdout)
    assert real["instrument"] == "BTCUSDT-LINEAR.BYBIT"
    # The defaults are calibrated to these data: the first-order measures agree to a third.
    for name in (
        *("messages_per_sec", "changes_per_sec", "trades_per_sec", "taker_orders_per_sec", "fills_per_taker_order"),
        *("spread_mean_bps", "spread_one_tick_share", "traded_per_sec"),
    ):
        assert simulated[name] == pytest.approx(real[name], rel=0.34), name
    assert simulated["depth_size"][0] == pytest.approx(real["depth_size"][0], rel=0.34)
    for i, horizon in enumerate((0.1, 0.5, 1.0)):
        assert simulated["volatility_bps"][i] == pytest.approx(real["volatility_bps"][i], rel=0.34), horizon
