"""The command `fathom demo`: from nothing to a model and a tearsheet, by the commands that anybody would type."""

import contextlib
import io
from pathlib import Path
from typing import Any

import click

from fathom.commands.console import Terminal, command, out_option


@command(kept="What was simulated and trained stays; the same command goes on.")
@out_option("demo", "Folder of the catalogs, the model and the runs")
@click.option("--seed", type=click.IntRange(0, 2**63 - 2), default=1, show_default=True, help="Seed of the markets.")
@click.option("--learn", default="8h", show_default=True, metavar="SPAN", help="Length of the market to learn from.")
@click.option("--trade", default="6h", show_default=True, metavar="SPAN", help="Length of the market to trade.")
def demo(terminal: Terminal, out: Path, seed: int, learn: str, trade: str) -> None:
    """Simulate a market, train a small model on it, trade the day after, and say where the tearsheet is.

    Four strategies vote; each signal is checked by the model and by the detectors of manipulation. The market has
    trends by construction, so that there is something to learn; the result shows how Fathom reports, and nothing about
    real markets. It needs no file: the configurations come with Fathom. With --json it prints what the last command,
    the backtest, prints.

    \b
    Example:
      fathom demo
    which types:
      fathom data simulate configs/simulation/demo.toml --catalog fathom-out/demo/learn/seed-1 --seed 1 --duration 8h
      fathom train run configs/training/demo.toml --out fathom-out/demo/models/seed-1 ...
      fathom data simulate configs/simulation/demo.toml --catalog fathom-out/demo/trade/seed-2 --seed 2 ...
      fathom backtest run configs/backtest/demo.toml --out fathom-out/demo/runs ...
    """
    from fathom.commands.backtest.run import run
    from fathom.commands.data.simulate import simulate
    from fathom.commands.train.run import run as train

    models, known, coming = out / f"models/seed-{seed}", out / f"learn/seed-{seed}", out / f"trade/seed-{seed + 1}"
    market = _shipped("simulation/demo.toml")
    _type(terminal, "data simulate", simulate, market, "--catalog", known, "--seed", seed, "--duration", learn)
    places = [f"data.catalog={known}", f"data.cache={out / 'tables'}"]
    learning = [part for place in places for part in ("--set", place)]
    training = _shipped("training/demo.toml")
    _type(terminal, "train run", train, training, "--out", models, "--no-track", *learning)
    later = ("--set", "start=2026-01-02T00:00:00Z")
    place = ("--catalog", coming, "--seed", seed + 1, "--duration", trade)
    _type(terminal, "data simulate", simulate, market, *place, *later)
    artifact = max((models / "demo-compact").glob("[0-9a-f]*"), key=lambda path: path.stat().st_mtime)
    trading = ("--set", f"data.catalog={coming}", "--set", f"actors.2.parameters.model={artifact}")
    options = (*trading, "--out", out / "runs")
    text = _type(terminal, "backtest run", run, _shipped("backtest/demo.toml"), *options)
    if terminal.as_json:
        import json

        terminal.answer(json.loads(text))


def _type(terminal: Terminal, name: str, command: click.Command, *arguments: Any) -> str:
    # Run a command as if it were typed; return what it printed for a machine.
    texts = [str(argument) for argument in arguments]
    terminal.say(f"$ fathom {name} {' '.join(texts)}", bold=True)
    printed = io.StringIO()
    machine = ["--json"] if terminal.as_json else []
    with contextlib.redirect_stdout(printed) if machine else contextlib.nullcontext():
        command.main(args=[*texts, *machine], prog_name=f"fathom {name}", standalone_mode=False)
    terminal.say()
    return printed.getvalue()


def _shipped(name: str) -> Path:
    from fathom.settings.toml import shipped

    path, here = shipped(name), Path.cwd()
    assert path is not None
    return path.relative_to(here) if path.is_relative_to(here) else path
