"""Tables and heat maps of the pages."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

from fathom.pages.formats import percent


class Cell(NamedTuple):
    """One cell: its text, the value it is sorted by (None: the text), its class, and a remark below the text.

    Examples
    --------
    >>> Cell("1,000", 1000.0).text
    '1,000'
    """

    text: str
    value: float | None = None
    style: str = ""
    why: str = ""


type Row = Sequence[Cell | str]


def signed(text: str, value: float) -> Cell:
    """Return a cell that is green above zero and red below.

    >>> signed("−1.00", -1.0).style
    'neg'
    """
    return Cell(text, value, "pos" if value > 0.0 else "neg" if value < 0.0 else "")


def table(
    head: Sequence[str],
    rows: Sequence[Row],
    *,
    text_columns: Sequence[int] = (),
    sortable: bool = False,
    scroll: bool = False,
    last_is_total: bool = False,
) -> Markup:
    """Return a table; `text_columns` are aligned to the left; a row of one text is a heading of the rows below it.

    >>> table(["a", "b"], [["x", Cell("1", 1.0)]]).count("<td")
    2
    """
    lines = ["<thead><tr>"]
    for column, name in enumerate(head):
        lines.append(f'<th class="text">{escape(name)}</th>' if column in text_columns else f"<th>{escape(name)}</th>")
    lines.append("</tr></thead>\n<tbody>")
    for number, row in enumerate(rows):
        if len(row) == 1:
            lines.append(f'<tr class="group"><td colspan="{len(head)}">{escape(_cell(row[0]).text)}</td></tr>')
            continue
        total = ' class="total"' if last_is_total and number == len(rows) - 1 else ""
        cells = "".join(_td(_cell(item), column in text_columns) for column, item in enumerate(row))
        lines.append(f"<tr{total}>{cells}</tr>")
    lines.append("</tbody>")
    inner = f"<table{' class="sortable"' if sortable else ''}>" + "\n".join(lines) + "</table>"
    return Markup(f'<div class="{"scroll" if scroll else "figure"}">{inner}</div>')


def heat(labelled: Sequence[tuple[str, float]]) -> Markup:
    """Return returns as coloured cells, each with its label.

    >>> "<span>00:00</span>+1.00 %" in heat([("00:00", 0.01)])
    True
    """
    largest = _largest([value for _, value in labelled])
    digits = 1 if largest >= 0.1 else 2 if largest >= 0.01 else 3
    cells = []
    for label, value in labelled:
        text = f"<span>{escape(label)}</span>{percent(value, digits, signed=True)}"
        cells.append(f'<div style="background:{_shade(value, largest)}">{text}</div>')
    return Markup('<div class="heat">' + "".join(cells) + "</div>")


def months(years: Sequence[tuple[int, Sequence[float]]]) -> Markup:
    """Return a table of years, each with twelve returns (NaN: no data) and the return of the year last.

    >>> months([(2024, [0.01] * 12 + [0.1268])]).count("<td")
    14
    """
    largest = _largest([value for _, values in years for value in values[:12]])
    names = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Year")
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = []
    for year, values in years:
        cells = [
            f'<td style="background:{_shade(value, largest if month < 12 else math.inf)}">{_short(value)}</td>'
            for month, value in enumerate(values)
        ]
        rows.append(f"<tr><td>{year}</td>{''.join(cells)}</tr>")
    inner = f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return Markup(f'<div class="figure"><table class="months">{inner}</table></div>')


def empty(text: str) -> Markup:
    """Return the sentence that stands where nothing can be shown.

    >>> empty("No trades.")
    Markup('<p class="empty">No trades.</p>')
    """
    return Markup('<p class="empty">{}</p>').format(text)


def _short(value: float) -> str:
    return "" if math.isnan(value) else percent(value, 1, signed=True).removesuffix(" %")


def _largest(values: Sequence[float]) -> float:
    return max((abs(value) for value in values if math.isfinite(value)), default=0.0)


def _shade(value: float, largest: float) -> str:
    if not math.isfinite(value) or value == 0.0 or largest == 0.0 or math.isinf(largest):
        return "#f5f7f9"
    strength = 0.08 + 0.34 * abs(value) / largest
    return f"rgba({'26,122,85' if value > 0.0 else '178,58,52'},{strength:.3f})"


def _cell(item: Cell | str) -> Cell:
    return item if isinstance(item, Cell) else Cell(item)


def _td(cell: Cell, text_column: bool) -> str:
    style = " ".join(name for name in (cell.style, "text" if text_column else "") if name)
    attributes = f' class="{style}"' if style else ""
    if cell.value is not None:
        attributes += f' data-v="{cell.value!r}"'
    why = f'<span class="why">{escape(cell.why)}</span>' if cell.why else ""
    return f"<td{attributes}>{escape(cell.text)}{why}</td>"
