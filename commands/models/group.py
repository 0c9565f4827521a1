"""The command group `fathom models`: what is registered, how good it is, and which version serves."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

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

_store = click.option("--store", default="mlruns", show_default=True, help="Folder or http://... of the MLflow store.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


@click.group(cls=LazyGroup, lazy=COMMANDS)
def models() -> None:
    """See which models there are, and say which one serves.

    Models are kept as directories without code and registered with versions in an MLflow store: a folder of this
    machine, which needs no network, or a server. The champion answers; a challenger may be asked beside it. A promotion
    sets a link, so that `models/NAME/champion` is always the directory of the champion.

    \b
    Example:
      fathom models list
      fathom models compare edge-compact 1 2
      fathom models promote edge-compact 2
      fathom models rollback edge-compact
    """


@click.command("list")
@_store
@_json
def list_(store: str, as_json: bool) -> None:
    """Show the versions of all models, the newest first, with their aliases.

    \b
    Example:
      fathom models list --store mlruns
    """
    registry = _open(store)
    rows = [_row(registry, version) for name in registry.names() for version in registry.versions(name)]
    if as_json:
        _print_json(rows)
        return
    if not rows:
        click.echo(f"No models in {store}; `fathom train run CONFIG` makes one.")
        return
    from rich.console import Console
    from rich.table import Table

    shown = Table("model", "version", "serves as", "net", "accuracy", "net bps a trade")
    for row in rows:
        shown.add_row(
            row["model"],
            f"{row['version']} ({row['hash']})",
            ", ".join(row["aliases"]),
            row.get("net", "missing"),
            _text(row.get("accuracy"), 4),
            _text(row.get("net_bps_per_trade"), 2),
        )
    console = Console()
    console.width = max(console.width, 100)
    console.print(shown)
    for row in rows:
        if "problem" in row:
            click.echo(f"Warning: {row['problem']}")


@click.command()
@click.argument("name")
@click.argument("which", default="champion")
@_store
@_json
def show(name: str, which: str, store: str, as_json: bool) -> None:
    """Show a version of the model NAME: by number, hash or alias (the champion by default).

    \b
    Example:
      fathom models show edge-compact 3
    """
    import msgspec

    registry = _open(store)
    artifact = _guard(lambda: registry.artifact(registry.version(name, which)))
    if as_json:
        _print_json(
            {
                "path": str(artifact.path),
                "provenance": msgspec.to_builtins(artifact.provenance),
                "metrics": artifact.metrics,
                "features": list(artifact.schema.features.names),
            }
        )
        return
    from fathom.ml.models.card import markdown

    click.echo(markdown(artifact), nl=False)


@click.command()
@click.argument("name")
@click.argument("first")
@click.argument("second")
@_store
@_json
def compare(name: str, first: str, second: str, store: str, as_json: bool) -> None:
    """Compare two versions of the model NAME: out-of-sample figures with intervals, latency, inputs.

    The test spans are printed too: versions tested on different spans are not comparable, and the command says so.

    \b
    Example:
      fathom models compare edge-compact champion challenger
    """
    from fathom.ml.models.comparison import compared

    registry = _open(store)
    sides = [_guard(lambda which=which: registry.artifact(registry.version(name, which))) for which in (first, second)]
    found = compared(*sides)
    if as_json:
        _print_json(found)
        return
    from rich.console import Console
    from rich.table import Table

    shown = Table("figure", first, second)
    for figure, *values in found["figures"]:
        shown.add_row(figure, *values)
    Console(soft_wrap=True).print(shown)
    for note in found["notes"]:
        click.echo(f"Note: {note}")


@click.command()
@click.argument("name")
@click.argument("which")
@click.option(
    "--as", "alias", type=click.Choice(("champion", "challenger")), default="champion", show_default=True, help="Seat."
)
@_store
@_json
def promote(name: str, which: str, alias: str, store: str, as_json: bool) -> None:
    """Let the version WHICH of the model NAME serve; its artifact is checked first.

    \b
    Example:
      fathom models promote edge-compact 2 --as challenger
    """
    registry = _open(store)
    _say(_guard(lambda: registry.promote(registry.version(name, which), alias)), alias, as_json)


@click.command()
@click.argument("name")
@click.option(
    "--as", "alias", type=click.Choice(("champion", "challenger")), default="champion", show_default=True, help="Seat."
)
@_store
@_json
def rollback(name: str, alias: str, store: str, as_json: bool) -> None:
    """Let the version of the model NAME serve that served before the last promotion.

    \b
    Example:
      fathom models rollback edge-compact
    """
    registry = _open(store)
    _say(_guard(lambda: registry.rollback(name, alias)), alias, as_json)


@click.command()
@click.argument("artifact", type=click.Path(file_okay=False, path_type=Path))
@_store
@_json
def register(artifact: Path, store: str, as_json: bool) -> None:
    """Register the directory ARTIFACT, such as one made on another machine.

    \b
    Example:
      fathom models register models/edge-compact/0123456789ab
    """
    from fathom.ml.models.artifacts import load_artifact

    def made() -> "Version":
        from fathom.ml.models.recording import record

        return record(load_artifact(artifact), store)

    _open(store)
    version = _guard(made)
    if as_json:
        _print_json(version._asdict())
    else:
        click.echo(f"{version.name}: version {version.number} ({version.hash})")


@click.command()
@click.argument("artifact", type=click.Path(file_okay=False, path_type=Path))
def card(artifact: Path) -> None:
    """Write card.html and card.md of the directory ARTIFACT again, from what is in it.

    \b
    Example:
      fathom models card models/edge-compact/0123456789ab
    """
    from fathom.ml.models.artifacts import load_artifact
    from fathom.ml.models.card import HTML, write_card

    found = _guard(lambda: load_artifact(artifact))
    write_card(found)
    click.echo(str(found.path / HTML))


def _open(store: str) -> "Registry":
    try:
        from fathom.ml.models.registry import Registry
        from fathom.ml.models.tracking import Store
    except ImportError as error:
        raise click.ClickException(f"{error}. Install the training packages: fathom-trader[train].") from None
    return Registry(_guard(lambda: Store(store)))


def _guard(work: Any) -> Any:

    try:
        return work()
    except FathomError as error:
        raise click.ClickException(str(error)) from None


def _row(registry: "Registry", version: "Version") -> dict[str, Any]:

    row: dict[str, Any] = {
        "model": version.name,
        "version": version.number,
        "hash": version.hash,
        "aliases": list(version.aliases),
        "path": version.path,
    }
    try:
        artifact = registry.artifact(version)
    except FathomError as error:
        return row | {"problem": str(error)}
    own = [entry["scores"] for entry in artifact.metrics.get("test", {}).values() if entry["kind"] == "net"]
    figures = {name: own[0][name][0] for name in ("accuracy", "net_bps_per_trade")} if own else {}
    return row | {"net": artifact.provenance.net, "created": artifact.provenance.created, **figures}


def _say(version: "Version", alias: str, as_json: bool) -> None:
    if as_json:
        _print_json(version._asdict())
    else:
        link = Path(version.path).parent / alias
        click.echo(f"{version.name}: version {version.number} ({version.hash}) is the {alias}; {link}")


def _print_json(value: Any) -> None:
    import json

    click.echo(json.dumps(value, indent=1))


def _text(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
