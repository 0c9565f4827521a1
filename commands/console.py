"""What every command shares: its options, how it prints, shows progress, refuses and is stopped."""

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from fathom.commands.layout import table_text
from fathom.settings.errors import FathomError
from fathom.settings.home import output
from fathom.settings.urls import redacted

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

FILE: Final = click.Path(dir_okay=False, path_type=Path)
KNOWN_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER: Final = click.Path(file_okay=False, path_type=Path)
KNOWN_FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)

_LEVELS: Final = ("off", "error", "warning", "info", "debug")
_EXTRAS: Final = {
    **dict.fromkeys(("lightning", "mlflow", "onnx", "onnxscript", "optuna", "sklearn", "torch"), "train"),
    **dict.fromkeys(("httpx", "starlette", "uvicorn"), "serve"),
}
_STOPPED: Final = {signal.SIGINT: "Stopped by Ctrl-C.", signal.SIGTERM: "Stopped by SIGTERM."}

type Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Bars:
    """Progress bars on standard error, one for each name; none where nobody looks at a terminal."""

    def __init__(self, progress: "Progress") -> None:
        self._progress, self._drawn = progress, 0.0
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, name: str, done: float, total: float | None = None, note: str = "") -> None:
        """Set how much is done of what `name` says."""
        self._progress.update(self._task(name, total), completed=done, total=total, note=note)
        self._draw()

    def step(self, name: str, by: float = 1.0, total: float | None = None, note: str = "") -> None:
        """Add to what is done."""
        task = self._task(name, total)
        self._progress.update(task, advance=by, note=note)
        self._draw()

    def _draw(self) -> None:
        # No thread draws: the engine may hold the interpreter.
        if time.monotonic() - self._drawn > 0.1:
            self._progress.refresh()
            self._drawn = time.monotonic()

    def _task(self, name: str, total: float | None) -> "TaskID":
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total, note="")
        return self._tasks[name]


class Terminal:
    """Where a command prints: text and tables for a person, or with `--json` one document for a machine.

    Attributes
    ----------
    as_json
        Whether `--json` was given: `answer` alone prints then.
    log_level
        What `--log-level` says.
    """

    def __init__(self, *, as_json: bool = False, log_level: str = "off", wants_config: bool = False) -> None:
        self.as_json, self.log_level, self._wants_config = as_json, log_level, wants_config
        self._stdout: TextIO = sys.stdout

    def answer(self, content: Any) -> None:
        """Print the document of `--json`; what is no number is null."""
        if self.as_json:
            import msgspec

            text = msgspec.json.format(msgspec.json.encode(content, enc_hook=_plain), indent=2).decode()
            click.echo(redacted(text), file=self._stdout)

    def say(self, text: object = "", **style: Any) -> None:
        """Print text for a person; the terminal breaks long lines."""
        if not self.as_json:
            click.secho(redacted(str(text)), file=self._stdout, **style)

    def warn(self, text: str) -> None:
        """Print what a person should know of a result."""
        self.say(text, fg="yellow")

    def note(self, text: str) -> None:
        """Print on standard error, for a person, what is no result, such as the place of a page."""
        if not self.as_json:
            click.echo(redacted(text), err=True)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
        """Print a table that fits the terminal; where it cannot, each row stands as lines of its own."""
        if not self.as_json:
            if title:
                self.say(title, bold=True)
            self.say(table_text(heads, rows, self._width()))

    def show_config(self, config: Any, **replaced: Any) -> None:
        """With `--print-config`, print a configuration with all defaults and their meaning, and end the command."""
        if self._wants_config:
            from fathom.commands.config_text import config_text, plain

            self.answer(plain(config, replaced))
            self.say(config_text(config, replaced).rstrip())
            raise click.exceptions.Exit(0)

    @contextlib.contextmanager
    def progress(self) -> Iterator[Bars]:
        """Show bars while the block runs."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
        )
        with Progress(
            *columns, console=console, transient=True, auto_refresh=False, disable=not console.is_terminal
        ) as progress:
            yield Bars(progress)

    @contextlib.contextmanager
    def engine_output(self) -> Iterator[None]:
        """Send what the engine writes to file descriptor 1, which is for the result, to standard error."""
        result = os.dup(1)
        try:
            os.dup2(2, 1)
            yield
        finally:
            sys.stdout.flush()
            os.dup2(result, 1)
            os.close(result)

    def _width(self) -> int | None:
        columns = os.environ.get("COLUMNS", "")
        if columns.isdecimal():
            return int(columns)
        return os.get_terminal_size(1).columns if self._stdout.isatty() else None


class Command(click.Command):
    """A command that prints through a `Terminal`, refuses in one line and says what it keeps when it is stopped.

    Parameters
    ----------
    kept : str
        What stays when the command is stopped, as a sentence.
    """

    def __init__(self, *args: Any, kept: str = "Nothing was changed.", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kept = kept
        self.params += [
            click.Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON, and nothing else."),
            click.Option(
                ["--log-level"],
                type=click.Choice(_LEVELS, case_sensitive=False),
                default="off",
                show_default=True,
                help="What is logged on standard error.",
            ),
        ]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        terminal = Terminal(
            as_json=ctx.params.pop("as_json"),
            log_level=ctx.params.pop("log_level"),
            wants_config=ctx.params.pop("print_config", False),
        )
        ctx.params["terminal"] = terminal
        others = sys.stderr if terminal.as_json else sys.stdout
        with refusing(self.kept), _logged(terminal.log_level), contextlib.redirect_stdout(others):
            return super().invoke(ctx)


def command(name: str | None = None, *, kept: str = "Nothing was changed.", **attributes: Any) -> Any:
    """Make a function that takes a `terminal` a command with `--json` and `--log-level`."""
    return click.command(name, cls=Command, kept=kept, **attributes)


class StoppedError(click.ClickException):
    """A command was stopped from outside."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: Any = None) -> None:
        """Print the sentence."""
        click.echo(self.message, err=True)


