"""Packages of the distribution: every folder with an `__init__.py` at the top of the repository is `<folder>`."""

from setuptools import find_packages, setup

NOT_SHIPPED = ("tests", "tests.*", "docs", "docs.*", "build", "build.*", "dist", "dist.*")

setup(
    script_name="setup.py",  # a build by way of pip has another name here, and would ship this file
    package_dir={"fathom": "."},
    packages=["fathom", *(f"fathom.{name}" for name in find_packages(".", exclude=NOT_SHIPPED))],
)
