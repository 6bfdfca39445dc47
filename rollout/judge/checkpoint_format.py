"""The judge's sums as bytes: numbers as JSON (exact by Python's repr), arrays as they are, all of it compressed.

Of an array come the first bytes of all its numbers first, and so on: signs and exponents are alike and pack well.
"""

import json
import zlib
from typing import Any

import numpy as np

from kube.errors import GraylingError

MAGIC = b"GRJ6"
"""First bytes; the digit is the version of the format."""

_ARRAY = "__array__"
_SHORT_ARRAY = "__array4__"


class StateError(GraylingError, ValueError):
    """The bytes are not a judge's state, or belong to another version or policy."""


def encode(state: dict[str, Any]) -> bytes:
    """Bytes of nested dicts and lists of JSON values and arrays, of float32 or of what fits into float64."""
    arrays: list[bytes] = []

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            short = value.dtype == np.float32
            flat = np.ascontiguousarray(value, dtype="<f4" if short else "<f8").reshape(-1)
            arrays.append(flat.view(np.uint8).reshape(flat.size, flat.itemsize).T.tobytes())
            return {_SHORT_ARRAY if short else _ARRAY: list(value.shape)}
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, list | tuple) else value

    head = json.dumps(plain(state), separators=(",", ":")).encode()
    return MAGIC + zlib.compress(len(head).to_bytes(4, "little") + head + b"".join(arrays), 6)


def decode(blob: bytes) -> dict[str, Any]:
    """The nested dicts and lists of `encode`.

    Raises:
        StateError: the bytes are damaged or of another version.
    """
    if blob[: len(MAGIC)] != MAGIC:
        raise StateError(f"a judge's state begins with {MAGIC!r}, found {blob[:4]!r}: start a fresh judge")
    try:
        body = zlib.decompress(blob[len(MAGIC) :])
        size = int.from_bytes(body[:4], "little")
        head = json.loads(body[4 : 4 + size])
        state: dict[str, Any] = _filled(head, body[4 + size :])
    except (zlib.error, ValueError, IndexError) as error:
        raise StateError(f"the judge's state is damaged ({error}): start a fresh judge") from error
    return state


def _filled(head: Any, numbers: bytes) -> Any:
    """Put the arrays back where they were, in the order they were written."""
    position = 0

    def fill(value: Any) -> Any:
        nonlocal position
        if isinstance(value, list):
            return [fill(item) for item in value]
        if not isinstance(value, dict):
            return value
        for key, kind in ((_ARRAY, np.dtype("<f8")), (_SHORT_ARRAY, np.dtype("<f4"))):
            if key in value:
                shape = tuple(value[key])
                size = int(np.prod(shape)) * kind.itemsize
                found = np.frombuffer(numbers, np.uint8, size, position).reshape(kind.itemsize, -1)
                position += size
                return np.ascontiguousarray(found.T).view(kind).reshape(shape).astype(kind.newbyteorder("="))
        return {key: fill(item) for key, item in value.items()}

    return fill(head)
