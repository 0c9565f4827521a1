"""The command `fathom demo`: the shortest way from nothing to a tearsheet, by the commands that anybody would type."""

from pathlib import Path
from typing import Any, Final

import click

CONFIGS: Final = Path(__file__).resolve().parent.parent / "configs"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Folder for the catalog and the runs.",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1, show_default=True, help="Seed of the market.")
def demo(out: Path, seed: int) -> None:
    """Simulate a market, backtest SuperTrend on it, and say where the tearsheet is.

    The market has trends by construction, so that there is something to trade; the result shows how Fathom reports,
    and nothing about real markets. It runs two commands, which it prints:

    \b
      fathom data simulate configs/simulation/demo.toml --catalog demo/catalog/seed-1 --seed 1
      fathom backtest run configs/backtest/demo.toml --set data.catalog=demo/catalog/seed-1 --out demo/runs
    """
    from backtests.cli_run import run
    from data_catalog.cli_simulate import simulate

    catalog = out / "catalog" / f"seed-{seed}"
    _type("data simulate", simulate, _near(CONFIGS / "simulation" / "demo.toml"), "--catalog", catalog, "--seed", seed)
    scenario = _near(CONFIGS / "backtest" / "demo.toml")
    _type("backtest run", run, scenario, "--set", f"data.catalog={catalog}", "--out", out / "runs")


def _type(name: str, command: click.Command, *arguments: Any) -> None:
    texts = [str(argument) for argument in arguments]
    click.secho(f"$ fathom {name} {' '.join(texts)}", bold=True)
    command.main(args=texts, prog_name=f"fathom {name}", standalone_mode=False)
    click.echo()


def _near(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
