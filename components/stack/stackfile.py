"""Stack files on disk: found by name, read with every mistake named by its line, their secrets opened."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from components.model.keypath import within
from components.model.mistakes import (
    Mistake,
    StackError,
    nearest,
    without_followers,
)
from components.stack.nodes import Map, Scalar, plain
from components.stack.passphrase import (
    HIDDEN,
    Crypter,
    SecretError,
    passphrase,
    unlock,
)
from components.stack.project import (
    check_stack_name,
    is_there,
    project_above,
    project_name,
    project_of,
    stack_folder,
)
from components.stack.reading import read
from components.stack.sections import (
    CONFIG,
    OURS,
    SECTIONS,
    SECURE,
    as_if_opened,
    beside,
    holds_sealed,
    sealed,
    sections,
    sections_of,
    whole,
)
from kube.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from components.stack.nodes import Document, Entry, Node
    from kube.kinds import Manifest

PROJECT_PREFIX = f"{OURS}:"
PULUMI_CONTEXT = "kubernetes:context"
"""Where Pulumi reads which cluster a stack belongs to."""


class Changes(Protocol):
    """What is laid over a stack file; :class:`components.stack.overlay.Overlay` is."""

    @property
    def source(self) -> str:
        """Where it comes from, as messages name it."""

    def over(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """``config`` under whole keys, changed."""

    def lowered(self, manifests: Iterable[Manifest]) -> list[Manifest]:
        """Objects of the stack, changed."""

    def blamed(self, file: StackFile, error: StackError) -> StackError:
        """What is wrong with the two together, said of the one that is to blame."""


@dataclass(frozen=True, slots=True)
class StackFile:
    """One ``Pulumi.<stack>.yaml``; ``given`` is how a person named it, if by a path.

    With an ``overlay`` it is another stack, and ``config`` is what both say together.
    """

    path: Path
    stack: str
    project: Path
    given: str = ""
    overlay: Changes | None = None
    held: Document | None = None

    def as_it_is(self) -> StackFile:
        """The same with what stands in it now, whatever is written into it later.

        Raises:
            StackError: it is not one YAML document.
        """
        return replace(self, held=self.read())

    @property
    def source(self) -> str:
        """The path as messages name it."""
        text = self.given or str(self.path)
        with suppress(ValueError):
            text = self.given or str(self.path.relative_to(self.project))
        return text if text.isprintable() else repr(text)

    def read(self) -> Document:
        """The file with its positions.

        Raises:
            StackError: it is not one YAML document.
        """
        return self.held or read(self.path, self.source)

    def config(self, environment: Mapping[str, str] = os.environ) -> tuple[dict[str, Any], list[str]]:
        """``config`` under whole keys with secrets opened, and the keys under which there was one.

        Raises:
            StackError: with every mistake in the file, where the file itself shows one.
            SecretError: a secret in it cannot be opened.
        """
        document = self.read()
        entries, mistakes = sections(document, project_name(self.project))
        if told := without_followers(mistakes, document.mistakes):
            raise StackError(self.source, [*told, *self._further(document, entries, told)])
        secret_keys = [key for key, entry in entries.items() if holds_sealed(entry.node)]
        if not secret_keys:
            return self._laid_over({key: plain(entry.node) for key, entry in entries.items()}), []
        try:
            crypter = self.crypter(beside(document), environment)
        except SecretError as error:
            if further := self._further(document, entries, []):
                raise StackError(self.source, further) from error
            raise
        opened = {key: self._opened(entry.node, key, crypter) for key, entry in entries.items()}
        return self._laid_over(opened), secret_keys

    def document(self) -> dict[str, Any]:
        """The file as it stands, secrets sealed, keys of ``config`` whole.

        Raises:
            StackError: with what is wrong about its form.
        """
        document = self.read()
        entries, mistakes = sections(document, project_name(self.project))
        if document.mistakes or mistakes:
            raise StackError(self.source, [*document.mistakes, *mistakes])
        config = {key: plain(entry.node) for key, entry in entries.items()}
        return {**beside(document), CONFIG: self._laid_over(config)}

    def section(self, name: str) -> dict[str, Any]:
        """One of ours as it stands; empty where it is no map.

        Raises:
            StackError: with what is wrong about the file's form.
        """
        found = self.document()[CONFIG].get(f"{PROJECT_PREFIX}{name}")
        return found if isinstance(found, dict) else {}

    def keys(self) -> set[str]:
        """The whole keys of ``config``.

        Raises:
            StackError: it is not one YAML document.
        """
        return set(sections(self.read(), project_name(self.project))[0])

    @contextmanager
    def placing(self) -> Iterator[None]:
        """Within it, mistakes that are found in what the file says are told with their lines.

        Raises:
            StackError: the one that came up, with lines.
        """
        try:
            yield
        except StackError as error:
            if any(mistake.line for mistake in error.mistakes):
                raise
            if self.overlay:
                raise self.overlay.blamed(self, error) from error
            raise StackError(self.source, placed(error.mistakes, self.read())) from error

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
        if not (salt := document.get("encryptionsalt")):
            raise SecretError(f"{self.source}: it holds secure values but no encryptionsalt: use the Pulumi CLI")
        try:
            return unlock(passphrase(environment), str(salt))
        except SecretError as error:
            raise SecretError(f"{self.source}: {error}") from error

    def _laid_over(self, config: dict[str, Any]) -> dict[str, Any]:
        return self.overlay.over(config) if self.overlay else config

    def _further(self, document: Document, entries: Mapping[str, Entry], told: list[Mistake]) -> list[Mistake]:
        """What is wrong in the sections as far as they can be read, but does not follow from what is ``told``."""
        from components.stack.platform import Platform

        if not entries or not isinstance(document.root, Map):
            return []
        maps = {whole(key, OURS): each for key, each in document.root.entries.items() if isinstance(each.node, Map)}
        meant = {key: maps[key] for key in (f"{PROJECT_PREFIX}{name}" for name in SECTIONS) if key in maps}
        config = {key: plain(entry.node) for key, entry in {**meant, **entries}.items()}
        if secrets := config.get(f"{PROJECT_PREFIX}secrets"):
            config[f"{PROJECT_PREFIX}secrets"] = as_if_opened(secrets)
        try:
            Platform.read(sections_of(config), stack=self.stack, source=self.source, project=self.project)
        except StackError as error:
            found = placed(error.mistakes, document)
            first = [document.place(each.path)[1] if each.path else "" for each in told]
            return [each for each in found if _of_a_name(each) or not any(within(each.path, path) for path in first)]
        return []

    def _opened(self, node: Node, path: str, crypter: Crypter) -> Any:
        if sealed(node):
            assert isinstance(node, Map)  # noqa: S101 - for the type checker
            try:
                return crypter.open(str(plain(node.entries[SECURE].node)))
            except SecretError as error:
                raise SecretError(f"{self.source}:{node.line}: {path}: {error}") from error
        if isinstance(node, Map):
            return {key: self._opened(entry.node, f"{path}.{key}", crypter) for key, entry in node.entries.items()}
        if isinstance(node, Scalar):
            return node.value
        return [self._opened(item, f"{path}[{index}]", crypter) for index, item in enumerate(node.items)]


def _of_a_name(mistake: Mistake) -> bool:
    """Whether it is said of the key and not of its value: both may be wrong."""
    return mistake.problem.startswith(("is no name of", "is no key of"))


def placed(mistakes: tuple[Mistake, ...], document: Document) -> list[Mistake]:
    """The same with lines, whole key paths, and values as they are written in the file; one for each value."""
    found: dict[tuple[str, str], Mistake] = {}
    for mistake in mistakes:
        line, path, node = document.place(mistake.path)
        value, fix = mistake.value, mistake.fix
        if value and isinstance(node, Scalar) and not isinstance(node.value, str) and value != HIDDEN:
            value = node.text or value
            fix = f"quote it: '{node.text}'" if fix.startswith("quote it") else fix
        narrowed = path != mistake.path and isinstance(node, Scalar) and mistake.path.startswith(path)
        key = (path, "" if narrowed else mistake.problem)
        found[key] = replace(mistake, path=path, value=value, fix=fix, line=line)
    return list(found.values())


def find(stack: str, start: Path | None = None) -> StackFile:
    """The stack called ``stack``, or the stack file at that path: it belongs to the project above it, else to ours.

    Raises:
        UsageError: no project here, no such stack in it, or a name that no stack can have.
    """
    given = Path(stack)
    if given.suffix in {".yaml", ".yml"}:
        if not is_there(given):
            raise UsageError(f"{stack}: no such stack file")
        path = given.absolute()
        project = project_above(path.parent.resolve()) or project_of(start or Path.cwd())
        return _named(StackFile(path, _name_of(path), project, given=stack))
    project = project_of(start or Path.cwd())
    path = stack_folder(project) / f"Pulumi.{stack}.yaml"
    if not is_there(path):
        known = sorted(_name_of(file) for file in path.parent.glob("Pulumi.*.yaml"))
        raise UsageError(f"no stack {stack!r} in {path.parent}: {nearest(stack, known)}")
    return _named(StackFile(path, stack, project))


def _named(file: StackFile) -> StackFile:
    check_stack_name(file.stack, file.source)
    return file


def _name_of(path: Path) -> str:
    return path.stem.removeprefix("Pulumi.")
