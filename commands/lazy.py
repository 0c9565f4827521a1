"""Click groups that import a subcommand only when it is called, so that `--help` answers at once."""

import importlib
from collections.abc import Mapping
from typing import Any

import click

from fathom.settings.nearest import nearest


class LazyGroup(click.Group):
    """A command group over a table of names.

    Parameters
    ----------
    lazy : Mapping[str, tuple[str, str]]
        For each subcommand, where it lives ("package.module:attribute") and the one-line summary that `--help` prints
        without importing it.

    Examples
    --------
    >>> group = LazyGroup("data", lazy={"list": ("fathom.commands.data.list_:list_", "Show what it holds.")})
    >>> group.list_commands(click.Context(group))
    ['list']
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self.lazy, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module_name, _, attribute = self.lazy[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module_name), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            ctx.fail(f"No such command '{args[0]}'. {nearest(args[0], known)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = {name: summary for name, (_, summary) in self.lazy.items()}
        rows |= {name: command.get_short_help_str(80) for name, command in self.commands.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows.items()))
