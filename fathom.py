"""The `fathom` command: it finds the subcommand and imports only that one."""

import importlib
from collections.abc import Mapping

import click

COMMANDS: Mapping[str, tuple[str, str]] = {
    "backtest": ("backtests.cli:backtest", "Run, compare and report backtests."),
    "data": ("data_catalog.cli:data", "Import, download, simulate, list and check market data."),
    "demo": ("backtests.demo:demo", "Simulate a market, backtest on it and write the tearsheet."),
}


class LazyGroup(click.Group):
    """A command group that imports a subcommand only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module_name, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module_name), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in sorted(COMMANDS.items())])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="fathom-trader", prog_name="fathom")
def main() -> None:
    """Find out whether an order-book signal is worth trading, then trade it with the same code.

    \b
    First steps:
      fathom demo                                        a simulated market, a backtest, a tearsheet
      fathom data import bybit FILE... --catalog DIR     your own archive files
      fathom backtest run CONFIG --out DIR               a backtest from a TOML file
    """


if __name__ == "__main__":
    main()
