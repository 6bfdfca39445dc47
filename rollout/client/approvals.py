"""Approving a step in the name that the API server knows one by, and taking that back."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from kube.errors import ConflictError, ForbiddenError, GraylingError, NotFoundError, UsageError
from kube.kinds import APPROVAL, Manifest
from rollout.api.approval import ALL_STEPS, ApprovalSpec, same_person
from rollout.api.revision import RELEASE_LABEL, owner_of
from rollout.api.status import Phase
from rollout.api.wire import API_VERSION
from rollout.client.commands import MANAGER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kube.cluster import Cluster
    from rollout.api.spec import Spec
    from rollout.api.status import Status

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
NO_KIND = (
    "the cluster has no Approvals: `grayling release crd | kubectl apply -f -`, or apply the stack that keeps them"
)


class Person(NamedTuple):
    """Who one is to the API server."""

    name: str
    groups: frozenset[str]


async def who_am_i(cluster: Cluster) -> Person:
    """Ask the API server in whose name these credentials speak.

    Raises:
        UsageError: it does not tell.
    """
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        found = await cluster.request("POST", WHO, body=review, what="ask who these credentials are")
    except (NotFoundError, ForbiddenError) as error:
        raise UsageError(
            f"the API server does not tell in whose name these credentials speak ({error}): nobody can approve "
            "with them; it needs Kubernetes 1.28 or newer, and the role system:basic-user"
        ) from error
    info = (found.get("status") or {}).get("userInfo") or {}
    name = str(info.get("username") or "")
    if not name or name == "system:anonymous":
        raise UsageError("the API server does not know who these credentials are: log in, then approve")
    return Person(name, frozenset(map(str, info.get("groups") or ())))


def next_step(spec: Spec, status: Status) -> int:
    """Number of the step whose approvals are waited for next.

    Raises:
        UsageError: none is.
    """
    begun = {record.index for record in status.release.steps} if status.release else set()
    ahead = (n for n, step in enumerate(spec.strategy.steps, 1) if step.approvers and n - 1 not in begun)
    if (found := next(ahead, None)) is None:
        raise UsageError("no step that is still to come waits for approvals")
    return found


def approval_of(
    found: Manifest, spec: Spec, status: Status, person: Person, step: int | str, reason: str, expires: float | None
) -> ApprovalSpec:
    """What a person approves: this step of what is under way now, and of nothing else.

    Raises:
        UsageError: nothing is under way, the step waits for no approval, or these people's would not count.
    """
    meta, release, canary = found["metadata"], status.release, status.canary
    if release is None or canary is None or status.phase not in {Phase.PREPARING, Phase.STEPPING}:
        raise UsageError(f"nothing is to be approved: the phase is {status.phase}")
    read = {status.observed_generation, status.spec_generation, int(meta.get("generation", 0))}
    if len(read) > 1 or not status.spec_digest:
        raise UsageError("the engine does not go by the newest spec yet: look at `release status`, then approve")
    asked = [each.approvers for n, each in enumerate(spec.strategy.steps, 1) if step in {ALL_STEPS, n}]
    wanted = [each for each in asked if each is not None]
    if not wanted:
        raise UsageError(f"--step {step}: no such step waits for approvals; {_steps(spec)}")
    if same_person(person.name, release.requested_by):
        raise UsageError(f"{person.name} asked for this version (as {release.requested_by}): somebody else approves it")
    groups = {each.group for each in wanted if each.group is not None}
    if all(each.group is not None and each.group not in person.groups for each in wanted):
        raise UsageError(f"{person.name} is not in group {' or '.join(sorted(groups))}, which the step asks for")
    return ApprovalSpec(
        release=meta["name"],
        attempt=release.id,
        revision=canary.revision,
        digest=status.spec_digest,
        step=step,
        approver=person.name,
        groups=sorted(groups & person.groups),
        reason=reason,
        expires=expires,
    )


def _steps(spec: Spec) -> str:
    numbers = [str(n) for n, step in enumerate(spec.strategy.steps, 1) if step.approvers]
    return f"steps that do: {', '.join(numbers)}" if numbers else "none does"


async def approve(cluster: Cluster, found: Manifest, says: ApprovalSpec) -> bool:
    """Write an approval; False where the same is there already.

    Raises:
        InvalidError: the API server does not take it: it is not in the sender's name.
        GraylingError: another object has its name.
    """
    made = manifest_of(found, says)
    meta = made["metadata"]
    try:
        await cluster.create(made, manager=MANAGER)
    except NotFoundError as error:
        raise UsageError(NO_KIND) from error
    except ConflictError:
        there = await cluster.find(APPROVAL, meta["name"], meta["namespace"])
        if there is None or there["metadata"].get("deletionTimestamp"):
            raise
        if {**there["spec"], "reason": ""} != {**made["spec"], "reason": ""}:
            told = f"Approval {meta['namespace']}/{meta['name']} is there and says something else; delete it"
            raise GraylingError(told) from None
        return False
    return True


def manifest_of(found: Manifest, says: ApprovalSpec) -> Manifest:
    """The object: said twice it is the same, and it goes with the GrayRelease."""
    said = "|".join([says.attempt, says.digest, str(says.step), says.approver, str(says.expires), *says.groups])
    meta = found["metadata"]
    owner = {key: each for key, each in owner_of(meta["name"], meta["uid"]).items() if key in _OWNER}
    return {
        "apiVersion": API_VERSION,
        "kind": APPROVAL.kind,
        "metadata": {
            "name": f"{says.release}-{hashlib.sha256(said.encode()).hexdigest()[:12]}",
            "namespace": meta["namespace"],
            "labels": {RELEASE_LABEL: says.release},
            "ownerReferences": [owner],
        },
        "spec": says.wire(),
    }


_OWNER = {"apiVersion", "kind", "name", "uid"}
"""Not `blockOwnerDeletion`, for which one needs a right on the release."""


async def revoke(cluster: Cluster, namespace: str, name: str, person: Person, step: int | str | None) -> int:
    """Take back what a person has approved of a release: of one step, or (None) of all; how many there were.

    An approval of all steps goes with each of them.
    """
    try:
        listed = (await cluster.list(APPROVAL, namespace)).items
    except NotFoundError as error:
        raise UsageError(NO_KIND) from error
    gone = 0
    for says, meta in _own(listed, name, person):
        if step in {None, ALL_STEPS, says["step"]} or says["step"] == ALL_STEPS:
            gone += await cluster.delete(APPROVAL, meta["name"], namespace, uid=meta["uid"])
    return gone


def _own(items: list[Manifest], name: str, person: Person) -> Iterator[tuple[Manifest, Manifest]]:
    for item in items:
        says = item.get("spec") or {}
        if says.get("release") == name and says.get("approver") == person.name:
            yield says, item["metadata"]
