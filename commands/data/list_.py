"""The command `fathom data list`."""

from pathlib import Path

import click

from fathom.commands.console import Terminal, catalog_option, command


@command("list")
@catalog_option(exists=True)
@click.option(
    "--max-hole",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECS",
    help="How long a time without data may be before it is listed as a hole.",
)
def list_(terminal: Terminal, catalog: Path, max_hole: float) -> None:
    """Show what a catalog holds: instruments, data types, spans, rows, files, bytes and holes.

    A hole is a time without data longer than --max-hole; for bars, longer than one bar. It reads the times alone, and
    those only where the files' statistics leave room for a hole. With --json every hole is printed.

    \b
    Example:
      fathom data list --catalog catalog
      fathom data list --catalog catalog --json | jq '.data[] | {identifier, rows}'
    """
    from fathom.data_catalog.catalog import Catalog
    from fathom.data_catalog.quality.coverage import coverage
    from fathom.settings.times import time_text

    opened = Catalog(catalog)
    instruments = [
        {"id": str(each.id), "kind": type(each).__name__, "tick": each.price_increment, "lot": each.size_increment}
        for each in opened.instruments()
    ]
    data, rows = [], []
    for covered in coverage(opened, max_hole_secs=max_hole):
        span, holes = covered.span, covered.holes
        first, last = time_text(span.first_ns), time_text(span.last_ns)
        data.append(
            {
                "data_type": span.data_type,
                "identifier": span.identifier,
                "first": first,
                "last": last,
                "first_ns": span.first_ns,
                "last_ns": span.last_ns,
                "rows": span.rows,
                "files": span.files,
                "bytes": covered.size,
                "holes": [
                    {"after": time_text(hole.after_ns), "before": time_text(hole.before_ns), "secs": hole.secs}
                    for hole in holes
                ],
            }
        )
        counts = (f"{span.rows:,}", f"{span.files:,}", f"{covered.size:,}")
        longest = (f"{len(holes):,}", f"{covered.longest_secs:,.1f} s") if holes else ("", "")
        rows.append((span.data_type, span.identifier, first, last, *counts, *longest))
    terminal.answer({"catalog": str(opened.path), "instruments": instruments, "data": data})
    if not data and not instruments:
        terminal.say(f"{opened.path} holds nothing.")
        return
    terminal.table(("instrument", "kind", "tick", "lot"), [tuple(each.values()) for each in instruments])
    terminal.say()
    terminal.table(("data", "of", "from", "to", "rows", "files", "bytes", "holes", "longest"), rows)
