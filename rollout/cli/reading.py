"""A GrayRelease as the cluster has it, read into models; what does not fit them is told with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from kube.errors import UsageError
from rollout.spec import Spec
from rollout.status import Status

if TYPE_CHECKING:
    from kube.kinds import Manifest


def spec_of(manifest: Manifest) -> Spec:
    """The spec.

    Raises:
        UsageError: it breaks the schema; each mistake is named with its key path.
    """
    try:
        return Spec.model_validate(manifest.get("spec") or {})
    except ValidationError as error:
        told = "; ".join(f"{_place(each['loc'])}: {each['msg']}" for each in error.errors(include_url=False))
        raise UsageError(f"GrayRelease {label(manifest)}: {told}") from error


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(["spec", *(str(part) for part in location)])


def status_of(manifest: Manifest) -> Status:
    """The status.

    Raises:
        UsageError: an engine of another version wrote it.
    """
    try:
        return Status.model_validate(manifest.get("status") or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        told = f"status.{place} was written by an engine of another version ({first['msg']})"
        raise UsageError(f"GrayRelease {label(manifest)}: {told}") from error


def label(manifest: Manifest) -> str:
    """``namespace/name``."""
    meta = manifest["metadata"]
    return f"{meta.get('namespace', 'default')}/{meta['name']}"
