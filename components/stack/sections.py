"""What may stand in a stack file around the sections: keys at the top, namespaces of ``config``, sealed values.

Pulumi drops a key at the top that it does not know, and a namespace that no program reads; here both are refused.
"""

from __future__ import annotations

import pkgutil
import shlex
from typing import TYPE_CHECKING, Any, TypeAlias

from components.model.keypath import keypath
from components.model.mistakes import Mistake, nearest, shown
from components.stack.json_text import problem_in
from components.stack.nodes import List, Map, Scalar, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.stack.nodes import Document, Entry, Node

OURS = "grayling"
SECTIONS = ("environment", "components", "services", "secrets")
CONFIG, SECURE = "config", "secure"
BESIDE = (CONFIG, "encryptionsalt", "encryptedkey", "secretsprovider", "environment")
_TEXTS = BESIDE[1:4]
_PROVIDER = "pulumi_"
_OF_KUBERNETES = {
    "alwaysRender", "cluster", "clusterIdentifier", "context", "deleteUnreachable", "enableConfigMapMutable",
    "enablePatchForce", "enableReplaceCRD", "enableSecretMutable", "enableServerSideApply", "helmReleaseSettings",
    "kubeClientSettings", "kubeconfig", "namespace", "pluginDownloadURL", "renderYamlToDirectory",
    "skipUpdateUnreachable", "strictMode", "suppressDeprecationWarnings", "suppressHelmHookWarnings",
    "suppressHelmReleaseBetaWarning", "version",
}  # fmt: skip
"""Keys of the provider for Kubernetes: one with a slip, `contxt`, would leave the stack without its cluster."""

_PLACES = ("context", "cluster", "namespace")
"""Those that say where, by a name."""

Path: TypeAlias = "tuple[str, ...]"


def sections(document: Document, project: str) -> tuple[dict[str, Entry], list[Mistake]]:
    """The entries of ``config`` under their whole names, and what is wrong about keys and sealed values."""
    root = document.root
    if root is None or (isinstance(root, Scalar) and root.value is None):
        return {}, [Mistake("", "", "is empty", "a stack file starts with `config:` (docs/how-to/stacks.md)", 1)]
    if not isinstance(root, Map):
        kind = "a value" if isinstance(root, Scalar) else "a list"
        return {}, [
            Mistake("", "", f"is {kind}", "a stack file starts with `config:` (docs/how-to/stacks.md)", root.line)
        ]
    found = [each for key, entry in root.entries.items() for each in _beside(key, entry, project)]
    config = root.entries.get(CONFIG)
    if config is None:
        return {}, found
    if not isinstance(config.node, Map):
        empty = isinstance(config.node, Scalar) and config.node.value is None
        problem = "is empty" if empty else "must be a map"
        fix = f"give it keys such as {OURS}:environment"
        return {}, [*found, Mistake(CONFIG, "", problem, fix, config.line)]
    named: dict[str, Entry] = {}
    for key, entry in config.node.entries.items():
        name = whole(key, project)
        if name in named:
            problem = f"is given twice, in lines {named[name].line} and {entry.line}"
            found.append(Mistake(keypath(name), "", problem, "keep one", entry.line))
        else:
            named[name] = entry
            found += _named(name, entry, project)
    return named, found


def whole(key: str, project: str) -> str:
    """A key of ``config`` with its namespace; Pulumi puts the project's name before a key that has none."""
    return key if ":" in key else f"{project}:{key}"


def sections_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The keys ``grayling:*`` of a configuration, without their prefix."""
    return {key.removeprefix(f"{OURS}:"): value for key, value in config.items() if key.startswith(f"{OURS}:")}


def beside(document: Document) -> dict[str, Any]:
    """What stands beside ``config``: Pulumi's own keys."""
    whole = plain(document.root) if isinstance(document.root, Map) else {}
    return {key: value for key, value in whole.items() if key != CONFIG}


def _beside(key: str, entry: Entry, project: str) -> Iterator[Mistake]:
    node = entry.node
    ours = key.partition(":")[0] in {OURS, project} and ":" in key
    outdented = key == "environment" and isinstance(node, Map) and {"tier", "namespace", "owners"} & node.entries.keys()
    if ours or outdented or (key in SECTIONS and key not in BESIDE):
        yield Mistake(
            keypath(key), "", "stands outside config, where nothing reads it", "indent it under config", entry.line
        )
    elif key not in BESIDE:
        yield Mistake(keypath(key), "", "no such key beside config", nearest(key, BESIDE), entry.line)
    elif key == "environment" and not _imports(node):
        yield Mistake(
            keypath(key), "", "is no list of environments of Pulumi ESC", "write [NAME], or leave it out", entry.line
        )
    elif key in _TEXTS and not isinstance(node, Scalar):
        yield Mistake(keypath(key), "", "is no text", "write what Pulumi wrote there, or leave it out", entry.line)


def _imports(node: Node) -> bool:
    """Whether Pulumi takes it: names of environments, or one that is written out; nothing at all is none."""
    if isinstance(node, List):
        return all(isinstance(item, Scalar) and item.value not in {None, ""} for item in node.items)
    return isinstance(node, Map) or node.value is None


def _is_text(node: Node) -> bool:
    return isinstance(node, Scalar) and isinstance(node.value, str) and bool(node.value)


