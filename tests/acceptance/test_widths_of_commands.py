"""What commands print on terminals of 60, 80 and 200 columns, and into a pipe: nothing cut, nothing broken."""

import ast
from pathlib import Path

import pytest
from click.testing import CliRunner

from fathom.commands import console
from fathom.commands.main import main
from fathom.data_catalog.catalog import Catalog
from tests.makers.small_market import config_file, make_market

WIDTHS = (60, 80, 200)


def fathom(*arguments: object, columns: int | None = None) -> str:
    env = {"COLUMNS": None if columns is None else str(columns)}
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], env=env)
    assert result.exit_code == 0, result.output
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[object], list[str]]]:
    """Return, for each command, its arguments and what must stand whole in what it prints."""
    folder = tmp_path_factory.mktemp("widths")
    catalog = make_market(folder / "catalog", seconds=90.0).path
    config, runs = config_file(folder, catalog), folder / "runs"
    options = ["--out", runs, "--no-html"]
    fathom("backtest", "run", config, *options)
    fathom("backtest", "run", config, *options, "--set", "name=other")
    paths = sorted(runs.iterdir())
    instruments = sorted({str(instrument.id) for instrument in Catalog(catalog).instruments()})
    detection = folder / "detection.toml"
    detection.write_text(f'catalog = "{catalog}"\n')
    table = folder / "features.toml"
    table.write_text(f'catalog = "{catalog}"\ninstruments = ["{instruments[0]}"]\n')
    fathom("features", "build", table, "--out", folder / "tables")
    (built,) = (folder / "tables").glob("*.parquet")
    return {
        "data list": (["data", "list", "--catalog", catalog], [*instruments, "order_book_deltas"]),
        "data check": (["data", "check", "--catalog", catalog], [*instruments, "order_book_deltas"]),
        "data compare": (
            ["data", "compare", catalog, catalog, "--instrument-a", instruments[0], "--instrument-b", instruments[0]],
            [instruments[0]],
        ),
        "data simulate": (
            ["data", "simulate", "configs/simulation/null.toml", "--duration", "30s", "--catalog", folder / "{}"],
            ["BTCUSDT-LINEAR.SIM"],
        ),
        "backtest run": (["backtest", "run", config, *options], ["Max drawdown", "closed"]),
        "backtest compare": (["backtest", "compare", *paths], ["Benchmark", "other", "small"]),
        "backtest weights": (["backtest", "weights", *paths], ["supertrend", "weight"]),
        "explain": (["explain", paths[0]], ["Time (UTC)", "SuperTrend-"]),
        "detect run": (["detect", "run", detection, "--out", folder / "found", "--no-html"], instruments),
        "features describe": (["features", "describe", built], ["bid_ask_spread_rel", "mid_price"]),
    }


@pytest.mark.parametrize(
    "name",
    [
        *("data list", "data check", "data compare", "data simulate", "backtest run", "backtest compare"),
        *("backtest weights", "explain", "detect run", "features describe"),
    ],
)
def test_nothing_is_cut(name: str, commands: dict[str, tuple[list[object], list[str]]]) -> None:
    arguments, wanted = commands[name]
    for width in (*WIDTHS, None):
        text = fathom(
            *(Path(str(part).format(f"at-{width}")) if "{}" in str(part) else part for part in arguments), columns=width
        )
        for words in wanted:
            assert words in text, (name, width, words, text)
        assert "…" not in text
        if width is not None:
            # A table's line has two spaces between cells; sentences and paths are left to the terminal.
            wide = [line for line in text.splitlines() if len(line) > width and line.strip().count("  ") >= 2]
            assert wide == [], (name, width)


def test_only_the_console_draws() -> None:
    folder = Path(console.__file__).parent
    for path in folder.rglob("*.py"):
        if path.name in ("console.py", "layout.py"):
            continue
        text = path.read_text()
        modules = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
        assert not {module for module in modules if module and module.startswith("rich")}, path
        assert "click.echo" not in text, path
        assert "except Exception" not in text, path
