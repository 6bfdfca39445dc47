"""One value of a stack file changed, or one added, and not another byte; or refused, with the reason.

What is written is read again before it is put in place: it must say what was said before, but for that value.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.model.keypath import keypath
from components.model.mistakes import Mistake, StackError
from components.stack.nodes import (
    Document,
    Map,
    Scalar,
    plain,
)
from components.stack.reading import (
    BYTE_ORDER_MARK,
    composed,
    content,
    decoded,
)
from components.stack.scalars import means_another, resolved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from components.stack.nodes import Entry, Node

_PROPERTIES = re.compile(r"([&!]\S*\s+)*")
_REST_OF_LINE = re.compile(r"[ \t]*(#[^\r\n]*)?(\r\n?|\n|\Z)")
_NEWLINE = re.compile(r"\r\n?|\n")
_SIMPLE = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]*[A-Za-z0-9]|[A-Za-z]")
STEP = 2


def with_value(document: Document, parts: tuple[str, ...], value: Any) -> str:
    """The text with ``value`` in place of the scalar at ``parts``.

    Raises:
        StackError: it cannot be changed alone.
    """
    scalar = own(document, parts).node
    if not isinstance(scalar, Scalar):
        raise refused(document, parts, "is no single value; change it by hand")
    for written in _forms(document.text[scalar.start : scalar.end], scalar, value):
        text = document.text[: scalar.start] + written + document.text[scalar.end :]
        if says(text, document, parts, value):
            return text
    raise refused(document, parts, "cannot be changed where it stands; write it on one line")


def with_entry(document: Document, parts: tuple[str, ...], value: Any) -> str:
    """The text with ``value`` (a text, or maps of texts) under a key that is not there yet.

    Raises:
        StackError: there is no place for it that leaves everything else as it is.
    """
    *above, key = parts
    if document.root is None:
        text = document.text + _gap(document.text) + _block(key, value, "", _newline(document))
    else:
        text = _inserted(document, tuple(above), key, value)
    if not says(text, document, parts, value):
        raise refused(document, tuple(above), f"has no place for {key} that can be found; add it by hand")
    return text


def edited(path: Path, source: str, change: Callable[[Document], str]) -> bool:
    """Replace a file by what ``change`` makes of it, as a whole or not at all; False where that is the same.

    Its mode, its owner and links to it stay. Two at once wait for each other; what somebody else wrote meanwhile is
    never overwritten.

    Raises:
        StackError: it cannot be read or written, or ``change`` refuses.
    """
    try:
        with _held(path):
            return _changed(path, source, change)
    except FileNotFoundError:
        content(path, source)  # says what is the matter with it
        raise
    except OSError as error:
        raise StackError(
            source, [Mistake("", "", f"cannot be written: {error.strerror}", "mind its folder")]
        ) from error


def _changed(path: Path, source: str, change: Callable[[Document], str]) -> bool:
    before = content(path, source)
    mark = BYTE_ORDER_MARK if before.startswith(BYTE_ORDER_MARK) else b""
    after = mark + change(composed(decoded(before, source), source)).encode()
    if after == before:
        return False
    if path.stat().st_nlink > 1:
        problem = "has hard links, which replacing it would part"
        raise StackError(source, [Mistake("", "", problem, "use symbolic ones")])
    _replace(path.resolve(), before, after, source)
    return True


# ---------------------------------------------------------------------- a value


def own(document: Document, parts: tuple[str, ...]) -> Entry:
    """The entry at ``parts``, if it belongs to this path alone.

    Raises:
        StackError: it is not there, or is shared with other places.
    """
    here: Node | None = document.root
    entry: Entry | None = None
    for depth, part in enumerate(parts, 1):
        path = parts[:depth]
        if not isinstance(here, Map) or part not in here.entries:
            raise refused(document, path, "is not there; add it")
        entry = here.entries[part]
        here = entry.node
        if entry.merged:
            raise refused(document, path, "comes through <<, which others share; write it out", entry.line)
        if entry.alias:
            raise refused(document, path, "is an alias, which others share; write the value out", entry.line)
        if lines := document.aliases.get(id(here)):
            others = ", ".join(str(line) for line in lines)
            raise refused(document, path, f"is shared with line {others} by its anchor; write it out there", entry.line)
    assert entry is not None  # noqa: S101 - for the type checker
    return entry


def _forms(written: str, scalar: Scalar, value: Any) -> Iterator[str]:
    """How the new value may be written, that nearest to the old one first."""
    text = value if isinstance(value, str) else flow(value)
    if not written:
        yield f" {flow(value)}"
    if scalar.text and written.count(scalar.text) == 1:
        yield written.replace(scalar.text, text)
    found = _PROPERTIES.match(written)
    head = found[0] if found else ""
    if "\n" not in written and written[len(head) : len(head) + 1] not in {"|", ">"}:
        yield head + flow(value)


# ---------------------------------------------------------------------- an entry


def _inserted(document: Document, above: tuple[str, ...], key: str, value: Any) -> str:
    node = own(document, above).node if above else document.root
    text = document.text
    if isinstance(node, Scalar) and node.value is None:
        return _under_nothing(document, above, node, key, value)
    if not isinstance(node, Map):
        raise refused(document, above, "is no map; change it by hand")
    if node.flow:
        at = text.index("{", node.start) + 1
        return f"{text[:at]}{key_text(key)}: {flow(value)}{', ' if node.entries else ''}{text[at:]}"
    here = [entry for entry in node.entries.values() if not entry.merged]
    indent = text[here[0].start - here[0].column : here[0].start] if here else "-"
    if indent.strip(" "):
        raise refused(document, above, f"has no place for {key} that can be found; add it by hand")
    return _after(text, node.end, _block(key, value, indent, _newline(document)), document, above)


def _under_nothing(document: Document, above: tuple[str, ...], node: Scalar, key: str, value: Any) -> str:
    text = document.text
    if node.text:
        return f"{text[: node.start]}{{{key_text(key)}: {flow(value)}}}{text[node.end :]}"
    column = own(document, above).column if above else -STEP
    return _after(text, node.end, _block(key, value, " " * (column + STEP), _newline(document)), document, above)


def _after(text: str, at: int, block: str, document: Document, above: tuple[str, ...]) -> str:
    """``block`` in lines of its own behind the line that ``at`` is in."""
    if at and text[at - 1] in "\r\n":
        return text[:at] + block + text[at:]
    rest = _REST_OF_LINE.match(text, at)
    if rest is None:
        raise refused(document, above, "does not end with its line; change it by hand")
    if rest[2]:
        return text[: rest.end()] + block + text[rest.end() :]
    newline = _newline(document)
    return f"{text}{newline}{block.removesuffix(newline)}"


def _block(key: str, value: Any, indent: str, newline: str) -> str:
    if isinstance(value, dict):
        inner = "".join(_block(name, each, indent + " " * STEP, newline) for name, each in value.items())
        return f"{indent}{key_text(key)}:{newline}{inner}"
    return f"{indent}{key_text(key)}: {flow(value)}{newline}"


def flow(value: Any) -> str:
    """A value on one line, as JSON has it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key_text(key)}: {flow(each)}" for key, each in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def key_text(text: str) -> str:
    """A key as it is written: in quotes only where it must be."""
    simple = _SIMPLE.fullmatch(text) and resolved(text)[0] == "text" and not means_another(text)
    return text if simple else json.dumps(text, ensure_ascii=False)


