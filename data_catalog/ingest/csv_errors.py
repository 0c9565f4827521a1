"""What Arrow's CSV reader says of a broken file, as an error that names the line."""

import re
from pathlib import Path
from typing import Final

from fathom.data_catalog.errors import BadInputError, EmptyFileError

_BAD_ROW: Final = re.compile(
    r"Row #(?P<row>\d+): Expected (?P<expected>\d+) columns, got (?P<found>\d+): (?P<text>.*)", re.DOTALL
)


def malformed_csv(error: BaseException, path: Path) -> BadInputError:
    """Return the error of a CSV file that cannot be parsed.

    Parameters
    ----------
    error : Exception
        Arrow's; its row number counts the header as 1.
    path : Path
        The file.

    Examples
    --------
    >>> malformed_csv(ValueError("CSV parse error: Row #51: Expected 10 columns, got 2: 1,2"), Path("x.csv")).line
    51
    """
    place = _BAD_ROW.search(str(error))
    if place is None:
        problem = f"Expected a whole CSV with a header line, was: {str(error).strip()}. Fetch or write it again."
        return EmptyFileError(problem, file=path) if "Empty CSV" in problem else BadInputError(problem, file=path)
    return BadInputError(
        f"Expected {place['expected']} columns as in the header, was {place['found']}: '{place['text'].strip()}'. "
        "The file may be damaged: fetch or write it again.",
        file=path,
        line=int(place["row"]),
    )
