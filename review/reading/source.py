"""A preview's bytes, from a file, from standard input, plain or gzipped, in the encodings that shells write."""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kube.errors import UsageError

MOST_BYTES = 512 * 1024 * 1024
_GZIP = b"\x1f\x8b"
_PIECE = 1 << 20
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Document:
    """What was read.

    Attributes:
        name: the file, or ``standard input``, for messages.
        data: the document; for lines of JSON a list of them.
        lines: whether it was lines of JSON.
        sha256: of the bytes after decompression; a probe names it.
    """

    name: str
    data: Any
    lines: bool
    sha256: str


def read_document(place: str) -> Document:
    """The document at a path; ``-`` is standard input.

    Raises:
        UsageError: it cannot be read, is too long, ends in the middle, or is no JSON.
    """
    name = "standard input" if place == "-" else place
    raw = _bytes(place, name)
    if not raw.strip():
        raise UsageError(f"{name}: is empty: was `pulumi preview --json` stopped? Its standard output belongs here")
    data, lines = _parsed(_text(raw, name), name)
    return Document(name, data, lines, hashlib.sha256(raw).hexdigest())


def _bytes(place: str, name: str) -> bytes:
    try:
        raw = sys.stdin.buffer.read(MOST_BYTES + 1) if place == "-" else Path(place).read_bytes()
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror or error}") from error
    return _decompressed(raw, name) if raw.startswith(_GZIP) else _limited(raw, name)


def _decompressed(raw: bytes, name: str) -> bytes:
    worker, made, size = zlib.decompressobj(wbits=31), [], 0
    try:
        for start in range(0, len(raw), _PIECE):
            piece = worker.decompress(raw[start : start + _PIECE], MOST_BYTES + 1 - size)
            made.append(piece)
            size += len(piece)
            if size > MOST_BYTES:
                break
    except zlib.error as error:
        raise UsageError(f"{name}: is no whole gzip file ({error}): make it again") from error
    if not worker.eof and size <= MOST_BYTES:
        raise UsageError(f"{name}: the gzip file ends in the middle: make it again")
    return _limited(b"".join(made), name)


def _limited(raw: bytes, name: str) -> bytes:
    if len(raw) > MOST_BYTES:
        raise UsageError(f"{name}: is longer than {MOST_BYTES >> 20} MiB; preview fewer objects at a time (--target)")
    return raw


def _text(raw: bytes, name: str) -> str:
    encoding = json.detect_encoding(raw)
    try:
        return raw.decode(encoding).lstrip("\ufeff")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: is no text in {encoding} (byte {error.start}): pass what Pulumi wrote") from error


def _parsed(text: str, name: str) -> tuple[Any, bool]:
    try:
        return _whole(json.loads(text, parse_constant=_no_number, parse_float=_number), text), False
    except RecursionError as error:
        raise UsageError(f"{name}: is nested too deeply for a preview") from error
    except ValueError as error:
        lines = text.strip().splitlines()
        if len(lines) > 1 and lines[0].startswith("{") and lines[0].rstrip().endswith("}"):
            return _lines(lines, name), True
        raise UsageError(f"{name}: {_why(error, text)}") from error


def _lines(lines: list[str], name: str) -> list[Any]:
    made = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            made.append(_whole(json.loads(line, parse_constant=_no_number, parse_float=_number), line))
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{name}: line {number}: {_why(error, line)}") from error
    return made


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number in JSON")


def _whole(data: Any, text: str) -> Any:
    """The data, none of whose texts holds half a character; UTF-8 cannot write one."""
    if _HALF.search(text):
        try:
            json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError("half a character (a lone surrogate) in a text") from error
    return data


def _number(word: str) -> float:
    made = float(word)
    if math.isinf(made):
        raise ValueError(f"{word} is larger than any number")
    return made


def _why(error: Exception, text: str) -> str:
    if not isinstance(error, json.JSONDecodeError):
        return f"is no JSON: {error}"
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
        return f"ends in the middle (line {error.lineno}): the preview was cut or stopped; make it again"
    where = f"line {error.lineno}, column {error.colno}: {error.msg}"
    return f"is no JSON ({where}): pass standard output alone, without what Pulumi says on standard error"
