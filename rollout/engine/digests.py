"""Which images really run: a pod says their digests, by which another tag of the same image is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout.api.pair import digest_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kube.kinds import Manifest


def running_images(deployment: Manifest | None, pods: Iterable[Manifest]) -> dict[str, str]:
    """Digest by the reference in the pod template. Where two pods run two of them under one name, none is told."""
    template = (((deployment or {}).get("spec") or {}).get("template") or {}).get("spec") or {}
    wanted = dict(_images(template.get("containers"), template.get("initContainers")))
    found: dict[str, set[str]] = {}
    for pod in pods:
        status = pod.get("status") or {}
        for each in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
            digest = digest_in(str(each.get("imageID") or ""))
            if digest and (image := wanted.get(str(each.get("name")))):
                found.setdefault(image, set()).add(digest)
    return {image: digests.pop() for image, digests in found.items() if len(digests) == 1}


def _images(*lists: Iterable[Manifest] | None) -> Iterator[tuple[str, str]]:
    for each in (container for some in lists for container in some or ()):
        yield str(each.get("name")), str(each.get("image") or "")
