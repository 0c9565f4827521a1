"""The command `fathom detect regimes`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fathom.commands.console import FILE, KNOWN_FOLDER, Terminal, command, config_options

if TYPE_CHECKING:
    from fathom.studies.regimes.check import LabelledBars


@command()
@click.argument("catalogs", nargs=-1, required=True, type=KNOWN_FOLDER)
@click.option(
    "--fit",
    multiple=True,
    type=KNOWN_FOLDER,
    metavar="DIR",
    help="Fit the thresholds on this catalog first, which is none of CATALOGS; may be repeated.",
)
@click.option(
    "--config",
    type=FILE,
    help="Take bars and thresholds from `watch` of this file (see configs/detection/regimes.toml).",
)
@config_options
@click.option("--bar-ms", type=click.IntRange(min=100), help="Length of the bars; 10000, or that of the file.")
@click.option("--trials", type=click.IntRange(min=1), default=1_500, show_default=True, help="Settings tried by --fit.")
def regimes(
    terminal: Terminal,
    catalogs: tuple[Path, ...],
    fit: tuple[Path, ...],
    config: Path | None,
    changes: tuple[str, ...],
    bar_ms: int | None,
    trials: int,
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
    from fathom.settings.toml import read
    from fathom.studies.detection.config import DetectionConfig
    from fathom.studies.regimes.check import check_regimes, check_waves, fit_regimes
    from fathom.studies.regimes.truth import labelled_bars

    same = sorted({str(path.resolve()) for path in fit} & {str(path.resolve()) for path in catalogs})
    if same:
        raise click.ClickException(f"Expected other catalogs to fit on than to report on, was {same[0]} in both.")
    watch = read(DetectionConfig, config or [], changes if config else ("catalog=", *changes)).watch
    terminal.show_config({"watch": watch})
    length, settings = bar_ms or (watch.bar_ms if config else 10_000), watch.regime
    with terminal.progress() as bars:

        def read_markets(paths: tuple[Path, ...]) -> "list[LabelledBars]":
            return [market for path in paths for market in labelled_bars(path, length, bars)]

        markets = read_markets(catalogs)
        if fit:
            known = read_markets(fit)
            bars("fitting", 0)
            settings = fit_regimes(known, trials=trials)
    report, waves = check_regimes(markets, settings, watch.flat), check_waves(markets, watch.waves)
    terminal.answer(_content(report, waves, settings, length))
    _print(terminal, report, waves, settings if fit else None, length)


def _content(report: Any, waves: Any, settings: Any, bar_ms: int) -> dict[str, Any]:
    from fathom.studies.regimes.check import STATES

    content = {"bar_ms": bar_ms, "settings": settings, "states": STATES, "balanced": report.balanced}
    return {**content, **report._asdict(), "waves": waves._asdict()}


def _print(terminal: Terminal, report: Any, waves: Any, fitted: Any, bar_ms: int) -> None:
    import msgspec

    from fathom.detectors import RegimeLabel
    from fathom.studies.regimes.check import STATES, WANTED

    if fitted is not None:
        terminal.say("[watch.regime]")
        for name, value in msgspec.to_builtins(fitted).items():
            terminal.say(f"{name} = {value}")
    rows = []
    for row, state in enumerate(STATES):
        if not report.confusion[row].sum():
            continue
        cells = [f"{count:,}{'*' * (at == WANTED[row])}" for at, count in enumerate(report.confusion[row].tolist())]
        after = report.delay_bars[row]
        delay = "-" if after != after else f"{after * bar_ms / 1000:g} s"
        shares = (f"{report.pause[row]:.3f}", f"{report.flat[row]:.2f}")
        rows.append((state, *cells, f"{report.recall[row]:.2f}", f"{report.named[row]:.2f}", delay, *shares))
    names = [label.name.lower() for label in RegimeLabel]
    heads = ("state", *names, "recall", "named", "after", "paused", "flat")
    terminal.table(heads, rows, title=f"bars of {bar_ms:,} ms")
    terminal.say(f"mean recall {report.balanced:.3f}; the name wanted of each state has a star")
    trend = f"{waves.with_trend / waves.trend_bars:.0%}" if waves.trend_bars else "-"
    terminal.say(
        f"waves: a count in {waves.counted / max(waves.bars, 1):.0%} of {waves.bars:,} bars, {waves.broken} past their "
        f"own invalidation; the impulse's direction is the trend's in {trend} of {waves.trend_bars:,} trend bars"
    )
    terminal.say(
        f"       invalidated before as much the other way: {waves.lost_share:.3f} of {waves.races:,} counts "
        f"(0.5 +- {waves.error:.3f} by chance)"
    )
