"""The thin side of every component: its manifests as Pulumi resources, in layers, under one parent.

Names are stable (no auto-naming): the URN is ``stack::project::grayling:<room>:<Kind>$<type>::<name>``, so an object
that moves between components needs one alias and nothing else. Decisions: docs/reference/components.md, "With Pulumi".
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from components.deploy.object_readiness import WAITED_FOR
from components.deploy.ownership import SHARED
from components.deploy.preflight import look
from components.model.credentials import draw, filled, recipe_of
from components.model.layers import (
    ORDER,
    identity,
    kept,
    rank,
)
from components.stack.origins import Origin, origin_of
from components.stack.platform import Platform
from components.stack.project import check_stack_name
from kube.kinds import GRAY_RELEASE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.deploy.inventory import Key
    from components.model.component import Component
    from kube.kinds import Manifest


SKIP_AWAIT = "pulumi.com/skipAwait"
_NOT_AWAITED = {"Service"}
"""Their endpoints are pods that come later: waiting for them tells nothing."""
_HOLDERS = {"StatefulSet", "PersistentVolumeClaim"}


class Declared(pulumi.ComponentResource):
    """One component with the objects it consists of as children."""

    def __init__(
        self,
        name: str,
        args: Component,
        opts: pulumi.ResourceOptions | None = None,
        found: Mapping[Key, Manifest] | None = None,
    ) -> None:
        super().__init__(f"grayling:{args.room}:{type(args).__name__}", name, None, opts)
        carriers: list[pulumi.Resource] = []
        manifests = sorted(args.render(), key=rank)
        for manifest in manifests:
            runs = rank(manifest)[1] > 1
            made = declare_object(
                manifest,
                parent=self,
                after=carriers if runs else [],
                found=(found or {}).get(identity(manifest)),
                retained=args.environment.profile.data == "Retain",
            )
            if not runs:
                carriers.append(made)
        self.register_outputs({"objects": [_resource_name(manifest) for manifest in manifests]})


class KubernetesObject(pulumi.CustomResource):
    """One object under the type that pulumi-kubernetes gives it, with its manifest as the inputs, untouched.

    The typed classes of that package have the same type, but drop nested keys they do not know without a word, and
    cost two seconds to import.
    """

    def __init__(self, name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        group = manifest["apiVersion"] if "/" in manifest["apiVersion"] else f"core/{manifest['apiVersion']}"
        versioned = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(version=_provider_version()))
        super().__init__(f"kubernetes:{group}:{manifest['kind']}", name, dict(manifest), versioned)


def declare_object(
    manifest: Manifest,
    *,
    parent: pulumi.Resource,
    after: Sequence[pulumi.Resource],
    found: Manifest | None = None,
    retained: bool = False,
) -> pulumi.Resource:
    """Register one object; the values of a Secret are secrets of Pulumi too.

    Args:
        manifest: the object.
        parent: the component it is part of.
        after: what has to be there before.
        found: the object of that name as it is on the cluster; passwords in it stay.
        retained: whether the tier keeps data: then no plan may delete or replace what holds it.
    """
    recipe = recipe_of(manifest)
    limit = "5m" if manifest["kind"] in WAITED_FOR else "2m"
    options = pulumi.ResourceOptions(
        parent=parent,
        depends_on=list(after),
        retain_on_delete=kept(manifest) or manifest["kind"] in SHARED,
        protect=(retained and manifest["kind"] in _HOLDERS) or None,
        # What was generated once stays, whatever a later run draws.
        ignore_changes=["data"] if recipe else None,
        # As long as `stack destroy` waits for one: without its engine it never ends.
        custom_timeouts=pulumi.CustomTimeouts(
            create=limit, update=limit, delete="2m" if manifest["kind"] == GRAY_RELEASE.kind else "5m"
        ),
    )
    body = _with_values(manifest, recipe, found) if recipe else manifest
    if body["kind"] in _NOT_AWAITED:
        meta = body["metadata"]
        body = {**body, "metadata": {**meta, "annotations": {**(meta.get("annotations") or {}), SKIP_AWAIT: "true"}}}
    if body["kind"] == "Secret":
        hidden = {key: pulumi.Output.secret(value) for key, value in body.get("data", {}).items()}
        body = {**body, "data": hidden}
    return KubernetesObject(_resource_name(manifest), body, options)


def _with_values(manifest: Manifest, recipe: Mapping[str, str], found: Manifest | None) -> Manifest:
    there = (found or {}).get("data") or {}
    return {**manifest, "data": dict(there)} if there else filled(manifest, draw(recipe))


@cache
def _provider_version() -> str:
    return version("pulumi-kubernetes")


def declare(platform: Platform) -> dict[str, Declared]:
    """Register everything: a component waits for all components of the layers before its own.

    Raises:
        StackError: the platform breaks the baseline, two components claim one object, or services have no engine.
        RunError: something on the cluster stands against it.
    """
    origin = _origin()
    with origin.placing():
        manifests = platform.manifests()
        found = look(platform, manifests, origin.file.project if origin.file else None)
    made: dict[str, Declared] = {}
    for component in sorted(platform.components, key=lambda member: (ORDER.index(member.layer), member.name)):
        before = [
            made[other.name]
            for other in platform.components
            if other.name in made and ORDER.index(other.layer) < ORDER.index(component.layer)
        ]
        made[component.name] = Declared(component.name, component, pulumi.ResourceOptions(depends_on=before), found)
    return made


def platform_from_pulumi() -> Platform:
    """The platform that the stack's own configuration describes.

    Raises:
        StackError: with every mistake in the file.
    """
    origin = _origin()
    check_stack_name(origin.stack, origin.source)
    with origin.placing():
        if origin.file:
            origin.file.document()
        project = origin.file.project if origin.file else None
        return Platform.read(origin.sections, stack=origin.stack, source=origin.source, project=project)


def _origin() -> Origin:
    return origin_of(pulumi.get_stack(), {**get_config_env(), **CONFIG.get()})


def _resource_name(manifest: Manifest) -> str:
    """``<name>``, or ``<namespace>/<name>``; the type is part of the URN already."""
    meta = manifest["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])
