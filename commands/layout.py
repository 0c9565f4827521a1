"""Tables as text, for a terminal of any width."""

import re
import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

_NUMBER: Final = re.compile(r"[-+~\[\N{MINUS SIGN}]?\d.*|[-\N{EN DASH}]|")
_PROSE_WORDS: Final = 4
_PROSE_WIDTH: Final = 20


def table_text(heads: Sequence[str], rows: Sequence[Sequence[object]], width: int | None = None) -> str:
    """Return a table as text: no cell is cut.

    Columns of numbers are set right. Where the table is wider than `width`, columns of prose are broken into lines;
    where that is not enough, each row becomes lines `head: cell`.

    Parameters
    ----------
    heads : sequence of str
    rows : sequence of sequences
        Cells are shown as `str` makes them.
    width : int or None
        Of the terminal, in characters; None for no limit.

    Examples
    --------
    >>> print(table_text(["instrument", "rows"], [["BTCUSDT-LINEAR.SIM", "57"]]))
    instrument          rows
    BTCUSDT-LINEAR.SIM    57
    >>> print(table_text(["instrument", "rows"], [["BTCUSDT-LINEAR.SIM", "57"]], width=20))
    instrument: BTCUSDT-LINEAR.SIM
      rows: 57
    """
    cells = [[" ".join(str(cell).split()) for cell in row] for row in rows]
    columns = [[head, *(row[number] for row in cells)] for number, head in enumerate(heads)]
    widths = _widths(columns, width)
    if widths is None:
        body = "\n".join(_record(heads, row, width or 0) for row in cells)
    else:
        right = [len(column) > 1 and all(map(_NUMBER.fullmatch, column[1:])) for column in columns]
        lines = [_line(row, widths, right) for row in (heads, *cells)]
        body = "\n".join(lines if any(heads) else lines[1:])
    return body


def _widths(columns: list[list[str]], width: int | None) -> list[int] | None:
    # The widths of the columns; None where the table does not fit.
    natural = [max(map(len, column)) for column in columns]
    gaps = 2 * (len(columns) - 1)
    if width is None or sum(natural) + gaps <= width:
        return natural
    prose = [any(cell.count(" ") >= _PROSE_WORDS - 1 for cell in column[1:]) for column in columns]
    if not any(prose):
        return None
    fixed = sum(size for size, broken in zip(natural, prose, strict=True) if not broken)
    share = (width - gaps - fixed) // sum(prose)
    words = [max(len(word) for cell in column for word in cell.split() or [""]) for column in columns]
    if any(broken and share < max(_PROSE_WIDTH, word) for broken, word in zip(prose, words, strict=True)):
        return None
    return [min(size, share) if broken else size for size, broken in zip(natural, prose, strict=True)]


def _line(row: Sequence[str], widths: list[int], right: list[bool]) -> str:
    broken = [_broken(cell, size) for cell, size in zip(row, widths, strict=True)]
    return "\n".join(
        "  ".join(
            part.rjust(size) if flush else part.ljust(size)
            for part, size, flush in zip(parts, widths, right, strict=True)
        ).rstrip()
        for parts in zip_longest(*broken, fillvalue="")
    )


def _broken(text: str, width: int, first: str = "", later: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        max(width, 1),
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]


def _record(heads: Sequence[str], row: list[str], width: int) -> str:
    named = [f"{head}: {cell}" if head else cell for head, cell in zip(heads, row, strict=True) if cell]
    lines = _broken(named[0], width, later="    ") if named else []
    for text in named[1:]:
        lines += _broken(text, width, "  ", "      ")
    return "\n".join(lines)
