"""Compiled formulas over a window of closed bars: averages, oscillators, trends and shapes at its last bar.

Each reads the whole window and keeps nothing between calls, so that a value is a function of the window alone.
"""

from fathom.ml.features.bar_kernels import averages, oscillators, shapes, trends

__all__ = ["averages", "oscillators", "shapes", "trends"]
