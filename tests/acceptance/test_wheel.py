"""A wheel, installed in a fresh environment, works from an empty folder beside a user's own `strategies/` and `ml/`."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

import fathom

OWN = {"strategies/__init__.py": "MINE = 1\n", "ml/__init__.py": "MINE = 2\n"}
NAMES = """
import fathom, ml, strategies
from fathom.ml.samples import Labels
from fathom.strategies import SuperTrend
print(fathom.__file__, fathom.__version__, strategies.MINE, ml.MINE, SuperTrend.__module__, Labels.__module__)
"""


@pytest.fixture(scope="module")
def wheel(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel of the tracked files, built from a copy: the tree keeps neither build/ nor egg-info."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=project, capture_output=True, text=True, check=True).stdout
    for name in listed.rstrip("\0").split("\0"):
        if (project / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(project / name, source / name)
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", build, out], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the `bin` of an environment with the wheel, which finds the requirements in this environment."""
    place = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(place), "platbase": str(place)}))
    # A .pth adds the folder alone: the .pth files in it, such as that of an editable Fathom, are not read.
    (packages / "requirements.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for kept in project.rglob("__pycache__/*.nb?"):  # compiled kernels, whose key is their code
        target = packages / "fathom" / kept.relative_to(project)
        if target.parent.parent.is_dir():
            target.parent.mkdir(exist_ok=True)
            shutil.copy2(kept, target)
    return place / "bin"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Return a folder that holds nothing but a user's own packages."""
    for name, text in OWN.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    return tmp_path


def run(here: Path, *command: object) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command], cwd=here, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_what_the_package_needs_and_nothing_else(wheel: Path, project: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    tops = {name.split("/")[1] for name in names if name.startswith("fathom/")}
    assert not tops & {"tests", "docs", "build", "dist", "setup.py", "ns"}
    assert {name.split("/")[0] for name in names} == {"fathom", f"fathom_trader-{fathom.__version__}.dist-info"}
    patterns = ("configs/**/*.toml", "pages/*.css", "pages/*.js", "pages/*.j2", "detectors/book/*.toml", "*/**/*.py")
    shipped = {f"fathom/{path.relative_to(project)}" for pattern in patterns for path in project.glob(pattern)}
    shipped = {name for name in shipped if not name.startswith(("fathom/tests/", "fathom/docs/", "fathom/."))}
    assert len(shipped) > 400
    assert not shipped - names


def test_the_command_works_beside_packages_of_the_same_names(installed: Path, here: Path) -> None:
    told = run(here, installed / "python", "-c", NAMES).split()
    assert Path(told[0]).is_relative_to(installed.parent)
    assert told[1:] == [fathom.__version__, "1", "2", "fathom.strategies.supertrend", "fathom.ml.samples.labels"]
    assert "fathom demo" in run(here, installed / "fathom", "--help")
    assert run(here, installed / "python", "-m", "fathom", "--version") == run(here, installed / "fathom", "--version")


def test_the_demo_runs_from_an_empty_folder(installed: Path, here: Path) -> None:
    result = json.loads(run(here, installed / "fathom", "demo", "--learn", "45m", "--trade", "20m", "--json"))
    assert {each.name for each in here.iterdir()} == {"strategies", "ml", "fathom-out"}
    written = {each.name for each in (here / result["path"]).iterdir()}
    assert {"summary.json", "decisions.parquet", "tearsheet.html", "execution.html"} <= written
    (card,) = (here / "fathom-out" / "demo" / "models").rglob("card.html")
    versions = json.loads((here / result["path"] / "versions.json").read_text())
    assert versions["code"]["modules"] == {}  # neither `strategies` nor `ml` of the folder is part of the run
    assert card.parent.name in (here / result["path"] / "config.toml").read_text()


def test_a_market_is_simulated_and_traded(installed: Path, here: Path) -> None:
    command = installed / "fathom"
    package = run(here, installed / "python", "-c", "import fathom; print(fathom.__path__[0])").strip()
    configs = Path(package) / "configs"
    market = configs / "simulation" / "null.toml"
    run(here, command, "data", "simulate", market, "--catalog", "catalog", "--seed", 1, "--duration", "2m")
    (here / "own.toml").write_text(
        '[data]\ncatalog = "catalog"\ninstruments = ["BTCUSDT-LINEAR.SIM"]\nstart = 2026-01-01T00:00:10Z\n'
    )
    done = run(here, command, "backtest", "run", configs / "backtest" / "perp-ticks.toml", "own.toml", "--json")
    written = {each.name for each in (here / json.loads(done)["path"]).iterdir()}
    assert {"summary.json", "fills.parquet", "tearsheet.html", "execution.html"} <= written
