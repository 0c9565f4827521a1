"""Run the benchmarks: `python -m tests.performance [--only NAME] [--json]`."""

import importlib
import json
import pkgutil
import platform
from collections.abc import Callable
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

import tests.performance
from tests.performance import Measure


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Run this module only, such as import_bybit; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(only: tuple[str, ...], as_json: bool) -> None:
    """Measure speed and memory against baselines in the same run; medians of at least three repeats."""
    modules = [module.name for module in pkgutil.iter_modules(tests.performance.__path__) if module.name != "__main__"]
    for name in only:
        if name not in modules:
            raise click.ClickException(f"Expected one of {', '.join(modules)}, was '{name}'.")
    progress = Console(stderr=True)
    measures: list[Measure] = []
    failed: list[str] = []
    for name in only or modules:
        run: Callable[[], list[Measure]] | None = getattr(
            importlib.import_module(f"tests.performance.{name}"), "run", None
        )
        if run is None:
            continue
        progress.print(f"measuring {name} ...", style="dim")
        try:
            measures += run()
        except Exception as error:  # one broken benchmark must not hide the numbers of the others
            failed.append(f"{name}: {error!r}")
    if as_json:
        click.echo(json.dumps([asdict(measure) | {"ratio": measure.ratio} for measure in measures], indent=1))
    else:
        _print(measures)
    if failed:
        raise click.ClickException("; ".join(failed))


def _print(measures: list[Measure]) -> None:
    title = f"{platform.machine()}, Python {platform.python_version()}"
    table = Table("measure", "median", "unit", "baseline", "ratio", "note", title=title, title_justify="left", box=None)
    for number in (1, 3, 4):
        table.columns[number].justify = "right"
    for one in measures:
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}x"
        table.add_row(one.name, _number(one.value), one.unit, _number(one.baseline), ratio, one.note)
    console = Console()
    console.width = max(console.width, 140)
    console.print(table)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


if __name__ == "__main__":
    main()
