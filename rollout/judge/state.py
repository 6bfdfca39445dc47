"""The judge's sums as bytes: numbers as JSON (exact by Python's repr), arrays as raw float64, all of it compressed."""

import json
import zlib
from typing import Any

import numpy as np

MAGIC = b"GRJ2"
"""First bytes; the digit is the version of the format."""

_ARRAY = "__array__"


class StateError(ValueError):
    """The bytes are not a judge's state, or belong to another version or policy."""


def encode(state: dict[str, Any]) -> bytes:
    """Bytes of nested dicts and lists of JSON values and float64 arrays."""
    arrays: list[bytes] = []

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append(np.ascontiguousarray(value, dtype="<f8").tobytes())
            return {_ARRAY: list(value.shape)}
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
        state: dict[str, Any] = _filled(head, np.frombuffer(body[4 + size :], dtype="<f8"))
    except (zlib.error, ValueError, IndexError) as error:
        raise StateError(f"the judge's state is damaged ({error}): start a fresh judge") from error
    return state


def _filled(head: Any, numbers: Any) -> Any:
    """Put the arrays back where they were, in the order they were written."""
    position = 0

    def fill(value: Any) -> Any:
        nonlocal position
        if isinstance(value, list):
            return [fill(item) for item in value]
        if not isinstance(value, dict):
            return value
        if _ARRAY not in value:
            return {key: fill(item) for key, item in value.items()}
        shape = tuple(value[_ARRAY])
        start, position = position, position + int(np.prod(shape))
        return numbers[start:position].reshape(shape).astype(np.float64)

    return fill(head)
