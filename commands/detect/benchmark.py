"""The command `fathom detect benchmark`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from fathom.commands.console import (
    FILE,
    KNOWN_FOLDER,
    Terminal,
    command,
    config_options,
    instrument_option,
    page_option,
)

if TYPE_CHECKING:
    from fathom.studies.benchmark.report import KindResult, Result

_MANIPULATED: Final[dict[str, Any]] = {"default": "configs/simulation/manipulated.toml", "show_default": True}
_QUIET: Final[dict[str, Any]] = {"default": "configs/simulation/null.toml", "show_default": True}


def _seeds(context: click.Context, parameter: click.Parameter, text: str) -> tuple[int, ...]:
    first, _, last = text.partition("-")
    try:
        seeds = tuple(range(int(first), int(last or first) + 1))
    except ValueError:
        seeds = ()
    if not seeds:
        raise click.BadParameter(f"Expected seeds such as 1-12, was {text}.")
    return seeds


@command()
@click.option(
    "--catalog",
    type=KNOWN_FOLDER,
    metavar="DIR",
    help="Recorded streams to inject into, of two instruments or more; without it only simulated markets are used.",
)
@instrument_option("Only these of it, such as BTCUSDT-LINEAR.BYBIT; may be repeated.", multiple=True)
@click.option("--scenario", type=FILE, metavar="FILE", help="Simulated market with manipulation.", **_MANIPULATED)
@click.option("--quiet-scenario", type=FILE, metavar="FILE", help="One without, for its alerts an hour.", **_QUIET)
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
    type=FILE,
    metavar="FILE",
    help="Instead of reporting, fit on every instrument and the tuning seeds, and write weights and thresholds there.",
)
@config_options
@page_option()
def benchmark(
    terminal: Terminal,
    catalog: Path | None,
    instrument: tuple[str, ...],
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
) -> None:
    """Measure the manipulation detectors on markets whose manipulation is known.

    Spoofing, layering and quote stuffing, and honest trading that looks like them, are put into recorded streams and
    into simulated ones. Weights and thresholds are tuned on some instruments and seeds and reported on others, beside
    the textbook rule (a large level that vanishes within 200 ms) and size alone. docs/detectors.md says how to read
    it, and which manipulation cannot be found. --set changes the detectors' settings.

    \b
    Example:
      fathom data import bybit ../shared/data/perp-ticks/* --catalog catalog/perp-ticks
      fathom detect benchmark --catalog catalog/perp-ticks --html benchmark.html
      fathom detect benchmark --catalog catalog/perp-ticks --fit detectors/book/fitted.toml
      fathom detect benchmark --catalog catalog/perp-ticks --set layering.min_levels=5 --report-seeds 101-108
    """
    import time

    from fathom.data_catalog.simulation.loading import load_scenario
    from fathom.detectors.book.fitted import write_fitted
    from fathom.detectors.book.surveillance import SurveillanceConfig
    from fathom.settings.toml import read
    from fathom.studies.benchmark.markets import RecordedStreams, SimulatedStreams
    from fathom.studies.benchmark.page import write_page
    from fathom.studies.benchmark.plan import QUICK_SEEDS, BenchmarkPlan, fit_all, run_benchmark

    config, begun = read(SurveillanceConfig, [], changes), time.perf_counter()
    terminal.show_config(config)
    if quick:
        tuning_seeds, report_seeds, secs = tuning_seeds[:2], QUICK_SEEDS, min(secs, 240.0)
    plan = BenchmarkPlan(
        RecordedStreams(catalog, instrument) if catalog else None,
        SimulatedStreams(load_scenario(scenario), scenario.stem, secs),
        SimulatedStreams(load_scenario(quiet_scenario), quiet_scenario.stem, secs),
        tuning_seeds=tuning_seeds,
        report_seeds=report_seeds,
        budget=budget,
    )
    with terminal.progress() as bars:

        def on_market(name: str) -> None:
            bars.step("markets", total=plan.markets_of_fit if fit else plan.markets, note=name)

        if fit:
            write_fitted(fit, fit_all(plan, config, on_market).config, plan.fitted_on)
            terminal.answer({"fitted": fit, "secs": time.perf_counter() - begun})
            terminal.say(f"Wrote {fit} in {time.perf_counter() - begun:.0f} s")
            return
        results = run_benchmark(plan, config, on_market)
    if html:
        write_page(html, results, plan.budget)
    terminal.answer(results)
    for result in results:
        _print(terminal, result)
    terminal.say(f"{plan.markets} markets in {time.perf_counter() - begun:.0f} s")
    if html:
        terminal.note(f"Wrote {html}")


def _print(terminal: Terminal, result: "Result") -> None:
    first, last = result.reported_on[0], result.reported_on[-1]
    terminal.say(f"\n{result.family}: tuned on {', '.join(result.tuned_on)}", bold=True)
    terminal.say(f"reported on {first} to {last}: {result.hours:.2f} h with actors")
    rows = []
    for kind in result.kinds:
        points = [("at the budget", kind.at_budget), ("threshold as tuned", kind.carried), *kind.baselines.items()]
        for name, point in points:
            area = kind.areas.get(name, kind.areas["detector"])
            large, number = point.honest_large
            rows.append(
                (
                    kind.kind,
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
            )
    measures = ("threshold", "false/h", "precision", "recall", "recall of all", "PR area", "honest flagged", "delay ms")
    terminal.table(("detector", "method", *measures), rows)
    terminal.say(
        f"recall of spoofing and layering together: {result.pooled_recall[0]:.3f} at the budget, "
        f"{result.pooled_recall[1]:.3f} with the thresholds as tuned"
    )
    for kind in result.kinds:
        _print_kind(terminal, kind)


def _print_kind(terminal: Terminal, kind: "KindResult") -> None:
    heads, rows = ["recall", *(f"{name.replace('_', ' ')} precision" for name in kind.curves)], []
    for wanted in (0.1, 0.3, 0.5, 0.7, 0.8, 0.9):
        cells = []
        for curve in kind.curves.values():
            fine = [p for p, r in zip(curve["precision"], curve["recall"], strict=True) if r >= wanted and p == p]
            cells.append(f"{max(fine):.4f}" if fine else "never")
        rows.append((f"{wanted:.1f}", *cells))
    terminal.say()
    terminal.table(heads, rows, title=f"{kind.kind} ({kind.episodes})")
    for name, cells_of in kind.tables.items():
        text = ", ".join(f"{cell}: {hit}/{every}" for cell, (hit, every) in cells_of.items())
        terminal.say(f"  found by {name}: {text}")
    honest = ", ".join(f"{name} {hit}/{every}" for name, (hit, every) in kind.carried.honest.items())
    terminal.say(f"  honest actors that raised an alert (threshold as tuned): {honest or 'none'}")
    text = ", ".join(f"{said:.2f}: {true:.2f} ({number:,.0f})" for said, true, number in kind.reliability)
    terminal.say(f"  confidence: share of manipulation (candidates): {text}")
