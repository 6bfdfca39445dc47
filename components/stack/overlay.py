"""A stack on a smaller cluster: an overlay changes images, storage classes, requests and counts above three.

What makes the stack what it is stays: members that vote, spread, policies, certificates, probes, steps. Such a stack
has a name of its own, so that it never takes over the objects of the real one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from components.model.checksum import named_anew
from components.model.environment import mirrors
from components.model.images import canonical
from components.model.mistakes import Mistake, StackError, mistakes_of
from components.model.profiles import Size
from components.model.quantities import Cpu, millicores
from components.model.values import Namespace, ObjectName
from components.stack.json_text import value_of
from components.stack.nodes import Map, plain
from components.stack.platform import Platform
from components.stack.project import LONGEST_STACK
from components.stack.reading import read
from components.stack.sections import sections_of
from components.stack.stackfile import PROJECT_PREFIX, PULUMI_CONTEXT, placed
from rollout.api.spec import Model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from components.stack.nodes import Document
    from components.stack.stackfile import StackFile
    from kube.kinds import Manifest

ENVIRONMENT, COMPONENTS, SERVICES = (f"{PROJECT_PREFIX}{each}" for each in ("environment", "components", "services"))
LEAST = 3
"""Fewer of what there are many is another stack: a majority and a spread need three. No tier has more by itself."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")
_COUNTS = ("replicas", "members", "contourReplicas", "controlReplicas", "envoyReplicas", "min", "max")
_REQUESTS = ("resources", "contourResources", "controlResources", "envoyResources")


class OverlayChanges(Model):
    """What an overlay may say, and nothing else."""

    images: dict[str, str] = Field(default_factory=dict, description="put over `environment.images`")
    storage_class: ObjectName | None = Field(default=None, description="instead of `environment.storageClass`")
    size: Size | None = Field(
        default=None, description="row of every component's resource table; `resources` of their own are left out"
    )
    cpu: Cpu | None = Field(default=None, description="no container requests more")
    replicas: Annotated[int, Field(ge=LEAST, le=100)] | None = Field(
        default=None, description="at most so many pods of anything; what has less stays as it is"
    )
    discovery: Literal["kubernetes", "sidecar"] | None = Field(
        default=None, description="of Prometheus, where the image that is there needs another one"
    )
    cluster: str | None = Field(
        default=None, min_length=1, description="instead of `environment.cluster` and `kubernetes:context`"
    )
    namespace: Namespace | None = Field(default=None, description="instead of `environment.namespace`")

    _mirrors = field_validator("images")(mirrors)


