"""Fitted weights and thresholds of the manipulation detectors: `fitted.toml`, read once, and how it is written."""

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from detectors.surveillance import SurveillanceConfig

_FILE: Final = Path(__file__).with_name("fitted.toml")
_HEAD: Final = """# Weights and thresholds of the manipulation detectors, fitted on markets with known truth. Written by
#   fathom detect benchmark --catalog catalog/perp-ticks --fit detectors/fitted.toml
# (seeds 1-12 on each instrument of perp-ticks); docs/detectors.md says what they are worth.
"""


@cache
def _fitted() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


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


def write_fitted(path: Path, config: "SurveillanceConfig") -> None:
    """Write the weights and thresholds of a configuration as TOML, each weight under the name of its evidence."""
    from detectors import layering, quote_stuffing, spoofing

    lines, rate = [_HEAD], config.quote_stuffing
    parts: list[tuple[str, Any, dict[str, tuple[Sequence[str], Sequence[float]]]]] = [
        (
            "spoofing",
            config.spoofing,
            {
                "alone_weights": (spoofing.EVIDENCE, config.spoofing.alone_weights),
                "weights": (spoofing.EVIDENCE, config.spoofing.weights),
            },
        ),
        ("layering", config.layering, {"weights": (layering.EVIDENCE, config.layering.weights)}),
        ("quote_stuffing", rate, {"weights": (quote_stuffing.EVIDENCE, rate.weights)}),
    ]
    for name, part, tables in parts:
        lines.append(f"[{name}]\nthreshold = {part.threshold!r}\n")
        for table, (names, weights) in tables.items():
            lines.append(f"[{name}.{table}]")
            lines += [f"{one} = {float(weight)!r}" for one, weight in zip(names, weights, strict=False)]
            lines.append("")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text("\n".join(lines).rstrip("\n") + "\n", encoding="utf-8")
    temporary.replace(path)
