"""What was applied last, kept on the stack's inventory: a live object is held against this, field by field.

The API server notes who owns a field, and not what the last owner but one wrote. Values of Secrets are left out.
"""

from __future__ import annotations

import binascii
import gzip
import json
import zlib
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from components.model.layers import identity
from kube.errors import GraylingError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kube.kinds import Manifest

KEY = "applied.json.gz"
SCHEMA = "grayling.applied/1"
MOST_BYTES = 700_000
"""Compressed; an object of Kubernetes holds 1 MiB, in base64."""
_MOST_TEXT = 64 * 1024 * 1024
_VALUES = ("data", "stringData")
_UNREADABLE, _FIX = f"the inventory's {KEY} cannot be read", "apply the stack once, that writes it again"


class UnreadableError(GraylingError):
    """What was applied last cannot be read."""


def packed(manifests: Iterable[Manifest]) -> str:
    """The record of these objects, the same for the same objects; empty where it would be too long to keep."""
    items = sorted((_without_values(item) for item in manifests), key=identity)
    text = json.dumps({"schema": SCHEMA, "objects": items}, separators=(",", ":"), sort_keys=True)
    made = gzip.compress(text.encode(), 6, mtime=0)
    return b64encode(made).decode() if len(made) <= MOST_BYTES else ""


def record_in(parent: Manifest | None) -> str:
    """The record as it stands on an inventory; empty where there is none."""
    found = ((parent or {}).get("binaryData") or {}).get(KEY)
    return found if isinstance(found, str) else ""


def unpacked(record: str) -> dict[tuple[str, str, str, str], Manifest]:
    """The objects of a record by identity.

    Raises:
        UnreadableError: it is none, or was edited.
    """
    try:
        reader = zlib.decompressobj(wbits=31)
        made: Any = json.loads(reader.decompress(b64decode(record, validate=True), _MOST_TEXT))
        found = {identity(item): item for item in made["objects"]} if made["schema"] == SCHEMA else None
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError) as error:
        raise UnreadableError(f"{_UNREADABLE} ({type(error).__name__}): {_FIX}") from error
    if found is None or not reader.eof:
        raise UnreadableError(f"{_UNREADABLE}: {_FIX}")
    return found


def renewed(before: str, written: Iterable[Manifest], *, whole: bool) -> str:
    """The record after an apply: of a part of the stack, what it did not touch stays as it was."""
    made = {identity(item): item for item in written}
    if whole or not before:
        return packed(made.values()) if whole else ""
    try:
        return packed({**unpacked(before), **made}.values())
    except UnreadableError:
        return ""


def _without_values(manifest: Manifest) -> Manifest:
    if manifest["kind"] != "Secret":
        return manifest
    return {key: dict.fromkeys(value or {}, "") if key in _VALUES else value for key, value in manifest.items()}
