"""What a release that is asked for changes on the object: one image, and who wanted it; and who declares the rest."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kube.kinds import Manifest

_STACK_MANAGERS = ("grayling-stack", "pulumi")
VERSION_LABEL = "app.kubernetes.io/version"
"""On pods: it follows the image, and a pod template without it would be another version."""


class Request(NamedTuple):
    """What is asked for, by whom, and why."""

    name: str
    image: str
    container: str | None
    by: str
    reason: str


def pulumi_declares(manifest: Manifest) -> bool:
    """Whether Pulumi is a writer of the desire."""
    return any(name.startswith("pulumi") for name in _declaring(manifest))


def with_image(manifest: Manifest, asked: Request, version: str = "") -> Manifest:
    """The object with the image that is asked for, and with ``version`` on its pods where one is given.

    Raises:
        UsageError: there is no such container.
    """
    made = deepcopy(manifest)
    template = made["spec"]["workload"]["template"]
    containers = template["spec"]["containers"]
    containers[_container(containers, asked)]["image"] = asked.image
    if version:
        template["metadata"]["labels"][VERSION_LABEL] = version
    return made


def as_declared(live: Manifest, declared: Manifest, asked: Request) -> tuple[Request, str]:
    """The image as the stack renders it (its mirror, its full name), and the version its pods would bear.

    The version is empty where the live pods bear none: then there is none to keep in step.
    """
    there = live["spec"]["workload"]["template"]
    template = declared["spec"]["workload"]["template"]
    name = there["spec"]["containers"][_container(there["spec"]["containers"], asked)].get("name")
    images = {each.get("name"): each["image"] for each in template["spec"]["containers"]}
    version = _labels(template).get(VERSION_LABEL, "") if VERSION_LABEL in _labels(there) else ""
    return asked._replace(image=images.get(name, asked.image)), version


def _labels(template: Manifest) -> dict[str, str]:
    return (template.get("metadata") or {}).get("labels") or {}


def revision_in(manifest: Manifest) -> str:
    """The revision that the object asks for; empty where it is no valid desire, which the API server will tell."""
    from pydantic import ValidationError

    from rollout.api.revision import revision_of
    from rollout.api.spec import Spec

    try:
        return revision_of(manifest["metadata"]["name"], Spec.model_validate(manifest["spec"]))
    except ValidationError:
        return ""


def insist_on_plan(manifest: Manifest) -> None:
    """Refuse what the drivers of a valid spec cannot do; what is not valid is for others to tell.

    Raises:
        UsageError: says what cannot be done, where that is asked for, and what to write instead.
    """
    from pydantic import ValidationError

    from kube.errors import UsageError
    from rollout.api.spec import Spec
    from rollout.decide.capabilities import plan_problems

    try:
        spec = Spec.model_validate(manifest["spec"])
    except ValidationError:
        return
    if problems := plan_problems(spec):
        meta = manifest["metadata"]
        told = "; ".join(f"spec.{problem}" for problem in problems)
        raise UsageError(f"GrayRelease {meta.get('namespace', 'default')}/{meta['name']}: {told}")


def signature(asked: Request, revision: str) -> dict[str, str]:
    """The annotations that say who asked and why, and for which version that holds."""
    from rollout.api.spec import REASON_ANNOTATION, REQUESTED_BY_ANNOTATION, REQUESTED_REVISION_ANNOTATION

    told = {REQUESTED_BY_ANNOTATION: asked.by, REASON_ANNOTATION: asked.reason}
    return {**told, REQUESTED_REVISION_ANNOTATION: revision} if revision else told


def declared_by(manifest: Manifest) -> str:
    """The field manager of a stack that owns the pod template; empty where none does."""
    return next((name for name in _declaring(manifest) if name.startswith(_STACK_MANAGERS)), "")


def _declaring(manifest: Manifest) -> list[str]:
    return [
        str(entry.get("manager", ""))
        for entry in manifest["metadata"].get("managedFields") or ()
        if "f:workload" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    ]


def image_patch(manifest: Manifest, asked: Request, version: str = "") -> list[Manifest]:
    """JSON Patch operations that change the image, and the version on the pods; none where it says so already.

    Raises:
        UsageError: there is no such container.
    """
    template = manifest["spec"]["workload"]["template"]
    containers = template.get("spec", {}).get("containers") or []
    index = _container(containers, asked)
    at, made = f"/spec/workload/template/spec/containers/{index}", []
    if containers[index].get("image") != asked.image:
        made += [
            {"op": "test", "path": f"{at}/name", "value": containers[index].get("name", "")},
            {"op": "test", "path": f"{at}/image", "value": containers[index]["image"]},
            {"op": "replace", "path": f"{at}/image", "value": asked.image},
        ]
    if version and _labels(template).get(VERSION_LABEL) != version:
        label = VERSION_LABEL.replace("/", "~1")
        made.append({"op": "add", "path": f"/spec/workload/template/metadata/labels/{label}", "value": version})
    return made


def _container(containers: list[Manifest], asked: Request) -> int:
    names = [container.get("name", "") for container in containers]
    if asked.container is not None and asked.container not in names:
        from kube.errors import UsageError

        raise UsageError(f"--container {asked.container}: there is no such container; there are {', '.join(names)}")
    return names.index(asked.container) if asked.container else 0


def signature_patch(manifest: Manifest, asked: Request) -> list[Manifest]:
    """JSON Patch operations that say who asked for that image."""
    annotations = signature(asked, revision_in(with_image(manifest, asked)))
    missing = not manifest["metadata"].get("annotations")
    made: list[Manifest] = [{"op": "add", "path": "/metadata/annotations", "value": {}}] if missing else []
    for key, value in annotations.items():
        made.append({"op": "add", "path": f"/metadata/annotations/{key.replace('/', '~1')}", "value": value})
    return made
