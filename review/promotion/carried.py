"""What of a service goes from one environment to the next, and what stays each environment's own.

Pure: two settings of one service as their stack files write them, and the edits that carry the version over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from components.releases.service_settings import ServiceSettings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

TRAVELS = {
    "image": "the version itself",
    "command": "how the version is started",
    "args": "how the version is started",
    "env": "texts that the version was proven with; references to Secrets stay",
    "config": "files that are released together with the code",
    "init": "runs before the version, and was proven with it",
    "sidecars": "runs beside the version, and was proven with it",
    "mounts": "paths that the version reads",
    "port": "where the version listens",
    "adminPort": "where the version listens",
    "ports": "where the version listens",
    "probes": "how the version says that it is well",
    "uses": "what the version talks to",
    "contract": "what the version promises and was built for",
    "routes": "an adapter's code",
    "schemas": "what an adapter checks by",
    "maxBytes": "which messages an adapter takes",
    "properties": "how an adapter's program is set",
}
"""Keys of a service or an adapter that belong to its version, each with the reason."""

STAYS = {
    "replicas": "scale: how much traffic there is differs",
    "autoscaling": "scale: how much traffic there is differs",
    "resources": "the size of the environment's nodes",
    "nodeSelector": "the environment's nodes",
    "tolerations": "the environment's nodes",
    "priorityClass": "how much the environment matters",
    "owner": "who is told of alerts of the environment",
    "podAnnotations": "what the environment's tools read",
    "accountAnnotations": "the environment's roles",
    "volumes": "names of the environment's Secrets, ConfigMaps and claims",
    "traffic": "hostnames and times of the environment's gateway",
    "egress": "addresses outside, which differ",
    "drainSeconds": "how long the environment's gateway takes",
    "strategy": "how careful the environment is",
    "analysis": "how careful the environment is",
    "recording": "what the environment keeps",
    "record": "what the environment keeps",
    "deadLetters": "where the environment keeps what an adapter could not carry on",
    "duplicates": "the environment's topic",
}
"""Keys that never go along, each with the reason."""

BY_ENTRY = ("env", "config")
"""Maps that are carried entry by entry."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One value of the target's service: where, what it was (None: nothing), and what it becomes."""

    path: tuple[str, ...]
    was: Any
    value: Any

    @property
    def key(self) -> str:
        """``env.LEVEL``."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Carried:
    """What carrying a version over takes, what stands against it, and what stays the target's own."""

    edits: tuple[Edit, ...] = ()
    refusals: tuple[str, ...] = ()
    own: tuple[str, ...] = ()


def carried(
    source: Mapping[str, Any],
    target: Mapping[str, Any],
    image: str,
    own: Collection[str],
    model: type[ServiceSettings] = ServiceSettings,
) -> Carried:
    """How the target's settings come to say the source's version.

    Args:
        source: settings of the service where it was proven, valid, as the stack file writes them.
        target: settings where it goes.
        image: of the version, by digest where that is known.
        own: key paths that are the target's own: ``probes``, ``env.LEVEL``.
        model: what both are settings of.
    """
    names = {name: field.alias or name for name, field in model.model_fields.items()}
    spelled = {names.get(key, key): key for key in target}
    here, there = ({names.get(key, key): value for key, value in each.items()} for each in (source, target))
    found = list(_compared({**here, "image": image}, there, model))
    kept = [each for each in found if _is_own(each.path, own)]
    told = [each for each in found if not _is_own(each.path, own)]
    refused = {each.key: text for each in told if (text := _refusal(each))}
    edits = tuple(_spelled(each, spelled) for each in told if each.key not in refused)
    return Carried(edits, tuple(refused.values()), tuple(each.key for each in kept))


def _spelled(edit: Edit, names: Mapping[str, str]) -> Edit:
    """The same, under the key that the target writes."""
    return replace(edit, path=(names.get(edit.path[0], edit.path[0]), *edit.path[1:]))


def _is_own(path: tuple[str, ...], own: Collection[str]) -> bool:
    return path[0] in own or ".".join(path) in own


class _Nothing:
    """What a side says that does not have the key."""


_NOTHING = _Nothing()


def _compared(source: Mapping[str, Any], target: Mapping[str, Any], model: type[ServiceSettings]) -> Iterator[Edit]:
    """Everything that belongs to the version and differs."""
    both = [{key: value for key, value in each.items() if key != "kind"} for each in (source, target)]
    meant = [model.model_validate(each).model_dump(mode="json", by_alias=True) for each in both]
    for key in TRAVELS:
        if key not in meant[0]:
            continue
        if key in BY_ENTRY:
            yield from _entries(key, source.get(key) or {}, target.get(key) or {})
        elif meant[0][key] != meant[1][key]:
            yield Edit((key,), target.get(key), source.get(key, _NOTHING))


def _entries(key: str, source: Mapping[str, Any], target: Mapping[str, Any]) -> Iterator[Edit]:
    for name in sorted({*source, *target}):
        here, there = _text_of(source.get(name, _NOTHING)), _text_of(target.get(name, _NOTHING))
        both = _is_reference(here) and _is_reference(there)
        if here != there and not both and not (here is _NOTHING and _is_reference(there)):
            yield Edit((key, name), None if there is _NOTHING else there, here)


def _text_of(value: Any) -> Any:
    """``{value: text}`` is the text."""
    return value["value"] if isinstance(value, dict) and set(value) == {"value"} else value


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and {"secret", "key"} <= value.keys()


def _refusal(edit: Edit) -> str:
    """Why this cannot be carried over; empty where it can."""
    own = "or name it under own"
    if edit.value is _NOTHING:
        return f"{edit.key}: the target alone has it, and the version was proven without: take it out there, {own}"
    if _is_reference(edit.value):
        there = "has none" if edit.was is None else "says a text"
        return f"{edit.key}: is the key of a Secret, which never goes along, and the target {there}: give it one there"
    if _refers(edit.value) or _refers(edit.was):
        return f"{edit.key}: names the key of a Secret, which never goes along: change it there by hand, {own}"
    return ""


def _refers(value: Any) -> bool:
    """Whether a reference to a Secret stands somewhere in it."""
    if isinstance(value, dict):
        return _is_reference(value) or any(map(_refers, value.values()))
    return isinstance(value, list) and any(map(_refers, value))
