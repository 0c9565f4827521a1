"""Tables of the benchmark: recall by what was done, and how far confidences can be trusted."""

import re
from itertools import pairwise
from typing import Final

import numpy as np

from fathom.studies.benchmark.curves import OTHER, Scored, raised
from fathom.studies.benchmark.labels import Episode

# What one cannot tell from afar by itself is reported apart.
SIZES: Final = (0.0, 5.0, 8.0, 12.0, np.inf)
DISTANCES: Final = (0.0, 5.0, 10.0, 15.0, np.inf)
LIVES: Final = (0.0, 0.1, 0.3, 1.0, 3.0, np.inf)


def _bin(value: float, edges: tuple[float, ...], unit: str) -> str:
    for low, high in pairwise(edges):
        if value < high:
            return f"{low:g}{unit} and more" if high == np.inf else f"{low:g}-{high:g}{unit}"
    return "-"


def _numbers(cell: tuple[str, list[int]]) -> tuple[list[float], str]:
    # Sorted by the numbers in a label: 5-8x comes before 12x.
    return [float(part) for part in re.findall(r"\d+(?:\.\d+)?", cell[0])], cell[0]


def recall_tables(
    threshold: float, scored: list[Scored], carrying: list[set[int]], actors: list[dict[int, Episode]]
) -> dict[str, dict[str, list[int]]]:
    """Return how many of the episodes that carry benefit or recurrence were found, and all, by what was done."""
    tables: dict[str, dict[str, list[int]]] = {"size and distance": {}, "life": {}, "evidence": {}, "layers": {}}
    for found, carry, episodes in zip(scored, carrying, actors, strict=True):
        hits = raised(found, threshold).hits
        for number in carry:
            one = episodes[number]
            hit = number in hits
            evidence = " and ".join([*["benefit"] * one.benefit, *["recurrence"] * one.recurs]) or "neither"
            size = _bin(one.multiple, SIZES, "x")
            cells = {
                "size and distance": f"{size}, {_bin(one.distance, DISTANCES, ' ticks')}",
                "life": _bin(one.life_secs, LIVES, " s"),
                "evidence": evidence,
                "layers": str(one.layers),
            }
            for table, cell in cells.items():
                counts = tables[table].setdefault(cell, [0, 0])
                counts[0] += hit
                counts[1] += 1
    return {name: dict(sorted(cells.items(), key=_numbers)) for name, cells in tables.items()}


def reliability(scored: list[Scored]) -> list[list[float]]:
    """Return the mean confidence, the share of manipulation and the number of candidates, by bins of confidence."""
    score = np.concatenate([s.score for s in scored]) if scored else np.zeros(0)
    episode = np.concatenate([s.episode for s in scored]) if scored else np.zeros(0, np.int64)
    use = episode != OTHER
    score, true = score[use], episode[use] >= 0
    edges = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0])
    out = []
    for low, high in pairwise(edges):
        inside = (score >= low) & (score < high)
        if inside.any():
            out.append([float(score[inside].mean()), float(true[inside].mean()), int(inside.sum())])
    return out
