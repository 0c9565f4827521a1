"""Fitted scores and thresholds of the manipulation detectors: `fitted.toml`, read once, and other files like it."""

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from fathom.detectors.book.evidence import ALONE, LAYERING, QUOTE_STUFFING, SPOOFING
from fathom.detectors.book.scores import Tree
from fathom.detectors.errors import DetectorError
from fathom.settings.whole_files import write_whole

_FILE: Final = Path(__file__).with_name("fitted.toml")
_HEAD: Final = """# Scores and thresholds of the manipulation detectors, by fathom detect benchmark --fit, fitted on
#   {on}.
# docs/detectors.md says what they are worth. A score is the sum of the weighted evidence and of what the trees add: one
# of four numbers each, for the answers to "is the first above its bound", then "is the second" where it is not and "is
# the third" where it is.
"""
_TABLES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "spoofing": {"alone_weights": ALONE, "weights": SPOOFING},
    "layering": {"weights": LAYERING},
    "quote_stuffing": {"weights": QUOTE_STUFFING},
}
_REMEDY: Final = "write one with fathom detect benchmark --fit FILE."


@cache
def _fitted() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def check_weights(detector: str, **weights: tuple[float, ...]) -> None:
    """Raise `ValueError` unless each of a detector's tables of weights has one for each of its evidence."""
    for name, values in weights.items():
        evidence = _TABLES[detector][name]
        if len(values) != len(evidence):
            raise ValueError(f"Expected {len(evidence)} {name} ({', '.join(evidence)}), was {len(values)}.")


def fitted_weights(detector: str, name: str, evidence: Sequence[str]) -> tuple[float, ...]:
    """Return a weight for each of the names in `evidence`, 0 for one that the file does not know.

    Examples
    --------
    >>> len(fitted_weights("spoofing", "weights", ("constant", "size")))
    2
    """
    table = _fitted()[detector][name]
    return tuple(float(table.get(one, 0.0)) for one in evidence)


def fitted_threshold(detector: str) -> float:
    """Return the confidence at which a detector raises alerts.

    Examples
    --------
    >>> 0 < fitted_threshold("layering") < 1
    True
    """
    return float(_fitted()[detector]["threshold"])


def fitted_trees(detector: str) -> tuple[Tree, ...]:
    """Return what is added to the weighted evidence.

    Examples
    --------
    >>> fitted_trees("quote_stuffing")
    ()
    """
    return msgspec.convert(_fitted()[detector].get("trees", ()), tuple[Tree, ...])


def read_fitted(path: Path) -> dict[str, dict[str, Any]]:
    """Return for each detector the settings that a file of ``fathom detect benchmark --fit`` holds.

    Raises
    ------
    DetectorError
        It is no such file; naming it.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DetectorError(f"Expected a fitted file at {path}, was {error.strerror}; {_REMEDY}") from None
    except tomllib.TOMLDecodeError as error:
        raise DetectorError(f"Expected TOML in {path}, was something else: {error}; {_REMEDY}") from None
    found: dict[str, dict[str, Any]] = {}
    try:
        for name, tables in _TABLES.items():
            part = document[name]
            found[name] = {"threshold": float(part["threshold"])}
            for table, evidence in tables.items():
                if part[table].keys() != set(evidence):
                    odd = ", ".join(sorted(part[table].keys() ^ set(evidence)))
                    raise DetectorError(
                        f"Expected all evidence and no other in {path}, {name}.{table}, was off by {odd}."
                    )
                found[name][table] = tuple(float(part[table][one]) for one in evidence)
            if name != "quote_stuffing":
                found[name]["trees"] = msgspec.convert(part.get("trees", ()), tuple[Tree, ...])
    except (KeyError, TypeError, AttributeError, msgspec.ValidationError) as error:
        raise DetectorError(f"Expected a fitted file in {path}, was one that lacks {error}; {_REMEDY}") from None
    return found


def write_fitted(path: Path, config: msgspec.Struct, on: str) -> None:
    """Write scores and thresholds of a configuration as TOML, each weight under the name of its evidence.

    Parameters
    ----------
    path : Path
    config : SurveillanceConfig
    on : str
        Which markets they were fitted on, for the reader of the file.
    """
    lines = [_HEAD.format(on=on)]
    for name, tables in _TABLES.items():
        part = getattr(config, name)
        lines.append(f"[{name}]\nthreshold = {part.threshold!r}")
        trees = getattr(part, "trees", ())
        if trees:
            lines += ["trees = [", *(f"    {_inline(tree)}," for tree in trees), "]"]
        lines.append("")
        for table, names in tables.items():
            lines.append(f"[{name}.{table}]")
            weights = getattr(part, table)
            lines += [f"{one} = {float(weight)!r}" for one, weight in zip(names, weights, strict=True)]
            lines.append("")
    write_whole(path, "\n".join(lines).rstrip("\n") + "\n")


def _inline(tree: Tree) -> str:
    names = ", ".join(f'"{name}"' for name in tree.evidence)
    above, add = (", ".join(map(repr, numbers)) for numbers in (tree.above, tree.add))
    return f"{{ evidence = [{names}], above = [{above}], add = [{add}] }}"
