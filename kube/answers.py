"""What the bytes of an answer mean, for both clients: an object, a list, an event of a watch, or an error of the tree.

Whatever is not whole is an error: a page of a proxy, half an answer or a list without items is never taken for
"there is nothing".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from kube.errors import ClusterUnreachableError, KubeError, error_for
from kube.kinds import Kind, Manifest, ObjectList

MOST_BYTES = 256 * 2**20
"""Of one JSON answer: a list of everything in a large cluster has less."""
MOST_ERROR_BYTES = 2**18
MOST_WORDS = 500


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """``ADDED``, ``MODIFIED``, ``DELETED`` or ``BOOKMARK``, with the object as it is then."""

    type: str
    object: Manifest


def said(error: BaseException) -> str:
    """The words of an exception, or its name where it has none."""
    return str(error)[:MOST_WORDS] or type(error).__name__


def body_in(raw: bytes | bytearray, what: str) -> Manifest:
    """The JSON of a good answer; what is no map is in one, as ``value``.

    Raises:
        ClusterUnreachableError: it is no JSON.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        shown = bytes(raw[:100])
        raise ClusterUnreachableError(f"{what}: the answer cannot be read: {said(error)}: {shown!r}") from error
    return body if isinstance(body, dict) else {"value": body}


def object_in(body: Manifest, what: str) -> Manifest:
    """The same, once it is an object.

    Raises:
        ClusterUnreachableError: it has no name.
    """
    if not is_named(body):
        raise ClusterUnreachableError(f"{what}: the answer is no object: {str(body)[:100]}")
    return body


def list_in(body: Manifest, kind: Kind, what: str) -> ObjectList:
    """The objects of a list, each with its kind.

    Raises:
        ClusterUnreachableError: it is no list, or something in it is no object.
    """
    found = body.get("items", "")
    items = [] if found is None else found
    if not isinstance(items, list):
        raise ClusterUnreachableError(f"{what}: the answer is no list: {str(body)[:100]}")
    for item in items:
        if not is_named(item):
            raise ClusterUnreachableError(f"{what}: something in the list is no object: {str(item)[:100]}")
        item.setdefault("apiVersion", kind.api_version)
        item.setdefault("kind", kind.kind)
    meta = body.get("metadata")
    return ObjectList(items, str(meta.get("resourceVersion", "")) if isinstance(meta, dict) else "")


def is_named(item: Any) -> bool:
    """Whether this is an object with a name."""
    meta = item.get("metadata") if isinstance(item, dict) else None
    return isinstance(meta, dict) and isinstance(meta.get("name"), str) and bool(meta["name"])


def event_in(line: bytes, what: str) -> WatchEvent:
    """One line of a watch.

    Raises:
        KubeError: the server tells of an error, or the line is no event.
    """
    event = body_in(line, what)
    found = event.get("object")
    if not isinstance(found, dict) or not isinstance(event.get("type"), str):
        raise ClusterUnreachableError(f"{what}: a line of it is no event: {line[:100]!r}")
    if event["type"] == "ERROR":
        code = found.get("code")
        raise error_for(code if isinstance(code, int) else 500, found, what)
    if not isinstance(found.get("metadata"), dict):
        raise ClusterUnreachableError(f"{what}: an event of it has no object: {line[:100]!r}")
    return WatchEvent(event["type"], found)


def refusal_in(status: int, raw: bytes, what: str, retry_after: str | None) -> KubeError:
    """The exception for an answer that says no, in the server's words, or in those of whatever stands before it."""
    text = raw.decode(errors="replace")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = None
    told = body if isinstance(body, dict) else {"message": text.strip()[:MOST_WORDS]}
    return error_for(status, told, what, retry_after or "")
