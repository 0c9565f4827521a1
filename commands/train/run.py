"""`fathom train run`: one training with a held-out tail, from a configuration to registered artifacts."""

from pathlib import Path
from typing import Any

import click

from fathom.commands.console import FILE, Terminal, command, config_options, out_option, store_option


@command(kept="Finished epochs stay; the same command goes on with the rest.")
@click.argument("config", type=FILE)
@out_option("models", "Folder of the models")
@click.option("--tail", type=float, default=0.2, show_default=True, help="Share of the span that is held out, its end.")
@click.option(
    "--importance",
    type=click.IntRange(min=0),
    default=256,
    show_default=True,
    help="Windows for the permutation importance; 0 leaves it out.",
)
@store_option
@click.option("--track/--no-track", default=True, show_default=True, help="Whether to write to the store at all.")
@config_options
def run(
    terminal: Terminal,
    config: Path,
    out: Path,
    tail: float,
    importance: int,
    store: str,
    track: bool,
    changes: tuple[str, ...],
) -> None:
    """Train the nets of CONFIG once and write an artifact of each, beside its baselines.

    The end of the span is held out and read only to test; early stopping and calibration use the end of the training
    span. A killed run goes on where it was when it is started again. The artifact is a directory without code
    (model.onnx, scaler.json, schema.json, metrics.json, provenance.json) with its card; it is registered as a new
    version, and `fathom models promote` lets it serve. A model whose inputs know the future is not registered.

    \b
    Example:
      fathom train run configs/training/edge.toml --set nets.0.name=compact
      fathom models list
    """
    from fathom.ml.samples.leak_check import check
    from fathom.ml.samples.preparation import prepare, table_config
    from fathom.ml.training.config import TrainingConfig
    from fathom.ml.training.git import git_revision
    from fathom.ml.training.single_run import run_once
    from fathom.settings.toml import read

    settings = read(TrainingConfig, config, changes)
    terminal.show_config(settings)
    with terminal.progress() as bars:
        arrays = prepare(settings.data, bars)
        horizon = max(settings.label.horizon_ns // arrays.grid_ns, 1)
        leak = check(arrays, table_config(settings.data), horizon=horizon)
        trained = run_once(
            settings,
            arrays,
            out,
            leak=leak,
            tail=tail,
            importance=importance,
            git_revision=git_revision(),
            on_progress=bars,
        )
    entries = []
    for artifact, judged in trained:
        entry: dict[str, Any] = {
            "model": artifact.name,
            "version": artifact.version,
            "path": artifact.path,
            "served": artifact.provenance.served,
            "accuracy": judged.stitched.values["accuracy"],
            "net_bps_total": judged.stitched.values["net_bps_total"],
            "leak_check": leak.verdict,
        }
        if track and leak.passed:
            from fathom.ml.models.recording import record

            entry["registered"] = record(artifact, store).number
        entries.append(entry)
    terminal.answer(entries)
    for entry in entries:
        number = f", version {entry['registered']}" if "registered" in entry else ""
        result = f"accuracy {entry['accuracy']:.4f} out of sample; {entry['served']} answers"
        terminal.say(f"{entry['model']}{number} ({entry['version']}): {result}")
        terminal.say(f"artifact: {entry['path']}\ncard: {entry['path'] / 'card.html'}")
    if not leak.passed:
        raise click.ClickException(f"{leak.sentence()} The model is worth nothing, and no registry has it.")
    if leak.warning:
        terminal.warn(f"! Leak check: {leak.warning}")
