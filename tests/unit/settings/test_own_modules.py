"""The user's modules run as they lie on the disk, whatever the process imported before."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fathom.settings.doors import load
from fathom.settings.own_modules import importable, own_file, source_digest
from fathom.settings.toml import Layers


@pytest.fixture(autouse=True)
def _same_modules_afterwards() -> Iterator[None]:
    modules, path = {*sys.modules}, list(sys.path)
    yield
    for name in {*sys.modules} - modules:
        del sys.modules[name]
    sys.path[:] = path


def _write(folder: Path, **sources: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    return folder


def test_an_edit_within_the_same_second_is_run(tmp_path: Path) -> None:
    home = _write(tmp_path / "own", quiet_rule="from quiet_part import NUMBER\n", quiet_part="NUMBER = 1\n")
    importable(home)
    assert load("quiet_rule:NUMBER") == 1
    _write(home, quiet_part="NUMBER = 2\n")
    importable(home)
    assert load("quiet_rule:NUMBER") == 2


def test_an_edit_in_a_package_reaches_the_module_beside_it(tmp_path: Path) -> None:
    home = _write(tmp_path / "own", loud_rule="from loud_parts.size import SIZE\n")
    _write(home / "loud_parts", __init__="", size="SIZE = 1\n")
    importable(home)
    assert load("loud_rule:SIZE") == 1
    _write(home / "loud_parts", size="SIZE = 5\n")
    importable(home)
    assert load("loud_rule:SIZE") == 5


@pytest.mark.parametrize("again", [False, True])
def test_each_configuration_gets_the_module_beside_it(tmp_path: Path, again: bool) -> None:
    numbers = []
    for number, name in enumerate(["first", "second", *["first"] * again]):
        home = _write(tmp_path / name, bold_rule=f"NAME = '{name}'\n")
        (home / "a.toml").write_text("")
        Layers.read([home / "a.toml"])
        numbers.append(load("bold_rule:NAME"))
        assert numbers[number] == name


def test_a_deleted_module_is_no_longer_found(tmp_path: Path) -> None:
    home = _write(tmp_path / "own", gone_rule="NUMBER = 1\n")
    importable(home)
    load("gone_rule:NUMBER")
    (home / "gone_rule.py").unlink()
    importable(home)
    with pytest.raises(ValueError, match="Expected a module 'gone_rule'"):
        load("gone_rule:NUMBER")


def test_installed_modules_win_and_are_kept(tmp_path: Path) -> None:
    import statistics

    home = _write(tmp_path / "own", statistics="mean = 1\n")
    importable(home)
    assert load("statistics:mean") is statistics.mean
    assert own_file("statistics") is own_file("numpy") is own_file("fathom.settings.toml") is None


def test_unchanged_modules_are_imported_once(tmp_path: Path) -> None:
    home = _write(tmp_path / "own", calm_rule="class Rule: ...\n")
    importable(home)
    rule = load("calm_rule:Rule")
    importable(home)
    assert load("calm_rule:Rule") is rule
    file = own_file("calm_rule")
    assert file is not None
    assert len(source_digest(file)) == 64
