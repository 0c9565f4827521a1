"""Which actors of a backtest read the replayed catalog themselves."""

import contextlib
import os
from pathlib import Path

import pytest

from fathom.backtests.setup.config import load
from fathom.settings.errors import SettingsError
from tests.unit.backtests.setup.test_config import BASE, write

ACTORS = """
[[actors]]
name = "features"
[actors.parameters]
{features}
[[actors]]
name = "detection"
[actors.parameters]
{detection}
"""


def read_by(folder: Path, *settings: str, features: str = "", detection: str = "") -> list[str | None]:
    """Return the rows_from of the actors `features` and `detection`."""
    return _relative(folder, "rows_from", settings, features, detection)


def _relative(folder: Path, name: str, settings: tuple[str, ...], *parameters: str) -> list[str | None]:
    file = write(folder, BASE + ACTORS.format(features=parameters[0], detection=parameters[1]))
    with contextlib.chdir(folder):
        paths = [getattr(actor.parameters, name) for actor in load([file], settings).actors]
    return [path and os.path.relpath(path, folder) for path in paths]


def test_rows_are_read_where_all_of_them_are_replayed(tmp_path: Path) -> None:
    assert read_by(tmp_path) == ["catalog", "catalog"]
    assert read_by(tmp_path, "data.catalog=other") == ["other", "other"]
    assert read_by(tmp_path, 'data.types=["book"]') == [None, None]
    assert read_by(tmp_path, 'data.types=["trades"]') == [None, None]


def test_they_can_be_made_of_objects_instead(tmp_path: Path) -> None:
    assert read_by(tmp_path, "data.rows=objects") == [None, None]
    assert read_by(tmp_path, "data.rows=objects", features='rows_from = "catalog"') == ["catalog", None]


def test_an_actor_that_goes_on_from_a_state_reads_none(tmp_path: Path) -> None:
    assert read_by(tmp_path, detection='state_folder = "state"') == ["catalog", None]


def test_flags_come_from_the_same_catalog_or_rows_are_not_read(tmp_path: Path) -> None:
    assert read_by(tmp_path, features='flags_from = "./catalog"') == ["catalog", "catalog"]
    assert read_by(tmp_path, features='flags_from = "elsewhere"') == [None, "catalog"]


def flagged_by(folder: Path, *settings: str, features: str = "", detection: str = "") -> list[str | None]:
    """Return the flags_from of the actors `features` and `detection`."""
    return _relative(folder, "flags_from", settings, features, detection)


@pytest.mark.parametrize("rows", ["catalog", "objects"])
def test_flags_of_trades_are_those_of_the_catalog(tmp_path: Path, rows: str) -> None:
    rows = f"data.rows={rows}"
    assert flagged_by(tmp_path, rows) == ["catalog", "catalog"]
    assert flagged_by(tmp_path, rows, 'data.types=["trades"]') == ["catalog", "catalog"]
    assert flagged_by(tmp_path, rows, 'data.types=["book"]') == [None, None]
    assert flagged_by(tmp_path, rows, "data.flags=false") == [None, None]
    assert flagged_by(tmp_path, rows, features='flags_from = "elsewhere"') == ["elsewhere", "catalog"]
    assert flagged_by(tmp_path, rows, features='rows_from = "./catalog"') == ["catalog", "catalog"]


def test_the_text_leaves_it_to_the_catalog(tmp_path: Path) -> None:
    first = load([write(tmp_path, BASE + ACTORS.format(features="", detection=""))])
    assert "rows_from" not in first.text
    assert "flags_from" not in first.text
    again = load([write(tmp_path, first.text, "again.toml")], [f"data.catalog={tmp_path / 'other'}"])
    assert [actor.parameters.rows_from for actor in again.actors] == [str(tmp_path / "other")] * 2


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            (),
            r"Expected data.catalog \(.*/catalog\), was .*/elsewhere. Leave rows_from out: a backtest knows its",
        ),
        (("data.catalog=elsewhere", 'data.types=["book"]'), "Expected no rows_from without book and trades"),
    ],
)
def test_rows_of_what_is_not_replayed_are_refused(tmp_path: Path, settings: tuple[str, ...], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem) as error:
        read_by(tmp_path, *settings, features='rows_from = "elsewhere"')
    assert error.value.path == "actors[0].parameters.rows_from"
