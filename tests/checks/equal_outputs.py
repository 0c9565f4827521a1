"""Compare two folders of outputs: `python -m tests.checks.equal_outputs BEFORE AFTER`.

Compared are the tables (alerts, decisions, equity, features, fills, orders and all others, as Parquet) and the
`summary.json` of each run, detection run and feature table. Run ids, paths, versions and hashes of settings are left
out; nothing else is. A folder's name without its date and hash says what belongs together.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_STAMP = re.compile(r"^\d{8}-\d{6}-|-[0-9a-f]{8,}(?=\.parquet$|$)")
_ASIDE = {"run_id", "run", "config_hash", "catalog", "version", "versions", "artifact", "model", "path", "data_hash"}


def tables_and_summaries(folder: Path) -> dict[str, Path]:
    """Return each compared file under its name without dates and hashes."""
    known: dict[str, Path] = {}
    for path in sorted([*folder.rglob("*.parquet"), *folder.rglob("summary.json")]):
        parts = [_STAMP.sub("", _STAMP.sub("", part)) for part in path.relative_to(folder).parts]
        if "catalog" in parts or "models" in parts or "learn" in parts or "trade" in parts:
            continue
        known.setdefault("/".join(parts), path)
    return known


def difference(before: Path, after: Path) -> str:
    """Return the first difference between two files, or an empty text."""
    if before.suffix == ".json":
        ours, theirs = (_plain(json.loads(path.read_text())) for path in (before, after))
        names = [name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)]
        return ", ".join(f"{name}: {ours.get(name)} -> {theirs.get(name)}" for name in sorted(names))
    left, right = pq.read_table(before), pq.read_table(after)
    names = [name for name in left.column_names if name not in _ASIDE]
    if names != [name for name in right.column_names if name not in _ASIDE]:
        return f"columns {left.column_names} -> {right.column_names}"
    if len(left) != len(right):
        return f"{len(left)} rows -> {len(right)} rows"
    return ", ".join(name for name in names if not _same(left[name], right[name]))


def _same(left: pa.ChunkedArray, right: pa.ChunkedArray) -> bool:
    if left.type != right.type:
        return False
    if pa.types.is_floating(left.type):
        return bool(left.to_numpy().tobytes() == right.to_numpy().tobytes())  # NaN equals NaN, bit for bit
    return bool(left.equals(right))


def _plain(value: Any) -> dict[str, Any]:
    return {name: inner for name, inner in value.items() if name not in _ASIDE}


def main() -> int:
    """Print each difference; return 1 if there is one."""
    before, after = (tables_and_summaries(Path(folder)) for folder in sys.argv[1:3])
    worst = 0
    for name in sorted({*before, *after}):
        if name not in before or name not in after:
            problem = f"only in {'AFTER' if name in after else 'BEFORE'}"
        else:
            problem = difference(before[name], after[name])
        worst |= bool(problem)
        print(f"{'DIFFERS' if problem else 'equal  '}  {name}  {problem}".rstrip())
    return worst


if __name__ == "__main__":
    sys.exit(main())