@dataclass(frozen=True, slots=True)
class Overlay:
    """One overlay that was read; ``document`` knows the lines."""

    name: str
    document: Document
    changes: OverlayChanges

    @property
    def source(self) -> str:
        """The path as messages name it."""
        return self.document.source

    def over(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """``config`` under whole keys, changed; what has another form than it should is left to its reader."""
        changed = {key: value_of(value) if key.startswith(PROJECT_PREFIX) else value for key, value in config.items()}
        if self.changes.cluster is not None:
            changed.pop(PULUMI_CONTEXT, None)
        if isinstance(environment := changed.get(ENVIRONMENT), dict):
            changed[ENVIRONMENT] = self._environment(environment)
        for section in (COMPONENTS, SERVICES):
            if isinstance(entries := changed.get(section), dict):
                changed[section] = {name: self._entry(section, name, entry) for name, entry in entries.items()}
        return changed

    def lowered(self, manifests: Iterable[Manifest]) -> list[Manifest]:
        """Objects as they are asked for: no container of theirs requests more CPU than it may."""
        if self.changes.cpu is None:
            return list(manifests)
        return [named_anew(_capped(manifest, self.changes.cpu), manifest) for manifest in manifests]

    def _environment(self, environment: dict[str, Any]) -> dict[str, Any]:
        asked, found = self.changes, dict(environment)
        if asked.images and isinstance(images := found.get("images", {}), dict):
            ours = {_whole(key) for key in asked.images}
            kept = {key: target for key, target in images.items() if _whole(str(key)) not in ours}
            found["images"] = {**kept, **asked.images}
        places = {"storageClass": asked.storage_class, "namespace": asked.namespace, "cluster": asked.cluster}
        found |= {key: value for key, value in places.items() if value is not None}
        if isinstance(profile := found.get("profile", {}), dict):
            profile = _fewer(profile, asked.replicas)
            if asked.size is not None:
                profile = {**profile, "size": asked.size.value}
            found["profile"] = profile
        return found

    def _entry(self, section: str, name: str, entry: Any) -> Any:
        if not isinstance(entry, dict):
            return entry
        found = _fewer(entry, self.changes.replicas)
        if isinstance(scaling := found.get("autoscaling"), dict):
            found["autoscaling"] = _fewer(scaling, self.changes.replicas)
        if self.changes.size is not None:
            found = _without_requests(found)
        if self.changes.discovery is not None and section == COMPONENTS and found.get("kind", name) == "prometheus":
            found["discovery"] = self.changes.discovery
        return found

    def blamed(self, file: StackFile, error: StackError) -> StackError:
        """What is wrong with the two together, said of the overlay where the stack file alone is right."""
        alone = replace(file, overlay=None)
        try:
            config = {key: value_of(value) for key, value in sections_of(alone.config()[0]).items()}
            Platform.read(config, stack=alone.stack, source=alone.source, project=alone.project).manifests()
        except StackError as own:
            return StackError(file.source, placed(own.mistakes, file.read()))
        told = tuple(replace(mistake, path=_as_here(mistake.path)) for mistake in error.mistakes)
        return StackError(self.document.source, placed(told, self.document))


def laid_over(file: StackFile, path: Path) -> StackFile:
    """``file`` with the overlay at ``path``: another stack, called after both.

    Raises:
        StackError: with every mistake in the overlay.
    """
    source, name = str(path), path.stem
    if not _NAME.fullmatch(name):
        fix = "call the file like sandbox.yaml: at most 40 of a-z, 0-9 and -"
        raise StackError(source, [Mistake("", name, "its name becomes part of the stack's, and cannot", fix)])
    if len(both := f"{file.stack}-{name}") > LONGEST_STACK:
        fix = f"choose a shorter one: {both!r} has {len(both)} characters, and a stack at most {LONGEST_STACK}"
        raise StackError(source, [Mistake("", name, "its name becomes part of the stack's, and cannot", fix)])
    document = read(path, source)
    overlay = Overlay(name, document, _changes(document))
    return replace(file, stack=both, overlay=overlay)


def _changes(document: Document) -> OverlayChanges:
    if document.mistakes:
        raise StackError(document.source, document.mistakes)
    known = [field.alias or name for name, field in OverlayChanges.model_fields.items()]
    if not isinstance(document.root, Map) or not document.root.entries:
        fix = f"known here: {', '.join(known)}"
        raise StackError(document.source, [Mistake("", "", "is no map of changes", fix, 1)])
    if empty := [key for key, entry in document.root.entries.items() if key in known and plain(entry.node) is None]:
        found = tuple(Mistake(key, "", "is empty", "give it a value, or leave it out") for key in empty)
        raise StackError(document.source, placed(found, document))
    try:
        return OverlayChanges.model_validate(plain(document.root))
    except ValidationError as error:
        found = tuple(_explained(each) for each in mistakes_of(error, OverlayChanges, ""))
        raise StackError(document.source, placed(found, document)) from None


def _explained(mistake: Mistake) -> Mistake:
    if mistake.problem != "no such key":
        return mistake
    return replace(mistake, problem="an overlay changes no such thing")


def _fewer(settings: Mapping[str, Any], most: int | None) -> dict[str, Any]:
    """``settings`` with no count above ``most``; of members that vote, an odd number."""
    found = dict(settings)
    for key in _COUNTS if most is not None else ():
        value = found.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value > (most or 0):
            found[key] = most if key != "members" or (most or 0) % 2 else (most or 0) - 1
    return found


def _without_requests(settings: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in settings.items() if key not in _REQUESTS}
    for key in ("sidecars", "init"):
        if isinstance(containers := found.get(key), list):
            found[key] = [_without_requests(each) if isinstance(each, dict) else each for each in containers]
    return found


def _capped(value: Any, cpu: str) -> Any:
    """A copy of an object in which no `requests.cpu` is above ``cpu``."""
    if isinstance(value, list):
        return [_capped(inner, cpu) for inner in value]
    if not isinstance(value, dict):
        return value
    found = {key: _capped(inner, cpu) for key, inner in value.items()}
    requests = found.get("requests")
    if isinstance(requests, dict) and _is_more(requests.get("cpu"), cpu):
        found["requests"] = {**requests, "cpu": cpu}
    return found


def _is_more(asked: Any, most: str) -> bool:
    try:
        return asked is not None and millicores(asked) > millicores(most)
    except ValueError:  # written by a program of one's own, in a form that nobody here reads
        return True


def _whole(image: str) -> str:
    return image if image.endswith("/") else canonical(image)


_HERE = {
    f"{ENVIRONMENT}.profile.size": "size",
    f"{ENVIRONMENT}.": "",
}


def _as_here(path: str) -> str:
    """A key path of the stack file as the overlay has it."""
    for theirs, ours in _HERE.items():
        if path.startswith(theirs):
            return ours + path.removeprefix(theirs)
    return path
