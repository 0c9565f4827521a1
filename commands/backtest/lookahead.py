"""`fathom backtest lookahead`: does a component of a backtest see the future?"""

from pathlib import Path

import click

from fathom.commands.console import Terminal, command, config_options, jobs_option


@command(no_args_is_help=True)
@click.argument("configs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="CONFIG...")
@config_options
@click.option("--cuts", type=click.IntRange(1, 100), default=6, show_default=True, help="Shorter runs to compare with.")
@click.option("--warm-up/--no-warm-up", default=True, show_default=True, help="Also run from a later start.")
@click.option("--top", type=click.IntRange(min=0), default=10, show_default=True, help="Features to list by warm-up.")
@jobs_option("Runs at a time.")
def lookahead(
    terminal: Terminal,
    configs: tuple[Path, ...],
    changes: tuple[str, ...],
    cuts: int,
    warm_up: bool,
    top: int,
    jobs: int,
) -> None:
    """Find components of a backtest that see the future: features, detectors, validators, strategies.

    The backtest runs on all its data, and again on data that end earlier. Whatever was computed, said or ordered before
    such an end must be the same, bit for bit. The first difference of each component is named; the exit code is then 1.
    The shorter runs read a catalog that was cut, so that a component that opens the files is caught as well; one that
    reads files outside the catalog is not. Nothing is written, and no trial is counted.

    With --warm-up, the table at the end says for how long features depend on where the data begin: `data.start` should
    leave them that time before trading starts.

    \b
    Example:
      fathom backtest lookahead configs/backtest/demo.toml configs/system/ensemble.toml --jobs 2
    """
    from fathom.backtests.experiments import lookahead as analysis
    from fathom.backtests.setup.config import load
    from fathom.pages.formats import integer, number

    resolved = load(configs, changes)
    terminal.show_config(resolved.config, **resolved.shown)
    with terminal.progress() as bars:
        found = analysis.lookahead(
            configs,
            changes,
            cuts=cuts,
            warm_up=warm_up,
            jobs=jobs,
            progress=lambda name, done, total: bars("Backtests", done, total, name),
        )
    terminal.answer(found)
    if found.warm_up and top:
        rows = [
            (each.name, each.instrument, number(each.settles_secs) if each.settles_secs >= 0 else "never", each.largest)
            for each in found.warm_up[:top]
        ]
        terminal.table(
            ("Feature", "Instrument", "Depends on the start for, s", "Then still, relative"),
            [(*row[:3], f"{row[3]:.1e}") for row in rows],
            title="Warm-up",
        )
        terminal.say()
    counts = ", ".join(f"{integer(count)} {kind}s" for kind, count in found.compared.items()) or "nothing"
    terminal.say(f"Compared before {len(found.cuts_ns)} cuts: {counts}.")
    for name in found.unsteady:
        terminal.warn(f"! Two equal runs differ in {name}; it was not judged.")
    if not found.biases:
        terminal.say("No component saw the future.")
        return
    terminal.table(
        ("Kind", "Name", "Instrument", "Differences"),
        [(bias.kind, bias.name, bias.instrument, integer(bias.count)) for bias in found.biases],
        title="These saw the future",
    )
    terminal.say()
    terminal.warn(f"First: {found.biases[0].sentence()}.")
    kinds = {bias.kind for bias in found.biases}
    if len(kinds) > 1:
        terminal.say("Causes stand before effects: mend the first, then run this again.")
    raise click.exceptions.Exit(1)
