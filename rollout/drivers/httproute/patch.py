"""The JSON Patch that turns a route as it is into the route that is wanted, or into nothing at all.

Every patch opens with tests: the epoch that was read, and the name of every backend at the index that was read. The API
server applies all of it or none, so a writer whose epoch is over, or whose indices are, changes nothing; and what a
patch does not name, whoever wrote it, stays. See docs/adr/0006-weights-by-json-patch.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kube.errors import StaleHolderError
from rollout.api.revision import RELEASE_LABEL, owner_of
from rollout.api.spec import KIND
from rollout.drivers import RouteTakenError
from rollout.drivers.httproute.route import (
    EPOCH_ANNOTATION,
    backend,
    backends_of,
    is_own,
    keeper_rule,
    new_keeper,
    new_rules,
    own_rule,
    ports_on,
    rules_of,
    shape_on,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kube.kinds import Manifest
    from rollout.drivers.httproute.route import Shape

Ops = list["Manifest"]
_EPOCH_PATH = "/metadata/annotations/" + EPOCH_ANNOTATION.replace("/", "~1")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The route as it should be.

    Attributes:
        weights: percent by revision.
        ports: Service port by revision: of every backend that is not listed yet, and of those that get another.
        shape: all the rest.
        epoch: of the holder that writes.
        uid: of the GrayRelease.
    """

    weights: Mapping[str, int]
    ports: Mapping[str, int]
    shape: Shape
    epoch: int
    uid: str


def patch_for(route: Manifest, wanted: Wanted) -> Ops:
    """The operations; empty where the route is as wanted.

    Raises:
        StaleHolderError: the route carries a higher epoch than ``wanted``.
        RouteTakenError: the route belongs to somebody else.
    """
    tests, changes = _epoch(route, wanted.epoch)
    tests_of_owner, adoption = _owner(route, wanted.uid)
    more_tests, more_changes = _rules(route, wanted)
    changes += adoption + _top(route, wanted.shape) + more_changes
    return [*tests, *tests_of_owner, *more_tests, *changes] if changes else []


def epoch_on(route: Manifest) -> int | None:
    """The epoch a route carries; None where somebody removed or spoilt it."""
    text = (route["metadata"].get("annotations") or {}).get(EPOCH_ANNOTATION, "")
    return int(text) if text.isdecimal() else None


def _test(path: str, value: object) -> Manifest:
    return {"op": "test", "path": path, "value": value}


def _add(path: str, value: object) -> Manifest:
    return {"op": "add", "path": path, "value": value}


def _unchanged(route: Manifest) -> Manifest:
    """A test for where nothing finer can be tested: nobody wrote anything since."""
    return _test("/metadata/resourceVersion", route["metadata"]["resourceVersion"])


def _epoch(route: Manifest, epoch: int) -> tuple[Ops, Ops]:
    found = epoch_on(route)
    if found is None:
        notes = [] if route["metadata"].get("annotations") else [_add("/metadata/annotations", {})]
        return [_unchanged(route)], [*notes, _add(_EPOCH_PATH, str(epoch))]
    if found > epoch:
        name = route["metadata"]["name"]
        raise StaleHolderError(f"HTTPRoute {name} carries epoch {found}, ours is {epoch}: another process holds it now")
    return [_test(_EPOCH_PATH, str(found))], [_add(_EPOCH_PATH, str(epoch))] if found < epoch else []


def _owner(route: Manifest, uid: str) -> tuple[Ops, Ops]:
    """Adopt a route that an earlier GrayRelease of this name left behind; refuse any other."""
    meta = route["metadata"]
    owners = meta.get("ownerReferences") or []
    if any(owner["uid"] == uid for owner in owners):
        return [], []
    name, namespace = meta["name"], meta.get("namespace", "")
    other = next((owner for owner in owners if owner.get("controller")), None)
    earlier = other is not None and (other.get("kind"), other.get("name")) == (KIND, name)
    if (other and not earlier) or (meta.get("labels") or {}).get(RELEASE_LABEL) != name:
        whose = f"{other['kind']} {other['name']}" if other else "no GrayRelease"
        raise RouteTakenError(
            f"HTTPRoute {namespace}/{name} exists and belongs to {whose}: "
            f"delete it, or label it {RELEASE_LABEL}={name} to hand it over"
        )
    kept = [owner for owner in owners if not owner.get("controller")]
    return [_unchanged(route)], [_add("/metadata/ownerReferences", [*kept, owner_of(name, uid)])]


