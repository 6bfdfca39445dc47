"""Stack files on disk: found by name, read with their secrets opened, and changed without losing a comment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from components.mistakes import nearest
from components.passphrase import Crypter, SecretError, passphrase, unlock
from kube.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT_FILE = "Pulumi.yaml"
DEFAULT_STACK = "local"
PROJECT_PREFIX = "grayling:"


@dataclass(frozen=True, slots=True)
class StackFile:
    """One ``Pulumi.<stack>.yaml``."""

    path: Path
    stack: str
    project: Path

    @property
    def source(self) -> str:
        """The path as messages name it."""
        try:
            return str(self.path.relative_to(self.project))
        except ValueError:
            return str(self.path)

    def config(self, environment: Mapping[str, str] = os.environ) -> tuple[dict[str, Any], list[str]]:
        """``config`` with secrets opened, and the keys under which there was one.

        Raises:
            UsageError: the file is no stack file, or a secret in it cannot be opened.
        """
        document = self.document()
        config = document.get("config") or {}
        if not isinstance(config, dict):
            raise UsageError(f"{self.source}: config must be a map of keys such as {PROJECT_PREFIX}environment")
        secret_keys = [key for key, value in config.items() if _holds_secret(value)]
        if not secret_keys:
            return dict(config), []
        crypter = self.crypter(document, environment)
        return {key: self._opened(value, key, crypter) for key, value in config.items()}, secret_keys

    def document(self) -> dict[str, Any]:
        """The file as it stands.

        Raises:
            UsageError: it is not YAML, or not a map.
        """
        try:
            document = yaml.safe_load(self.path.read_text())
        except OSError as error:
            raise UsageError(f"{self.source}: {error.strerror}") from error
        except yaml.YAMLError as error:
            raise UsageError(f"{self.source}: not YAML: {' '.join(str(error).split())}") from error
        if not isinstance(document, dict):
            raise UsageError(f"{self.source}: empty; a stack file starts with `config:` (docs/stacks.md)")
        return document

    def crypter(self, document: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Crypter:
        """What opens and seals this stack's secrets.

        Raises:
            SecretError: another provider keeps them, or the passphrase is missing or wrong.
        """
        provider = str(document.get("secretsprovider") or "passphrase")
        if not provider.startswith("passphrase") or document.get("encryptedkey"):
            raise SecretError(
                f"{self.source}: its secrets are kept by {provider}, which only Pulumi can ask: use the Pulumi CLI "
                "(`pulumi up`), or move them with `pulumi stack change-secrets-provider passphrase`"
            )
        salt = document.get("encryptionsalt")
        if not salt:
            raise SecretError(f"{self.source}: it holds secure values but no encryptionsalt: use the Pulumi CLI")
        try:
            return unlock(passphrase(environment), str(salt))
        except SecretError as error:
            raise SecretError(f"{self.source}: {error}") from error

    def _opened(self, value: Any, path: str, crypter: Crypter) -> Any:
        if _is_secret(value):
            try:
                return crypter.open(str(value["secure"]))
            except SecretError as error:
                raise SecretError(f"{self.source}: {path}: {error}") from error
        if isinstance(value, dict):
            return {key: self._opened(inner, f"{path}.{key}", crypter) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._opened(inner, f"{path}[{index}]", crypter) for index, inner in enumerate(value)]
        return value


def find(stack: str, start: Path | None = None) -> StackFile:
    """The stack called ``stack``, or the stack file at that path.

    Raises:
        UsageError: no project here, or no such stack in it.
    """
    given = Path(stack)
    if given.suffix in {".yaml", ".yml"}:
        if not given.exists():
            raise UsageError(f"{stack}: no such stack file")
        path = given.resolve()
        return StackFile(path, _name_of(path), project_of(path.parent))
    project = project_of(start or Path.cwd())
    path = stack_folder(project) / f"Pulumi.{stack}.yaml"
    if not path.exists():
        known = sorted(_name_of(file) for file in path.parent.glob("Pulumi.*.yaml"))
        raise UsageError(f"no stack {stack!r} in {path.parent}: {nearest(stack, known)}")
    return StackFile(path, stack, project)


def project_of(start: Path) -> Path:
    """The nearest folder upwards with a ``Pulumi.yaml``.

    Raises:
        UsageError: there is none.
    """
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / PROJECT_FILE).exists():
            return folder
    raise UsageError(
        f"no {PROJECT_FILE} in {start.resolve()} or above it: run this inside a project, or name a stack file"
    )


def stack_folder(project: Path) -> Path:
    """Where the project keeps its stack files."""
    settings = yaml.safe_load((project / PROJECT_FILE).read_text()) or {}
    return project / str(settings.get("stackConfigDir") or ".")


def _name_of(path: Path) -> str:
    return path.stem.removeprefix("Pulumi.")


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"}


def _holds_secret(value: Any) -> bool:
    if _is_secret(value):
        return True
    if isinstance(value, dict):
        return any(_holds_secret(inner) for inner in value.values())
    return isinstance(value, list) and any(_holds_secret(inner) for inner in value)
