"""`fathom backtest weights`: weights of an ensemble's members, learnt from earlier runs."""

import datetime

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--before",
    metavar="TIME",
    help="Use only trades closed before this moment, such as 2026-01-02T03:00:00Z: the start of the span to come.",
)
@click.option(
    "--prior-trades",
    type=click.FloatRange(min=0.0, min_open=True),
    default=50.0,
    show_default=True,
    help="Shrinkage: with so many trades, half of a member's difference to the mean is believed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the weights as JSON instead of TOML.")
def weights(runs: tuple[str, ...], before: str | None, prior_trades: float, as_json: bool) -> None:
    """Learn the weights of an ensemble from runs of its members.

    RUN is a run directory, or its name in ./runs. Each run's strategies count with the net returns of their closed
    trades, those of several runs together. The weights are proportional to the skill (mean over standard deviation of
    the returns), shrunk towards equal weights, never negative. Use them only on data after the trades they were learnt
    from; the output says when the last of them was closed.

    \b
    Example:
      fathom backtest run configs/backtest/demo.toml configs/system/momentum.toml --set data.end=2026-01-02T03:00:00Z
      fathom backtest run configs/backtest/demo.toml configs/system/sar_wave.toml --set data.end=2026-01-02T03:00:00Z
      fathom backtest weights runs/*
    """
    from rich.console import Console
    from rich.table import Table

    from fathom.backtests.experiments.member_results import member_results
    from fathom.backtests.reports.report import find_run
    from fathom.backtests.setup.run_files import dump_json
    from fathom.strategies.policy.ensemble_weights import learn_weights, skill

    try:
        until = None if before is None else _moment(before)
        results = member_results((find_run(text) for text in runs), before=until)
        if not results.returns:
            raise ValueError("Expected runs of strategies that may be members of an ensemble, was none.")
        learnt = learn_weights(results.returns, prior_trades=prior_trades)
    except (FileNotFoundError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        trades = {name: len(values) for name, values in results.returns.items()}
        span = [None if moment is None else moment.isoformat() for moment in (results.first, results.last)]
        click.echo(dump_json({"weights": learnt, "trades": trades, "first": span[0], "last": span[1]}))
        return
    errors = Console(stderr=True)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("member", "trades", "mean bps", "skill", "weight"):
        table.add_column(head, justify="left" if head == "member" else "right")
    for name, values in results.returns.items():
        mean = f"{1e4 * sum(values) / len(values):+.2f}" if values else "-"
        shown = f"{skill(values):+.3f}".replace("+nan", "-")
        table.add_row(name, str(len(values)), mean, shown, f"{learnt[name]:.3f}")
    errors.print(table)
    if results.last is not None:
        click.echo(f"# Learnt from trades until {results.last:%Y-%m-%dT%H:%M:%SZ}: for data after that only.")
    click.echo("[strategies.parameters.weights]")
    for name, weight in learnt.items():
        click.echo(f"{name} = {weight:.4f}")


def _moment(text: str) -> datetime.datetime:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"--before: Expected a moment with a zone, such as 2026-01-02T03:00:00Z, was '{text}'.")
    return moment
