"""Every example in a docstring of the package runs, and gives what it says."""

import doctest
import importlib
import pkgutil

import pytest

import fathom

NOT_SHIPPED = ("fathom.tests", "fathom.setup", "fathom.__main__", "fathom.docs", "fathom.build")
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(fathom.__path__, "fathom.")
    if not module.name.startswith(NOT_SHIPPED)
)
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.mark.parametrize("name", ["fathom", *MODULES])
def test_the_examples_of_a_module_run(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    for example in doctest.DocTestFinder().find(module):
        runner.run(example)
    assert runner.failures == 0, capsys.readouterr().out
