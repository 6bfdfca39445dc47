"""Where a service of the box is: its GrayRelease, the gateway in front of it, and its pods."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from kube.cluster import Cluster
from kube.errors import ClusterUnreachableError, NotFoundError
from kube.kinds import GRAY_RELEASE, POD, SERVICE, Manifest
from rollout.api.revision import RELEASE_LABEL, REVISION_LABEL
from sandbox.box import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kube.kinds import ObjectList

ADMIN_PORT = 9000
GATEWAY_PORT = 80
LOOK_SECONDS = 0.1
MANAGER = "grayling-trial"


class PlaceError(Exception):
    """The box does not have what is looked for; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """One service under gray release in one box; make it with :meth:`find`."""

    box: Sandbox
    cluster: Cluster
    namespace: str
    name: str
    host: str
    url: str

    @classmethod
    async def find(cls, box: str, name: str) -> Place:
        """Look it up.

        Raises:
            PlaceError: no such release, or no gateway that can be reached.
        """
        sandbox = Sandbox(box)
        cluster = await Cluster.open(kubeconfig=str(sandbox.kubeconfig))
        try:
            release = await _release(cluster, name)
            namespace = release["metadata"]["namespace"]
            hosts = (release["spec"].get("traffic") or {}).get("hostnames") or [""]
            port = await _node_port(cluster, namespace)
        except BaseException:
            await cluster.close()
            raise
        return cls(sandbox, cluster, namespace, name, hosts[0], f"http://{sandbox.address}:{port}/")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cluster.close()

    def inside(self, argv: Sequence[str]) -> list[str]:
        """The command that runs ``argv`` in the box's network."""
        return self.box.enter_net_argv(argv)

    async def release(self) -> Manifest:
        """The GrayRelease as it is now."""
        return await self.cluster.get(GRAY_RELEASE, self.name, self.namespace)

    async def change(self, spec: Manifest) -> None:
        """Merge ``spec`` into the GrayRelease's."""
        await self.cluster.merge_patch(GRAY_RELEASE, self.name, self.namespace, {"spec": spec}, manager=MANAGER)

    async def start(self, image: str) -> None:
        """Ask for a version by writing the image of the first container, as no stack of this checkout is to change."""
        path = "/spec/workload/template/spec/containers/0/image"
        ops = [{"op": "replace", "path": path, "value": image}]
        await self.cluster.json_patch(GRAY_RELEASE, self.name, self.namespace, ops, manager=MANAGER)

    async def until(self, what: str, holds: Callable[[Manifest], bool], seconds: float) -> Manifest:
        """Wait until the GrayRelease's status is as ``holds`` wants it, and answer that status.

        Raises:
            PlaceError: not within ``seconds``.
        """
        status: Manifest = {}
        try:
            async with asyncio.timeout(seconds):
                while True:
                    status = await self._status() or status
                    if holds(status):
                        return status
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            told = {key: status.get(key) for key in ("phase", "weight", "conditions")}
            raise PlaceError(f"{self.name}: not {what} within {seconds:g} s; its status is {told}") from None

    async def _status(self) -> Manifest:
        """The status, or nothing while it speaks of an older spec or cannot be had."""
        try:
            release = await self.release()
        except ClusterUnreachableError:
            return {}
        status: Manifest = release.get("status") or {}
        return status if status.get("observedGeneration", 0) >= release["metadata"]["generation"] else {}

    async def gone(self, revision: str, seconds: float) -> None:
        """Wait until a revision has no pods, not even ending ones.

        Raises:
            PlaceError: not within ``seconds``.
        """
        await self._without(f"{REVISION_LABEL}={revision}", f"of {revision}", seconds)

    async def alone(self, revision: str, seconds: float) -> None:
        """Wait until the release has no pods but those of a revision, not even ending ones.

        Raises:
            PlaceError: not within ``seconds``.
        """
        wanted = f"{RELEASE_LABEL}={self.name},{REVISION_LABEL}!={revision}"
        await self._without(wanted, f"of {self.name} other than those of {revision}", seconds)

    async def _without(self, labels: str, whose: str, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while (await self._pods(labels)).items:  # noqa: ASYNC110 - the API server sets no events of ours
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise PlaceError(f"pods {whose} are still there after {seconds:g} s") from None

    async def pods(self, revision: str) -> list[str]:
        """Names of the pods of a revision that are not ending."""
        found = (await self._pods(f"{REVISION_LABEL}={revision}")).items
        return sorted(pod["metadata"]["name"] for pod in found if not pod["metadata"].get("deletionTimestamp"))

    async def _pods(self, labels: str) -> ObjectList:
        return await self.cluster.list(POD, self.namespace, labels=labels)

    async def fault(self, pod: str, wish: dict[str, Any]) -> float:
        """Switch a fault on in one pod; the moment it took effect, as the pod says, in seconds since the epoch."""
        return await switch_fault(self.cluster, self.namespace, pod, wish)


async def switch_fault(cluster: Cluster, namespace: str, pod: str, wish: dict[str, Any]) -> float:
    """Switch a fault on in a pod of the shop; the moment it took effect, in seconds since the epoch."""
    path = f"{POD.path(namespace)}/{pod}:{ADMIN_PORT}/proxy/fault"
    answer = await cluster.request("POST", path, body=wish, what=f"switch a fault on in {pod}")
    return float(answer["at"])


async def _release(cluster: Cluster, name: str) -> Manifest:
    try:
        found = await cluster.list(GRAY_RELEASE, None, fields=f"metadata.name={name}")
    except NotFoundError:
        found = None
    if found is None or not found.items:
        raise PlaceError(f"the box has no release {name!r}; apply the stack first: `grayling stack apply local`")
    if len(found.items) > 1:
        where = ", ".join(sorted(item["metadata"]["namespace"] for item in found.items))
        raise PlaceError(f"the box has a release {name!r} in each of {where}; delete those that are not to be tried")
    return found.items[0]


async def _node_port(cluster: Cluster, namespace: str) -> int:
    for service in (await cluster.list(SERVICE, namespace)).items:
        for port in service["spec"].get("ports") or ():
            if port["port"] == GATEWAY_PORT and port.get("nodePort"):
                return int(port["nodePort"])
    raise PlaceError(f"namespace {namespace}: no gateway with a node port; set exposure.type: NodePort in the stack")
