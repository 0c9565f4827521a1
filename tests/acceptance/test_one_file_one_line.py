"""Inside Fathom, a feature, detector, strategy or net is one new file and one line; docs/extend.md has the figures."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fathom.commands.new import render

PLACES = {
    "feature": ("ml/features", "ml/features/config.py", "feature_group"),
    "detector": ("detectors/bars", "detectors/registry.py", "detector"),
    "strategy": ("strategies", "strategies/registry.py", "strategy"),
    "net": ("ml/nets", "ml/nets/registry.py", "net"),
}
"""Folder of the file, file of the registry, and what the registry calls the kind."""
USE = {
    "feature": """
from fathom.ml.features import FeatureConfig, FeatureSet
print(*FeatureSet(FeatureConfig(groups=("added",)), price_increment=0.1, size_increment=0.1).schema.names)
""",
    "detector": """
from fathom.detectors import MarketWatch, MarketWatchConfig
print(*MarketWatch(MarketWatchConfig(detectors=("added",))).config.detectors)
""",
    "strategy": """
from fathom.strategies.system import find
print(find("added").component(find("added").config(), "BTCUSDT-LINEAR.BYBIT", "Added-001").policy.source)
""",
    "net": """
import torch
from fathom.ml.nets import build
print("added", build("added", features=3, window=8)(torch.zeros(2, 8, 3)).logits.shape)
""",
}


@pytest.mark.parametrize("kind", PLACES)
def test_one_file_and_one_line_are_enough(kind: str, project: Path, tmp_path: Path) -> None:
    folder, registry, word = PLACES[kind]
    package = tmp_path / "fathom"
    listed = subprocess.run(["git", "ls-files"], cwd=project, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if name.endswith((".py", ".toml")) and not name.startswith("tests/") and (project / name).is_file():
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(project / name, package / name)
    (package / folder / "added.py").write_text(render(kind, "added")["added.py"])
    place = f'        "added": "fathom.{folder.replace("/", ".")}.added:Added",\n'
    head = f'Registry(\n    "{word}",\n    {{\n'
    text = (package / registry).read_text()
    assert text.count(head) == 1
    (package / registry).write_text(text.replace(head, head + place))
    done = subprocess.run(
        [sys.executable, "-c", USE[kind]], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "added" in done.stdout


@pytest.mark.parametrize("kind", PLACES)
def test_the_docs_state_the_figures(kind: str, project: Path) -> None:
    files = render(kind, "added")
    lines = {name: len(text.splitlines()) for name, text in files.items()}
    row = rf"^\| {kind} \| 1 \| {lines['added.py']} \| 1 \| {len(files)} \| {sum(lines.values())} \| 0 \|$"
    assert re.search(row, (project / "docs" / "extend.md").read_text(), re.MULTILINE), row