def _named(name: str, entry: Entry, project: str) -> Iterator[Mistake]:
    namespace, _, key = name.partition(":")
    if namespace == OURS and key in SECTIONS and isinstance(entry.node, Scalar) and entry.node.value is None:
        yield Mistake(keypath(name), "", "is empty", "write {} for none, or leave the key out", entry.line)
    elif namespace == OURS:
        if isinstance(entry.node, Scalar) and (problem := problem_in(entry.node.text)):
            yield Mistake(keypath(name), "", problem, "write it as YAML, without quotes", entry.line)
            return
        yield from _sealing(("secrets",) if key == "secrets" else (), (CONFIG, name), entry)
    elif namespace == project:
        if key in SECTIONS:
            problem = f"means {name}, because the project is called {project}, and nothing reads it"
            yield Mistake(keypath(key), "", problem, f"write {OURS}:{key}", entry.line)
    elif namespace != "pulumi" and namespace not in (known := [OURS, *_providers()]):
        fix = nearest(namespace, known)
        yield Mistake(keypath(name), "", f"nothing reads the namespace {shown(namespace)}", fix, entry.line)
    elif key in SECTIONS:
        yield Mistake(
            keypath(name), "", f"is not read from the namespace {namespace}", f"write {OURS}:{key}", entry.line
        )
    elif namespace == "kubernetes" and key in _PLACES and not _is_text(entry.node):
        yield Mistake(keypath(name), "", "is no text", "write one, or leave the key out", entry.line)
    elif namespace == "kubernetes" and key not in _OF_KUBERNETES:
        yield Mistake(
            keypath(name), "", "no such key of this provider", nearest(key, sorted(_OF_KUBERNETES)), entry.line
        )


def _providers() -> list[str]:
    """Namespaces of the Pulumi providers that are installed, for example ``kubernetes``."""
    names = (module.name for module in pkgutil.iter_modules())
    return sorted(name.removeprefix(_PROVIDER).replace("_", "-") for name in names if name.startswith(_PROVIDER))


# ---------------------------------------------------------------------- sealed values


def sealed(node: Node) -> bool:
    """Whether this is ``{secure: …}``, as Pulumi writes a value that it keeps secret."""
    return isinstance(node, Map) and list(node.entries) == [SECURE] and isinstance(node.entries[SECURE].node, Scalar)


def holds_sealed(node: Node) -> bool:
    """Whether a sealed value stands in it."""
    return next(_sealed_in((), 0, node), None) is not None


def as_if_opened(secrets: Any) -> Any:
    """Names and keys of sealed Secrets; one key more, so that nobody looks for a certificate in what is not opened."""
    if not isinstance(secrets, dict):
        return SECURE
    return {
        name: dict.fromkeys((*keys, SECURE), SECURE) if isinstance(keys, dict) else SECURE
        for name, keys in secrets.items()
    }


def _sealed_in(path: tuple[Any, ...], line: int, node: Node) -> Iterator[tuple[tuple[Any, ...], int]]:
    if sealed(node):
        yield path, line
    elif isinstance(node, Map):
        for key, entry in node.entries.items():
            yield from _sealed_in((*path, key), entry.line, entry.node)
    elif not isinstance(node, Scalar):
        for index, item in enumerate(node.items):
            yield from _sealed_in((*path, index), node.lines[index], item)


def _sealing(section: Path, path: Path, entry: Entry) -> Iterator[Mistake]:
    if not section:
        fix = f"move it to {OURS}:secrets.NAME.KEY, and name it here as {{secret: NAME, key: KEY}}"
        for where, line in _sealed_in(path, entry.line, entry.node):
            yield Mistake(
                keypath(*where), "", f"a sealed value outside {OURS}:secrets would become plain text", fix, line
            )
        return
    for name, values in _keys(entry.node):
        for key, value in _keys(values.node):
            yield from _sealed_alone((*path, name, key), value)
        if not isinstance(values.node, Map) or sealed(values.node):
            problem = "must be a map of keys to sealed values"
            yield Mistake(keypath(*path, name), "", problem, _seal(name, "KEY"), values.line)
    if not isinstance(entry.node, Map) or sealed(entry.node):
        problem = "must be a map of Secrets, each a map of keys to sealed values"
        yield Mistake(keypath(*path), "", problem, _seal("NAME", "KEY") + ", or leave it out", entry.line)


def _keys(node: Node) -> list[tuple[str, Entry]]:
    return list(node.entries.items()) if isinstance(node, Map) and not sealed(node) else []


def _sealed_alone(path: Path, entry: Entry) -> Iterator[Mistake]:
    name, key = path[-2:]
    if not sealed(entry.node):
        yield Mistake(keypath(*path), "", "is not sealed", _seal(name, key), entry.line)
        return
    assert isinstance(entry.node, Map)  # noqa: S101 - for the type checker
    text = entry.node.entries[SECURE].node
    if isinstance(text, Scalar) and (not isinstance(text.value, str) or not text.value):
        yield Mistake(keypath(*path, SECURE), "", "is no sealed value", _seal(name, key), entry.line)


def _seal(name: str, key: str) -> str:
    return f"seal it with `grayling stack secret set STACK {shlex.quote(f'{name}.{key}')}`"
