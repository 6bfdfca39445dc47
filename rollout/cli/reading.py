"""A GrayRelease as the cluster has it, read into models; what does not fit them is told with its place."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from kube.errors import UsageError
from rollout.api.persisted import read_status
from rollout.api.spec import Spec
from rollout.api.wire import said_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kube.kinds import Manifest
    from kube.once import Once
    from rollout.api.status import Status


class Shown(NamedTuple):
    """The spec that a release is shown by.

    Attributes:
        spec: of the object; where that is not valid, the newest valid one that the engine noted.
        mistake: why the object's own is not in force; empty where it is.
        known: whether there is such a spec; where there is none, nothing can be told ahead.
    """

    spec: Spec
    mistake: str = ""
    known: bool = True


def shown_spec(manifest: Manifest, deployments: Mapping[str, Manifest] | None = None) -> Shown:
    """The spec to show a release by; a mistake in it hides nobody's release.

    Args:
        manifest: the GrayRelease.
        deployments: of its revisions by name: the engine notes on them which spec is in force.
    """
    from rollout.engine.spec_in_force import SpecReader, unknown_spec

    reader = SpecReader(manifest["metadata"]["name"])
    reader.read(manifest, status_of(manifest), deployments or {})
    found = reader.in_force
    known = found is not None and (not reader.mistake or found.generation > 0)
    return Shown(found.spec if found else unknown_spec(), reader.mistake, known)


async def spec_in_force(cluster: Once, manifest: Manifest) -> Shown:
    """The same, with what the engine noted in the cluster; that is asked for only where it is needed."""
    from kube.errors import KubeError
    from kube.kinds import DEPLOYMENT

    shown = shown_spec(manifest)
    if not shown.mistake:
        return shown
    status = status_of(manifest)
    noted: dict[str, Manifest] = {}
    for version in filter(None, (status.canary, status.stable)):
        with suppress(KubeError):
            found = await cluster.find(DEPLOYMENT, version.revision, manifest["metadata"]["namespace"])
            noted |= {version.revision: found} if found else {}
    return shown_spec(manifest, noted)


def spec_of(manifest: Manifest) -> Spec:
    """The spec.

    Raises:
        UsageError: it breaks the schema; each mistake is named with its key path.
    """
    try:
        return Spec.model_validate(manifest.get("spec") or {})
    except ValidationError as error:
        told = "; ".join(f"{_place(each['loc'])}: {said_of(each)}" for each in error.errors(include_url=False))
        raise UsageError(f"GrayRelease {label(manifest)}: {told}") from error


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(["spec", *(str(part) for part in location)])


def status_of(manifest: Manifest) -> Status:
    """The status, as far as it can be read: an engine of another version may have written it."""
    return read_status(manifest.get("status"))[0]


def mistakes_of(manifest: Manifest) -> tuple[str, ...]:
    """What of the status could not be read, a sentence each."""
    return read_status(manifest.get("status"))[1]


def label(manifest: Manifest) -> str:
    """``namespace/name``."""
    meta = manifest["metadata"]
    return f"{meta.get('namespace', 'default')}/{meta['name']}"
