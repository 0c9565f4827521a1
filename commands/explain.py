"""`fathom explain`: one decision of a run, from the features to the result."""

from typing import Any

import click

_LISTED = 40


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--signal", "signal_id", metavar="ID", help="Which signal; without it, the signals are listed.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows that tell of it as JSON.")
def explain(run: str, signal_id: str | None, as_json: bool) -> None:
    """Tell why a signal became a trade, or why not: features, prediction, arithmetic, filter, risk, orders, result.

    RUN is a run directory, or its name in ./runs. The ids of the signals stand in the tables of its execution.html and
    in its decisions.parquet.

    \b
    Example:
      fathom explain runs/20260101-120000-demo-1a2b3c4d
      fathom explain runs/20260101-120000-demo-1a2b3c4d --signal SuperTrend-BTCUSDT-7
    """
    from rich.console import Console

    from fathom.backtests.reports.explanation import UnknownSignalError, facts_of, parts_of, signals_of
    from fathom.backtests.reports.report import find_run

    try:
        files = find_run(run)
        if signal_id is None:
            _list(Console(), signals_of(files), as_json)
            return
        facts = facts_of(files, signal_id)
    except (FileNotFoundError, UnknownSignalError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(_json(facts), nl=False)
        return
    console = Console()
    for part in parts_of(facts, str(files.summary()["currency"])):
        console.print(part.title, style="bold", highlight=False, markup=False)
        width = max((len(label) for label, _ in part.facts), default=0)
        for label, text in part.facts:
            console.print(f"  {label:<{width}}  {text}", highlight=False, markup=False, soft_wrap=True)
        console.print()


def _list(console: Any, rows: list[dict[str, Any]], as_json: bool) -> None:
    from rich.table import Table

    from fathom.pages.formats import precise_utc

    if as_json:
        click.echo(
            _json([{name: row[name] for name in ("signal_id", "stage", "ended", "reason")} for row in rows]), nl=False
        )
        return
    if not rows:
        console.print("No strategy of this run had a signal.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("Signal", "Time (UTC)", "Side", "Came to", "Why no further"):
        table.add_column(name, overflow="fold", no_wrap=name == "Time (UTC)")
    for row in rows[:_LISTED]:
        why = f"{row['ended']}: {row['reason']}" if row["ended"] else ""
        table.add_row(row["signal_id"], precise_utc(int(row["ts"].value)), row["side"].lower(), row["stage"], why)
    console.print(table, highlight=False, markup=False)
    if len(rows) > _LISTED:
        console.print(f"The first {_LISTED} of {len(rows)} signals; --json prints all.")


def _json(content: Any) -> str:
    import json

    def plain(value: Any) -> Any:
        if isinstance(value, float):
            return value if value == value and abs(value) != float("inf") else None
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [plain(inner) for inner in value]
        return value if isinstance(value, str | int | bool | None) else str(value)

    return json.dumps(plain(content), indent=2, ensure_ascii=False) + "\n"