@contextlib.contextmanager
def refusing(kept: str) -> Iterator[None]:
    """Turn what Fathom and the disk refuse into one line and exit code 1, Ctrl-C into 130, SIGTERM into 143.

    Examples
    --------
    >>> with refusing("Nothing was changed."):
    ...     raise PermissionError(13, "Permission denied", "catalog/fathom")
    Traceback (most recent call last):
    click.exceptions.ClickException: Expected to read and write catalog/fathom, was: Permission denied. Nothing \
half-written stays behind; give rights or space, then run the command again.
    """
    received: list[signal.Signals] = []
    with _terminable(received):
        try:
            yield
        except (KeyboardInterrupt, FathomError) as error:
            if not isinstance(error, KeyboardInterrupt) and not isinstance(error.__cause__, KeyboardInterrupt):
                raise click.ClickException(redacted(str(error))) from error
            number = received[0] if received else signal.SIGINT
            # Python remembers a KeyboardInterrupt that left executed text (numba and dataclasses execute some), and
            # would end by SIGINT whatever the exit code; text that ends well makes it forget.
            exec("")
            details = f" {redacted(str(error))}" if str(error) else ""
            raise StoppedError(f"{_STOPPED[number]}{details} {kept}", 128 + number) from error
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in _EXTRAS:
                raise
            remedy = f"Install fathom-trader[{_EXTRAS[package]}]."
            raise click.ClickException(f"Expected the package {package}, was not installed. {remedy}") from error
        except ValueError as error:  # the lowest packages know no FathomError, but say it as all of Fathom does
            if not str(error).startswith("Expected "):
                raise
            raise click.ClickException(redacted(str(error))) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            if error.filename is None:
                raise click.ClickException(redacted(str(error))) from error
            raise click.ClickException(
                f"Expected to read and write {error.filename}, was: {error.strerror or error}. "
                "Nothing half-written stays behind; give rights or space, then run the command again."
            ) from error


@contextlib.contextmanager
def _terminable(received: list[signal.Signals]) -> Iterator[None]:
    # SIGTERM as Ctrl-C, in the process that runs the command and there alone.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        received.append(signal.Signals(number))
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


@contextlib.contextmanager
def _logged(level: str) -> Iterator[None]:
    root, before, disabled = logging.getLogger(), logging.getLogger().level, logging.root.manager.disable
    handler = logging.StreamHandler()
    if level == "off":
        logging.disable(logging.CRITICAL)
    else:
        handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root.addHandler(handler)
        root.setLevel(level.upper())
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        logging.disable(disabled)


def config_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--set` (as `changes`) and `--print-config`."""
    function = click.option(
        "--print-config",
        is_flag=True,
        help="Print the whole configuration, defaults and their meaning included, and do nothing else.",
    )(function)
    return change_option(function)


def change_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--set` (as `changes`)."""
    return click.option(
        "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Set one value, over the files; may be repeated."
    )(function)


def out_option(kind: str, text: str) -> Decorator:
    """Add `--out`, a folder that is by default one of `fathom-out`."""
    return _folder_option("--out", "out", kind, text)


def own_out_option(kind: str) -> Decorator:
    """Add `--out`, the folder of this one run; None stands for a folder of its name in one of `fathom-out`."""
    text = f"Folder of the run; fathom-out/{kind}/NAME otherwise."
    return click.option("--out", type=FOLDER, metavar="DIR", help=text)


def catalog_option(*, exists: bool = False) -> Decorator:
    """Add `--catalog`."""
    return _folder_option("--catalog", "catalog", "catalog", "Catalog folder", exists=exists)


def store_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--store`, of MLflow."""
    return click.option(
        "--store",
        default=lambda: str(output("mlruns")),
        show_default="fathom-out/mlruns",
        help="Folder or http://... of the MLflow store.",
    )(function)


def page_option(text: str = "Also write a page.") -> Decorator:
    """Add `--html FILE`."""
    return click.option("--html", type=FILE, metavar="FILE", help=text)


def pages_option(text: str) -> Decorator:
    """Add `--html/--no-html`."""
    return click.option("--html/--no-html", " /--no-pages", default=True, show_default=True, help=text)


def jobs_option(text: str) -> Decorator:
    """Add `--jobs`."""
    return click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help=text)


def instrument_option(text: str = "Only this one, such as BTCUSDT-LINEAR.BYBIT.", **attributes: Any) -> Decorator:
    """Add `--instrument`."""
    return click.option("--instrument", metavar="ID", help=text, **attributes)


def _folder_option(name: str, parameter: str, kind: str, text: str, *, exists: bool = False) -> Decorator:
    return click.option(
        name,
        parameter,
        type=KNOWN_FOLDER if exists else FOLDER,
        metavar="DIR",
        default=lambda: output(kind),
        show_default=f"fathom-out/{kind}",
        help=f"{text}.",
    )


def _plain(value: Any) -> Any:
    # What msgspec does not know: numpy's numbers and arrays; anything else as text.
    return value.tolist() if hasattr(value, "tolist") else str(value)
