"""`fathom backtest scorecard`: every strategy on markets it was not made on, beside the requirements."""

from pathlib import Path
from typing import Any

import click

from fathom.commands.console import Terminal, command, config_options, jobs_option, out_option


@command(no_args_is_help=True, kept="Finished backtests stay; the same command goes on with what is left.")
@click.argument("configs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="CONFIG...")
@out_option("runs", "Folder of runs; the scorecard gets a folder of its own in it")
@config_options
@jobs_option("Backtests at a time.")
@click.option("--quick", is_flag=True, help="Short markets and few seeds, for a first look.")
def scorecard(
    terminal: Terminal, configs: tuple[Path, ...], out: Path, changes: tuple[str, ...], jobs: int, quick: bool
) -> None:
    """Hold the strategies against the requirements on simulated markets that neither they nor the model has seen.

    The markets are simulated, the model is trained on a market of another seed, and each strategy runs alone on each
    market: with everything, and once more without the validator. What comes out is printed beside what is asked: win
    rate, Sharpe ratio, drawdown, profit factor, and what the validator adds, each with its interval. On markets of the
    kind null, where nothing predicts the price, a profit beyond luck would mean a leak; all looks are counted.

    After Ctrl-C the same command goes on where it was; what is finished is not run again. The folder
    NAME-scorecard-HASH holds scorecard.html, scorecard.json, the markets, the model and the run directories.

    \b
    Example:
      fathom backtest scorecard configs/scorecard/simulated.toml --quick
      fathom backtest scorecard configs/scorecard/simulated.toml --jobs 2
    """
    from fathom.backtests.experiments import scorecard as plans
    from fathom.backtests.experiments import scorecard_results as results
    from fathom.backtests.experiments.scorecard_config import load_scorecard
    from fathom.backtests.experiments.scorecard_page import scorecard_html
    from fathom.backtests.setup.run_files import dump_json
    from fathom.settings.whole_files import write_whole

    config = load_scorecard(configs, changes)
    terminal.show_config(config)
    plan = plans.plan(config, out, quick=quick)
    with terminal.progress() as bars:

        def tell(name: str, before: bool) -> None:
            bars.step("backtests", total=len(plan.cells), note=f"{name}{' (done before)' if before else ''}")

        done = plans.run(plan, plans.prepare(plan, bars), jobs=jobs, progress=tell)
    compared = results.compared(plan.config, plan.folder, done)
    content = results.as_json(compared)
    page = write_whole(plan.folder / "scorecard.html", scorecard_html(compared, done))
    write_whole(plan.folder / "scorecard.json", dump_json(content))
    terminal.answer(content)
    _print(terminal, compared)
    terminal.note(f"Wrote {page}")


def _print(terminal: Terminal, compared: Any) -> None:
    from fathom.backtests.experiments.scorecard_page import MARKS, asked, figure, span_sentence
    from fathom.backtests.experiments.scorecard_results import checks, significant
    from fathom.pages.formats import integer, number

    for note in compared.in_sample:
        terminal.warn(f"Note: {note}")
    for market in dict.fromkeys(result.market for result in compared.results):
        results = [result for result in compared.results if result.market == market]
        heads = checks(results[0], compared.config.requirements)
        rows = []
        for result in results:
            value, low, high = (number(part, signed=True) for part in result.score.bps)
            cells = [result.strategy, integer(result.score.trades), f"{value} [{low}, {high}]"]
            for row, head in zip(checks(result, compared.config.requirements), heads, strict=True):
                more = f" ({asked(row)})" if row.asked != head.asked else ""
                cells.append(f"{figure(row)} {MARKS[row.verdict]}{more}")
            rows.append(cells)
        titles = ("Strategy", "Trades", "Net, bps a trade", *(f"{row.name} {asked(row)}" for row in heads))
        terminal.table(titles, rows, title=f"Markets: {market}")
        terminal.say()
    if compared.results:
        terminal.say(span_sentence(compared))
    if compared.trials:
        terminal.say(f"Most on one market: {compared.trials}")
    for look in compared.looks:
        value, low, high = (number(part, signed=True) for part in look.bps)
        text = f"{look.market} {look.seed}, {look.strategy}: {look.trades} trades, {value} bps [{low}, {high}]"
        terminal.say(f"{text}, p {number(look.p, 3)}, after Holm {number(look.adjusted, 3)}")
    if compared.looks:
        count = len(significant(compared))
        profits = "No profit" if not count else f"{count} profits"
        terminal.say(f"{profits} beyond luck on the null markets, of {len(compared.looks)} looks.")
