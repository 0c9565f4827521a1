"""Rules of the house that no linter knows: what a package says of itself, and how large a module may grow."""

import ast
import dataclasses
import importlib
import re
from enum import Enum
from pathlib import Path
from types import FunctionType

import grimp
import msgspec
import pytest

PROJECT = Path(__file__).resolve().parents[2]
NOT_SHIPPED = {"tests", "docs", "build", "dist"}
PACKAGES = sorted(path.parent for path in PROJECT.glob("*/__init__.py") if path.parent.name not in NOT_SHIPPED)
MODULES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))
INITS = [path for path in MODULES if path.name == "__init__.py"]
FOLDERS = sorted({path.parent for path in MODULES})
LARGEST = 500
FULLEST = 20
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


def name_of(path: Path) -> str:
    parts = ("fathom", *path.relative_to(PROJECT).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@pytest.mark.parametrize("path", INITS, ids=name_of)
def test_a_package_says_in_two_sentences_what_it_is(path: Path) -> None:
    text = ast.get_docstring(parsed(path))
    assert text, "Expected a definition of the package in two sentences, was none"
    assert text.endswith(".")
    assert 1 <= len(re.findall(r"\.(?=\s|$)", text)) <= 2, text


@pytest.mark.parametrize("path", INITS, ids=name_of)
def test_a_package_names_what_it_offers(path: Path) -> None:
    module = importlib.import_module(name_of(path))
    offered = module.__all__
    assert offered == sorted(offered, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert all(hasattr(module, name) for name in offered)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_holds_one_concept(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LARGEST
    assert path.stem not in VAGUE


def is_record(offered: type) -> bool:
    """Return whether a class is a named tuple, or a result: fields without a method of its own."""
    if issubclass(offered, tuple):
        return True
    if not (issubclass(offered, msgspec.Struct) or dataclasses.is_dataclass(offered)):
        return False
    return not any(
        isinstance(value, FunctionType | classmethod | staticmethod | property) and not name.startswith("__")
        for name, value in vars(offered).items()
    )


@pytest.mark.parametrize("path", INITS, ids=name_of)
def test_what_a_package_offers_is_explained(path: Path) -> None:
    module = importlib.import_module(name_of(path))
    for name in module.__all__:
        offered = getattr(module, name)
        if not isinstance(offered, type):
            continue
        assert offered.__doc__, f"Expected a docstring of {name}, was none"
        if not issubclass(offered, Enum | BaseException) and not is_record(offered):
            assert ">>>" in offered.__doc__, f"Expected an example that runs in the docstring of {name}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_that_is_forbidden(path: Path) -> None:
    for node in ast.walk(parsed(path)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not {"pickle", "dill", "cloudpickle", "joblib"} & {name.partition(".")[0] for name in names}
        if isinstance(node, ast.Call):
            set_ = {each.arg: each.value.value for each in node.keywords if isinstance(each.value, ast.Constant)}
            assert not set_.get("fastmath"), "Expected exact arithmetic, was fast-math"
            assert not set_.get("parallel"), "Expected loops in order, was parallel"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(PROJECT)))
def test_a_folder_holds_a_few_modules(folder: Path) -> None:
    modules = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= FULLEST, f"Expected at most {FULLEST} modules, was {len(modules)}: make a package"


def test_no_circle_between_files() -> None:
    graph = grimp.build_graph("fathom")
    waiting = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    while free := [module for module, imported in waiting.items() if not imported & waiting.keys()]:
        for module in free:
            del waiting[module]
    circles = {module: sorted(imported & waiting.keys()) for module, imported in sorted(waiting.items())}
    assert not circles, f"Expected files without circles of imports, were {circles}"
