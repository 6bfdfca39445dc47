"""The engine's look at approvals: those of each release, and whether the policy stands that makes them true.

They are watched from the first release on that waits for any: an engine without such releases needs no right to read
them. What cannot be read is no approval.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING

from kube.cache import Key, Reflector
from kube.kinds import APPROVAL, POLICY, POLICY_BINDING, Manifest
from rollout.api.approval import ApprovalSpec
from rollout.api.approval_policy import NAME, trusted_since, why_distrusted
from rollout.decide.observation import ApprovalFacts, Given

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kube.cluster import Cluster
    from rollout.api.spec import Spec

UNREAD = (
    "approvals cannot be read: the engine needs to get, list and watch approvals in the namespace, and {kinds} of the "
    "name {name}"
)
AT = ("", NAME)


class Approvals:
    """Live copies of the Approvals of some namespaces or (None) all, and of the one policy."""

    def __init__(self, cluster: Cluster, namespaces: Iterable[str | None], on_change: Callable[[Key], None]) -> None:
        self._on_change, self._wanted = on_change, asyncio.Event()
        self._of: dict[Key, dict[Key, Given | None]] = defaultdict(dict)
        self._waiting: set[Key] = set()
        self._policies = tuple(
            Reflector(cluster, kind, fields=f"metadata.name={NAME}", on_change=lambda *_: self._wake_all())
            for kind in (POLICY, POLICY_BINDING)
        )
        self._given = {where: Reflector(cluster, APPROVAL, where, on_change=self._take) for where in namespaces}

    async def run(self) -> None:
        """Mirror until cancelled, from when on anybody wants it."""
        await self._wanted.wait()
        async with asyncio.TaskGroup() as group:
            for reflector in (*self._policies, *self._given.values()):
                group.create_task(reflector.run())

    def look(self, key: Key, spec: Spec) -> ApprovalFacts:
        """The approvals of a release."""
        if not any(step.approvers for step in spec.strategy.steps):
            self._waiting.discard(key)
            return ApprovalFacts()
        self._waiting.add(key)
        self._wanted.set()
        showing = [each for where, each in self._given.items() if where in {None, key[0]}]
        if not showing or not all(each.healthy for each in (*self._policies, *showing)):
            kinds = f"{POLICY.plural} and {POLICY_BINDING.plural}"
            return ApprovalFacts(UNREAD.format(kinds=kinds, name=NAME))
        live, bound = (each.objects.get(AT) for each in self._policies)
        if (problem := why_distrusted(live, bound)) or live is None or bound is None:
            return ApprovalFacts(problem)
        read = self._of.get(key, {}).values()
        given = tuple(each for each in read if each is not None)
        try:
            return ApprovalFacts("", trusted_since(live, bound), given, len(read) - len(given))
        except ValueError as error:
            return ApprovalFacts(f"since when {POLICY.kind} {NAME} stands cannot be told: {error}")

    def _take(self, key: Key, item: Manifest | None) -> None:
        """Keep an Approval with its release; one that is being deleted was taken back."""
        for release in [each for each, kept in self._of.items() if key in kept]:
            del self._of[release][key]
            self._on_change(release)
        if item is None or item["metadata"].get("deletionTimestamp"):
            return
        spec = item.get("spec")
        release = key[0], str(spec.get("release", "")) if isinstance(spec, dict) else ""
        self._of[release][key] = _given(item)
        self._on_change(release)

    def _wake_all(self) -> None:
        for key in self._waiting:
            self._on_change(key)


def _given(item: Manifest) -> Given | None:
    """None for one that cannot be read, or is not as it was taken."""
    meta = item["metadata"]
    if meta.get("generation", 1) != 1:
        return None
    try:
        made_at = datetime.fromisoformat(str(meta.get("creationTimestamp"))).timestamp()
        return Given(ApprovalSpec.model_validate(item.get("spec")), made_at)
    except ValueError:
        return None
