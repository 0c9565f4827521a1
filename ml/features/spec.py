"""The record that states what one feature is: the documentation, the registry and the checks read it."""

import msgspec


class FeatureSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """State what one feature is.

    Parameters
    ----------
    name : str
        Name in the schema; unique over every group.
    group : str
        Top group, a dot, and the subgroup: ``"orderbook.microstructure"``, ``"candles.shape"``. The top group is
        the one that a schema, a store and a table know: ``orderbook``, ``candles`` or ``indicators``.
    unit : str
        Unit of the value, in words: ``"price"``, ``"ticks"``, ``"bps"``, ``"base units"``, ``"1/s"``, ``"-"``.
    formula : str
        The definition, complete enough to be computed by hand.
    source : str
        Paper (with DOI where there is one) or book behind the definition; ``"Fathom"`` where it is our own.
    warm_up : int
        Inputs needed until the first value that is not NaN: grid samples for ``orderbook``, closed bars for
        ``candles`` and ``indicators``. What depends on the market instead (a first trade) stands in `nan_rule`.
    nan_rule : str
        When the value is undefined (NaN) after the warm-up; ``"never"`` where it always has a value.
    stationary : bool
        Whether a model may use it as it is. Price levels and raw sizes are not stationary.
    stationary_of : str or None
        Name of the raw feature whose stationary form this is, if any.
    text : str
        What the feature tells, in a sentence or two, for the documentation.

    Examples
    --------
    >>> spec = FeatureSpec(
    ...     name="mid_price",
    ...     group="orderbook.microstructure",
    ...     unit="price",
    ...     formula="(best bid + best ask) / 2",
    ...     source="Fathom",
    ...     warm_up=1,
    ...     nan_rule="a side of the book is empty",
    ...     stationary=False,
    ...     text="Middle of the best prices.",
    ... )
    >>> spec.top_group, spec.stationary_of
    ('orderbook', None)
    """

    name: str
    group: str
    unit: str
    formula: str
    source: str
    warm_up: int
    nan_rule: str
    stationary: bool
    text: str
    stationary_of: str | None = None

    @property
    def top_group(self) -> str:
        """Group before the first dot."""
        return self.group.partition(".")[0]


def bar_spec(
    top_group: str,
    subgroup: str,
    name: str,
    unit: str,
    warm_up: int,
    formula: str,
    text: str,
    source: str = "Fathom",
    *,
    stationary: bool,
    nan_rule: str = "never",
    of: str | None = None,
) -> FeatureSpec:
    """Return the spec of a feature of closed bars: a table of them has one line a feature, not one a field."""
    return FeatureSpec(
        name=name,
        group=f"{top_group}.{subgroup}",
        unit=unit,
        formula=formula,
        source=source,
        warm_up=warm_up,
        nan_rule=nan_rule,
        stationary=stationary,
        stationary_of=of,
        text=text,
    )
