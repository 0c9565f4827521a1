"""`fathom train run`: one training with a held-out tail, from a configuration to registered artifacts."""

from pathlib import Path

import click

from fathom.settings.errors import FathomError


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("models"),
    show_default=True,
    metavar="DIR",
    help="Folder of the models.",
)
@click.option("--tail", type=float, default=0.2, show_default=True, help="Share of the span that is held out, its end.")
@click.option(
    "--importance",
    type=click.IntRange(min=0),
    default=256,
    show_default=True,
    help="Windows for the permutation importance; 0 leaves it out.",
)
@click.option("--store", default="mlruns", show_default=True, help="Folder or http://... of the MLflow store.")
@click.option("--track/--no-track", default=True, show_default=True, help="Whether to write to the store at all.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change one value of the file; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print what became of it as JSON.")
def run(
    config: Path,
    out: Path,
    tail: float,
    importance: int,
    store: str,
    track: bool,
    changes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Train the nets of CONFIG once and write an artifact of each, beside its baselines.

    The end of the span is held out and read only to test; early stopping and calibration use the end of the training
    span. A killed run goes on where it was when it is started again. The artifact is a directory without code
    (model.onnx, scaler.json, schema.json, metrics.json, provenance.json) with its card; it is registered as a new
    version, and `fathom models promote` lets it serve.

    \b
    Example:
      fathom train run configs/training/edge.toml --set nets.0.name=compact
      fathom models list
    """
    import json

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from fathom.ml.samples.leak_check import check
    from fathom.ml.samples.preparation import prepare, table_config
    from fathom.ml.training.config import TrainingConfig
    from fathom.ml.training.git import git_revision
    from fathom.ml.training.single_run import run_once
    from fathom.settings.toml import read

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    made = []
    try:
        settings = read(TrainingConfig, config, changes)
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            tasks: dict[str, object] = {}

            def show(what: str, done: int, of: int) -> None:
                if what not in tasks:
                    tasks[what] = bar.add_task(what, total=of)
                bar.update(tasks[what], completed=done, total=of)  # type: ignore[arg-type]

            arrays = prepare(settings.data, show)
            leak = check(
                arrays, table_config(settings.data), horizon=max(settings.label.horizon_ns // arrays.grid_ns, 1)
            )
            found = run_once(
                settings,
                arrays,
                out,
                leak=leak,
                tail=tail,
                importance=importance,
                git_revision=git_revision(),
                on_progress=show,
            )
        for artifact, judged in found:
            entry = {
                "model": artifact.name,
                "version": artifact.version,
                "path": str(artifact.path),
                "served": artifact.provenance.served,
                "accuracy": judged.stitched.values["accuracy"],
                "net_bps_total": judged.stitched.values["net_bps_total"],
            }
            if track:
                from fathom.ml.models.recording import record

                entry["registered"] = record(artifact, store).number
            made.append(entry)
    except (FathomError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(made, indent=1))
        return
    for entry in made:
        number = f", version {entry['registered']}" if "registered" in entry else ""
        click.echo(
            f"{entry['model']}{number} ({entry['version']}): accuracy {entry['accuracy']:.4f} out of sample; "
            f"{entry['served']} answers\nartifact: {entry['path']}\ncard: {Path(str(entry['path'])) / 'card.html'}"
        )
