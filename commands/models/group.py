"""The command group `fathom models`: what is registered, how good it is, and which version serves."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fathom.commands.console import FOLDER, Terminal, command, store_option
from fathom.commands.lazy import LazyGroup
from fathom.settings.errors import FathomError

if TYPE_CHECKING:
    from fathom.ml.models.registry import Registry, Version

COMMANDS: Mapping[str, tuple[str, str]] = {
    "card": ("fathom.commands.models.group:card", "Write the card of an artifact again."),
    "compare": ("fathom.commands.models.group:compare", "Compare the figures of two versions."),
    "list": ("fathom.commands.models.group:list_", "Show the registered models and who serves."),
    "promote": ("fathom.commands.models.group:promote", "Let a version serve as champion or challenger."),
    "register": ("fathom.commands.models.group:register", "Register an artifact that is on disk."),
    "rollback": ("fathom.commands.models.group:rollback", "Let the version serve that served before."),
    "serve": ("fathom.commands.models.serve:serve", "Answer over HTTP."),
    "show": ("fathom.commands.models.group:show", "Show what a version was made of and how it did."),
}

_seat = click.option(
    "--as", "alias", type=click.Choice(("champion", "challenger")), default="champion", show_default=True, help="Seat."
)


@click.group(cls=LazyGroup, lazy=COMMANDS)
def models() -> None:
    """See which models there are, and say which one serves.

    Models are kept as directories without code and registered with versions in an MLflow store: a folder of this
    machine, which needs no network, or a server. The champion answers; a challenger may be asked beside it. A promotion
    sets a link, so that `fathom-out/models/NAME/champion` is always the directory of the champion.

    \b
    Example:
      fathom models list
      fathom models compare edge-compact 1 2
      fathom models promote edge-compact 2
      fathom models rollback edge-compact
    """


@command("list")
@store_option
def list_(terminal: Terminal, store: str) -> None:
    """Show the versions of all models, the newest first, with their aliases.

    \b
    Example:
      fathom models list
    """
    registry = _open(store)
    entries = [_entry(registry, version) for name in registry.names() for version in registry.versions(name)]
    terminal.answer(entries)
    if not entries:
        terminal.say(f"No models in {store}; `fathom train run CONFIG` makes one.")
        return
    rows = []
    for entry in entries:
        figures = (_text(entry.get("accuracy"), 4), _text(entry.get("net_bps_per_trade"), 2))
        version = f"{entry['version']} ({entry['hash']})"
        rows.append((entry["model"], version, ", ".join(entry["aliases"]), entry.get("net", "missing"), *figures))
    terminal.table(("model", "version", "serves as", "net", "accuracy", "net bps a trade"), rows)
    for entry in entries:
        if "problem" in entry:
            terminal.warn(f"Warning: {entry['problem']}")


@command()
@click.argument("name")
@click.argument("which", default="champion")
@store_option
def show(terminal: Terminal, name: str, which: str, store: str) -> None:
    """Show a version of the model NAME: by number, hash or alias (the champion by default).

    \b
    Example:
      fathom models show edge-compact 3
    """
    from fathom.ml.models.card import markdown

    registry = _open(store)
    artifact = registry.artifact(registry.version(name, which))
    content = {"path": artifact.path, "provenance": artifact.provenance, "metrics": artifact.metrics}
    terminal.answer(content | {"features": list(artifact.schema.features.names)})
    terminal.say(markdown(artifact).rstrip())


@command()
@click.argument("name")
@click.argument("first")
@click.argument("second")
@store_option
def compare(terminal: Terminal, name: str, first: str, second: str, store: str) -> None:
    """Compare two versions of the model NAME: out-of-sample figures with intervals, latency, inputs.

    The test spans are printed too: versions tested on different spans are not comparable, and the command says so.

    \b
    Example:
      fathom models compare edge-compact champion challenger
    """
    from fathom.ml.models.comparison import compared

    registry = _open(store)
    comparison = compared(*(registry.artifact(registry.version(name, which)) for which in (first, second)))
    terminal.answer(comparison)
    terminal.table(("figure", first, second), comparison["figures"])
    for note in comparison["notes"]:
        terminal.warn(f"Note: {note}")


@command()
@click.argument("name")
@click.argument("which")
@_seat
@store_option
def promote(terminal: Terminal, name: str, which: str, alias: str, store: str) -> None:
    """Let the version WHICH of the model NAME serve; its artifact is checked first.

    \b
    Example:
      fathom models promote edge-compact 2 --as challenger
    """
    registry = _open(store)
    _tell(terminal, registry.promote(registry.version(name, which), alias), alias)


@command()
@click.argument("name")
@_seat
@store_option
def rollback(terminal: Terminal, name: str, alias: str, store: str) -> None:
    """Let the version of the model NAME serve that served before the last promotion.

    \b
    Example:
      fathom models rollback edge-compact
    """
    _tell(terminal, _open(store).rollback(name, alias), alias)


@command()
@click.argument("artifact", type=FOLDER)
@store_option
def register(terminal: Terminal, artifact: Path, store: str) -> None:
    """Register the directory ARTIFACT, such as one made on another machine.

    \b
    Example:
      fathom models register fathom-out/models/edge-compact/0123456789ab
    """
    from fathom.ml.models.artifacts import load_artifact
    from fathom.ml.models.recording import record

    version = record(load_artifact(artifact), store)
    terminal.answer(version._asdict())
    terminal.say(f"{version.name}: version {version.number} ({version.hash})")


@command()
@click.argument("artifact", type=FOLDER)
def card(terminal: Terminal, artifact: Path) -> None:
    """Write card.html and card.md of the directory ARTIFACT again, from what is in it.

    \b
    Example:
      fathom models card fathom-out/models/edge-compact/0123456789ab
    """
    from fathom.ml.models.artifacts import load_artifact
    from fathom.ml.models.card import HTML, write_card

    loaded = load_artifact(artifact)
    write_card(loaded)
    terminal.answer({"path": loaded.path / HTML})
    terminal.say(loaded.path / HTML)


def _open(store: str) -> "Registry":
    from fathom.ml.models.registry import Registry
    from fathom.ml.models.tracking import Store

    return Registry(Store(store))


def _entry(registry: "Registry", version: "Version") -> dict[str, Any]:
    entry: dict[str, Any] = {
        "model": version.name,
        "version": version.number,
        "hash": version.hash,
        "aliases": list(version.aliases),
        "path": version.path,
    }
    try:
        artifact = registry.artifact(version)
    except FathomError as error:
        return entry | {"problem": str(error)}
    own = [tested["scores"] for tested in artifact.metrics.get("test", {}).values() if tested["kind"] == "net"]
    figures = {name: own[0][name][0] for name in ("accuracy", "net_bps_per_trade")} if own else {}
    return entry | {"net": artifact.provenance.net, "created": artifact.provenance.created, **figures}


def _tell(terminal: Terminal, version: "Version", alias: str) -> None:
    terminal.answer(version._asdict())
    link = Path(version.path).parent / alias
    terminal.say(f"{version.name}: version {version.number} ({version.hash}) is the {alias}; {link}")


def _text(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
