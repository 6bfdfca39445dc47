"""Kinds that only the cluster knows: asked for once per group and version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kube.errors import NotFoundError, UnsentError
from kube.kinds import KNOWN, Kind, Manifest, kind_of
from kube.requests import Requests

if TYPE_CHECKING:
    import aiohttp

    from kube.connect import Connection

_API_VERSION = re.compile(r"(?:[a-z0-9][a-z0-9.-]{0,252}/)?v[a-z0-9]{1,62}")


class Discovery(Requests):
    """Knows how each kind is addressed."""

    def __init__(
        self, connection: Connection, session: aiohttp.ClientSession, urgent: aiohttp.ClientSession | None = None
    ) -> None:
        super().__init__(connection, session, urgent)
        self._kinds = dict(KNOWN)

    async def resolve(self, manifest: Manifest) -> Kind:
        """The :class:`Kind` of a manifest, asked of the server for kinds not known.

        Raises:
            InvalidError: the manifest does not say what it is.
            NotFoundError: the server has no such kind (is its CRD installed?).
        """
        try:
            key = kind_of(manifest)
        except KeyError as error:
            raise UnsentError(f"a manifest has no {error.args[0]}: {str(manifest)[:100]}", status=400) from error
        if key not in self._kinds:
            await self._discover(key[0])
        if key not in self._kinds:
            raise NotFoundError(f"the cluster has no kind {key[1]} in {key[0]}: is its CRD installed?", status=404)
        return self._kinds[key]

    async def _discover(self, api_version: str) -> None:
        if not _API_VERSION.fullmatch(api_version):
            raise UnsentError(f"apiVersion {api_version[:100]!r} is none; for example apps/v1", status=400)
        base = Kind(api_version, "", "").base
        try:
            found = await self.request("GET", base, what=f"discover {api_version}")
        except NotFoundError:
            return
        told = found.get("resources")
        for entry in told if isinstance(told, list) else ():
            if _is_resource(entry):
                kind = Kind(api_version, entry["kind"], entry["name"], entry["namespaced"])
                self._kinds[(api_version, entry["kind"])] = kind


def _is_resource(entry: Any) -> bool:
    """Whether this is a kind with a path of its own, and no subresource; what is neither is left out."""
    if not isinstance(entry, dict) or not isinstance(entry.get("namespaced"), bool):
        return False
    return all(
        isinstance(entry.get(key), str) and re.fullmatch(r"[A-Za-z0-9.-]+", entry[key]) for key in ("name", "kind")
    )
