"""One contract in memory: which form it has, whether that form is kept, and where its local references lead."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from components.contracts.reading import ContractError, document_in
from components.model.keypath import keypath

if TYPE_CHECKING:
    from collections.abc import Iterator

REF = "$ref"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_MAPS = {"openapi": ("info", "paths"), "asyncapi": ("info", "channels")}
_VERSIONS = {"openapi": re.compile(r"3\.\d+(\.\d+)?"), "asyncapi": re.compile(r"[23]\.\d+(\.\d+)?")}
Node = Mapping[str, Any]


class Form(StrEnum):
    """What a document is."""

    OPENAPI = "openapi"
    ASYNCAPI = "asyncapi"


@dataclass(frozen=True)
class Contract:
    """A document that keeps its form.

    Attributes:
        name: the file, for messages.
        form: what it is.
        data: all of it.
    """

    name: str
    form: Form
    data: Node

    @property
    def digest(self) -> str:
        """The same for the same content, however it is written."""
        text = json.dumps(self.data, sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def version(self) -> str:
        """Its own, as its authors count."""
        return str(at(self.data, "info").get("version", ""))

    def resolved(self, node: Any) -> Node:
        """A node, or what it refers to; what is no map is an empty one."""
        for _ in range(_LONGEST_CHAIN):
            if not isinstance(node, Mapping) or not isinstance(node.get(REF), str):
                break
            node = pointed(self.data, node[REF])
        return node if isinstance(node, Mapping) else _NOTHING


_LONGEST_CHAIN = 50
_NOTHING: Node = {}


def at(node: Any, key: str) -> Node:
    """A map under a key; empty where there is none."""
    found = node.get(key) if isinstance(node, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def pointed(data: Any, reference: str) -> Any:
    """Where ``#/a/b~1c`` leads (RFC 6901); None where nothing is there."""
    node = data
    for part in reference.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~").replace("%7B", "{").replace("%7D", "}")
        if isinstance(node, Mapping) and key in node:
            node = node[key]
        elif isinstance(node, list) and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        else:
            return None
    return node


def contract_in(text: str, name: str) -> Contract:
    """The contract in a text.

    Raises:
        ContractError: it is no document of OpenAPI 3 or AsyncAPI 2 or 3, or refers to what is not in it.
    """
    data = document_in(text, name)
    if not isinstance(data, dict):
        raise ContractError(f"{name}: is no map; a contract starts with `openapi: 3.1.0` or `asyncapi: 3.0.0`")
    form = next((each for each in Form if each in data), None)
    if form is None:
        other = " (this is Swagger 2; convert it to OpenAPI 3)" if "swagger" in data else ""
        raise ContractError(f"{name}: says neither openapi nor asyncapi at its top{other}; add `openapi: 3.1.0`")
    version = data[form]
    if not isinstance(version, str) or not _VERSIONS[form].fullmatch(version):
        fix = "use 3.0 or 3.1, in quotes" if form is Form.OPENAPI else "use 2.x or 3.x, in quotes"
        raise ContractError(f"{name}: {form}: {version!r} is no version that is read; {fix}")
    for key in _MAPS[form]:
        if not isinstance(data.get(key, {}), dict) or (key == "info" and key not in data):
            raise ContractError(f"{name}: {key}: is no map; write one, {{}} for none")
    _form_is_kept(data, form, name)
    _references_lead_somewhere(data, name)
    return Contract(name, form, data)


def _form_is_kept(data: Node, form: Form, name: str) -> None:
    """What the rules read is of the kind it must be; the rest of a document is its authors' business."""
    outer = "paths" if form is Form.OPENAPI else "channels"
    for key, item in at(data, outer).items():
        if key.startswith("x-"):
            continue
        if not isinstance(item, dict):
            raise ContractError(f"{name}: {keypath(outer, key)}: is no map; write one, {{}} for none")
        if form is Form.OPENAPI and not key.startswith("/"):
            raise ContractError(f"{name}: {keypath(outer, key)}: is no path; it begins with /")
        for method in METHODS if form is Form.OPENAPI else ("publish", "subscribe"):
            operation = item.get(method, {})
            if not isinstance(operation, dict):
                raise ContractError(f"{name}: {keypath(outer, key, method)}: is no map; write one")
            responses = operation.get("responses", {})
            if not isinstance(responses, dict):
                raise ContractError(f"{name}: {keypath(outer, key, method, 'responses')}: is no map of statuses")


def _references_lead_somewhere(data: Node, name: str) -> None:
    for path, reference in _references(data):
        where = f"{name}: {keypath(*path, REF)}: {reference!r}"
        if not reference.startswith("#/"):
            raise ContractError(f"{where} leads to another document; bundle them into one file")
        seen, node = {reference}, pointed(data, reference)
        if node is None:
            raise ContractError(f"{where} leads nowhere; add what it names, or mend it")
        while isinstance(node, Mapping) and isinstance(node.get(REF), str):
            if node[REF] in seen:
                raise ContractError(f"{where} leads in a circle, to nothing; name a schema")
            seen.add(node[REF])
            node = pointed(data, node[REF])


def _references(data: Any) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Each reference with its place; examples may hold what looks like one."""
    waiting: list[tuple[tuple[Any, ...], Any]] = [((), data)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, Mapping):
            if isinstance(node.get(REF), str):
                yield path, node[REF]
            own = {key: value for key, value in node.items() if key not in {"example", "examples", "default"}}
            waiting += [((*path, key), value) for key, value in own.items()]
        elif isinstance(node, list):
            waiting += [((*path, index), value) for index, value in enumerate(node)]
