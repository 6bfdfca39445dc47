"""The clusters of the waves as they are: stacks are applied as `stack apply` does, and releases followed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.deploy.apply import Applier
from components.deploy.refusal import named
from components.deploy.render import without_values
from components.deploy.session import engine_of, inventory_of, served
from components.deploy.survey import take_survey
from components.deploy.target import Target, place_of, reached
from components.deploy.waiting import Patience
from components.policy.project import insist_on_policy
from components.stack.stackfile import find
from kube.errors import InvalidError
from kube.kinds import GRAY_RELEASE, Manifest, label_of
from review.approval.rules import rules_of
from review.gate import before_apply, insist
from review.promotion.waves.state import Seen, StateError
from rollout.api.kept_records import records_of
from rollout.api.persisted import read_status
from rollout.api.revision import revision_of
from rollout.api.spec import Spec
from rollout.client.ending import Awaited, Ending, ending_of, learn
from rollout.client.watch import follow
from terminal.exits import ExitCode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from components.deploy.survey import Survey
    from components.stack.stackfile import StackFile
    from kube.cluster import Cluster
    from review.promotion.waves.state import TargetState
    from rollout.api.status import Status

SERVES = Ending(ExitCode.DONE, "declares no release")


@dataclass(frozen=True, slots=True)
class Declared:
    """A stack as its file stood when the command began."""

    file: StackFile
    manifests: Sequence[Manifest]

    @property
    def digest(self) -> str:
        """Of all its objects but the values of Secrets, whose digest could be guessed from."""
        kept, left = without_values(self.manifests)
        text = json.dumps([*kept, left], sort_keys=True)
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"

    @property
    def is_reviewed(self) -> bool:
        """Whether the project has a review policy."""
        return rules_of(self.file.project).policy is not None


def declared(stacks: Iterable[str]) -> dict[str, Declared]:
    """The objects of each stack.

    Raises:
        UsageError: a stack file is wrong, or there is none.
    """
    found = {}
    for stack in dict.fromkeys(stacks):
        file = find(stack).as_it_is()
        found[stack] = Declared(file, served(file))
        insist_on_policy(file, found[stack].manifests)
    return found


@dataclass(frozen=True, slots=True)
class Clusters:
    """The world of the waves.

    Attributes:
        stacks: by name, as they are applied.
        tell: gets a line for everything a person would like to see.
        patience: seconds that an object may take to be ready.
        allow_delete: consent to deletions that are more than an everyday change.
    """

    stacks: Mapping[str, Declared]
    kubeconfig: str | None
    tell: Callable[[str], None]
    patience: float = 300.0
    allow_delete: bool = False

    async def apply(self, target: TargetState) -> list[Seen]:
        """`stack apply`."""
        stack = self.stacks[target.stack]
        async with self._reached(target) as (cluster, name):
            survey = await self._survey(cluster, stack)
            survey.insist(f"apply stack {stack.file.stack} to {name}", allow_delete=self.allow_delete)
            inventory = inventory_of(stack.file)
            patience = Patience(self.patience)
            applier = Applier(cluster, inventory, self.tell, patience, allow_delete=self.allow_delete)
            async with before_apply(stack.file, survey, cluster, name):
                self.tell(f"{target.name}: {(await applier.carry_out(survey)).summary()}")
            releases = [item for item in stack.manifests if item["kind"] == GRAY_RELEASE.kind]
            return list(await asyncio.gather(*(_seen(cluster, item) for item in releases)))

    async def reach(self, target: TargetState) -> list[str]:
        """Ask whether the cluster of a later wave is there, and whether the apply is approved; its name.

        Where something stands against the apply now, an earlier wave may put it right: then its own wave asks.

        Raises:
            GraylingError: it does not answer, is another one than the stack names, or an approval is missing.
        """
        stack = self.stacks[target.stack]
        async with self._reached(target) as (cluster, name):
            if stack.is_reviewed:
                survey = await self._survey(cluster, stack)
                if survey.reasons:
                    return [f"{target.name}: {name}", "  whether it is approved is asked when its wave begins"]
                await insist(stack.file, survey, cluster, name)
            return [f"{target.name}: {name}"]

    async def look(self, target: TargetState) -> list[str]:
        """Ask the cluster what an apply would do, and write nothing; what a person should know of it.

        Raises:
            GraylingError: it does not answer, something stands against the apply, or an approval is missing.
        """
        stack = self.stacks[target.stack]
        async with self._reached(target) as (cluster, name):
            survey = await self._survey(cluster, stack)
            survey.insist(f"apply stack {stack.file.stack} to {name}", allow_delete=self.allow_delete)
            await insist(stack.file, survey, cluster, name)
            labels = [label_of(item) for item in survey.gone]
            gone = [f"{len(labels)} objects go: {named(labels)}"] if labels else []
            return [f"{target.name}: {name}", *(f"  {line}" for line in (*survey.notes, *gone))]

    async def ending(self, target: TargetState, *, wait: bool) -> Ending | None:
        """The worst ending of a target's releases; None while one goes on, if that is not waited for."""
        if not target.releases:
            return SERVES
        async with self._reached(target) as (cluster, _):
            one = self._followed if wait else _looked_at
            endings = await asyncio.gather(*(one(cluster, each) for each in target.releases))
        bad = [each for each in endings if each and each.code is not ExitCode.DONE]
        return bad[0] if bad else None if None in endings else endings[0]

    def now(self) -> float:
        """Of the wall clock: a successor on another machine must understand it."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """As said."""
        await asyncio.sleep(seconds)

    @asynccontextmanager
    async def _reached(self, target: TargetState) -> AsyncIterator[tuple[Cluster, str]]:
        place = place_of(self.stacks[target.stack].file)
        async with reached(Target(self.kubeconfig, target.context), place) as found:
            yield found

    async def _survey(self, cluster: Cluster, stack: Declared) -> Survey:
        inventory, engine = inventory_of(stack.file), engine_of(stack.file)
        how: Any = {"engine": engine, "records": records_of(stack.file.project)}
        return await take_survey(cluster, inventory, stack.manifests, **how)

    async def _followed(self, cluster: Cluster, seen: Seen) -> Ending:
        known, phase = _awaited(seen), None
        async with aclosing(follow(cluster, seen.namespace, seen.name)) as stream:
            async for manifest in stream:
                status = _status_of(manifest, seen)
                if status is None:
                    continue
                if status.phase is not phase:
                    phase = status.phase
                    self.tell(f"{seen.label}: {phase.value}")
                known = learn(known, status)
                if ending := ending_of(known, status):
                    return _named(ending, seen)
        raise AssertionError("follow never ends")  # pragma: no cover


async def _seen(cluster: Cluster, declared: Manifest) -> Seen:
    meta = declared["metadata"]
    live = await cluster.get(GRAY_RELEASE, meta["name"], meta["namespace"])
    try:
        revision = revision_of(meta["name"], Spec.model_validate(live.get("spec") or {}))
    except ValueError as error:
        raise InvalidError(f"{label_of(live)}: its spec cannot be read: {error}", status=422) from None
    live_meta = live["metadata"]
    return Seen(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=live_meta["uid"],
        revision=revision,
        generation=int(live_meta.get("generation") or 0),
    )


async def _looked_at(cluster: Cluster, seen: Seen) -> Ending | None:
    status = _status_of(await cluster.get(GRAY_RELEASE, seen.name, seen.namespace), seen)
    ending = None if status is None else ending_of(_awaited(seen), status)
    return ending and _named(ending, seen)


def _awaited(seen: Seen) -> Awaited:
    return Awaited(seen.revision, seen.generation, baked=True)


def _status_of(manifest: Manifest, seen: Seen) -> Status | None:
    """The status; None while it cannot be read whole, for what is unreadable is never a success.

    Raises:
        StateError: it is another object of that name: made anew, or on another cluster.
    """
    if manifest["metadata"].get("uid") != seen.uid:
        raise StateError(
            f"GrayRelease {seen.label}: is another object than the one that was applied: is the context another "
            "cluster by now, or was it made anew? `stack waves start --anew` begins again"
        )
    status, notes = read_status(manifest.get("status"))
    return None if notes else status


def _named(ending: Ending, seen: Seen) -> Ending:
    return Ending(ending.code, f"{seen.label}: {ending.text}", ending.release)
