"""The document says what the code says."""

from pathlib import Path

from fathom.ml.features.docs import render
from fathom.ml.features.registry import SPECS


def test_the_document_is_up_to_date(project: Path) -> None:
    text = (project / "docs" / "features.md").read_text()
    assert text == render(), (
        "Expected docs/features.md to be up to date: run python -m fathom.ml.features.docs docs/features.md"
    )


def test_every_feature_is_a_row_of_nine_bars() -> None:
    rows = [line for line in render().splitlines() if line.startswith("| `")]
    assert sorted(row.split("`")[1] for row in rows) == sorted(SPECS)
    assert {row.replace("\\|", "").count("|") for row in rows} == {9}
