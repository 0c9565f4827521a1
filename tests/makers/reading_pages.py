"""Reading the pages back: their text, their tables, the data of their charts, and what they would load."""

import json
import re
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "link", "img", "br", "hr", "input", "path", "rect", "line", "use"}


class Reader(HTMLParser):
    """Collect visible text, tables (rows of cells), ids, and check that elements nest."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag in VOID:
            return
        self.open.append(tag)
        self.hidden += tag in {"script", "style"}
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()
        self.hidden -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if self.hidden or not data.strip():
            return
        self.text.append(data.strip())
        if "table" in self.open and self.open[-1] in {"td", "th", "span"} and self.tables[-1] and self.tables[-1][-1]:
            self.tables[-1][-1][-1] += data.strip()


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def tiles(page: str) -> dict[str, tuple[str, str]]:
    """Label -> value and note of each tile of the first screen."""
    pattern = r'class="label">(.*?)</div><div class="value">(.*?)</div>\s*<div class="note">(.*?)</div>'
    return {label: (value, note) for label, value, note in re.findall(pattern, page, re.DOTALL)}


def rows(page: str) -> dict[str, list[str]]:
    """First cell -> the other cells, of every row of every table (the first of equals)."""
    found: dict[str, list[str]] = {}
    for table in read(page).tables:
        for row in table:
            if len(row) > 1:
                found.setdefault(row[0], row[1:])
    return found


def charts(page: str) -> dict[str, dict[str, Any]]:
    """Id -> data of each interactive chart."""
    found = re.findall(r'<script type="application/json" id="(.*?)-data">(.*?)</script>', page, re.DOTALL)
    return {anchor: json.loads(text) for anchor, text in found}


def loads(page: str) -> list[str]:
    """Whatever in the page would make a browser ask the network for something."""
    markup = re.sub(r'<script type="application/json".*?</script>', "", page, flags=re.DOTALL)
    patterns = (
        r'(?:src|href|srcset|poster|action|data)\s*=\s*["\']?\s*(?:[a-z]+:)?//[^"\'\s>]*',
        r"@import[^;]*",
        r"url\(\s*[\"']?(?!#)[^)]*\)",
        r"<(?:link|iframe|object|embed|base)\b[^>]*",
        r"\b(?:fetch|importScripts|XMLHttpRequest|WebSocket|EventSource|sendBeacon)\b",
        r"<!DOCTYPE svg[^>]*",
    )
    return [hit for pattern in patterns for hit in re.findall(pattern, markup, re.IGNORECASE)]
