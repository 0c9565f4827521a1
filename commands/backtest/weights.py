"""`fathom backtest weights`: weights of an ensemble's members, learnt from earlier runs."""

import click

from fathom.commands.console import Terminal, command


@command()
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
def weights(terminal: Terminal, runs: tuple[str, ...], before: str | None, prior_trades: float) -> None:
    """Learn the weights of an ensemble from runs of its members.

    RUN is a run directory, or its name in fathom-out/runs. Each run's strategies count with the net returns of their
    closed trades, those of several runs together. The weights are proportional to the skill (mean over standard
    deviation of the returns), shrunk towards equal weights, never negative. Use them only on data after the trades they
    were learnt from; the output says when the last of them was closed.

    \b
    Example:
      fathom backtest run configs/backtest/demo.toml configs/system/momentum.toml --set data.end=2026-01-02T03:00:00Z
      fathom backtest run configs/backtest/demo.toml configs/system/sar_wave.toml --set data.end=2026-01-02T03:00:00Z
      fathom backtest weights fathom-out/runs/*
    """
    from fathom.backtests.experiments.member_results import learnt_from
    from fathom.backtests.reports.report import find_run
    from fathom.strategies.policy.ensemble_weights import skill

    results, learnt = learnt_from((find_run(text) for text in runs), before=before, prior_trades=prior_trades)
    trades = {name: len(values) for name, values in results.returns.items()}
    terminal.answer({"weights": learnt, "trades": trades, "first": results.first, "last": results.last})
    if not terminal.as_json:
        from fathom.commands.layout import table_text

        rows = []
        for name, values in results.returns.items():
            mean = f"{1e4 * sum(values) / len(values):+.2f}" if values else "-"
            rows.append((name, len(values), mean, f"{skill(values):+.3f}".replace("+nan", "-"), f"{learnt[name]:.3f}"))
        terminal.note(table_text(("member", "trades", "mean bps", "skill", "weight"), rows))
    if results.last is not None:
        terminal.say(f"# Learnt from trades until {results.last:%Y-%m-%dT%H:%M:%SZ}: for data after that only.")
    terminal.say("[strategies.parameters.weights]")
    for name, weight in learnt.items():
        terminal.say(f"{name} = {weight:.4f}")
