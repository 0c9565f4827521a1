"""Versions of models and who serves: `champion` answers, `challenger` may follow; each promotion can be undone."""

import json
import os
from pathlib import Path
from typing import Final, NamedTuple

from fathom.ml.errors import TrainingError
from fathom.ml.models.artifacts import Artifact, load_artifact
from fathom.ml.models.tracking import FOLDER, Store, StoreError
from fathom.settings.nearest import nearest

CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"
ALIASES: Final = (CHAMPION, CHALLENGER)

_PATH, _HASH, _PAST = "path", "hash", "past"


class RegistryError(TrainingError):
    """A model or a version is not registered, or there is nothing to go back to."""


class Version(NamedTuple):
    """A registered version of a model.

    Parameters
    ----------
    name : str
    number : int
        From 1.
    hash : str
        `fathom.ml.models.artifacts.Artifact.version`.
    path : str
        Directory of the artifact when it was registered.
    run_id : str
        Run that made it.
    aliases : tuple of str

    Examples
    --------
    >>> Version("edge", 2, "ab12", "models/edge/ab12", "", ("champion",)).number
    2
    """

    name: str
    number: int
    hash: str
    path: str
    run_id: str
    aliases: tuple[str, ...]


class Registry:
    """The registered models of a store.

    A promotion also sets a link beside the artifact (``models/edge/champion``), so that a process without MLflow finds
    the champion by a path that stays the same.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self._client = store.client

    def register(self, artifact: Artifact, *, run_id: str = "") -> Version:
        """Return the version of an artifact; the same artifact again is the same version."""
        try:
            self._client.create_registered_model(artifact.name)
        except StoreError as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise RegistryError(f"{artifact.name}: Expected a name that can be registered: {error}") from error
        for known in self.versions(artifact.name):
            if known.hash == artifact.version:
                return known
        path = artifact.path.absolute()
        try:
            # A server takes no folder of ours as a source, but the copy that the run has left with it.
            source = f"{self._client.get_run(run_id).info.artifact_uri}/{FOLDER}" if run_id else path.as_uri()
            made = self._client.create_model_version(
                artifact.name, source=source, run_id=run_id or None, tags={_PATH: str(path), _HASH: artifact.version}
            )
        except StoreError as error:
            raise RegistryError(
                f"{path}: Expected an artifact that the store takes: {error}; on a server, register a model by "
                "`fathom train run --store URI`, which leaves it a copy"
            ) from error
        return self.version(artifact.name, int(made.version))

    def names(self) -> list[str]:
        """Return the names of all models."""
        return sorted(model.name for model in self._client.search_registered_models())

    def versions(self, name: str) -> list[Version]:
        """Return the versions of a model, the newest first.

        Raises
        ------
        RegistryError
            Where no model has this name, and which was probably meant.
        """
        aliases = self._aliases(name)
        found = []
        for one in self._client.search_model_versions(f"name='{name}'"):
            number = int(one.version)
            own = tuple(alias for alias in sorted(aliases) if aliases[alias] == number)
            found.append(Version(name, number, one.tags.get(_HASH, ""), one.tags.get(_PATH, ""), one.run_id or "", own))
        return sorted(found, key=lambda version: -version.number)

    def version(self, name: str, which: int | str) -> Version:
        """Return a version by its number, its alias, or the beginning of its hash.

        Raises
        ------
        RegistryError
            Where there is none, or several.
        """
        known = self.versions(name)
        text = str(which)
        found = [one for one in known if str(one.number) == text or text in one.aliases]
        found = found or [one for one in known if len(text) >= 4 and one.hash.startswith(text)]
        if len(found) != 1:
            there = ", ".join(f"{one.number} ({one.hash})" for one in known) or "none"
            raise RegistryError(f"Expected a version of {name}, was '{text}'; there is {there}")
        return found[0]

    def artifact(self, version: Version) -> Artifact:
        """Return the artifact of a version after checking that it is still the one that was registered."""
        found = load_artifact(version.path)
        if found.version != version.hash:
            raise RegistryError(
                f"{version.path}: Expected version {version.hash} of {version.name}, was {found.version}; "
                "register it as a version of its own"
            )
        return found

    def promote(self, version: Version, alias: str = CHAMPION) -> Version:
        """Let a version serve under an alias; what served before is remembered."""
        if alias not in ALIASES:
            raise RegistryError(f"Expected one of {', '.join(ALIASES)}, was '{alias}'")
        self.artifact(version)  # a damaged model is not promoted
        before = self._aliases(version.name).get(alias)
        if before != version.number:
            past = self._past(version.name, alias)
            self._remember(version.name, alias, [*past, before] if before is not None else past)
            self._point(version, alias)
        return self.version(version.name, version.number)

    def rollback(self, name: str, alias: str = CHAMPION) -> Version:
        """Let the version serve that served before the last promotion.

        Raises
        ------
        RegistryError
            Where there was none before.
        """
        self._aliases(name)
        past = self._past(name, alias)
        if not past:
            raise RegistryError(f"Expected a former {alias} of {name}, was none; promote a version instead")
        version = self.version(name, past[-1])
        self.artifact(version)
        self._remember(name, alias, past[:-1])
        self._point(version, alias)
        return self.version(name, version.number)

    def _aliases(self, name: str) -> dict[str, int]:
        try:
            model = self._client.get_registered_model(name)
        except StoreError:
            names = self.names()
            raise RegistryError(f"Expected a registered model, was '{name}'. {nearest(name, names)}") from None
        return {alias: int(number) for alias, number in model.aliases.items()}

    def _past(self, name: str, alias: str) -> list[int]:
        tags = self._client.get_registered_model(name).tags
        return [int(number) for number in json.loads(tags.get(f"{_PAST}.{alias}", "[]"))]

    def _remember(self, name: str, alias: str, numbers: list[int]) -> None:
        self._client.set_registered_model_tag(name, f"{_PAST}.{alias}", json.dumps(numbers[-50:]))

    def _point(self, version: Version, alias: str) -> None:
        self._client.set_registered_model_alias(version.name, alias, str(version.number))
        target = Path(version.path)
        link, part = target.parent / alias, target.parent / f".{alias}.{os.getpid()}.part"
        if link.exists() and not link.is_symlink():
            raise RegistryError(f"{link}: Expected a link or nothing, was something else; move it away")
        part.unlink(missing_ok=True)
        part.symlink_to(target.name)
        part.replace(link)
