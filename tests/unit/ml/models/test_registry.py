"""Tracking and registry: a run can be read again, versions are promoted and rolled back, and the commands say so."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fathom.commands.models.group import models
from fathom.ml.models.artifacts import Artifact
from fathom.ml.models.recording import record
from fathom.ml.models.registry import Registry, RegistryError
from fathom.ml.models.tracking import Store, TrackingError
from tests.makers import exported

# MLflow uses what its database layer no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

METRICS: dict[str, object] = {
    "level": 0.95,
    "test": {
        "compact": {
            "kind": "net",
            "scores": {name: [0.5, 0.4, 0.6] for name in ("accuracy", "net_bps_per_trade", "net_bps_total", "ece")}
            | {
                name: [0.5, None, None]
                for name in ("balanced_accuracy", "f1_macro", "mcc", "auc", "log_loss", "brier", "trades", "sharpe")
            },
            "confusion": [[5, 1, 0], [1, 4, 1], [0, 2, 6]],
        }
    },
    "reliability": {"said": [0.4, 0.6], "right": [0.5, 0.6], "count": [10, 10], "error": 0.05},
    "history": [
        {"epoch": 0.0, "train_direction_loss": 1.1, "validation_direction_loss": 1.0},
        {"epoch": 1.0, "train_direction_loss": 1.0, "validation_direction_loss": 0.9},
    ],
    "best_epoch": 1,
    "instruments": ["BTCUSDT-LINEAR.BYBIT"],
}


class Setting:
    """Three registered versions of a model in a local store."""

    def __init__(self, folder: Path) -> None:
        self.store = str(folder / "mlruns")
        first = exported.artifact(folder / "models" / "one", int8=False, metrics=METRICS)
        self.artifacts = [first, *(self._copy(first, name, seed) for seed, name in enumerate(("two", "three")))]
        self.versions = [record(artifact, self.store) for artifact in self.artifacts]
        self.registry = Registry(Store(self.store))

    @staticmethod
    def _copy(first: Artifact, name: str, seed: int) -> Artifact:
        # Another scaler is another model; exporting again would take seconds.
        import shutil
        from hashlib import sha256

        import msgspec

        from fathom.ml.models.artifacts import PROVENANCE, SCALER, load_artifact

        folder = first.path.with_name(name)
        shutil.copytree(first.path, folder)
        scaler = msgspec.structs.replace(first.scaler, before_ns=seed + 1)
        (folder / SCALER).write_bytes(scaler.to_json())
        files = first.provenance.files | {SCALER: sha256(scaler.to_json()).hexdigest()}
        provenance = msgspec.structs.replace(first.provenance, files=files)
        (folder / PROVENANCE).write_bytes(msgspec.json.encode(provenance))
        return load_artifact(folder)

    def command(self, *arguments: str) -> Result:
        return CliRunner().invoke(models, [*arguments, "--store", self.store])


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return Setting(tmp_path_factory.mktemp("registry"))


def test_a_run_keeps_parameters_curves_pictures_and_files(setting: Setting) -> None:
    client = setting.registry._client
    run = client.get_run(setting.versions[0].run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["net"] == "compact"
    assert run.data.tags["schema_hash"] == setting.artifacts[0].schema.hash
    assert run.data.metrics["test_compact_accuracy"] == 0.5
    curve = client.get_metric_history(run.info.run_id, "validation_direction_loss")
    assert [(point.step, point.value) for point in curve] == [(0, 1.0), (1, 0.9)]
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"confusion.json", "confusion.png", "reliability.json", "reliability.png", "model"} <= files


def test_the_same_artifact_is_the_same_version(setting: Setting) -> None:
    assert [version.number for version in setting.versions] == [1, 2, 3]
    assert record(setting.artifacts[1], setting.store).number == 2


def test_promotions_can_be_undone_one_by_one(setting: Setting) -> None:
    name, registry = setting.artifacts[0].name, setting.registry
    link = setting.artifacts[0].path.parent / "champion"
    for version in setting.versions:
        promoted = registry.promote(version)
        assert promoted.aliases == ("champion",)
        assert link.resolve() == Path(version.path)
    assert registry.promote(setting.versions[2]).number == 3  # again: nothing to remember
    assert registry.rollback(name).number == 2
    assert registry.rollback(name).number == 1
    assert link.resolve() == Path(setting.versions[0].path)
    with pytest.raises(RegistryError, match="Expected a former champion"):
        registry.rollback(name)
    assert registry.version(name, "champion").number == 1
    assert registry.version(name, setting.versions[1].hash[:6]).number == 2


def test_a_damaged_model_is_not_promoted(setting: Setting) -> None:
    model = setting.artifacts[2].path / "model.onnx"
    content = model.read_bytes()
    model.write_bytes(content[:-1])
    try:
        found = setting.command("promote", setting.artifacts[2].name, "3")
        assert found.exit_code == 1
        assert "Expected the file that was exported" in found.output
        assert json.loads(setting.command("list", "--json").output)[0]["problem"]
    finally:
        model.write_bytes(content)


def test_the_commands_say_what_they_did(setting: Setting) -> None:
    name = setting.artifacts[0].name
    assert "is the challenger" in setting.command("promote", name, "2", "--as", "challenger").output
    rows = json.loads(setting.command("list", "--json").output)
    assert [(row["version"], row["accuracy"]) for row in rows] == [(3, 0.5), (2, 0.5), (1, 0.5)]
    assert "challenger" in rows[1]["aliases"]
    assert name in setting.command("list").output
    assert "## Limits" in setting.command("show", name, "2").output
    assert json.loads(setting.command("show", name, "2", "--json").output)["provenance"]["net"] == "compact"
    compared = json.loads(setting.command("compare", name, "1", "2", "--json").output)
    assert ["accuracy", "0.500 (0.400 to 0.600)", "0.500 (0.400 to 0.600)"] in compared["figures"]
    assert "version 2" in setting.command("register", str(setting.artifacts[1].path)).output
    assert setting.command("rollback", name, "--as", "challenger").exit_code == 1


def test_unknown_names_are_corrected(setting: Setting) -> None:
    name = setting.artifacts[0].name
    assert f"Did you mean '{name}'?" in setting.command("show", name[:-1]).output
    assert "Expected a version of" in setting.command("show", name, "7").output


def test_a_store_that_is_none_is_a_clear_error() -> None:
    with pytest.raises(TrackingError, match="nosuch://store: Expected a folder or a tracking server"):
        Store("nosuch://store")


def test_the_card_names_results_and_limits(setting: Setting) -> None:
    from fathom.ml.models.card import html, limits, markdown

    artifact = setting.artifacts[0]
    page, text = html(artifact), markdown(artifact)
    assert "0.400 to 0.600" in page
    assert "| compact | 0.500 |" in text
    assert any("does not" in sentence or "answers only for" in sentence for sentence in limits(artifact))
    assert "http://" not in page.replace("http://www.w3.org", "")
