"""The nearest known name to a wrong one, as a sentence for an error."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return "Did you mean 'x'?", or the list of the known names where none is near.

    Examples
    --------
    >>> nearest("makr", ["maker", "taker"])
    "Did you mean 'maker'?"
    >>> nearest("fee", ["maker", "taker"])
    'Expected one of: maker, taker.'
    """
    names = list(known)
    listing = f"Expected one of: {', '.join(names)}." if names else "None is known."
    return did_you_mean(name, names, cutoff=cutoff).strip() or listing


def did_you_mean(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return " Did you mean 'x'?", or nothing where no known name is near.

    Examples
    --------
    >>> did_you_mean("makr", ["maker", "taker"]), did_you_mean("fee", ["maker", "taker"])
    (" Did you mean 'maker'?", '')
    """
    near = nearest_name(name, known, cutoff=cutoff)
    return f" Did you mean '{near}'?" if near else ""


def nearest_name(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return the known name that is nearest, or an empty text where none is near.

    Examples
    --------
    >>> nearest_name("makr", ["maker", "taker"])
    'maker'
    """
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)), "")
