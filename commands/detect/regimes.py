"""The command `fathom detect regimes`."""

from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("catalogs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--fit",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Fit the thresholds on this catalog first, which is none of CATALOGS; may be repeated.",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take bars and thresholds from `watch` of this file (see configs/detection/regimes.toml).",
)
@click.option("--bar-ms", type=click.IntRange(min=100), help="Length of the bars; 10000, or that of the file.")
@click.option("--trials", type=click.IntRange(min=1), default=1_500, show_default=True, help="Settings tried by --fit.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def regimes(
    catalogs: tuple[Path, ...],
    fit: tuple[Path, ...],
    config: Path | None,
    bar_ms: int | None,
    trials: int,
    as_json: bool,
) -> None:
    """Hold regimes, flatness and wave counts against simulated markets whose states are known.

    CATALOGS are markets of configs/simulation/regimes.toml (or null.toml), each a seed of its own. Printed are the
    confusion matrix, how soon a state is named, how much of it is paused and called flat, and what became of the wave
    counts. With --fit the thresholds are chosen on other seeds than those reported.

    \b
    Example:
      fathom data simulate configs/simulation/regimes.toml --catalog regimes/21 --seed 21
      fathom detect regimes regimes/21 --config configs/detection/regimes.toml
      fathom detect regimes regimes/21 regimes/22 --fit regimes/11 --fit regimes/12
    """
    import json

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from fathom.commands.data.refusals import refusals
    from fathom.settings.toml import read
    from fathom.studies.detection.config import DetectionConfig
    from fathom.studies.regimes.check import LabelledBars, check_regimes, check_waves, fit_regimes
    from fathom.studies.regimes.truth import labelled_bars

    same = sorted({str(path.resolve()) for path in fit} & {str(path.resolve()) for path in catalogs})
    if same:
        raise click.ClickException(f"Expected other catalogs to fit on than to report on, was {same[0]} in both.")
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with refusals():
        watch = (read(DetectionConfig, config) if config else DetectionConfig(catalog="")).watch
        length = bar_ms or (watch.bar_ms if config else 10_000)
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

            def labelled(path: Path) -> list[LabelledBars]:
                task = bar.add_task(str(path), total=None)
                return labelled_bars(path, length, lambda _, done, total: bar.update(task, completed=done, total=total))

            markets = [market for path in catalogs for market in labelled(path)]
            settings = watch.regime
            if fit:
                known = [market for path in fit for market in labelled(path)]
                bar.add_task("fitting", total=None)
                settings = fit_regimes(known, trials=trials)
    report, waves = check_regimes(markets, settings, watch.flat), check_waves(markets, watch.waves)
    if as_json:
        click.echo(json.dumps(_plain(report, waves, settings, length)))
    else:
        _print(report, waves, settings if fit else None, length)


def _plain(report: Any, waves: Any, settings: Any, bar_ms: int) -> dict[str, Any]:
    import msgspec
    import numpy as np

    from fathom.studies.regimes.check import STATES

    found = {
        name: [None if number != number else number for number in np.asarray(value).tolist()]
        for name, value in report._asdict().items()
        if name != "confusion"
    }
    return {
        "bar_ms": bar_ms,
        "settings": msgspec.to_builtins(settings),
        "states": STATES,
        "confusion": report.confusion.tolist(),
        "balanced": report.balanced,
        **found,
        "waves": waves._asdict(),
    }


def _print(report: Any, waves: Any, fitted: Any, bar_ms: int) -> None:
    import msgspec
    from rich.console import Console
    from rich.table import Table

    from fathom.detectors import RegimeLabel
    from fathom.studies.regimes.check import STATES, WANTED

    console = Console()
    console.width = max(console.width, 120)
    if fitted is not None:
        console.print("[watch.regime]", markup=False)
        for name, value in msgspec.to_builtins(fitted).items():
            console.print(f"{name} = {value}", markup=False, highlight=False)
    names = [label.name.lower() for label in RegimeLabel]
    table = Table("state", *names, "recall", "named", "after", "paused", "flat", title=f"bars of {bar_ms:,} ms")
    for number in range(1, len(names) + 6):
        table.columns[number].justify = "right"
    for row, state in enumerate(STATES):
        if not report.confusion[row].sum():
            continue
        cells = [
            f"[bold]{count:,}[/]" if column == WANTED[row] else f"{count:,}"
            for column, count in enumerate(report.confusion[row].tolist())
        ]
        after = report.delay_bars[row]
        table.add_row(
            state, *cells, f"{report.recall[row]:.2f}", f"{report.named[row]:.2f}",
            "-" if after != after else f"{after * bar_ms / 1000:g} s", f"{report.pause[row]:.3f}",
            f"{report.flat[row]:.2f}",
        )  # fmt: skip
    console.print(table)
    console.print(f"mean recall {report.balanced:.3f}; the name wanted of each state is bold", highlight=False)
    trend = f"{waves.with_trend / waves.trend_bars:.0%}" if waves.trend_bars else "-"
    console.print(
        f"waves: a count in {waves.counted / max(waves.bars, 1):.0%} of {waves.bars:,} bars, {waves.broken} past their "
        f"own invalidation; the impulse's direction is the trend's in {trend} of {waves.trend_bars:,} trend bars",
        highlight=False,
    )
    console.print(
        f"       invalidated before as much the other way: {waves.lost_share:.3f} of {waves.races:,} counts "
        f"(0.5 +- {waves.error:.3f} by chance)",
        highlight=False,
    )
