"""The command `fathom new`: write a working example of a strategy, feature, detector or net of your own."""

from pathlib import Path
from string import Template
from typing import Final

import click

from fathom.commands.console import FOLDER, Terminal, command

_TEMPLATES: Final = Path(__file__).parent / "templates"
_KINDS: Final = ("strategy", "feature", "detector", "net")
_FILES: Final = {
    "module.py.txt": "{}.py",
    "test.py.txt": "test_{}.py",
    "config.toml.txt": "{}.toml",
    "features.toml.txt": "{}-features.toml",
}
_NEXT: Final = {
    "detector": "fathom detect run {}.toml",
    "strategy": "fathom backtest run {}.toml",
    "feature": "fathom features build {}.toml",
    "net": "fathom train walk-forward {}.toml",
}


@command()
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("name")
@click.option(
    "--out",
    type=FOLDER,
    default=Path(),
    metavar="DIR",
    help="Folder of the files; the current one by default.",
)
def new(terminal: Terminal, kind: str, name: str, out: Path) -> None:
    """Write a small working example, with its test and its TOML file, to change into your own.

    NAME is that of a Python module, such as my_signal. Fathom finds the code by "my_signal:MySignal" in a configuration
    beside it, or by an entry point of a package: group fathom.plugins, name strategy.my_signal.

    \b
    Example:
      fathom new strategy my_signal --out mine
    """
    if not (name.isidentifier() and name == name.lower()):
        raise click.BadParameter(f"Expected the name of a module such as my_signal, was '{name}'.", param_hint="NAME")
    texts = render(kind, name)
    for file in texts:
        if (out / file).exists():
            raise click.ClickException(f"Expected no file {out / file}, was one. Choose another name or --out.")
    out.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (out / file).write_text(text, encoding="utf-8")
        terminal.say(f"Wrote {out / file}")
    terminal.answer({"files": [out / file for file in texts]})
    terminal.say("Next:")
    if out != Path():
        terminal.say(f"  cd {out}")
    terminal.say(f"  python -m pytest test_{name}.py")
    if kind in _NEXT:
        terminal.say("  fathom data simulate configs/simulation/demo.toml --catalog catalog --seed 1 --duration 2h")
        terminal.say(f"  {_NEXT[kind].format(name)}")


def render(kind: str, name: str) -> dict[str, str]:
    """Return the files of an example by their names.

    Examples
    --------
    >>> sorted(render("detector", "burst"))
    ['burst.py', 'burst.toml', 'test_burst.py']
    """
    words = {"name": name, "Class": "".join(part.capitalize() for part in name.split("_"))}
    templates = {place.format(name): _TEMPLATES / kind / file for file, place in _FILES.items()}
    return {
        file: Template(template.read_text(encoding="utf-8")).substitute(words)
        for file, template in templates.items()
        if template.is_file()
    }
