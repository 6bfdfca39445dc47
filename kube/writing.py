"""Writing objects: create, replace, server-side apply, patch and delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from kube.discovery import Discovery
from kube.errors import NotFoundError, UnsentError
from kube.kinds import Kind, Manifest, label_of
from kube.requests import SECONDS, named

if TYPE_CHECKING:
    from collections.abc import Sequence

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
Where: TypeAlias = "tuple[Kind, str, str | None, str | None]"
"""Kind, name, namespace and subresource."""
Propagation = Literal["Background", "Foreground", "Orphan"]


class Writing(Discovery):
    """Changes; each takes ``seconds`` (after which it is given up) and ``urgent`` (connections of its own)."""

    async def create(
        self, manifest: Manifest, *, manager: str = "", seconds: float = SECONDS, urgent: bool = False
    ) -> Manifest:
        """POST an object; ``manager`` is who owns its fields from then on.

        Raises:
            ConflictError: it exists.
            InvalidError: it does not say where it is to be.
        """
        kind = await self.resolve(manifest)
        what = f"create {label_of(manifest)}"
        path = kind.collection(_meta(manifest).get("namespace"))
        query = {"fieldManager": manager} if manager else {}
        return await self.request("POST", path, query=query, body=manifest, what=what, seconds=seconds, urgent=urgent)

    async def replace(
        self,
        manifest: Manifest,
        *,
        manager: str,
        subresource: str | None = None,
        seconds: float = SECONDS,
        urgent: bool = False,
    ) -> Manifest:
        """PUT an object as ``manager``; with ``metadata.resourceVersion`` in it, an optimistic lock.

        Raises:
            ConflictError: the resource version is not the newest.
            NotFoundError: it is gone.
        """
        path = await self._path(manifest, subresource)
        what = f"replace {label_of(manifest)}"
        query = {"fieldManager": manager}
        return await self.request("PUT", path, query=query, body=manifest, what=what, seconds=seconds, urgent=urgent)

    async def apply(
        self,
        manifest: Manifest,
        *,
        manager: str,
        force: bool = False,
        dry_run: bool = False,
        subresource: str | None = None,
        seconds: float = SECONDS,
        urgent: bool = False,
    ) -> Manifest:
        """Server-side apply: make the fields in ``manifest`` true, as ``manager``.

        Raises:
            ConflictError: another manager owns a field and ``force`` is off.
            InvalidError: the object breaks its schema, also for unknown fields.
        """
        path = await self._path(manifest, subresource)
        what = f"apply {label_of(manifest)}"
        query = {"fieldManager": manager, "force": str(force).lower(), "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        sent: dict[str, Any] = {"query": query, "body": manifest, "content_type": APPLY_PATCH}
        return await self.request("PATCH", path, what=what, seconds=seconds, urgent=urgent, **sent)

    async def _path(self, manifest: Manifest, subresource: str | None) -> str:
        kind, meta = await self.resolve(manifest), _meta(manifest)
        if "name" not in meta:
            raise UnsentError(f"{label_of(manifest)}: metadata.name is missing", status=400)
        return kind.path(meta.get("namespace"), meta["name"], subresource)

    async def json_patch(
        self,
        kind: Kind,
        name: str,
        namespace: str | None,
        ops: Sequence[Manifest],
        *,
        manager: str,
        seconds: float = SECONDS,
        urgent: bool = False,
    ) -> Manifest:
        """RFC 6902 patch, atomic: a failed ``test`` changes nothing.

        Raises:
            InvalidError: a ``test`` failed or a path does not exist.
        """
        where = (kind, name, namespace, None)
        return await self._patch(where, list(ops), JSON_PATCH, manager=manager, seconds=seconds, urgent=urgent)

    async def merge_patch(
        self,
        kind: Kind,
        name: str,
        namespace: str | None,
        patch: Manifest,
        *,
        manager: str,
        subresource: str | None = None,
        seconds: float = SECONDS,
        urgent: bool = False,
    ) -> Manifest:
        """RFC 7386 patch; with ``metadata.resourceVersion`` in it, an optimistic lock.

        Raises:
            ConflictError: the resource version is not the newest.
        """
        where = (kind, name, namespace, subresource)
        return await self._patch(where, patch, MERGE_PATCH, manager=manager, seconds=seconds, urgent=urgent)

    async def _patch(
        self, where: Where, body: Any, content_type: str, *, manager: str, seconds: float, urgent: bool
    ) -> Manifest:
        kind, name, namespace, subresource = where
        what, path = named("patch", kind, namespace, name), kind.path(namespace, name, subresource)
        sent: dict[str, Any] = {"body": body, "content_type": content_type, "query": {"fieldManager": manager}}
        return await self.request("PATCH", path, what=what, seconds=seconds, urgent=urgent, **sent)

    async def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Propagation = "Background",
        uid: str = "",
        resource_version: str = "",
        seconds: float = SECONDS,
        urgent: bool = False,
    ) -> bool:
        """Delete an object; False where it was already gone.

        Raises:
            ConflictError: the object of that name is not the one with ``uid``, or was written since
                ``resource_version``.
        """
        body: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        wanted = {key: value for key, value in (("uid", uid), ("resourceVersion", resource_version)) if value}
        if wanted:
            body["preconditions"] = wanted
        what, path = named("delete", kind, namespace, name), kind.path(namespace, name)
        try:
            await self.request("DELETE", path, body=body, what=what, seconds=seconds, urgent=urgent)
        except NotFoundError:
            return False
        return True


def _meta(manifest: Manifest) -> Manifest:
    meta = manifest.get("metadata")
    if not isinstance(meta, dict):
        raise UnsentError(f"{label_of(manifest)}: metadata is missing", status=400)
    return meta
