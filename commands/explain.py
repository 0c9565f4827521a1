"""`fathom explain`: one decision of a run, from the features to the result."""

from typing import Any

import click

from fathom.commands.console import Terminal, command

_LISTED = 40


@command()
@click.argument("run", metavar="RUN")
@click.option("--signal", "signal_id", metavar="ID", help="Which signal; without it, the signals are listed.")
def explain(terminal: Terminal, run: str, signal_id: str | None) -> None:
    """Tell why a signal became a trade, or why not: features, prediction, arithmetic, filter, risk, orders, result.

    RUN is a run directory, or its name in fathom-out/runs. The ids of the signals stand in the tables of its
    execution.html and in its decisions.parquet.

    \b
    Example:
      fathom explain 20260101-120000-demo-1a2b3c4d
      fathom explain 20260101-120000-demo-1a2b3c4d --signal SuperTrend-BTCUSDT-7
    """
    from fathom.backtests.reports.explanation import facts_of, parts_of, signals_of
    from fathom.backtests.reports.report import find_run

    files = find_run(run)
    if signal_id is None:
        _list(terminal, signals_of(files))
        return
    facts = facts_of(files, signal_id)
    terminal.answer(facts)
    for part in parts_of(facts, str(files.summary()["currency"])):
        terminal.say(part.title, bold=True)
        width = max((len(label) for label, _ in part.facts), default=0)
        for label, text in part.facts:
            terminal.say(f"  {label:<{width}}  {text}")
        terminal.say()


def _list(terminal: Terminal, signals: list[dict[str, Any]]) -> None:
    from fathom.pages.formats import precise_utc

    terminal.answer([{name: row[name] for name in ("signal_id", "stage", "ended", "reason")} for row in signals])
    if not signals:
        terminal.say("No strategy of this run had a signal.")
        return
    rows = []
    for row in signals[:_LISTED]:
        why = f"{row['ended']}: {row['reason']}" if row["ended"] else ""
        rows.append((row["signal_id"], precise_utc(int(row["ts"].value)), row["side"].lower(), row["stage"], why))
    terminal.table(("Signal", "Time (UTC)", "Side", "Came to", "Why no further"), rows)
    if len(signals) > _LISTED:
        terminal.say(f"The first {_LISTED} of {len(signals)} signals; --json prints all.")
