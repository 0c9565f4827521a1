"""What the small drawings share: colours of texts, a text, a line, and the figure around them."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup, escape

SOFT: Final = "#5b6773"
INK: Final = "#1c2530"

_HALO: Final = ' paint-order="stroke" stroke="#fff" stroke-width="3"'


def text(x: float, y: float, words: str, anchor: str, size: int, color: str, *, halo: bool = False) -> str:
    """Return a text; a white outline (`halo`) keeps it readable where a line passes behind it."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
    return f'<text {place}{_HALO if halo else ""} fill="{color}">{escape(words)}</text>'


def figure(width: float, height: float, drawn: Sequence[str], label: str, *, kind: str = "figure") -> Markup:
    """Return a drawing of the parts `drawn`; `label` says what it shows, for those who cannot see it."""
    head = f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}">'
    return Markup(f'<div class="{kind}">{head}{"".join(drawn)}</svg></div>')
