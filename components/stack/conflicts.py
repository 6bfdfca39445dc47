"""What is right by itself and wrong beside the rest of its stack: found once everything is read, told once each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.gateways.contour import Gateway
from components.gateways.envoy_gateway import EnvoyGateway
from components.middleware.topology import Topology
from components.model.mistakes import Mistake, nearest, shown
from components.releases.controller import Controller
from components.releases.matches import meaning
from components.releases.service import Service
from components.workloads.secret_types import DOCKER, DOCKER_KEY, type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from components.model.component import Component, Scope

HTTP, HTTPS = "http", "https"
ALONE = ((Gateway.kind, EnvoyGateway.kind), (Controller.kind,), (Topology.kind,))
"""Two of such kinds would write the same objects of the cluster, or carry out the same releases."""


def conflicts(scope: Scope, declared: Collection[str], place: Callable[[Component], str]) -> Iterator[Mistake]:
    """Every one of them; ``declared`` are all names in the file, of what could not be read too.

    ``place`` says where in the file a member stands.
    """
    made: dict[str, Collection[str]] = {name: values.keys() for name, values in scope.secrets.items()}
    for member in scope.members.values():
        made |= member.makes_secrets()
    for member in scope.members.values():
        yield from _uses(scope, member, declared, place(member))
        yield from _owner(scope, member, place(member))
        for setting, (name, keys) in member.needs_secrets().items():
            if name in made and (missing := sorted(set(keys) - set(made[name]))):
                fix = f"it needs {', '.join(sorted(keys))}"
                yield Mistake(f"{place(member)}.{setting}", shown(name), f"Secret {name} has no {missing[0]}", fix)
        if isinstance(member, Service):
            yield from _keys(made, member, place(member))
            yield from _files(made, member, place(member))
    for name in scope.environment.pull_secrets:
        if name in scope.secrets and type_of(scope.secrets[name]) != DOCKER:
            path, problem = "grayling:environment.pullSecrets", f"Secret {name} is none for a registry"
            yield Mistake(path, shown(name), problem, f"give it {DOCKER_KEY}, and nothing else")
    yield from _hostnames(scope, place)
    yield from _alone(scope, place)
    yield from _unreconciled(scope, place)
    for gateway in scope.gateways():
        if isinstance(gateway, Gateway | EnvoyGateway):
            yield from _parent(scope, gateway)


def _alone(scope: Scope, place: Callable[[Component], str]) -> Iterator[Mistake]:
    for kinds in ALONE:
        found = [each for kind in kinds for each in scope.of_kind(kind)]
        for other in found[1:]:
            problem = f"a stack has one {kinds[0]}, and {found[0].name!r} is one"
            yield Mistake(place(other), "", problem, "leave one of the two out")


def _unreconciled(scope: Scope, place: Callable[[Component], str]) -> Iterator[Mistake]:
    """A topology that nobody would make true."""
    declaring = [member for _, member in sorted(scope.members.items()) if member.topology() is not None]
    if not scope.of_kind(Topology.kind):
        fix = "add a component of kind topology, with the engine's image"
        for member in declaring:
            yield Mistake(f"{place(member)}.topology", "", "nobody here makes it true", fix)


def _owner(scope: Scope, member: Component, path: str) -> Iterator[Mistake]:
    """Somebody whom nobody knows would never hear of its alerts."""
    known = scope.environment.owners
    if member.owner not in known:
        yield Mistake(
            f"{path}.owner", shown(member.owner), "is no owner of the environment", nearest(member.owner, known)
        )


def _uses(scope: Scope, member: Component, declared: Collection[str], path: str) -> Iterator[Mistake]:
    seen: set[str] = set()
    for index, name in enumerate(member.uses):
        where, found = f"{path}.uses.{index}", shown(name)
        if name in seen:
            yield Mistake(where, found, "is there twice", "once is enough")
        elif name == member.name:
            yield Mistake(where, found, "is the service itself", "leave it out")
        elif name in scope.secrets:
            fix = f"name it in env: {{VARIABLE: {{secret: {name}, key: of-it}}}}"
            yield Mistake(where, found, "is a Secret, no component", fix)
        elif name not in declared:
            alike = [member.name for member in scope.of_kind(name)]
            fix = f"did you mean {alike[0]!r}, which is one?" if alike else nearest(name, sorted(declared))
            yield Mistake(where, found, "no such component in this stack", fix)
        elif name in scope.members and not _reachable(scope.members[name]):
            fix = "give it a port, or leave it out" if scope.members[name].kind == Service.kind else "leave it out"
            yield Mistake(where, found, "has no port that a service could talk to", fix)
        seen.add(name)


def _reachable(member: Component) -> bool:
    return bool(member.ways() or [*member.beyond()])


def _keys(made: Mapping[str, Collection[str]], service: Service, path: str) -> Iterator[Mistake]:
    """Keys that a Secret of this stack does not have; of Secrets that others keep nothing is known here."""
    own = service.settings
    whose = [("env", own.env)]
    for part, found in (("init", own.init), ("sidecars", own.sidecars)):
        whose += [(f"{part}.{index}.env", each.env) for index, each in enumerate(found)]
    for where, env in whose:
        for name, value in env.items():
            keys = made.get(value.secret or "")
            if keys is not None and value.key not in keys:
                problem = f"Secret {value.secret} has no such key"
                yield Mistake(
                    f"{path}.{where}.{name}.key", shown(value.key), problem, nearest(value.key or "", [*keys])
                )


def _files(made: Mapping[str, Collection[str]], service: Service, path: str) -> Iterator[Mistake]:
    """Files of such Secrets that are mounted by name: one that is missing would be an empty folder."""
    own = service.settings
    whose = [("mounts", own.mounts), *((f"init.{index}.mounts", each.mounts) for index, each in enumerate(own.init))]
    whose += [(f"sidecars.{index}.mounts", each.mounts) for index, each in enumerate(own.sidecars)]
    for where, mounts in whose:
        for at, mounted in mounts.items():
            volume, _, key = mounted.partition("#")
            secret = own.volumes[volume].secret or ""
            if key and secret in made and key not in made[secret]:
                problem = f"Secret {secret} has no such key"
                yield Mistake(f"{path}.{where}.{at}", shown(key), problem, nearest(key, sorted(made[secret])))


def _hostnames(scope: Scope, place: Callable[[Component], str]) -> Iterator[Mistake]:
    """Two routes for the same requests: which one they take would be chance."""
    owners: dict[tuple[str, str], str] = {}
    for service in scope.of_kind(Service.kind):
        if not isinstance(service, Service) or service.settings.traffic is None:
            continue
        matches = [meaning(each.wire()) for each in service.settings.traffic.matches] or [_EVERYTHING]
        hostnames = service.hostnames
        if again := {each for each in hostnames if hostnames.count(each) > 1}:
            where = f"{place(service)}.traffic.hostnames"
            yield Mistake(where, shown(min(again)), "is there twice", "once is enough")
            continue
        for hostname in hostnames:
            others = [owners[hostname, each] for each in matches if (hostname, each) in owners]
            if others:
                fix = "give each a hostname of its own, or matches that differ"
                path = f"{place(service)}.traffic.hostnames"
                yield Mistake(path, shown(hostname), f"{others[0]!r} is reached by the same requests", fix)
            owners |= dict.fromkeys(((hostname, each) for each in matches), service.name)


_EVERYTHING = meaning({})


def _parent(scope: Scope, gateway: Gateway | EnvoyGateway) -> Iterator[Mistake]:
    """The Gateway that this stack makes, and the one it names as everybody's parent."""
    parent, own = scope.environment.gateway.parent, scope.environment.namespace
    path = "grayling:environment.gateway.parent"
    if parent.namespace not in {None, own}:
        problem = f"{gateway.name!r} of this stack is made in {own}, and services would be reached through another"
        fix = f"leave namespace out for the stack's own, or leave the component {gateway.name!r} out"
        yield Mistake(f"{path}.namespace", shown(parent.namespace), problem, fix)
    listeners = [HTTP, HTTPS] if gateway.settings.tls_secret else [HTTP]
    if parent.section_name not in {None, *listeners}:
        fix = (
            f"give {gateway.name!r} a tlsSecret"
            if parent.section_name == HTTPS
            else f"there is {' and '.join(listeners)}"
        )
        problem = f"{gateway.name!r} of this stack has no such listener"
        yield Mistake(f"{path}.sectionName", shown(parent.section_name), problem, fix)
