"""What can go wrong between a market-data file and the catalog, as one small error tree."""

from pathlib import Path

from fathom.settings.errors import FathomError


class CatalogError(FathomError):
    """Anything the data catalog refuses; the message says what was expected, what was found and the remedy."""


class BadInputError(CatalogError):
    """A source file holds something that cannot be imported.

    Parameters
    ----------
    problem : str
        "Expected X, was Y", then the remedy.
    file : Path or str, optional
        The source file.
    line : int, optional
        Line in the file (or row of a table), counted from 1.

    Examples
    --------
    >>> str(BadInputError("Expected a size >= 0, was '-3'", file="x.csv.gz", line=7))
    "x.csv.gz, line 7: Expected a size >= 0, was '-3'"
    """

    def __init__(self, problem: str, *, file: Path | str | None = None, line: int | None = None) -> None:
        self.problem = problem
        self.file = file
        self.line = line
        place = ", ".join(part for part in (str(file) if file else "", f"line {line}" if line else "") if part)
        super().__init__(f"{place}: {problem}" if place else problem)


class EmptyFileError(BadInputError):
    """A source file is sound and holds nothing, as on a day without a trade.

    Examples
    --------
    >>> raise EmptyFileError("Expected at least one trade, was none.")
    Traceback (most recent call last):
    fathom.data_catalog.errors.EmptyFileError: Expected at least one trade, was none.
    """


class OverlapError(CatalogError):
    """The catalog already holds other data for that instrument and time.

    Examples
    --------
    >>> raise OverlapError("Expected a span without data, was one with data.")
    Traceback (most recent call last):
    fathom.data_catalog.errors.OverlapError: Expected a span without data, was one with data.
    """


class InstrumentError(CatalogError):
    """An instrument is unknown, ill defined, or defined differently before.

    Examples
    --------
    >>> raise InstrumentError("Expected an instrument of the catalog, was 'X'.")
    Traceback (most recent call last):
    fathom.data_catalog.errors.InstrumentError: Expected an instrument of the catalog, was 'X'.
    """


class DownloadError(CatalogError):
    """A file could not be fetched, or what came is not the file that the server holds.

    Examples
    --------
    >>> raise DownloadError("Expected status 200, was 500.")
    Traceback (most recent call last):
    fathom.data_catalog.errors.DownloadError: Expected status 200, was 500.
    """
