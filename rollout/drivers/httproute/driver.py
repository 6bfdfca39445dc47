"""Shares as weights of a Gateway API HTTPRoute: one patch, about ten milliseconds, fenced against late writers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from kube.errors import ConflictError, InvalidError, NotFoundError
from kube.kinds import HTTP_ROUTE, SERVICE
from rollout.api.revision import MANAGER, revision_of
from rollout.api.texts import told
from rollout.decide.capabilities import HTTPROUTE
from rollout.decide.observation import ShareFacts
from rollout.drivers.httproute.acceptance import foreign_writer, refusal_of
from rollout.drivers.httproute.patch import Wanted, patch_for
from rollout.drivers.httproute.route import (
    backend,
    carriers_on,
    needs_keeper,
    new_route,
    ports_on,
    shape_of,
    shape_on,
    weights_on,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kube.cache import Reflector
    from kube.cluster import Cluster
    from kube.kinds import Manifest
    from rollout.api.spec import Spec, Traffic
    from rollout.decide.capabilities import Kind

ATTEMPTS = 5
SECONDS = 2.0
"""A write of weights takes some ten milliseconds. One that hangs is given up and made anew, from what is there then."""

SETTLE_CHECKS = 50


class GatewayDriver:
    """The HTTPRoute named like its GrayRelease.

    Args:
        cluster: where to write.
        routes: live copy of the HTTPRoutes; answers of the API server are put into it at once.
        name: of the GrayRelease.
        namespace: of the GrayRelease.
        uid: of the GrayRelease, which owns the route.
        spec_of: the spec in force.
        patience: seconds to wait for the gateway's answer before a revision leaves the route.
    """

    kind: ClassVar[Kind] = HTTPROUTE

    def __init__(
        self,
        cluster: Cluster,
        routes: Reflector,
        *,
        name: str,
        namespace: str,
        uid: str,
        spec_of: Callable[[], Spec],
        patience: float = 1.0,
    ) -> None:
        self._cluster, self._routes, self._spec_of = cluster, routes, spec_of
        self._name, self._namespace, self._uid, self._patience = name, namespace, uid, patience
        self._seen: tuple[Manifest, Spec, ShareFacts] | None = None  # of the route and the spec that it was made of

    # ------------------------------------------------------------------ seeing

    def observe(self) -> ShareFacts:
        """The route as the cache has it."""
        route, spec = self._cached(), self._spec_of()
        if route is None:
            return ShareFacts()
        if self._seen is None or self._seen[0] is not route or self._seen[1] is not spec:
            self._seen = route, spec, self._facts(route, spec.traffic)
        return self._seen[2]

    def _facts(self, route: Manifest, traffic: Traffic | None) -> ShareFacts:
        refusal = refusal_of(route)
        weights, ours = weights_on(route), carriers_on(route)
        return ShareFacts(
            exists=True,
            weights=weights,
            accepted=refusal is None,
            problem=told(refusal or ""),
            outdated=traffic is not None and self._is_outdated(route, traffic),
            foreign_writer=foreign_writer(route),
            foreign_backends={name: share for name, share in weights.items() if name not in ours and share},
        )

    def _is_outdated(self, route: Manifest, traffic: Traffic) -> bool:
        """Whether anything but weights is to be written: the shape, or the port of the version that is desired."""
        spec = self._spec_of()
        if shape_of(traffic, keeper=needs_keeper(spec)) != shape_on(route):
            return True
        port, listed = spec.traffic_port, ports_on(route)
        desired = revision_of(self._name, spec)
        return port is not None and desired in listed and listed[desired] != port.port

    # ------------------------------------------------------------------ acting

    async def shift(self, weights: Mapping[str, int], *, epoch: int) -> bool:
        """Bring weights, and whatever else the spec says of the route, onto it; whether anything had to be written.

        A revision that carries traffic and is not named any more gets weight 0 first and leaves the route when the
        gateway has followed: taken off at once, it costs the requests that the proxies still send to it.
        """
        route = self._cached()
        leaving = {name for name, share in carriers_on(route).items() if share} - weights.keys() if route else set()
        if not leaving:
            return await self._bring(weights, epoch)
        await self._bring({**weights, **dict.fromkeys(leaving, 0)}, epoch)
        await self._settle()
        await self._bring(weights, epoch)
        return True

    async def _settle(self) -> None:
        """Wait until the gateway has answered for the route as it is now, and a little for its proxies."""
        for _ in range(SETTLE_CHECKS):
            route = self._cached()
            if route is None or refusal_of(route) != "":
                break
            await asyncio.sleep(self._patience / SETTLE_CHECKS)
        await asyncio.sleep(self._patience / 4)

    async def _bring(self, weights: Mapping[str, int], epoch: int) -> bool:
        """Write until it is so.

        The first attempt trusts the cache, so that a rollback is one request. A refusal means that somebody else wrote
        meanwhile: the route is read afresh and the patch made anew, at once.
        """
        fresh = not self._routes.healthy
        route, refused = await self._newest() if fresh else self._cached(), 0
        while True:
            try:
                return await self._write(route, weights, epoch)
            except (InvalidError, ConflictError, NotFoundError):
                newest, refused = await self._newest(), refused + 1
                if refused == ATTEMPTS or (fresh and _version(newest) == _version(route)):
                    raise
            route, fresh = newest, True

    async def _write(self, route: Manifest | None, weights: Mapping[str, int], epoch: int) -> bool:
        spec = self._spec_of()
        traffic = spec.traffic
        if traffic is None and route is None:
            raise InvalidError(
                f"GrayRelease {self._namespace}/{self._name}: there is no traffic to shift in its spec, and no route"
            )
        shape = shape_on(route or {}) if traffic is None else shape_of(traffic, keeper=needs_keeper(spec))
        ports = await self._ports(weights, ports_on(route) if route else {})
        if route is None:
            backends = [backend(revision, ports[revision], weight) for revision, weight in weights.items()]
            made = new_route(self._name, self._namespace, self._uid, shape, backends, epoch)
            self._routes.put(await self._cluster.create(made, manager=MANAGER, seconds=SECONDS))
            return True
        ops = patch_for(route, Wanted(weights, ports, shape, epoch, self._uid))
        if ops:
            self._routes.put(await self._patch(ops))
        return bool(ops)

    async def _ports(self, weights: Mapping[str, int], listed: Mapping[str, int]) -> dict[str, int]:
        """Service ports of the revisions, by the name of the port that traffic goes to.

        Those on the route already are asked of the cluster only where the spec wants another than they have: an older
        revision may not have it, and keeps its own. Weight 0 of a rollback asks nothing.
        """
        wanted, ports = self._spec_of().traffic_port, dict(listed)
        if wanted is None:
            return ports
        moved = listed and revision_of(self._name, self._spec_of()) in listed and wanted.port not in listed.values()
        for revision in weights:
            if revision not in listed or (moved and listed[revision] != wanted.port):
                service = await self._cluster.find(SERVICE, revision, self._namespace) or {}
                declared = (service.get("spec") or {}).get("ports") or ()
                own = next((int(each["port"]) for each in declared if each.get("name") == wanted.name), None)
                ports[revision] = own or listed.get(revision, wanted.port)
        return ports

    async def retire(self) -> None:
        """Delete the route, if it is this release's."""
        route = await self._newest()
        if route and _own_reference(route, self._uid) is not None:
            uid = route["metadata"]["uid"]
            await self._cluster.delete(HTTP_ROUTE, self._name, self._namespace, uid=uid)

    async def disown(self) -> None:
        """Take the owner reference off, so that the garbage collector leaves the route."""
        route = await self._newest()
        at = _own_reference(route, self._uid) if route else None
        if at is not None:
            path = f"/metadata/ownerReferences/{at}"
            ops = [{"op": "test", "path": f"{path}/uid", "value": self._uid}, {"op": "remove", "path": path}]
            self._routes.put(await self._patch(ops))

    # ------------------------------------------------------------------ plumbing

    def _cached(self) -> Manifest | None:
        return self._routes.objects.get((self._namespace, self._name))

    async def _newest(self) -> Manifest | None:
        return await self._cluster.find(HTTP_ROUTE, self._name, self._namespace, seconds=SECONDS, urgent=True)

    async def _patch(self, ops: Sequence[Manifest]) -> Manifest:
        return await self._cluster.json_patch(
            HTTP_ROUTE, self._name, self._namespace, ops, manager=MANAGER, seconds=SECONDS, urgent=True
        )


def _own_reference(route: Manifest, uid: str) -> int | None:
    owners = route["metadata"].get("ownerReferences") or ()
    return next((at for at, owner in enumerate(owners) if owner["uid"] == uid), None)


def _version(route: Manifest | None) -> str:
    return route["metadata"].get("resourceVersion", "") if route else ""
