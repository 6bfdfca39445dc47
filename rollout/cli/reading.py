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
    """The status, as far as it can be read: an engine of another version may have written it."""
    return Status.read(manifest.get("status"))[0]


def mistakes_of(manifest: Manifest) -> tuple[str, ...]:
    """What of the status could not be read, a sentence each."""
    return Status.read(manifest.get("status"))[1]


def label(manifest: Manifest) -> str:
    """``namespace/name``."""
    meta = manifest["metadata"]
    return f"{meta.get('namespace', 'default')}/{meta['name']}"