def _newline(document: Document) -> str:
    found = _NEWLINE.search(document.text)
    return found[0] if found else "\n"


def _gap(text: str) -> str:
    return "\n" if text and not text.endswith(("\n", "\r")) else ""


# ---------------------------------------------------------------------- what is written, and where


def says(text: str, before: Document, parts: tuple[str, ...], value: Any) -> bool:
    """Whether ``text`` says what was said before, but for ``value`` at ``parts``."""
    try:
        after = composed(text, before.source)
    except StackError:
        return False
    if after.root is None or len(after.mistakes) > len(before.mistakes):
        return False
    wanted = (plain(before.root) if before.root else None) or {}
    here = wanted
    for part in parts[:-1]:
        here[part] = here.get(part) or {}
        here = here[part]
    here[parts[-1]] = value
    return json.dumps(plain(after.root), sort_keys=True) == json.dumps(wanted, sort_keys=True)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Alone with a file: who comes second waits, and then has what the first one wrote."""
    while True:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(handle), path.stat()):
                yield
                return
        finally:
            os.close(handle)


def _replace(path: Path, before: bytes, after: bytes, source: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(after)
            out.flush()
            os.fsync(out.fileno())
        shutil.copystat(path, name)
        os.utime(name)
        was = path.stat()
        with suppress(PermissionError):
            os.chown(name, was.st_uid, was.st_gid)
        if path.read_bytes() != before:
            raise StackError(source, [Mistake("", "", "was changed by somebody else meanwhile", "try again")])
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def refused(document: Document, parts: tuple[str, ...], problem: str, line: int = 0) -> StackError:
    """The error that names a place which cannot be changed; what follows the first `;` of ``problem`` is the fix."""
    path = keypath(*parts)
    what, _, fix = problem.partition("; ")
    return StackError(document.source, [Mistake(path, "", what, fix, line or document.place(path)[0])])
