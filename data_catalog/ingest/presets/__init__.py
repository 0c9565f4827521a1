"""Tables of data vendors as they come: which of their columns are whose, in which unit, in which shape.

A preset saves the options that name columns, and knows how a vendor marks snapshots and gaps.
"""

__all__: list[str] = []
