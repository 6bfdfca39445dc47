"""One cluster: get, list, server-side apply, patch, delete, watch, and HTTP to a pod through the API server."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urlencode

import aiohttp

from kube.connect import Connection, connect
from kube.errors import ClusterUnreachableError, InvalidError, KubeError, NotFoundError, TooLargeError, error_for
from kube.kinds import KNOWN, POD, Kind, Manifest, ObjectList, kind_of, label_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
CREDENTIALS_SECONDS = 20.0
MOST_BYTES, MOST_ERROR_BYTES = 16 * 2**20, 2**18
_PATH = re.compile(r"/[!-~]{0,4096}")
SILENCE_SECONDS = 75.0
"""The server ends a watch after a minute; one that is silent for longer is dead."""
Propagation = Literal["Background", "Foreground", "Orphan"]


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """``ADDED``, ``MODIFIED``, ``DELETED`` or ``BOOKMARK``, with the object as it is then."""

    type: str
    object: Manifest


class Cluster:
    """An open connection; make it with :meth:`open`, use it as an async context manager."""

    def __init__(
        self, connection: Connection, session: aiohttp.ClientSession, urgent: aiohttp.ClientSession | None = None
    ) -> None:
        self.connection = connection
        self.namespace = connection.namespace
        self._session, self._urgent = session, urgent or session
        self._kinds = dict(KNOWN)

    @classmethod
    async def open(cls, *, kubeconfig: str | None = None, context: str | None = None) -> Cluster:
        """Connect as :func:`kube.connect.connect` finds it; no request is made yet."""
        found = await connect(kubeconfig, context)
        usual, urgent = (aiohttp.TCPConnector(ssl=found.tls, limit=limit) for limit in (200, 20))
        return cls(found, *(aiohttp.ClientSession(connector=each, read_bufsize=2**21) for each in (usual, urgent)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Drop every connection."""
        await self._session.close()
        await self._urgent.close()

    # ------------------------------------------------------------------ reading

    async def get(
        self, kind: Kind, name: str, namespace: str | None = None, *, seconds: float = 30.0, urgent: bool = False
    ) -> Manifest:
        """One object.

        Args:
            kind: of the object.
            name: of the object.
            namespace: of the object; None for kinds without.
            seconds: after which the request is given up.
            urgent: over connections that nothing else may use up.

        Raises:
            NotFoundError: there is none.
        """
        what = _what("get", kind, namespace, name)
        found = await self.request("GET", kind.path(namespace, name), what=what, seconds=seconds, urgent=urgent)
        if not isinstance(found.get("metadata"), dict):
            raise ClusterUnreachableError(f"{what}: the answer is no object: {str(found)[:100]}")
        return found

    async def find(
        self, kind: Kind, name: str, namespace: str | None = None, *, seconds: float = 30.0, urgent: bool = False
    ) -> Manifest | None:
        """One object, or None where there is none."""
        try:
            return await self.get(kind, name, namespace, seconds=seconds, urgent=urgent)
        except NotFoundError:
            return None

    async def list(self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = "") -> ObjectList:
        """All objects of a kind, in one namespace or (None) in all of them."""
        query = {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}
        body = await self.request("GET", kind.path(namespace), query=query, what=_what("list", kind, namespace))
        found = body.get("items")
        items = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
        for item in items:
            item.setdefault("apiVersion", kind.api_version)
            item.setdefault("kind", kind.kind)
        meta = body.get("metadata")
        return ObjectList(items, str(meta.get("resourceVersion", "")) if isinstance(meta, dict) else "")

    async def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        resource_version: str = "",
        labels: str = "",
        fields: str = "",
        seconds: int = 60,
    ) -> AsyncIterator[WatchEvent]:
        """Changes from ``resource_version`` on, until the server closes after about ``seconds``.

        Raises:
            KubeError: status 410 when the version is too old: list again.
            ClusterUnreachableError: the connection broke.
        """
        query = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        chosen = (("resourceVersion", resource_version), ("labelSelector", labels), ("fieldSelector", fields))
        query |= {key: value for key, value in chosen if value}
        what = _what("watch", kind, namespace)
        async with self._open("GET", kind.path(namespace), query, None, {}, None, what) as response:
            await _check(response, what)
            try:
                async for line in response.content:
                    yield _event_in(line, what)
            except (aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
                raise ClusterUnreachableError(f"{what}: {_said(error)}") from error

    # ------------------------------------------------------------------ writing

    async def create(self, manifest: Manifest, *, manager: str = "", seconds: float = 30.0) -> Manifest:
        """POST an object; ``manager`` is who owns its fields from then on.

        Raises:
            ConflictError: it exists.
        """
        kind = await self.resolve(manifest)
        path = kind.path(manifest["metadata"].get("namespace"))
        query = {"fieldManager": manager} if manager else {}
        what = f"create {label_of(manifest)}"
        return await self.request("POST", path, query=query, body=manifest, what=what, seconds=seconds)

    async def replace(
        self, manifest: Manifest, *, manager: str, subresource: str | None = None, seconds: float = 30.0
    ) -> Manifest:
        """PUT an object as ``manager``; with ``metadata.resourceVersion`` in it, an optimistic lock.

        Raises:
            ConflictError: the resource version is not the newest.
            NotFoundError: it is gone.
        """
        kind = await self.resolve(manifest)
        path = kind.path(manifest["metadata"].get("namespace"), manifest["metadata"]["name"], subresource)
        query = {"fieldManager": manager}
        return await self.request(
            "PUT", path, query=query, body=manifest, what=f"replace {label_of(manifest)}", seconds=seconds
        )

    async def apply(
        self,
        manifest: Manifest,
        *,
        manager: str,
        force: bool = False,
        dry_run: bool = False,
        subresource: str | None = None,
    ) -> Manifest:
        """Server-side apply: make the fields in ``manifest`` true, as ``manager``.

        Raises:
            ConflictError: another manager owns a field and ``force`` is off.
            InvalidError: the object breaks its schema, also for unknown fields.
        """
        kind = await self.resolve(manifest)
        meta = manifest["metadata"]
        query = {"fieldManager": manager, "force": str(force).lower(), "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        path = kind.path(meta.get("namespace"), meta["name"], subresource)
        return await self.request(
            "PATCH", path, query=query, body=manifest, content_type=APPLY_PATCH, what=f"apply {label_of(manifest)}"
        )

    async def json_patch(
        self,
        kind: Kind,
        name: str,
        namespace: str | None,
        ops: Sequence[Manifest],
        *,
        manager: str,
        seconds: float = 30.0,
        urgent: bool = False,
    ) -> Manifest:
        """RFC 6902 patch, atomic: a failed ``test`` changes nothing.

        Raises:
            InvalidError: a ``test`` failed or a path does not exist.
        """
        return await self._patch(kind, name, namespace, list(ops), JSON_PATCH, manager, None, seconds, urgent=urgent)

    async def merge_patch(
        self,
        kind: Kind,
        name: str,
        namespace: str | None,
        patch: Manifest,
        *,
        manager: str,
        subresource: str | None = None,
        seconds: float = 30.0,
    ) -> Manifest:
        """RFC 7386 patch; with ``metadata.resourceVersion`` in it, an optimistic lock.

        Raises:
            ConflictError: the resource version is not the newest.
        """
        return await self._patch(kind, name, namespace, patch, MERGE_PATCH, manager, subresource, seconds)

    async def _patch(
        self,
        kind: Kind,
        name: str,
        namespace: str | None,
        body: Any,
        content_type: str,
        manager: str,
        subresource: str | None,
        seconds: float,
        *,
        urgent: bool = False,
    ) -> Manifest:
        path = kind.path(namespace, name, subresource)
        what = _what("patch", kind, namespace, name)
        query = {"fieldManager": manager}
        return await self.request(
            "PATCH",
            path,
            query=query,
            body=body,
            content_type=content_type,
            what=what,
            seconds=seconds,
            urgent=urgent,
        )

    async def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Propagation = "Background",
        uid: str = "",
        resource_version: str = "",
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
        try:
            await self.request(
                "DELETE", kind.path(namespace, name), body=body, what=_what("delete", kind, namespace, name)
            )
        except NotFoundError:
            return False
        return True

    # ------------------------------------------------------------------ plumbing

    async def resolve(self, manifest: Manifest) -> Kind:
        """The :class:`Kind` of a manifest, asked of the server for kinds not known.

        Raises:
            NotFoundError: the server has no such kind (is its CRD installed?).
        """
        key = kind_of(manifest)
        if key not in self._kinds:
            await self._discover(key[0])
        if key not in self._kinds:
            raise NotFoundError(f"the cluster has no kind {key[1]} in {key[0]}: is its CRD installed?", status=404)
        return self._kinds[key]

    async def _discover(self, api_version: str) -> None:
        base = Kind(api_version, "", "").base
        try:
            found = await self.request("GET", base, what=f"discover {api_version}")
        except NotFoundError:
            return
        for entry in found.get("resources", []):
            if "/" not in entry["name"]:
                kind = Kind(api_version, entry["kind"], entry["name"], bool(entry["namespaced"]))
                self._kinds[(api_version, entry["kind"])] = kind

    async def request(
        self,
        method: str,
        path: str,
        *,
        what: str,
        query: dict[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        seconds: float = 30.0,
        urgent: bool = False,
    ) -> Manifest:
        """One JSON request.

        Raises:
            KubeError: or one of its children, as the server's answer says.
        """
        headers = {"Content-Type": content_type} if body is not None else {}
        data = json.dumps(body).encode() if body is not None else None
        async with self._open(method, path, query or {}, data, headers, seconds, what, urgent=urgent) as response:
            await _check(response, what)
            parsed = await response.json(content_type=None)
        return parsed if isinstance(parsed, dict) else {"value": parsed}

    async def pod_text(
        self, namespace: str, pod: str, port: int, path: str, *, seconds: float = 5.0, most_bytes: int = MOST_BYTES
    ) -> str:
        """GET ``path`` of a pod through the API server's proxy: works from wherever the API server does.

        Raises:
            InvalidError: the path would leave the pod.
            TooLargeError: the answer has more than ``most_bytes``.
            KubeError: the pod does not answer, or answers with an error.
        """
        what = f"GET {path[:200]!r} of pod {namespace}/{pod}:{port}"
        route, _, query = path.partition("?")
        parts = route.split("/")
        packed = any(sign in route.lower() for sign in ("%2e", "%2f", "%5c", "\\", "//"))
        if (
            packed
            or parts[0]
            or {"..", "."} & set(parts)
            or not _PATH.fullmatch(route)
            or not _PATH.fullmatch(f"/{query}")
        ):
            raise InvalidError(f"{what}: a path begins with / and stays in the pod, for example /metrics", status=400)
        url = f"{POD.path(namespace, pod)}:{int(port)}/proxy{path}"
        return await self._text(url, what, seconds, most_bytes)

    async def logs(self, namespace: str, pod: str, *, container: str = "", tail: int = 200) -> str:
        """The last ``tail`` lines a container wrote.

        Raises:
            KubeError: no such pod, or it has not started.
        """
        query = f"?{urlencode({'tailLines': tail, **({'container': container} if container else {})})}"
        return await self.log_text(namespace, pod, query, seconds=30.0)

    async def log_text(
        self, namespace: str, pod: str, query: str, *, seconds: float, most_bytes: int = MOST_BYTES
    ) -> str:
        """What a container wrote, as a query of the pod's ``log`` (``?sinceTime=…``) asks for it.

        Raises:
            KubeError: no such pod, it has not started, or it has several containers and none is named.
        """
        url = f"{POD.path(namespace, pod, 'log')}{query}"
        return await self._text(url, f"logs of {namespace}/{pod}", seconds, most_bytes)

    async def _text(self, url: str, what: str, seconds: float, most_bytes: int) -> str:
        plain = {"Accept-Encoding": "identity"}
        async with self._open("GET", url, {}, None, plain, seconds, what) as response:
            await _check(response, what)
            read = bytearray()
            async for chunk in response.content.iter_any():
                read += chunk
                if len(read) > most_bytes:
                    raise TooLargeError(f"{what}: more than {most_bytes} bytes are no answer to read")
            return read.decode(errors="replace")

    @asynccontextmanager
    async def _open(
        self, method: str, path: str, query: dict[str, str], data: bytes | None, headers: dict[str, str],
        seconds: float | None, what: str, *, urgent: bool = False,
    ) -> AsyncIterator[aiohttp.ClientResponse]:  # fmt: skip
        token = await self._token(what)
        sent = {**headers, **({"Authorization": token} if token else {})}
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=5.0, sock_read=seconds or SILENCE_SECONDS)
        session = self._urgent if urgent else self._session
        try:
            response = await session.request(
                method, self.connection.host + path, params=query, data=data, headers=sent, timeout=timeout
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ClusterUnreachableError(f"{what}: no answer from {self.connection.host}: {_said(error)}") from error
        try:
            yield response
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
            raise ClusterUnreachableError(f"{what}: the answer cannot be read: {_said(error)}") from error
        finally:
            response.release()

    async def _token(self, what: str) -> str | None:
        """What the credentials give now: a token may be renewed by a file or by a program, and neither may stop us."""
        try:
            async with asyncio.timeout(CREDENTIALS_SECONDS):
                return await self.connection.bearer()
        except TimeoutError as error:
            told = f"no answer within {CREDENTIALS_SECONDS:g} s"
            raise ClusterUnreachableError(f"{what}: the credentials cannot be had: {told}") from error
        except Exception as error:
            raise ClusterUnreachableError(f"{what}: the credentials cannot be had: {_said(error)}") from error


def _said(error: BaseException) -> str:
    return str(error)[:500] or type(error).__name__


def _event_in(line: bytes, what: str) -> WatchEvent:
    """One line of a watch.

    Raises:
        KubeError: the server tells of an error.
        ValueError: it is no JSON.
    """
    event = json.loads(line)
    found = event.get("object") if isinstance(event, dict) else None
    if not isinstance(found, dict) or not isinstance(event.get("type"), str):
        raise ClusterUnreachableError(f"{what}: a line of it is no event: {line[:100]!r}")
    if event["type"] == "ERROR":
        code = found.get("code")
        raise error_for(code if isinstance(code, int) else 500, found, what)
    if not isinstance(found.get("metadata"), dict):
        raise ClusterUnreachableError(f"{what}: an event of it has no object: {line[:100]!r}")
    return WatchEvent(event["type"], found)


async def _check(response: aiohttp.ClientResponse, what: str) -> None:
    if response.status < 400:  # noqa: PLR2004 - HTTP
        return
    text = (await response.content.read(MOST_ERROR_BYTES)).decode(errors="replace")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = {"message": text.strip()[:500]}
    told = body if isinstance(body, dict) else {"message": text[:500]}
    raise error_for(response.status, told, what, response.headers.get("Retry-After", ""))


def _what(verb: str, kind: Kind, namespace: str | None, name: str = "") -> str:
    where = f"{namespace}/{name}" if namespace and name else (name or namespace or "all namespaces")
    return f"{verb} {kind.kind} {where}"


__all__ = ["Cluster", "KubeError", "ObjectList", "WatchEvent"]
