"""What a version is to those it serves: its images, and the configuration that its pods see.

Not part of it: names of releases, revisions and containers, labels, annotations of others, scale, resources, probes,
where pods run, and how a version is brought in. Whoever changes only these brings the same in again.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ConfigDict, Field

from rollout.api.pod_template import without_nulls
from rollout.api.wire import GROUP, Model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kube.kinds import Manifest
    from rollout.api.spec import Spec

READ_ANNOTATIONS = (f"{GROUP}/config", f"{GROUP}/secrets")
"""Of a pod template: hashes of the ConfigMaps and Secrets that its pods read, as a stack writes them."""

DOCKERS = {"docker.io", "index.docker.io", "registry-1.docker.io"}
DIGITS = 16
_SCRATCH = {"emptyDir", "ephemeral"}
"""Volumes that begin empty: nothing is configured by them."""


class Own(NamedTuple):
    """What of a configuration is only where and as what it runs, and is the same elsewhere under another name."""

    name: str
    namespace: str


NOBODY = Own("", "")
"""Nothing is left open: what is said is taken as it is."""


class Part(Model):
    """One container."""

    model_config = ConfigDict(extra="allow")

    image: str = Field(description="as the pod template names it")
    digest: str = Field(default="", description="of what ran or is pinned; empty while nobody knows")
    settings: str = Field(description="hash of its command, arguments, environment and mounts")
    elsewhere: str = Field(default="", description="the same, with what is only where and as what it runs left open")
    init: bool = False

    @property
    def pinned(self) -> str:
        """The digest, where one is known: what the reference itself names, else what ran."""
        return self.image.partition("@")[2] or self.digest

    def is_same_image(self, other: Part) -> bool:
        """By digest where both are known and of one kind; else by the reference, because a tag alone tells no more."""
        mine, theirs = self.pinned, other.pinned
        if mine and theirs and _kind(mine) == _kind(theirs):
            return mine == theirs
        return canonical(self.image.partition("@")[0]) == canonical(other.image.partition("@")[0])


class Pair(Model):
    """Images and configuration of a version."""

    model_config = ConfigDict(extra="allow")

    files: str = Field(description="hash of the configuration files, where they are found, and what else pods read")
    containers: list[Part] = Field(default_factory=list)

    @property
    def key(self) -> str:
        """One short name for what this is; digests speak where they are known, tags where not."""
        parts = sorted((each.settings, each.init, each.pinned or canonical(each.image)) for each in self.containers)
        return _hash([self.files, parts])

    @property
    def configuration(self) -> str:
        """One short name for the configuration alone."""
        return _hash([self.files, sorted((each.settings, each.init) for each in self.containers)])

    def is_same(self, other: Pair) -> bool:
        """Whether the other is the same, as far as anybody can tell: what is not known to differ does not."""
        left = list(other.containers)
        for mine in self.containers:
            fits = (each for each in left if _fits(mine, each))
            found = next(fits, None)
            if found is None:
                return False
            left.remove(found)
        return not left and self.files == other.files

    def with_digests(self, running: Mapping[str, str]) -> Pair:
        """The pair with the digests of what runs, by image reference; what is known already stays."""
        parts = [each if each.digest else _with_digest(each, running) for each in self.containers]
        return self if parts == self.containers else self.model_copy(update={"containers": parts})


def _fits(mine: Part, other: Part) -> bool:
    told_alike = mine.settings == other.settings or (bool(mine.elsewhere) and mine.elsewhere == other.elsewhere)
    return told_alike and mine.init == other.init and mine.is_same_image(other)


def _with_digest(part: Part, running: Mapping[str, str]) -> Part:
    found = running.get(part.image, "")
    return part.model_copy(update={"digest": found}) if found else part


def pair_of(spec: Spec, own: Own) -> Pair:
    """What a spec asks for."""
    work = spec.workload
    template = without_nulls(work.template)
    pod, notes = template.get("spec") or {}, (template.get("metadata") or {}).get("annotations") or {}
    read = [str(notes.get(each, "")) for each in READ_ANNOTATIONS]
    files = {"files": work.config, "at": work.config_mount_path if work.config else "", "read": read}
    return Pair(files=_hash(files), containers=list(_parts(pod, own)))


def _parts(pod: Manifest, own: Own) -> Iterator[Part]:
    volumes = {str(each.get("name")): each for each in pod.get("volumes") or ()}
    for key in ("containers", "initContainers"):
        for each in pod.get(key) or ():
            settings, elsewhere = (_hash(_settings(each, volumes, who)) for who in (NOBODY, own))
            image = str(each.get("image") or "")
            yield Part(image=image, settings=settings, elsewhere=elsewhere, init=key != "containers")


def _settings(container: Manifest, volumes: Mapping[str, Manifest], own: Own) -> dict[str, Any]:
    env = {str(each.get("name")): _elsewhere(_without_name(each), own) for each in container.get("env") or ()}
    sources = [_elsewhere(each, own) for each in container.get("envFrom") or ()]
    mounts = [each for each in _mounts(container.get("volumeMounts") or (), volumes, own) if each]
    command, arguments = ([*(container.get(key) or ())] for key in ("command", "args"))
    if command:  # where the line is cut between the two makes no difference to what runs
        command, arguments = command + arguments, []
    told = {"command": _elsewhere(command, own), "args": _elsewhere(arguments, own)}
    return {**told, "env": env, "from": sources, "mounts": sorted(mounts), "in": container.get("workingDir") or ""}


def _without_name(variable: Manifest) -> Manifest:
    return {key: value for key, value in variable.items() if key != "name"} or {"value": ""}


def _mounts(mounts: Iterable[Manifest], volumes: Mapping[str, Manifest], own: Own) -> Iterator[str]:
    for mount in mounts:
        volume = volumes.get(str(mount.get("name")), {})
        source = {key: value for key, value in volume.items() if key != "name" and key not in _SCRATCH}
        if source:
            where = {key: value for key, value in mount.items() if key not in {"name", "readOnly"}}
            yield _canonical([where, _elsewhere(source, own)])


_REFERRED = {"name", "secretName", "claimName"}


def _elsewhere(value: Any, own: Own, key: str = "") -> Any:
    """A value as it would be under any other name: addresses in its own namespace, and what is named after it."""
    if isinstance(value, dict):
        return {name: _elsewhere(each, own, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_elsewhere(each, own) for each in value]
    if not isinstance(value, str):
        return value
    if own.namespace:
        value = re.sub(rf"\.{re.escape(own.namespace)}\.svc\b", ".*.svc", value)
    if own.name and key in _REFERRED:
        value = re.sub(rf"(?<![a-z0-9]){re.escape(own.name)}(?![a-z0-9])", "*", value)
    return value


def canonical(image: str) -> str:
    """A reference with its registry and its tag: what has none is Docker's, and ``latest``.

    >>> canonical("redis"), canonical("team/app:1")
    ('docker.io/library/redis:latest', 'docker.io/team/app:1')
    """
    name, at, digest = image.partition("@")
    first, slash, rest = name.partition("/")
    hosted = slash and (first == "localhost" or any(mark in first for mark in ".:["))
    if first in DOCKERS and slash:
        first, slash, rest = rest.partition("/")
        hosted = ""
    path = name if hosted else f"docker.io/{first}/{rest}" if slash else f"docker.io/library/{first}"
    tag = "" if at or ":" in path.rpartition("/")[2] else ":latest"
    return f"{path}{tag}{at}{digest}"


def _kind(digest: str) -> str:
    """A registry's digest and the id of an image that was never in one cannot be told from one another's values."""
    return "id" if digest.startswith("id:") else "digest"


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _hash(value: Any) -> str:
    return hashlib.sha256(_canonical(value).encode()).hexdigest()[:DIGITS]


def digest_in(image_id: str) -> str:
    """The digest in a pod's ``imageID``; one that a registry never gave is marked ``id:``. Empty where there is none.

    >>> digest_in("registry.example/app@sha256:0a"), digest_in("sha256:0b"), digest_in("")
    ('sha256:0a', 'id:sha256:0b', '')
    """
    name, at, digest = image_id.removeprefix("docker-pullable://").partition("@")
    if at:
        return digest
    return f"id:{name}" if name.startswith("sha256:") else ""
