"""Which cluster a command works on: named whenever something goes, and held against the one that the stack names."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from components.model.mistakes import nearest
from components.stack.stackfile import PULUMI_CONTEXT
from kube.cluster import Cluster
from kube.connect import locate
from kube.errors import GraylingError, KubeError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from components.stack.stackfile import StackFile

IN_CLUSTER = "(in cluster)"


@dataclass(frozen=True, slots=True)
class Place:
    """The cluster that a stack belongs to, as its file says it; empty where it says nothing.

    Attributes:
        source: the stack file, as messages name it.
        context: ``kubernetes:context``, which Pulumi's provider reads too.
        cluster: ``environment.cluster``: the API server's address, or the context's name.
        overlay: the overlay that has the last word, and says it under ``cluster``.
    """

    source: str
    context: str = ""
    cluster: str = ""
    overlay: str = ""

    @property
    def wanted_context(self) -> str:
        """The context to use where the command line names none."""
        return self.context or (self.cluster if self.cluster and not _is_address(self.cluster) else "")

    def check(self, context: str, server: str) -> None:
        """Hold the cluster in use against the one that is named.

        Raises:
            UsageError: it is another one.
        """
        told = [
            (PULUMI_CONTEXT, self.context, self.context in {"", context}),
            (
                "grayling:environment.cluster",
                self.cluster,
                self.cluster in {"", context} or _same(self.cluster, server),
            ),
        ]
        for key, value, fits in told:
            if not fits:
                source, key = (self.overlay, "cluster") if self.overlay else (self.source, key)  # noqa: PLW2901
                raise UsageError(
                    f"{source}: {key}: this stack belongs to {value!r}, and the command would go to "
                    f"{described(context, server)}; name the right one with --context, or change {key}"
                )


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster, as the command line says it; ``settled`` where no context means the current one, come what may."""

    kubeconfig: str | None = None
    context: str | None = None
    settled: bool = False


def place_of(file: StackFile) -> Place:
    """What the stack file says of its cluster.

    Raises:
        UsageError: it says something that is no name.
    """
    config = file.document()["config"]
    own = file.section("environment").get("cluster")
    found = {PULUMI_CONTEXT: _plain(config.get(PULUMI_CONTEXT)), "grayling:environment.cluster": own}
    for key, value in found.items():
        if value is not None and (not isinstance(value, str) or not value):
            raise UsageError(f"{file.source}: {key}: must be the name of a context (found {value!r}); quote it")
    overlay = file.overlay.source if file.overlay else ""
    context, cluster = (str(value or "") for value in found.values())
    return Place(file.source, context, cluster, overlay)


def _plain(value: Any) -> Any:
    """Pulumi.yaml writes values as ``{value: …}`` too."""
    return value.get("value") if isinstance(value, dict) else value


@asynccontextmanager
async def reached(target: Target, place: Place) -> AsyncIterator[tuple[Cluster, str]]:
    """The cluster that is meant and its name, known to be one, and closed again at the end.

    Raises:
        UsageError: none is configured, the context does not exist, or the stack belongs to another one.
        GraylingError: what answers there is no Kubernetes, or does not let us in.
    """
    context = target.context or (None if target.settled else place.wanted_context or None)
    path, context = locate(target.kubeconfig, context)
    name = _context_in(path, context)
    async with await Cluster.open(kubeconfig=target.kubeconfig, context=context) as cluster:
        server = cluster.connection.host
        place.check(name, server)
        await known_to_be_one(cluster, described(name, server))
        yield cluster, described(name, server)


async def known_to_be_one(cluster: Cluster, name: str) -> None:
    """A server that refuses or misses everything must not pass for a cluster without the stack.

    Raises:
        GraylingError: it is none, or the credentials are not accepted.
    """
    try:
        found = await cluster.request("GET", "/api/v1", what="look at the cluster")
    except KubeError as error:
        if error.status not in {401, 403, 404}:
            raise
        raise GraylingError(f"{name}: no Kubernetes that knows these credentials: {error}") from error
    kinds = {entry.get("kind") for entry in found.get("resources") or () if isinstance(entry, dict)}
    if "ConfigMap" not in kinds:
        raise GraylingError(f"{name}: what answers there is no Kubernetes: /api/v1 lists no ConfigMaps")


def described(context: str, server: str) -> str:
    """``context prod (https://10.0.0.1:6443)``."""
    return f"context {context} ({server})" if context else server


def _context_in(path: str | None, wanted: str | None) -> str:
    """The name of the context that is used.

    Raises:
        UsageError: it does not exist.
    """
    if path is None:
        if wanted:
            raise UsageError(f"--context {wanted}: there is no kubeconfig here, only the pod's own account")
        return IN_CLUSTER
    names: list[str] = []
    current = ""
    for file in path.split(os.pathsep):
        document = _read(file)
        names += [str(entry.get("name")) for entry in document.get("contexts") or () if isinstance(entry, dict)]
        current = current or str(document.get("current-context") or "")
    used = wanted or current
    if wanted and wanted not in names:
        raise UsageError(f"context {wanted}: kubeconfig {path} has no such context: {nearest(wanted, names)}")
    return used


def _read(file: str) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(Path(file).read_text())
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _is_address(text: str) -> bool:
    return "://" in text


def _same(wanted: str, server: str) -> bool:
    return _is_address(wanted) and wanted.rstrip("/") == server.rstrip("/")
