"""A page: a heading, the figures of the first screen, what to know about them, and sections."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Tile:
    """One figure of the first screen.

    Attributes
    ----------
    label, value, note : str
        Plain text; the note says in a few words what the figure is relative to, or why it is undefined.
    tone : str
        `good`, `bad` or "" for neutral.

    Examples
    --------
    >>> Tile("Return", "+1.20 %", "benchmark −0.30 %", "good").label
    'Return'
    """

    label: str
    value: str
    note: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Section:
    """One part of a page.

    Attributes
    ----------
    anchor, title : str
        The id of the part, unique in the page, and its heading.
    body : Markup
        Its HTML, as the functions of `pages` return it.
    note : str
        One line below the heading: what is shown and how it was computed.
    narrow : bool
        Whether it goes into the narrow column beside the wide one.

    Examples
    --------
    >>> Section("fees", "Fees", Markup("<p>none</p>")).anchor
    'fees'
    """

    anchor: str
    title: str
    body: Markup
    note: str = ""
    narrow: bool = False


@dataclass(frozen=True)
class Page:
    """A self-contained HTML page.

    Attributes
    ----------
    kind, title, subtitle : str
        What it is (`Tearsheet`), what it is about (the run), and its span and instruments in one line.
    tiles, facts, warnings, sections
        The first screen's figures; (label, text) pairs that say what the figures rest on; sentences that qualify them;
        the parts.
    links : tuple of (str, str)
        Labels and relative file names of sibling pages.

    Examples
    --------
    >>> html = Page("Tearsheet", "demo", "one day", sections=(Section("a", "A", Markup("<p>text</p>")),)).render()
    >>> html.startswith("<!DOCTYPE html>") and "<p>text</p>" in html
    True
    """

    kind: str
    title: str
    subtitle: str
    tiles: tuple[Tile, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    footer: str = ""

    def render(self) -> str:
        """Return the HTML text; raise `ValueError` where two sections share an anchor."""
        anchors = [section.anchor for section in self.sections]
        twice = sorted({anchor for anchor in anchors if anchors.count(anchor) > 1})
        if twice:
            raise ValueError(f"Expected anchors that are unique in the page, was {', '.join(twice)} more than once.")
        text: str = (
            _environment()
            .get_template("page.html.j2")
            .render(
                page=self,
                wide=[section for section in self.sections if not section.narrow],
                narrow=[section for section in self.sections if section.narrow],
                style=Markup(asset("style.css")),
                script=Markup(asset("charts.js")),
            )
        )
        return text


@cache
def asset(name: str) -> str:
    """Return the text of a file of this package."""
    return (_HERE / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
