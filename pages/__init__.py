"""Pages: self-contained HTML made of sections, with charts that need neither a network nor a library.

A page is a list of sections; a new section is a new function that returns one.
"""

from fathom.pages.page import Page, Section, Tile

__all__ = ["Page", "Section", "Tile"]