def _top(route: Manifest, shape: Shape) -> Ops:
    """Parents and host names."""
    now, ops = shape_on(route), []
    if now.parents != shape.parents:
        ops.append(_add("/spec/parentRefs", shape.parents))
    if now.hostnames != shape.hostnames:
        ops.append(_add("/spec/hostnames", shape.hostnames))
    return ops


def _rules(route: Manifest, wanted: Wanted) -> tuple[Ops, Ops]:
    index = own_rule(route)
    if index is None:
        fresh = [backend(name, wanted.ports[name], weight) for name, weight in wanted.weights.items()]
        return [_unchanged(route)], [_add("/spec/rules", new_rules(wanted.shape, fresh))]
    rule, base = rules_of(route)[index], f"/spec/rules/{index}"
    backends = backends_of(rule)
    tests = [_test(f"{base}/backendRefs/{at}/name", each["name"]) for at, each in enumerate(backends)]
    changes = [*_rule_shape(rule, base, wanted.shape), *_backends(route, backends, f"{base}/backendRefs", wanted)]
    tests_of_keeper, keeper = _keeper(route, wanted)
    return [*(tests or [_unchanged(route)]), *tests_of_keeper], [*changes, *keeper]


def _keeper(route: Manifest, wanted: Wanted) -> tuple[Ops, Ops]:
    """The rule that keeps revisions known, brought to those that the moved rule will have; the last of the changes."""
    index, listed = keeper_rule(route), ports_on(route)
    full = new_keeper({name: wanted.ports.get(name, listed.get(name, 0)) for name in wanted.weights})
    if index is None:
        return [], [_add("/spec/rules/-", full)] if wanted.shape.keeper else []
    path, found = f"/spec/rules/{index}", rules_of(route)[index]
    tests = [_test(f"{path}/matches", found["matches"])]
    if not wanted.shape.keeper:
        return tests, [{"op": "remove", "path": path}]
    return tests, [_add(f"{path}/backendRefs", full["backendRefs"])] if _sorted(found) != _sorted(full) else []


def _sorted(rule: Manifest) -> list[tuple[str, int]]:
    return sorted((each["name"], each.get("port", 0)) for each in backends_of(rule))


def _rule_shape(rule: Manifest, base: str, shape: Shape) -> Ops:
    """Matches and the time-out of a request. A time-out towards the backend, and filters, are other people's."""
    ops = []
    if list(rule.get("matches") or ()) != shape.matches:
        ops.append(_add(f"{base}/matches", shape.matches))
    timeouts = rule.get("timeouts") or {}
    if timeouts.get("request", "") == shape.request_timeout:
        return ops
    if not shape.request_timeout:
        return [*ops, {"op": "remove", "path": f"{base}/timeouts/request"}]
    return [*ops, _add(f"{base}/timeouts", {**timeouts, "request": shape.request_timeout})]


def _differences(backend_ref: Manifest, path: str, weight: int, port: int | None) -> Ops:
    """What brings one backend to its weight and port."""
    ops = [_add(f"{path}/weight", weight)] if int(backend_ref.get("weight", 1)) != weight else []
    return ops + ([_add(f"{path}/port", port)] if port is not None and backend_ref.get("port") != port else [])


def _backends(route: Manifest, backends: Ops, base: str, wanted: Wanted) -> Ops:
    """Weights first, then what is new at the end, then removals from the back, so that every index stays right."""
    meta = route["metadata"]
    listed: set[str] = set()
    weights, gone = [], []
    for at, each in enumerate(backends):
        name = each["name"]
        if not is_own(each, meta["name"], meta.get("namespace", "")):
            continue
        if name in listed or name not in wanted.weights:
            gone.append({"op": "remove", "path": f"{base}/{at}"})
        else:
            weights += _differences(each, f"{base}/{at}", wanted.weights[name], wanted.ports.get(name))
        listed.add(name)
    new = [backend(name, wanted.ports[name], weight) for name, weight in wanted.weights.items() if name not in listed]
    appended = [_add(f"{base}/-", each) for each in new] if backends else ([_add(base, new)] if new else [])
    return [*weights, *appended, *reversed(gone)]
