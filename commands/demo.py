"""The command `fathom demo`: from nothing to a model and a tearsheet, by the commands that anybody would type."""

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
    help="Folder for the catalogs, the model and the runs.",
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 2), default=1, show_default=True, help="Seed of the markets.")
def demo(out: Path, seed: int) -> None:
    """Simulate a market, train a small model on it, trade the day after, and say where the tearsheet is.

    Four strategies vote; each signal is checked by the model and by the detectors of manipulation. The market has
    trends by construction, so that there is something to learn; the result shows how Fathom reports, and nothing about
    real markets. It runs these commands, which it prints:

    \b
      fathom data simulate configs/simulation/demo.toml --catalog demo/learn/seed-1 --seed 1 --duration 8h
      fathom train run configs/training/demo.toml --out demo/models/seed-1 ...
      fathom data simulate configs/simulation/demo.toml --catalog demo/trade/seed-2 --seed 2 --duration 6h ...
      fathom backtest run configs/backtest/demo.toml --out demo/runs ...
    """
    from fathom.commands.backtest.run import run
    from fathom.commands.data.simulate import simulate
    from fathom.commands.train.run import run as train

    market = _near(CONFIGS / "simulation" / "demo.toml")
    learn, trade, models = out / f"learn/seed-{seed}", out / f"trade/seed-{seed + 1}", out / f"models/seed-{seed}"
    _type("data simulate", simulate, market, "--catalog", learn, "--seed", seed, "--duration", "8h")
    places = [f"data.catalog={learn}", f"data.cache={out / 'tables'}", f"ledger={out / 'trials.jsonl'}"]
    learning = [part for place in places for part in ("--set", place)]
    _type("train run", train, _near(CONFIGS / "training" / "demo.toml"), "--out", models, "--no-track", *learning)
    later = ("--set", "start=2026-01-02T00:00:00Z")
    _type("data simulate", simulate, market, "--catalog", trade, "--seed", seed + 1, "--duration", "6h", *later)
    artifact = max((models / "demo-compact").glob("[0-9a-f]*"), key=lambda path: path.stat().st_mtime)
    trading = ("--set", f"data.catalog={trade}", "--set", f"actors.2.parameters.model={artifact}")
    _type("backtest run", run, _near(CONFIGS / "backtest" / "demo.toml"), *trading, "--out", out / "runs")


def _type(name: str, command: click.Command, *arguments: Any) -> None:
    texts = [str(argument) for argument in arguments]
    click.secho(f"$ fathom {name} {' '.join(texts)}", bold=True)
    command.main(args=texts, prog_name=f"fathom {name}", standalone_mode=False)
    click.echo()


def _near(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
