"""What a command needs of a stack: its objects or those asked for, its inventory, the engine that serves it."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from components.deploy.collisions import ENGINE
from components.deploy.inventory import Inventory
from components.deploy.render import render
from components.model.component import INSTANCE, NAME
from components.model.mistakes import Mistake, StackError
from components.stack.versions import as_if, declares, opened
from kube.errors import UsageError
from kube.kinds import GRAY_RELEASE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.stack.stackfile import StackFile
    from components.stack.versions import Stack
    from kube.kinds import Manifest


def inventory_of(file: StackFile) -> Inventory:
    """The inventory of a stack.

    Raises:
        UsageError: the stack file names no namespace.
    """
    namespace = file.section("environment").get("namespace")
    if not isinstance(namespace, str):
        raise UsageError(f"{file.source}: grayling:environment.namespace: is required; add it")
    return Inventory(file.stack, namespace)


SKETCHES = ("local", "dev")
"""Tiers whose files may be validated before they say who serves them."""


def engine_of(file: StackFile) -> str:
    """The namespace of an engine that another stack brings (``environment.engine``); empty where none is named."""
    engine = file.section("environment").get("engine")
    return str(engine.get("namespace") or "") if isinstance(engine, dict) else ""


def check_engine(source: str, engine: str, manifests: Sequence[Manifest]) -> None:
    """Releases need somebody who carries them out.

    Raises:
        StackError: the stack declares services, brings no engine and names none.
    """
    releases = [item for item in manifests if item["kind"] == GRAY_RELEASE.kind]
    own = any((item["metadata"].get("labels") or {}).get(NAME) == ENGINE for item in manifests)
    if releases and not own and not engine:
        names = ", ".join(sorted(item["metadata"]["name"] for item in releases))
        raise StackError(
            source,
            [
                Mistake(
                    "grayling:environment.engine",
                    "",
                    f"no engine would bring in the versions of {names}",
                    "add components.controller: {image: …}, or name the environment whose engine serves this one: "
                    "environment.engine: {namespace: …}",
                )
            ],
        )


def selected(manifests: Sequence[Manifest], patterns: Sequence[str]) -> list[Manifest]:
    """Objects that one of ``patterns`` fits: a component's name, ``Kind/name``, either with wildcards; all without any.

    The namespace is always among them, since everything else needs it.

    Raises:
        UsageError: a pattern fits nothing.
    """
    if not patterns:
        return list(manifests)
    for pattern in patterns:
        if not any(_fits(item, pattern) for item in manifests):
            names = sorted({item["metadata"]["labels"][INSTANCE] for item in manifests if _named(item)})
            raise UsageError(f"--only {pattern}: nothing of that name; components: {', '.join(names)}")
    return [item for item in manifests if item["kind"] == "Namespace" or any(_fits(item, one) for one in patterns)]


def _named(item: Manifest) -> bool:
    return INSTANCE in (item["metadata"].get("labels") or {})


def _fits(item: Manifest, pattern: str) -> bool:
    component = (item["metadata"].get("labels") or {}).get(INSTANCE, "")
    own = f"{item['kind']}/{item['metadata']['name']}"
    return fnmatch.fnmatchcase(component, pattern) or fnmatch.fnmatchcase(own.lower(), pattern.lower())


def rendered(file: StackFile, patterns: Sequence[str] = ()) -> list[Manifest]:
    """The stack's objects, or those that ``patterns`` select.

    Raises:
        UsageError: the stack file is wrong, or a pattern fits nothing.
    """
    return selected(render(file), patterns)


def served(file: StackFile, patterns: Sequence[str] = ()) -> list[Manifest]:
    """The same, of a stack that has somebody who carries its releases out.

    Raises:
        UsageError: the stack file is wrong, a pattern fits nothing, or services have no engine.
    """
    everything = render(file)
    check_engine(file.source, engine_of(file), everything)
    return selected(everything, patterns)


def render_service(stack: Stack, service: str, image: str = "") -> list[Manifest]:
    """The objects of one service as ``stack apply`` writes them (field manager ``grayling-stack``), inventory included.

    With ``image`` as they would be if the file named that one.

    Raises:
        UsageError: the stack file is wrong, or declares no such service.
    """
    file = opened(stack)
    if not declares(file, service):
        raise UsageError(f"{file.source}: no service {service!r}")
    file = as_if(file, service, image) if image else file
    inventory = inventory_of(file)
    return [inventory.stamped(item) for item in rendered(file, [service]) if item["kind"] != "Namespace"]
