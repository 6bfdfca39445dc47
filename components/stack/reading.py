"""The one reader of YAML files that people write: strict where the Pulumi CLI is, every value with its line.

libyaml splits the text (Go's yaml.v3 is a translation of it); what a value means is said in :mod:`components.scalars`.
Aliases are followed, never unfolded: a file is refused by the size it would have.
"""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

import yaml

from components.model.mistakes import Mistake, StackError
from components.stack.composing import Composer
from components.stack.nodes import Document

if TYPE_CHECKING:
    from pathlib import Path

    from yaml.error import MarkedYAMLError

LARGEST = 4 * 2**20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OTHER_ENCODINGS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WAYS_OUT = {
    "escape c": "write the character itself, or quote the text with '",
    "incompatible": "remove the line %YAML",
    "directive": "remove the line that begins with %",
    "cannot start any token": "quote the value",
    "mapping values are not allowed": "quote what has a colon in it, or begin a new line",
    "document start": "remove what stands behind the line ...",
}
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def content(path: Path, source: str) -> bytes:
    """What stands in a file.

    Raises:
        StackError: it is not there, no file, too large, or may not be read.
    """
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise _refused(source, "is a folder; name the file in it")
        if not stat.S_ISREG(found.st_mode):
            raise _refused(source, "is a device or a pipe; a stack is a file")
        if found.st_size > LARGEST:
            raise _refused(
                source, f"has {found.st_size} bytes, and a stack file has at most {LARGEST}; split the stack"
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        gone = f"is a link to {path.readlink()}, which is not there" if path.is_symlink() else "no such file"
        raise _refused(source, f"{gone}; name one that exists") from error
    except (OSError, ValueError) as error:
        raise _refused(source, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error


def read(path: Path, source: str) -> Document:
    """The document in a file.

    Raises:
        StackError: it cannot be read, or is not one YAML document.
    """
    return parse(content(path, source), source)


def parse(data: bytes, source: str) -> Document:
    """The document that ``data`` is; mistakes that do not hinder reading on are kept in it.

    Raises:
        StackError: it is not one YAML document in UTF-8.
    """
    return composed(decoded(data, source), source)


def decoded(data: bytes, source: str) -> str:
    """The text, without a byte order mark.

    Raises:
        StackError: it is in another encoding, or holds characters that YAML forbids.
    """
    for mark, name in _OTHER_ENCODINGS.items():
        if data.startswith(mark):
            raise _refused(source, f"is {name}; save it as UTF-8", 1)
    if name := _unmarked(data):
        raise _refused(source, f"is {name} without a byte order mark; save it as UTF-8", 1)
    try:
        text = data.removeprefix(BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError as error:
        at = error.start + len(data) - len(error.object)
        line = data.count(b"\n", 0, at) + 1
        raise _refused(source, f"is not UTF-8: byte {at} is 0x{data[at]:02x}; save it as UTF-8", line) from None
    if found := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - text.rfind("\n", 0, found.start())
        problem = f"character U+{ord(found[0]):04X} in column {column} is not allowed in YAML; remove it"
        raise _refused(source, problem, line)
    return text


def _unmarked(data: bytes) -> str:
    """The encoding of a text that begins with ASCII in wider units; empty for UTF-8."""
    zeros = tuple(index for index, byte in enumerate(data[:4]) if byte == 0)
    return {(0, 1, 2): "UTF-32", (1, 2, 3): "UTF-32", (0, 2): "UTF-16", (1, 3): "UTF-16"}.get(zeros, "")


def composed(text: str, source: str) -> Document:
    """The document that ``text`` is.

    Raises:
        StackError: it is not one YAML document.
    """
    document = Document(source, text)
    composer = Composer(document)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, text, source) from None
    except yaml.YAMLError as error:
        raise _refused(source, f"not YAML: {' '.join(str(error).split())}", 1) from None
    return document


def _not_yaml(error: MarkedYAMLError, text: str, source: str) -> StackError:
    mark = error.problem_mark or error.context_mark
    line = mark.line if mark else 0
    lines = text.splitlines()
    before = lines[line][: len(lines[line]) - len(lines[line].lstrip())] if line < len(lines) else ""
    if "\t" in before:
        return _refused(source, "not YAML: a tab; indent with blanks", line + 1)
    parts = [part for part in (error.context, error.problem) if part]
    return _refused(source, f"not YAML: {', '.join(parts)}; {_way_out(error.problem or '')}", line + 1)


def _way_out(problem: str) -> str:
    """What helps as a rule against a mistake that the parser names."""
    return next((fix for words, fix in _WAYS_OUT.items() if words in problem), "look at this line and the one before")


def _refused(source: str, problem: str, line: int = 0) -> StackError:
    what, _, fix = problem.partition("; ")
    return StackError(source, [Mistake("", "", what, fix, line)])
