"""The command `fathom data check`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fathom.commands.console import Terminal, catalog_option, command, instrument_option

if TYPE_CHECKING:
    from fathom.data_catalog.catalog import Catalog
    from fathom.data_catalog.quality.findings import Report


@command()
@catalog_option(exists=True)
@instrument_option()
@click.option(
    "--max-hole",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECS",
    help="How long a time without data may be.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 on warnings too.")
def check(terminal: Terminal, catalog: Path, instrument: str | None, max_hole: float, strict: bool) -> None:
    """Check every row of a catalog's order books, trades and bars.

    \b
    Errors (exit code 1): what cannot be true, or what the engine would replay wrongly
      time or sequence going backwards; a jump in a sequence that counts messages one by one; a message that comes
      twice or does not end; a best bid above the best ask; prices and sizes off the grid or below 0; a trade id that
      comes twice; bars that overlap or contradict themselves; unreadable files
    \b
    Warnings (exit code 0, or 1 with --strict): what may be true, and should be known
      no data for longer than --max-hole; messages lost before a snapshot; an empty snapshot, as an import writes it
      where its file has a gap; bars missing; bid = ask; a book with one side only; no snapshot at the beginning;
      ts_init before ts_event; what the import said of its source files
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
    from fathom.data_catalog.quality.check import check as check_catalog

    opened = Catalog(catalog)
    with terminal.progress() as bars:
        total = None if instrument else _row_total(opened)
        report = check_catalog(
            opened,
            instrument_id=instrument,
            max_hole_secs=max_hole,
            on_rows=lambda rows: bars.step("rows", rows, total=total),
        )
    if not report.checked:
        raise click.ClickException(
            f"Expected a catalog with order books, trades or bars, was none in {catalog}. Bring some: "
            "fathom data import --help, fathom data simulate --help."
        )
    findings = [
        {name: getattr(finding, name) for name in ("severity", "meaning", *finding.__struct_fields__)}
        for finding in report.findings
    ]
    terminal.answer({"worst": report.worst, "checked": report.checked, "findings": findings})
    _print(terminal, report, catalog)
    if report.worst == "error" or (strict and report.worst == "warning"):
        raise click.exceptions.Exit(1)


def _row_total(catalog: "Catalog") -> int | None:
    from fathom.data_catalog.errors import CatalogError

    try:
        return sum(span.rows for span in catalog.spans())
    except CatalogError:  # a file that cannot be read: a finding of the check
        return None


def _print(terminal: Terminal, report: "Report", folder: Path) -> None:
    rows = []
    for each in report.checked:
        messages = f"{each.messages:,}" if each.messages else ""
        rows.append((each.data_type, each.identifier, f"{each.files:,}", f"{each.rows:,}", messages))
    terminal.table(("data", "of", "files", "rows", "messages"), rows)
    for finding in report.findings:
        example = finding.examples[0]
        place = f"{example.time} row {example.row:,}: {example.detail}" if example.time else example.detail
        colour = {"error": "red", "warning": "yellow"}.get(finding.severity)
        place = f"{place} ({example.file})" if example.file else place
        terminal.say()
        terminal.say(f"{finding.severity}: {finding.check}, {finding.count:,} times", fg=colour)
        terminal.say(f"  {finding.meaning}\n  in {finding.data_type} {finding.identifier}, first at {place}")
    words = {"error": "has errors", "warning": "has warnings, no errors"}
    terminal.say(f"\n{folder} {words.get(report.worst or '', 'is sound')}.")
