"""The command `fathom detect benchmark`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from fathom.studies.benchmark.plan import BenchmarkPlan
    from fathom.studies.benchmark.report import KindResult, Result


def _seeds(context: click.Context, parameter: click.Parameter, text: str) -> tuple[int, ...]:
    first, _, last = text.partition("-")
    try:
        found = tuple(range(int(first), int(last or first) + 1))
    except ValueError:
        found = ()
    if not found:
        raise click.BadParameter(f"Expected seeds such as 1-12, was {text}.")
    return found


@click.command()
@click.option(
    "--catalog",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Recorded streams to inject into, of two instruments or more; without it only simulated markets are used.",
)
@click.option("--instrument", "instruments", multiple=True, metavar="ID", help="Only these of it; may be repeated.")
@click.option(
    "--scenario",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=Path("configs/simulation/manipulated.toml"),
    show_default=True,
    metavar="FILE",
    help="Simulated market with manipulation.",
)
@click.option(
    "--quiet-scenario",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=Path("configs/simulation/null.toml"),
    show_default=True,
    metavar="FILE",
    help="Simulated market without, for its alerts an hour.",
)
@click.option("--tuning-seeds", callback=_seeds, default="1-12", show_default=True, metavar="FIRST-LAST")
@click.option("--report-seeds", callback=_seeds, default="8001-8012", show_default=True, metavar="FIRST-LAST")
@click.option(
    "--secs",
    type=click.FloatRange(min=30.0),
    default=1200.0,
    show_default=True,
    help="Length of a simulated market, in its own time.",
)
@click.option(
    "--budget",
    type=click.FloatRange(min=0.0, min_open=True),
    default=60.0,
    show_default=True,
    help="False alerts an hour that an instrument may raise.",
)
@click.option("--quick", is_flag=True, help="Two seeds and 240 s of simulation: shows that it works, proves nothing.")
@click.option(
    "--fit",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Instead of reporting, fit on every instrument and the tuning seeds, and write weights and thresholds there.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another setting of the detectors, such as layering.min_levels=5; may be repeated.",
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Also write a page.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def benchmark(
    catalog: Path | None,
    instruments: tuple[str, ...],
    scenario: Path,
    quiet_scenario: Path,
    tuning_seeds: tuple[int, ...],
    report_seeds: tuple[int, ...],
    secs: float,
    budget: float,
    quick: bool,
    fit: Path | None,
    changes: tuple[str, ...],
    html: Path | None,
    as_json: bool,
) -> None:
    """Measure the manipulation detectors on markets whose manipulation is known.

    Spoofing, layering and quote stuffing, and honest trading that looks like them, are put into recorded streams and
    into simulated ones. Weights and thresholds are tuned on some instruments and seeds and reported on others, beside
    the textbook rule (a large level that vanishes within 200 ms) and size alone. docs/detectors.md says how to read
    it, and which manipulation cannot be found.

    \b
    Example:
      fathom data import bybit ../shared/data/perp-ticks/* --catalog catalog/perp-ticks
      fathom detect benchmark --catalog catalog/perp-ticks --html benchmark.html
      fathom detect benchmark --catalog catalog/perp-ticks --fit detectors/book/fitted.toml
      fathom detect benchmark --catalog catalog/perp-ticks --set layering.min_levels=5 --report-seeds 101-108
    """
    import time

    import msgspec
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from fathom.commands.data.refusals import refusals
    from fathom.detectors.book.fitted import write_fitted
    from fathom.detectors.book.surveillance import SurveillanceConfig
    from fathom.settings.toml import read
    from fathom.studies.benchmark.page import write_page
    from fathom.studies.benchmark.plan import QUICK_SEEDS, fit_all, run_benchmark

    begun = time.perf_counter()
    if quick:
        tuning_seeds, report_seeds, secs = tuning_seeds[:2], QUICK_SEEDS, min(secs, 240.0)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with refusals():
        plan = _plan(catalog, instruments, scenario, quiet_scenario, tuning_seeds, report_seeds, secs, budget)
        config = read(SurveillanceConfig, [], changes)
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("markets", total=plan.markets_of_fit if fit else plan.markets)

            def on_market(name: str) -> None:
                bar.update(task, advance=1, description=name)

            if fit:
                tuned = fit_all(plan, config, on_market)
            else:
                results = run_benchmark(plan, config, on_market)
        if fit:
            write_fitted(fit, tuned.config, plan.fitted_on)
            click.echo(f"wrote {fit} in {time.perf_counter() - begun:.0f} s")
            return
        if html:
            write_page(html, results, plan.budget)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(results), indent=1).decode())
    else:
        for result in results:
            _print(result)
        click.echo(f"{plan.markets} markets in {time.perf_counter() - begun:.0f} s")
    if html:
        click.echo(f"wrote {html}", err=True)


def _plan(
    catalog: Path | None,
    instruments: tuple[str, ...],
    scenario: Path,
    quiet_scenario: Path,
    tuning_seeds: tuple[int, ...],
    report_seeds: tuple[int, ...],
    secs: float,
    budget: float,
) -> "BenchmarkPlan":
    from fathom.data_catalog.simulation.loading import load_scenario
    from fathom.studies.benchmark.markets import RecordedStreams, SimulatedStreams
    from fathom.studies.benchmark.plan import BenchmarkPlan

    try:
        return BenchmarkPlan(
            RecordedStreams(catalog, instruments) if catalog else None,
            SimulatedStreams(load_scenario(scenario), scenario.stem, secs),
            SimulatedStreams(load_scenario(quiet_scenario), quiet_scenario.stem, secs),
            tuning_seeds=tuning_seeds,
            report_seeds=report_seeds,
            budget=budget,
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def _print(result: "Result") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.width = max(console.width, 140)
    console.print(f"\n[bold]{result.family}[/bold]: tuned on {', '.join(result.tuned_on)}", highlight=False)
    first, last = result.reported_on[0], result.reported_on[-1]
    console.print(f"reported on {first} to {last}: {result.hours:.2f} h with actors", highlight=False)
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("detector", "method", "threshold", "false/h", "precision", "recall", "recall of all", "PR area"):
        table.add_column(name, justify="left" if name in ("detector", "method") else "right", no_wrap=True)
    table.add_column("honest flagged", justify="right")
    table.add_column("delay ms", justify="right")
    for kind in result.kinds:
        points = [("at the budget", kind.at_budget), ("threshold as tuned", kind.carried), *kind.baselines.items()]
        for name, point in points:
            area = kind.areas.get(name, kind.areas["detector"])
            large, number = point.honest_large
            table.add_row(
                kind.kind if point is kind.at_budget else "",
                name.replace("_", " "),
                f"{point.threshold:.4g}",
                f"{point.false_per_hour:.1f}",
                f"{point.precision:.3f}",
                f"{point.recall:.3f}",
                f"{point.recall_all:.3f}",
                f"{area:.4f}",
                f"{large:.2%} of {number:,.0f}",
                f"{point.delay_ms[0]:.0f}",
            )
    console.print(table)
    console.print(
        f"recall of spoofing and layering together: {result.pooled_recall[0]:.3f} at the budget, "
        f"{result.pooled_recall[1]:.3f} with the thresholds as tuned",
        highlight=False,
    )
    for kind in result.kinds:
        _print_kind(console, kind)


def _print_kind(console: object, kind: "KindResult") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    assert isinstance(console, Console)
    table = Table(box=box.SIMPLE_HEAD, title=f"{kind.kind} ({kind.episodes})", title_justify="left")
    names = ("recall", *kind.curves)
    for name in names:
        table.add_column(name.replace("_", " ") + (" precision" if name != "recall" else ""), justify="right")
    for wanted in (0.1, 0.3, 0.5, 0.7, 0.8, 0.9):
        cells = []
        for found in kind.curves.values():
            fine = [p for p, r in zip(found["precision"], found["recall"], strict=True) if r >= wanted and p == p]
            cells.append(f"{max(fine):.4f}" if fine else "never")
        table.add_row(f"{wanted:.1f}", *cells)
    console.print(table)
    for name, cells_of in kind.tables.items():
        text = ", ".join(f"{cell}: {found}/{every}" for cell, (found, every) in cells_of.items())
        console.print(f"  found by {name}: {text}", highlight=False)
    honest = ", ".join(f"{name} {hit}/{every}" for name, (hit, every) in kind.carried.honest.items())
    console.print(f"  honest actors that raised an alert (threshold as tuned): {honest or 'none'}", highlight=False)
    text = ", ".join(f"{said:.2f}: {true:.2f} ({number:,.0f})" for said, true, number in kind.reliability)
    console.print(f"  confidence: share of manipulation (candidates): {text}", highlight=False)
