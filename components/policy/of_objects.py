"""Rules over objects, whoever wrote them: a render, a program of Pulumi, a chart. Nothing here raises."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from components.model.component import INSTANCE, NAME
from components.model.images import exact, split
from components.workloads.policy_rules import broken_rules, pod_template_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

OWNERS, SYSTEM, CONTRACT = (f"grayling.dev/{name}" for name in ("owners", "system", "contract"))
_RUNS_FOR_EVER = {"Deployment", "StatefulSet", "GrayRelease"}
_WATCHED = {*_RUNS_FOR_EVER, "DaemonSet"}
_SECRET = re.compile(r"(^|_)(PASSWORD|PASSWD|PWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIALS?)$", re.IGNORECASE)
_CREDENTIALS_IN_URL = re.compile(r"://[^/\s:@]+:[^/\s@$]+@")
_USERS = {"service", "external"}


def label_of(manifest: Mapping[str, Any]) -> str:
    """``Deployment shop/orders``, as reviews and waivers write it."""
    meta = _map(manifest.get("metadata"))
    place = f"{meta['namespace']}/{meta.get('name')}" if meta.get("namespace") else f"{meta.get('name')}"
    return f"{manifest.get('kind')} {place}"


def names_a_secret(name: str) -> bool:
    """Whether a variable is called like one: ``SMTP_PASSWORD``."""
    return bool(_SECRET.search(name))


def url_holds_credentials(value: str) -> bool:
    """Whether there is an address with a password in it."""
    return bool(_CREDENTIALS_IN_URL.search(value))


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def moving_image(manifest: Mapping[str, Any]) -> Iterator[str]:
    """No tag, or one that is pushed again and again."""
    for container in _containers(manifest):
        try:
            exact(str(container.get("image", "")))
        except ValueError as error:
            yield f"{container.get('name')}: {error}"


def no_digest(manifest: Mapping[str, Any]) -> Iterator[str]:
    """A tag, which may be another build tomorrow."""
    for container in _containers(manifest):
        try:
            digest = split(str(container.get("image", "")))[2]
        except ValueError:
            continue
        if not digest:
            yield f"{container.get('name')}: {container.get('image')} has no digest"


def single_replica(manifest: Mapping[str, Any]) -> Iterator[str]:
    """One pod: none while it moves to another node."""
    if _kind(manifest) in _RUNS_FOR_EVER:
        spec = _map(manifest.get("spec"))
        holder = _map(spec.get("workload")) if _kind(manifest) == "GrayRelease" else spec
        if holder.get("replicas", 1 if _kind(manifest) != "GrayRelease" else None) == 1:
            yield "has one pod"


def no_limits(manifest: Mapping[str, Any]) -> Iterator[str]:
    """The baseline's own rule."""
    yield from _baseline(manifest, "resources")


def unrestricted(manifest: Mapping[str, Any]) -> Iterator[str]:
    """The baseline's own rule."""
    yield from _baseline(manifest, "restricted")


def plain_secret(manifest: Mapping[str, Any]) -> Iterator[str]:
    """A variable that is called like a secret, or a URL with a password, as a text."""
    for container in _containers(manifest):
        for variable in _maps(container.get("env")):
            name, value = str(variable.get("name", "")), variable.get("value")
            if not isinstance(value, str) or not value or value.startswith("/"):
                continue
            if names_a_secret(name) or url_holds_credentials(value):
                yield f"{container.get('name')}: {name} holds a text"


def no_owner(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Nobody answers for it."""
    meta = _map(manifest.get("metadata"))
    wanted = _kind(manifest) in {"Namespace", "GrayRelease"} or SYSTEM in _map(meta.get("annotations"))
    if wanted and not str(_map(meta.get("annotations")).get(OWNERS, "")).strip(", "):
        yield f"has no annotation {OWNERS}"


def external_without_contract(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What was agreed with its owner stands nowhere."""
    notes = _map(_map(manifest.get("metadata")).get("annotations"))
    if _kind(manifest) == "Service" and SYSTEM in notes and not notes.get(CONTRACT):
        yield "is a system of others without a contract"


def open_egress(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Users of what is known by name alone may go anywhere."""
    if _kind(manifest) == "NetworkPolicy" and str(_labels(manifest).get(NAME)) in _USERS:
        for rule in _maps(_map(manifest.get("spec")).get("egress")):
            if not rule.get("to"):
                ports = ", ".join(str(each.get("port")) for each in _maps(rule.get("ports"))) or "every port"
                yield f"opens {ports} to every address"


def unwatched(manifests: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Workloads that no alert is about."""
    yield from _without(manifests, ".yml", "no alert is about it")


def undrawn(manifests: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Workloads that no dashboard shows."""
    yield from _without(manifests, ".json", "no dashboard shows it")


def _without(manifests: Sequence[Mapping[str, Any]], ending: str, text: str) -> Iterator[tuple[str, str]]:
    known: set[str] = set()
    for each in manifests:
        if _kind(each) == "ConfigMap" and _labels(each).get(NAME) == "prometheus":
            known |= {key.removesuffix(ending) for key in _map(each.get("data")) if key.endswith(ending)}
    for each in manifests:
        instance = str(_labels(each).get(INSTANCE))
        if _kind(each) in _WATCHED and instance not in known:
            yield label_of(each), text


def _kind(manifest: Mapping[str, Any]) -> str:
    return str(manifest.get("kind"))


def _labels(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    return _map(_map(manifest.get("metadata")).get("labels"))


def _containers(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    try:
        template = pod_template_of(dict(manifest))
    except (LookupError, TypeError, ValueError, AttributeError):
        return []
    pod = _map(_map(template).get("spec"))
    return [*_maps(pod.get("initContainers")), *_maps(pod.get("containers"))]


def _baseline(manifest: Mapping[str, Any], rule: str) -> Iterator[str]:
    try:
        found = broken_rules(dict(manifest))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        yield f"cannot be read ({type(error).__name__}: {error})"
        return
    yield from (said for name, said in found if name == rule)
