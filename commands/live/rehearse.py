"""`fathom live rehearse`: the live node against a stand-in of Bybit."""

from pathlib import Path

import click

from fathom.commands.console import Terminal, command, config_options, out_option


@command(no_args_is_help=True, kept="The node sent its last order to a stand-in: nothing is open anywhere.")
@click.argument("config", type=click.Path(path_type=Path), metavar="CONFIG")
@config_options
@click.option("--system", "system_changes", multiple=True, metavar="KEY=VALUE", help="Set one value of the system.")
@click.option("--watch", is_flag=True, help="Make signals and send no order: the node gets no way to the account.")
@out_option("rehearsals", "Folder of rehearsals; this one gets a folder of its own in it")
def rehearse(
    terminal: Terminal, config: Path, changes: tuple[str, ...], system_changes: tuple[str, ...], watch: bool, out: Path
) -> None:
    """Let the live node trade a system on a stand-in of Bybit, on this machine, without keys or internet.

    The stand-in replays a catalog over REST and WebSockets as Bybit speaks them, refuses what Bybit refuses, and keeps
    a ledger. Its auditor judges the session from that ledger alone: no orphan order, no unknown position, no duplicate,
    sums that agree. The exit code is 1 where it finds something, or where a strategy or an actor failed. CONFIG names
    the system by the files of its backtest.

    \b
    Example:
      fathom live rehearse configs/live/rehearsal.toml --set exchange.catalog=catalog --set duration_secs=60
    """
    import datetime

    import msgspec

    from fathom.live.node.rehearsal import rehearse as run
    from fathom.live.node.rehearsal_page import rehearsal_html
    from fathom.live.setup.rehearsal_config import load_rehearsal
    from fathom.live.setup.rehearsal_config import plan as plan_of
    from fathom.settings.toml import Layers
    from fathom.settings.whole_files import write_whole

    settings = load_rehearsal(Layers.read([config], changes))
    terminal.show_config(settings)
    made = plan_of(Layers.read(settings.system, system_changes))
    terminal.note(
        f"Rehearsing {settings.name} for {settings.duration_secs:g} s: system {made.digest}, "
        f"{', '.join(made.system.data.instruments)}"
    )
    with terminal.engine_output(), terminal.progress() as bars:
        outcome = run(
            settings,
            made,
            trade=not watch,
            tick=lambda secs: bars("Rehearsing", min(secs, settings.duration_secs), settings.duration_secs),
            log_level={"warn": "WARNING", "off": "ERROR"}.get(terminal.log_level, terminal.log_level.upper()),
        )
    now = datetime.datetime.now(datetime.UTC)
    folder = out / f"{now:%Y%m%d-%H%M%S}-{settings.name}-{made.digest}"

    text = msgspec.json.format(msgspec.json.encode(outcome), indent=2).decode()
    write_whole(folder / "rehearsal.json", text)
    page = write_whole(folder / "rehearsal.html", rehearsal_html(outcome))
    terminal.answer(outcome)
    commands = ", ".join(f"{name} {count}" for name, count in outcome.commands.items()) or "none"
    refused = ", ".join(f"{count} x {name}" for name, count in outcome.refused.items()) or "none"
    rows = [
        ("System", f"{outcome.digest}, as in its backtest"),
        ("Session", f"{outcome.secs:.0f} s, {outcome.events:,} messages of the exchange"),
        ("Signals", ", ".join(f"{count} {name}" for name, count in outcome.signals.items()) or "none"),
        ("Orders", f"{outcome.sent} sent, {outcome.executions} executions"),
        ("Commands", commands),
        ("Refused", refused),
        ("Net", f"{float(outcome.net):+,.2f} USDT, fees {float(outcome.fees):,.2f}"),
        ("Auditor", "clean" if not outcome.findings else f"{len(outcome.findings)} findings"),
    ]
    terminal.table(("", ""), rows, title=outcome.name)
    for text in (*outcome.findings, *outcome.errors):
        terminal.warn(f"! {text}")
    for text in outcome.notes:
        terminal.say(f"Note: {text}")
    terminal.say(f"Page: {page}")
    if not outcome.clean:
        raise click.exceptions.Exit(1)
