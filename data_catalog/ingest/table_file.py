"""A Parquet or CSV file read in pieces of bounded size, its columns found by name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from fathom.data_catalog.errors import BadInputError, CatalogError, EmptyFileError
from fathom.data_catalog.ingest.cells import BadCellError
from fathom.data_catalog.ingest.csv_errors import malformed_csv
from fathom.settings.nearest import nearest, nearest_name

type OnProgress = Callable[[float], None]
"""Called with the share of the input that is read, 0 to 1."""

_BATCH_ROWS: Final = 65_536
_BLOCK_BYTES: Final = 1 << 22
_READ_ERRORS: Final = (pa.ArrowInvalid, OSError, EOFError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Naming:
    """How the columns of a file are found.

    Parameters
    ----------
    mapping : Mapping[str, str]
        Our name to the file's, where they differ. Where several files are read, "trades.ts_init" names the column of
        one of them.
    ignore : tuple of str
        Columns of the file to leave out; "*" leaves out every one that is not wanted.

    Examples
    --------
    >>> Naming({"size": "qty"}).find("x.csv", ("price", "size"), ("rpi",), ["price", "qty"])
    {'price': 'price', 'size': 'qty'}
    >>> Naming().find("x.csv", ("price", "size"), (), ["price", "sizes"])
    Traceback (most recent call last):
    fathom.data_catalog.errors.BadInputError: x.csv: Expected a column 'size', was none. Did you mean --map size=sizes?
    """

    mapping: Mapping[str, str]
    ignore: tuple[str, ...] = ()

    def __init__(self, mapping: Mapping[str, str] | None = None, ignore: Sequence[str] = ()) -> None:
        object.__setattr__(self, "mapping", dict(mapping or {}))
        object.__setattr__(self, "ignore", tuple(ignore))

    def part(self, name: str, parts: Mapping[str, Sequence[str]]) -> "Naming":
        """Return the names for one of several files, given the columns that each may have.

        Raises
        ------
        CatalogError
            A name stands for no column of any of them.

        Examples
        --------
        >>> parts = {"book": ["ts_init", "size"], "trades": ["ts_init", "trade_id"]}
        >>> naming = Naming({"ts_init": "time", "trades.ts_init": "when", "trade_id": "id"})
        >>> naming.part("book", parts).mapping, naming.part("trades", parts).mapping
        ({'ts_init': 'time'}, {'ts_init': 'when', 'trade_id': 'id'})
        >>> Naming({"trades.ts_int": "time"}).part("book", parts)
        Traceback (most recent call last):
        fathom.data_catalog.errors.CatalogError: Expected --map NAME=COLUMN with NAME a column of the import, was 'trades.ts_int'. Did you mean 'trades.ts_init'?
        """  # noqa: E501
        known = [column for columns in parts.values() for column in columns]
        known += [f"{one}.{column}" for one, columns in parts.items() for column in columns]
        for ours in self.mapping:
            if ours not in known:
                hint = nearest(ours, dict.fromkeys(known))
                raise CatalogError(f"Expected --map NAME=COLUMN with NAME a column of the import, was '{ours}'. {hint}")
        shared = {ours: theirs for ours, theirs in self.mapping.items() if ours in parts[name]}
        own = {ours: self.mapping[f"{name}.{ours}"] for ours in parts[name] if f"{name}.{ours}" in self.mapping}
        return Naming(shared | own, self.ignore)

    def find(
        self, file: Path | str, required: Sequence[str], optional: Sequence[str], header: Sequence[str]
    ) -> dict[str, str]:
        """Return our name to the file's, for every wanted column that the file has.

        Raises
        ------
        BadInputError
            A required column is missing, a column is unknown, or a name comes twice.
        """
        repeated = sorted({name for name in header if list(header).count(name) > 1})
        if repeated:
            raise BadInputError(f"Expected each column once, was '{repeated[0]}' more than once.", file=file)
        wanted = (*required, *optional)
        found = {}
        for name in wanted:
            theirs = self.mapping.get(name, name)
            if theirs in header:
                found[name] = theirs
            elif name in self.mapping and name in optional:
                raise BadInputError(f"Expected a column '{theirs}' for {name}, was none. {_list(header)}", file=file)
            elif name in required:
                near = nearest_name(theirs, [column for column in header if column not in wanted])
                hint = f"Did you mean --map {name}={near}?" if near else f"{_list(header)} Say --map {name}=COLUMN."
                raise BadInputError(f"Expected a column '{theirs}', was none. {hint}", file=file)
        if "*" not in self.ignore:
            self._refuse_unknown(file, wanted, header, found)
        return found

    def _refuse_unknown(
        self, file: Path | str, wanted: Sequence[str], header: Sequence[str], found: Mapping[str, str]
    ) -> None:
        unknown = [name for name in header if name not in found.values() and name not in self.ignore]
        if unknown:
            name = unknown[0]
            near = nearest_name(name, [column for column in wanted if column not in found])
            hint = f"Did you mean '{near}'? Say --map {near}={name}." if near else f"Say --ignore {name}."
            raise BadInputError(f"Expected only columns {', '.join(wanted)}, was also '{name}'. {hint}", file=file)


class TableFile:
    """A Parquet or CSV file (also `.csv.gz`), read in batches.

    Parameters
    ----------
    path : Path
    required, optional : sequence of str
        The columns wanted.
    naming : Naming
        How the file calls them.
    header : sequence of str
        Names of the columns of a CSV file that has no header: one whose first cell is a number.
    ignores_rest : bool, default False
        Leave out every column that is not wanted.

    Attributes
    ----------
    columns : dict
        Our name to the file's, of every wanted column that the file has.
    header : list of str
        All columns of the file.
    first_line : int
        What the first row is called: its line in a CSV file, 1 in a Parquet file.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "prices.csv"
    >>> _ = path.write_text("price,size\\n1.5,2\\n")
    >>> [(first, batch.to_pylist()) for first, batch in TableFile(path, ("price", "size"), ()).batches()]
    [(0, [{'price': '1.5', 'size': '2'}])]
    """

    def __init__(
        self,
        path: Path,
        required: Sequence[str],
        optional: Sequence[str],
        naming: Naming | None = None,
        *,
        header: Sequence[str] = (),
        ignores_rest: bool = False,
    ) -> None:
        self.path = path
        self._names: list[str] | None = None
        self._symbol: Any = None
        self._is_csv = ".csv" in path.suffixes
        if not self._is_csv and path.suffix != ".parquet":
            raise BadInputError("Expected a .parquet, .csv or .csv.gz file.", file=path)
        try:
            self.header = self._header()
        except _READ_ERRORS as error:
            raise self._unreadable(error) from error
        if self._is_csv and header and self.header[0].isascii() and self.header[0].isdigit():
            self.header = self._names = list(header[: len(self.header)])
        self.first_line = 1 + (self._is_csv and self._names is None)
        naming = naming or Naming()
        if ignores_rest:
            naming = Naming(naming.mapping, [*naming.ignore, "*"])
        self.columns = naming.find(path, required, optional, self.header)

    def batches(self, on_progress: OnProgress | None = None) -> Iterator[tuple[int, Any]]:
        """Yield (index of the batch's first row, record batch with our names); text stays text in a CSV file."""
        first = 0
        try:
            for batch, share in self._csv_batches() if self._is_csv else self._parquet_batches():
                if batch.num_rows:
                    if "symbol" in self.columns:
                        self._refuse_symbols(first, batch.column(self.columns["symbol"]))
                    columns = [batch.column(theirs) for theirs in self.columns.values()]
                    yield first, pa.RecordBatch.from_arrays(columns, names=list(self.columns))
                    first += batch.num_rows
                if on_progress is not None:
                    on_progress(share)
        except _READ_ERRORS as error:
            raise self._unreadable(error, first) from error
        if not first:
            raise EmptyFileError("Expected at least one row, was none.", file=self.path)

    def bad(self, row: int, column: str, problem: str) -> BadInputError:
        """Return the error that names a row (counted from 0 here) and a column of the file."""
        where = f"column '{self.columns.get(column, column)}'"
        if self._is_csv:
            return BadInputError(f"{where}: {problem}", file=self.path, line=row + self.first_line)
        return BadInputError(f"row {row + 1}, {where}: {problem}", file=self.path)

    def _refuse_symbols(self, first: int, column: Any) -> None:
        self._symbol = self._symbol if first else column[0]
        others = pc.not_equal(column, self._symbol)
        if pc.any(others).as_py():
            index = pc.index(others, True).as_py()
            problem = f"Expected one symbol, was {self._symbol} and {column[index]}. Split the file by symbol."
            raise self.bad(first + index, "symbol", problem)

    def convert[T](self, first: int, batch: Any, column: str, conversion: Callable[[Any], T]) -> T:
        """Return a converted column of a batch; a bad cell raises `BadInputError` with its place."""
        try:
            return conversion(batch.column(column))
        except BadCellError as error:
            raise self.bad(first + error.index, column, error.problem) from None

    def _header(self) -> list[str]:
        if self._is_csv:
            with pa.input_stream(str(self.path), compression="detect") as stream:
                return list(_open_csv(stream).schema.names)
        return list(pq.read_schema(self.path).names)

    def _csv_batches(self) -> Iterator[tuple[Any, float]]:
        size = max(self.path.stat().st_size, 1)
        with self.path.open("rb") as raw:
            stream: Any = pa.PythonFile(raw, mode="r")
            if self.path.suffix != ".csv":
                codec = {".gz": "gzip", ".zst": "zstd"}.get(self.path.suffix, self.path.suffix.removeprefix("."))
                stream = pa.CompressedInputStream(stream, codec)
            for batch in _open_csv(stream, list(self.columns.values()), self._names):
                yield batch, raw.tell() / size

    def _parquet_batches(self) -> Iterator[tuple[Any, float]]:
        with pq.ParquetFile(self.path) as file:
            total, done = max(file.metadata.num_rows, 1), 0
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=list(self.columns.values())):
                done += batch.num_rows
                yield batch, done / total

    def _unreadable(self, error: BaseException, rows: int = 0) -> BadInputError:
        after = f" after row {rows}" if rows else ""
        if self._is_csv:
            return malformed_csv(error, self.path)
        problem = f"Expected a whole, well-formed Parquet file, was broken{after}: {error}. Fetch or write it again."
        return BadInputError(problem, file=self.path)


def _open_csv(stream: Any, columns: Sequence[str] | None = None, header: list[str] | None = None) -> Any:
    names = columns or []
    return pa_csv.open_csv(
        stream,
        read_options=pa_csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False, column_names=header),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), include_columns=names, strings_can_be_null=False
        ),
    )


def _list(header: Sequence[str]) -> str:
    return f"The file has: {', '.join(header)}."
