"""The commands `fathom data list` and `fathom data check`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fathom.commands.data.refusals import refusals

if TYPE_CHECKING:
    from fathom.data_catalog.catalog import Catalog
    from fathom.data_catalog.quality.coverage import Coverage
    from fathom.data_catalog.quality.findings import Report

FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)
_COLOURS = {"error": "red", "warning": "yellow", "info": "dim"}


@click.command("list", short_help="Show what a catalog holds: instruments, types, spans, rows.")
@click.option("--catalog", "folder", type=FOLDER, required=True, help="Catalog folder.")
@click.option(
    "--max-hole",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECS",
    help="How long a time without data may be before it is listed as a hole.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every hole.")
def list_(folder: Path, max_hole: float, as_json: bool) -> None:
    """Show what a catalog holds: instruments, data types, spans, rows, files, bytes and holes.

    A hole is a time without data longer than --max-hole; for bars, longer than one bar. It reads the times alone, and
    those only where the files' statistics leave room for a hole.

    \b
    Example:
      fathom data list --catalog catalog
      fathom data list --catalog catalog --json | jq '.data[] | {identifier, rows}'
    """
    from fathom.data_catalog.catalog import Catalog
    from fathom.data_catalog.quality.coverage import coverage

    catalog = Catalog(folder)
    with refusals():
        found = coverage(catalog, max_hole_secs=max_hole)
        if as_json:
            click.echo(_list_json(catalog, found))
        else:
            _print_list(catalog, found)


@click.command(short_help="Look for sequence breaks, crossed books, duplicates, holes.")
@click.option("--catalog", "folder", type=FOLDER, required=True, help="Catalog folder.")
@click.option("--instrument", metavar="ID", help="Check only this one, such as BTCUSDT-LINEAR.BYBIT.")
@click.option(
    "--max-hole",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECS",
    help="How long a time without data may be.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 on warnings too.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check(folder: Path, instrument: str | None, max_hole: float, strict: bool, as_json: bool) -> None:
    """Check every row of a catalog's order books, trades and bars.

    \b
    Errors (exit code 1): what cannot be true, or what the engine would replay wrongly
      time or sequence going backwards; a jump in a sequence that counts messages one by one; a message that comes
      twice or does not end; a best bid above the best ask; a snapshot with bid = ask; prices and sizes off the grid
      or below 0; a trade id that comes twice; bars that overlap or contradict themselves; unreadable files
    \b
    Warnings (exit code 0, or 1 with --strict): what may be true, and should be known
      no data for longer than --max-hole; messages lost before a snapshot; bars missing; bid = ask after a change; a
      book with one side only; no snapshot at the beginning; ts_init before ts_event; what the import said of its
      source files
    \b
    Notes: what some venues do all the time
      deletion of a level that was not there; a level changed twice in a message; quiet spells without trades

    Bybit's archives number messages by a cross sequence, which counts the events of the whole venue and so leaves
    numbers out: only its going backwards is an error. Where most steps are steps of one, every jump is an error too.

    \b
    Example:
      fathom data check --catalog catalog --max-hole 10
    """
    from fathom.data_catalog.catalog import Catalog

    with refusals():
        report = _checked(Catalog(folder), instrument, max_hole)
    if not report.checked:
        raise click.ClickException(
            f"Expected a catalog with order books, trades or bars, was none in {folder}. Bring some: "
            "fathom data import --help, fathom data simulate --help."
        )
    if as_json:
        click.echo(_report_json(report))
    else:
        _print_report(report, folder)
    if report.worst == "error" or (strict and report.worst == "warning"):
        raise click.exceptions.Exit(1)


def _checked(catalog: "Catalog", instrument: str | None, max_hole: float) -> "Report":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from fathom.data_catalog.quality.check import check as check_catalog

    columns = (TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None if instrument else _row_total(catalog))
        return check_catalog(
            catalog,
            instrument_id=instrument,
            max_hole_secs=max_hole,
            on_rows=lambda rows: progress.advance(task, rows),
        )


def _row_total(catalog: "Catalog") -> int | None:
    from fathom.data_catalog.errors import CatalogError

    try:
        return sum(span.rows for span in catalog.spans())
    except CatalogError:  # a file that cannot be read: a finding of the check
        return None


def _print_list(catalog: "Catalog", found: "list[Coverage]") -> None:
    from rich import box
    from rich.table import Table

    from fathom.data_catalog.store.layout import time_text

    instruments = Table("instrument", "kind", "tick", "lot", box=box.SIMPLE_HEAD)
    for one in catalog.instruments():
        instruments.add_row(str(one.id), type(one).__name__, str(one.price_increment), str(one.size_increment))
    data = Table("data", "of", "from", "to", "rows", "files", "bytes", "holes", "longest", box=box.SIMPLE_HEAD)
    for column in data.columns[4:]:
        column.justify = "right"
    for one in found:
        span = one.span
        longest = f"{one.longest_secs:,.1f} s" if one.holes else ""
        data.add_row(
            *(span.data_type, span.identifier, time_text(span.first_ns), time_text(span.last_ns), f"{span.rows:,}"),
            *(f"{span.files:,}", f"{one.size:,}", f"{len(one.holes):,}" if one.holes else "", longest),
        )
    console = _console()
    if not found and not instruments.row_count:
        console.print(f"{catalog.path} holds nothing.")
        return
    console.print(instruments)
    console.print(data)


def _list_json(catalog: "Catalog", found: "list[Coverage]") -> str:
    import json

    from fathom.data_catalog.store.layout import time_text

    instruments = [
        {
            "id": str(one.id),
            "kind": type(one).__name__,
            "tick": str(one.price_increment),
            "lot": str(one.size_increment),
        }
        for one in catalog.instruments()
    ]
    data = [
        {
            "data_type": one.span.data_type,
            "identifier": one.span.identifier,
            "first": time_text(one.span.first_ns),
            "last": time_text(one.span.last_ns),
            "first_ns": one.span.first_ns,
            "last_ns": one.span.last_ns,
            "rows": one.span.rows,
            "files": one.span.files,
            "bytes": one.size,
            "holes": [
                {"after": time_text(hole.after_ns), "before": time_text(hole.before_ns), "secs": hole.secs}
                for hole in one.holes
            ],
        }
        for one in found
    ]
    return json.dumps({"catalog": str(catalog.path), "instruments": instruments, "data": data}, indent=1)


def _print_report(report: "Report", folder: Path) -> None:
    from rich import box
    from rich.table import Table

    console = _console()
    checked = Table("data", "of", "files", "rows", "messages", box=box.SIMPLE_HEAD)
    for column in checked.columns[2:]:
        column.justify = "right"
    for one in report.checked:
        messages = f"{one.messages:,}" if one.messages else ""
        checked.add_row(one.data_type, one.identifier, f"{one.files:,}", f"{one.rows:,}", messages)
    console.print(checked)
    if report.findings:
        found = Table("", "of", "finding", "times", "first at", box=box.SIMPLE_HEAD, show_lines=False)
        found.columns[3].justify = "right"
        for finding in report.findings:
            example = finding.examples[0]
            place = f"{example.time} row {example.row:,}: {example.detail}" if example.time else example.detail
            colour = _COLOURS[finding.severity]
            found.add_row(
                f"[{colour}]{finding.severity}[/]",
                f"{finding.data_type}\n{finding.identifier}",
                f"{finding.check}\n[dim]{finding.meaning}[/]",
                f"{finding.count:,}",
                f"{place}\n[dim]{example.file}[/]",
            )
        console.print(found)
    words = {"error": "has errors", "warning": "has warnings, no errors", "info": "is sound", None: "is sound"}
    console.print(f"{folder} {words[report.worst]}.")


def _report_json(report: "Report") -> str:
    import json

    import msgspec

    findings: list[dict[str, Any]] = [
        {"severity": finding.severity, "meaning": finding.meaning, **msgspec.to_builtins(finding)}
        for finding in report.findings
    ]
    checked = msgspec.to_builtins(report.checked)
    return json.dumps({"worst": report.worst, "checked": checked, "findings": findings}, indent=1)


def _console() -> Any:
    from rich.console import Console

    console = Console()
    console.width = max(console.width, 150)  # a wide table reads better broken by the terminal than cut off
    return console
