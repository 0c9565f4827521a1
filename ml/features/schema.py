"""What a vector of features means: names in order, groups with versions, settings, and a hash of all of it."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from fathom.ml.features.errors import SchemaMismatchError, UnknownFeatureError
from fathom.ml.features.spec import FeatureSpec
from fathom.settings.nearest import nearest_name


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column of a vector.

    Examples
    --------
    >>> Column("rsi_14", "indicators", "percent").group
    'indicators'
    """

    name: str
    group: str
    unit: str


class Canonical(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A struct with one text, and so one hash.

    Examples
    --------
    >>> schema = FeatureSchema(columns=(), versions={}, settings={"grid_ms": 1000})
    >>> FeatureSchema.from_json(schema.to_json()) == schema, schema.hash[:8]
    (True, '7bd0cbe9')
    """

    @classmethod
    def from_json(cls, text: bytes | str) -> Self:
        """Return what `to_json` wrote; numbers come back to the last bit."""
        return msgspec.json.decode(text, type=cls)

    def to_json(self) -> bytes:
        """Return the canonical text: sorted keys, no spaces."""
        return msgspec.json.encode(self, order="sorted")

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical text, as 64 hexadecimal digits."""
        return sha256(self.to_json()).hexdigest()


class FeatureSchema(Canonical, frozen=True, kw_only=True):
    """State what each place of a vector of features is.

    Two vectors may be compared, stored together or given to the same model if, and only if, the hashes of their schemas
    are equal. The hash is the SHA-256 of the canonical JSON text of the three fields.

    Parameters
    ----------
    columns : tuple of Column
        Name, top group and unit of each value, in order.
    versions : dict
        Version of each top group.
    settings : dict
        What else changes the values: the grid, the length of a bar.

    Examples
    --------
    >>> columns = (Column("rsi_14", "indicators", "percent"), Column("close", "candles", "price"))
    >>> schema = FeatureSchema(columns=columns, versions={"candles": 1, "indicators": 1}, settings={"grid_ms": 1000})
    >>> schema.index("close"), schema.hash[:8]
    (1, '...')
    >>> schema.require(schema.select(["close"]), "the model", "the feature set")
    Traceback (most recent call last):
        ...
    fathom.ml.features.errors.SchemaMismatchError: Expected the features of the model, were those of ...: missing:
    rsi_14
    """

    columns: tuple[Column, ...]
    versions: dict[str, int]
    settings: dict[str, int | float | str]

    @classmethod
    def of(
        cls, specs: Iterable[FeatureSpec], versions: Mapping[str, int], settings: Mapping[str, int | float | str]
    ) -> "FeatureSchema":
        """Return the schema of vectors with these features."""
        columns = tuple(Column(spec.name, spec.top_group, spec.unit) for spec in specs)
        names = [column.name for column in columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"Expected each feature once, was given twice: {', '.join(twice)}")
        groups = {column.group for column in columns}
        return cls(
            columns=columns,
            versions={group: versions[group] for group in sorted(groups)},
            settings=dict(settings),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def groups(self) -> dict[str, list[int]]:
        """Positions of the values of each top group."""
        positions: dict[str, list[int]] = {}
        for i, column in enumerate(self.columns):
            positions.setdefault(column.group, []).append(i)
        return positions

    def __len__(self) -> int:
        return len(self.columns)

    def index(self, name: str) -> int:
        """Return the position of a feature.

        Raises
        ------
        UnknownFeatureError
            Where no column has this name.
        """
        return self._places([name])[0]

    def select(self, names: Sequence[str]) -> "FeatureSchema":
        """Return the schema of the named columns, in the order of `names`."""
        columns = tuple(self.columns[place] for place in self._places(names))
        groups = {column.group for column in columns}
        versions = {group: version for group, version in self.versions.items() if group in groups}
        return FeatureSchema(columns=columns, versions=versions, settings=self.settings)

    def positions(self, part: "FeatureSchema") -> NDArray[np.int64]:
        """Return where the columns of `part` (a model's inputs) stand in vectors of this schema.

        Raises
        ------
        SchemaMismatchError
            Where a column is absent or means something else here.
        """
        known = set(self.names)
        here = self.select([name for name in part.names if name in known])
        part.require(here, "the part", "the whole")
        return np.array(self._places(part.names), np.int64)

    def require(self, other: "FeatureSchema", expected: str, actual: str) -> None:
        """Raise unless `other` means the same by a vector.

        Parameters
        ----------
        other : FeatureSchema
            The other side.
        expected, actual : str
            What this side and the other are called in the error.

        Raises
        ------
        SchemaMismatchError
            With each difference: missing and extra columns (and which name was probably meant), another order, other
            units, versions and settings.
        """
        if self.to_json() != other.to_json():
            raise SchemaMismatchError(expected, actual, self.differences(other))

    def differences(self, other: "FeatureSchema") -> list[str]:
        """Return in words what `other` has not, has besides, or has differently."""
        mine = {column.name: column for column in self.columns}
        theirs = {column.name: column for column in other.columns}
        extra = [name for name in theirs if name not in mine]
        found = []
        for name in (name for name in mine if name not in theirs):
            close = nearest_name(name, extra)
            found.append(f"missing: {name}" + (f" (there is '{close}')" if close else ""))
        found += [f"not expected: {name}" for name in extra]
        if not found and self.names != other.names:
            at = next(i for i, (a, b) in enumerate(zip(self.names, other.names, strict=True)) if a != b)
            found.append(f"reordered: place {at} is {self.names[at]} here, {other.names[at]} there")
        for name, column in mine.items():
            if name in theirs and theirs[name] != column:
                there = theirs[name]
                found.append(f"{name}: {column.group} in {column.unit} here, {there.group} in {there.unit} there")
        shared = {*self.versions} & {*other.versions}
        found += _unlike("version of", *({g: v[g] for g in shared} for v in (self.versions, other.versions)))
        found += _unlike("setting", self.settings, other.settings)
        return found

    def _places(self, names: Sequence[str]) -> list[int]:
        known = {column.name: place for place, column in enumerate(self.columns)}
        for name in names:
            if name not in known:
                raise UnknownFeatureError(name, self.names)
        return [known[name] for name in names]


def _unlike(kind: str, mine: Mapping[str, object], theirs: Mapping[str, object]) -> list[str]:
    return [
        f"{kind} {name}: {mine.get(name, 'absent')} here, {theirs.get(name, 'absent')} there"
        for name in sorted({*mine, *theirs})
        if mine.get(name) != theirs.get(name)
    ]
