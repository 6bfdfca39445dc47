"""Where records are read from: the cluster of the source, or files that CI kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.model.images import split
from kube.errors import UsageError
from kube.kinds import CONFIG_MAP, GRAY_RELEASE, POD
from review.promotion.evidence import NotProvenError, read_record
from rollout.api.persisted import read_status
from rollout.api.revision import labels_of
from rollout.api.spec import Spec
from rollout.records.record import KEY, RECORD_LABEL, record_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from review.promotion.evidence import Declared, Kept
    from rollout.api.status import Status


@dataclass(frozen=True, slots=True)
class Found:
    """The records of a service, and where it stands; None where no cluster was asked."""

    kept: tuple[Kept, ...]
    status: Status | None = None


def in_files(files: Iterable[Path]) -> Found:
    """The records in files.

    Raises:
        UsageError: a file cannot be read.
        NotProvenError: one is no record.
    """
    return Found(tuple(read_record(_text(file), str(file)) for file in files))


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except UnicodeDecodeError:
        raise NotProvenError(f"{file}: is no record that can be believed: it is no text") from None
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}; name a record that `release record -o json=FILE` wrote") from error


async def in_cluster(cluster: Cluster, declared: Declared) -> Found:
    """Records and status of a service.

    Raises:
        NotProvenError: it is not there, or a record is none.
        GraylingError: the cluster cannot be asked.
    """
    listed, live = await asyncio.gather(
        cluster.list(CONFIG_MAP, declared.namespace, labels=f"{RECORD_LABEL}={declared.service}"),
        cluster.find(GRAY_RELEASE, declared.service, declared.namespace),
    )
    if live is None:
        raise NotProvenError(f"{declared.namespace}/{declared.service}: is not on the cluster: bring it in there first")
    kept = [_in_map(item) for item in listed.items]
    status, notes = read_status(live.get("status"))
    if notes:
        raise NotProvenError(f"{declared.namespace}/{declared.service}: its status cannot be read: {notes[0]}")
    kept += _only_in_status(declared, live, status, {each.record.id for each in kept})
    return Found(tuple(kept), status)


def _in_map(item: Manifest) -> Kept:
    place = f"ConfigMap {item['metadata']['namespace']}/{item['metadata']['name']}"
    text = (item.get("data") or {}).get(KEY)
    if text is None:
        raise NotProvenError(f"{place}: is no record that can be believed: it has no key {KEY}; delete it, or mend it")
    return read_record(text, place)


def _only_in_status(declared: Declared, live: Manifest, status: Status, known: set[str]) -> list[Kept]:
    """What the status knows and no ConfigMap keeps (yet)."""
    found: list[Kept] = []
    for release in (status.last, status.release):
        if release is not None and release.id not in known:
            record = record_of(declared.service, declared.namespace, Spec.model_validate(live["spec"]), release)
            found.append(read_record(record.json_text(), f"status of {declared.namespace}/{declared.service}"))
    return found


async def digest_of(cluster: Cluster, declared: Declared) -> str:
    """What the pods of the revision say they run; empty where they do not all say one that is of this repository.

    Raises:
        NotProvenError: they run different builds under one name.
    """
    selector = ",".join(f"{key}={value}" for key, value in labels_of(declared.service, declared.revision).items())
    pods = (await cluster.list(POD, declared.namespace, labels=selector)).items
    found = {_pulled(status, declared.image) for pod in pods for status in _statuses(pod, declared.service)}
    if len(found - {""}) > 1:
        told = f"{declared.image} is {' and '.join(sorted(found - {''}))} on different pods: its tag was moved"
        raise NotProvenError(f"{declared.namespace}/{declared.service}: {told}; release one build under one name")
    return found.pop() if len(found) == 1 else ""


def _statuses(pod: Manifest, container: str) -> list[dict[str, Any]]:
    listed = (pod.get("status") or {}).get("containerStatuses") or ()
    return [each for each in listed if each.get("name") == container]


def _pulled(status: dict[str, Any], image: str) -> str:
    """Containerd says `name@digest` of what was pulled, older runtimes with a scheme before it."""
    name, _, digest = str(status.get("imageID") or "").rpartition("://")[2].rpartition("@")
    return digest if name == split(image)[0] and digest.startswith("sha256:") else ""


def pinned(image: str, digest: str) -> str:
    """The image as the stack file writes it, with the digest that was proven."""
    name, tag, own = split(image)
    if own or not digest:
        return image
    return f"{name}:{tag}@{digest}" if tag else f"{name}@{digest}"


def files_in(folder: Path, named: Sequence[Path]) -> list[Path]:
    """The files that were named, else all records of the project's folder."""
    return list(named) or sorted(folder.glob("*.json"))
