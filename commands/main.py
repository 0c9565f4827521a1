"""The `fathom` command: it finds the subcommand and imports only that one."""

from collections.abc import Mapping

import click

from fathom.commands.lazy import LazyGroup

COMMANDS: Mapping[str, tuple[str, str]] = {
    "backtest": ("fathom.commands.backtest.group:backtest", "Run, compare and report backtests."),
    "completion": ("fathom.commands.completion:completion", "Print the script that completes commands on Tab."),
    "data": ("fathom.commands.data.group:data", "Import, download, simulate, list and check market data."),
    "features": ("fathom.commands.features.group:features", "Build and describe feature tables from a catalog."),
    "detect": ("fathom.commands.detect.group:detect", "Find manipulation in a catalog; benchmark the detectors."),
    "train": ("fathom.commands.train.group:train", "Train models on a catalog: label, walk forward, tune, export."),
    "new": ("fathom.commands.new:new", "Write an example of your own strategy, feature, detector or net."),
    "live": ("fathom.commands.live.group:live", "Rehearse a system on the live node; later, trade it."),
    "models": ("fathom.commands.models.group:models", "List, show, compare, promote and roll back trained models."),
    "explain": ("fathom.commands.explain:explain", "Tell why a signal of a run became a trade, or why not."),
    "demo": ("fathom.commands.demo:demo", "Simulate a market, train a model, trade: a tearsheet."),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="fathom-trader", prog_name="fathom")
def main() -> None:
    """Find out whether an order-book signal is worth trading, then trade it with the same code.

    \b
    First steps:
      fathom demo                                        a simulated market, a model, a backtest, a tearsheet
      fathom data import bybit FILE... --catalog DIR     your own archive files
      fathom backtest run CONFIG                         a backtest from a TOML file
      fathom completion bash --help                      commands and options completed on Tab

    What is written goes to --out, by default into a folder in ./fathom-out, or in $FATHOM_HOME where that is set.
    Exit codes: 0 done, 1 refused or failed, 2 wrong options, 130 stopped by Ctrl-C, 143 by SIGTERM.
    """


if __name__ == "__main__":
    main()
