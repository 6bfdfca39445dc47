"""One decision in the making: what is asked, what is known, what is seen, what time it is; and the ways to change it.

Everything here returns a new :class:`~rollout.status.Status`; nothing is changed in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rollout.api.bounds import shortened
from rollout.api.journal import JournalKind
from rollout.api.status import (
    JournalEntry,
    Outcome,
    Phase,
    Reaction,
    Refusal,
    Release,
    StepRecord,
    Version,
    Weight,
    name_of,
)
from rollout.api.texts import clean, told
from rollout.decide.capabilities import capabilities_of, in_force
from rollout.decide.evidence import evidence_at_end, on_evidence

if TYPE_CHECKING:
    from rollout.api.spec import Spec, Step
    from rollout.api.status import Status
    from rollout.decide.capabilities import Capabilities
    from rollout.decide.observation import Observation, RevisionFacts
    from rollout.judge import Assessment

JOURNAL_ENTRY = 600
"""Characters of one entry of the journal."""

STEPS_LIMIT = 64
REFUSED_LIMIT = 20
MOST_FORGIVEN = 5
REASON = 300
"""Characters of a reason that is kept."""

ALL = 100
"""Percent."""

SKIPPED = "skipped by a person"
NOT_READY = "not-ready"
OUTAGE = "outage"
"""What holds a release and is no verdict: pods that are missed, and no ready pod of any version."""

NOT_HELD: Final[dict[str, Any]] = {"doubt": "", "doubt_since": None, "held_since": None}


@dataclass(frozen=True, slots=True)
class Context:
    """The inputs of one decision."""

    spec: Spec
    status: Status
    seen: Observation
    now: float

    @property
    def replicas(self) -> int:
        """Pods of a version that carries all traffic."""
        return self.spec.workload.pods

    @property
    def asked(self) -> Capabilities:
        """What the drivers that the spec asks for can do."""
        return capabilities_of(self.spec)

    @property
    def can(self) -> Capabilities:
        """What can be done now. A release does not lose its route, and so its way back, by an edit of the spec."""
        return in_force(self.spec, self.status, routed=self.seen.share.exists)

    @property
    def shared(self) -> bool:
        """Whether versions share the traffic."""
        return self.can.divisible

    @property
    def full(self) -> int:
        """Pods that all traffic needs: what the spec says, or what stable has where somebody gave it more."""
        stable = self.seen.revisions.get(self.status.stable.revision) if self.status.stable else None
        return max(self.replicas, stable.replicas if stable else 0)

    @property
    def assessed(self) -> Assessment | None:
        """What the judge says of this step: None where it was not asked since the weight was verified.

        Between two weights, and in a bake, it is what was said since that began. Without it nothing goes on. What it
        said of an earlier step is of no use here.
        """
        asked, verified = self.seen.assessed_at, self.status.verified_at
        since = self.status.phase_since if verified is None else verified
        fresh = asked is not None and (since is None or asked >= since)
        return self.seen.assessment if fresh else None

    @property
    def steps(self) -> list[Step]:
        """The steps of the strategy."""
        return self.spec.strategy.steps

    @property
    def canary(self) -> RevisionFacts | None:
        """Pods of the canary; None while nothing of it exists."""
        return self.seen.revisions.get(self.status.canary.revision) if self.status.canary else None

    @property
    def ready(self) -> int:
        """Ready pods of the canary."""
        return self.canary.ready if self.canary else 0

    def since(self, moment: float | None) -> float:
        """Seconds since ``moment``; 0 where there is none."""
        return 0.0 if moment is None else max(0.0, self.now - moment)

    def waited(self, moment: float | None) -> float:
        """Seconds since ``moment`` in which the engine could see and write: what a deadline counts."""
        return self.since(None if moment is None else max(moment, self.seen.watching_since))

    def change(self, **update: Any) -> Status:
        """The status with these fields changed."""
        return self.status.model_copy(update=update)

    def with_status(self, status: Status) -> Context:
        """The same look at another status."""
        return Context(self.spec, status, self.seen, self.now)


def can_return(ctx: Context) -> bool:
    """In a bake: whether the version before could serve. Going back to no pods at all cures nothing.

    One that is not kept has given up its pods to the new version, and gets them back.
    """
    previous = ctx.status.previous
    facts = ctx.seen.revisions.get(previous.revision) if previous else None
    return facts is not None and (not ctx.can.keeps_old or facts.ready > 0)


def write_journal(status: Status, now: float, what: JournalKind, text: str, *, weight: int | None = None) -> Status:
    """Add one entry to the journal of the release in flight."""
    if status.release is None:
        return status
    entry = JournalEntry(at=now, what=what, text=told(text, JOURNAL_ENTRY), weight=weight)
    journal, dropped = shortened([*status.release.journal, entry])
    return change_release(status, journal=journal, journal_dropped=status.release.journal_dropped + dropped)


def change_release(status: Status, **update: Any) -> Status:
    """The status with fields of its release changed."""
    if status.release is None:
        return status
    return status.model_copy(update={"release": status.release.model_copy(update=update)})


def change_step(status: Status, **update: Any) -> Status:
    """The status with fields of the step under way changed; a record of a step that ended stays as it is."""
    if status.release is None or not status.release.steps:
        return status
    *earlier, last = status.release.steps
    if last.ended_at is not None:
        return status
    return change_release(status, steps=[*earlier, last.model_copy(update=update)])


def enter(status: Status, now: float, phase: Phase, **update: Any) -> Status:
    """Change the phase; the clocks and holds of the old one are gone."""
    cleared = {"phase_since": now, "written_at": None, "verified_at": None, "withdrawn_at": None, **NOT_HELD}
    return status.model_copy(update={"phase": phase, **cleared, **update})


def is_refusal(ctx: Context, reason: str) -> bool:
    """Whether a reason to wait or to turn round is that the API server does not take an object: it has its words."""
    words = [failure.text for failure in ctx.seen.failures.values() if failure.refused]
    if ctx.canary and ctx.canary.refused:
        words.append(ctx.canary.problem)
    return any(each and each in reason for each in words)


def begin(ctx: Context) -> Status:
    """Start a release of the desired revision."""
    seen, status = ctx.seen, ctx.status
    target = Version(revision=seen.desired_revision, image=seen.desired_image)
    release = Release(
        id=f"{seen.desired_revision.rsplit('-', 1)[-1]}-{int(ctx.now * 1000):x}",
        started_at=ctx.now,
        requested_by=clean(seen.requested_by),
        reason=told(seen.reason, REASON),
        generation=seen.generation,
        from_version=status.stable,
        to_version=target,
        pair=seen.desired_pair,
    )
    again = [entry for entry in status.refused if entry.revision != target.revision]
    status = status.model_copy(update={"refused": again})
    fresh = {"canary": target, "release": release, "step": 0, "gate_passed": -1, "weight": Weight(), "previous": None}
    entered = enter(status, ctx.now, Phase.PREPARING, **fresh, steps=len(ctx.steps), judge="", analysis={})
    origin = f"from {name_of(status.stable, target)}" if status.stable else "as the first version"
    said = f"releasing {name_of(target, status.stable)} {origin}"
    return _in_spite_of(ctx, write_journal(entered, ctx.now, JournalKind.STARTED, said))


def _in_spite_of(ctx: Context, status: Status) -> Status:
    """Note in the journal which rollbacks a person has forgiven what comes in now."""
    pair = ctx.seen.desired_pair
    for entry in ctx.seen.memory.of(pair)[:MOST_FORGIVEN] if pair else ():
        if entry.forgiven is not None:
            by = f" by {clean(entry.forgiven.by)}" if entry.forgiven.by else ""
            status = write_journal(
                status, ctx.now, JournalKind.FORGIVEN, f"{entry.told()}; forgiven{by}: {entry.forgiven.reason}"
            )
    return status


def begin_step(status: Status, now: float, index: int, weight: int, hold: float) -> Status:
    """Ask for the weight of step ``index`` and open its record; the time to write and verify it runs from now."""
    status = change_step(status, ended_at=now)
    if status.release is None:
        return status
    record = StepRecord(index=index, weight=weight, hold_seconds=hold, started_at=now)
    steps = [*status.release.steps, record][-STEPS_LIMIT:]
    opened = change_release(status, steps=steps)
    asked = opened.model_copy(
        update={
            "weight": Weight(desired=weight),
            "phase_since": now,
            "written_at": None,
            "verified_at": None,
            "withdrawn_at": None,
            **NOT_HELD,
        }
    )
    return write_journal(asked, now, JournalKind.WEIGHT, f"step {index + 1}: asking for {weight} %", weight=weight)


def roll_back(ctx: Context, outcome: Outcome, reason: str, *, convicted: bool = False) -> Status:
    """Turn round: the canary's weight is 0 from this status on. In a bake, stable and canary change places first.

    ``convicted`` says that what was measured speaks against it, so that it is remembered.
    """
    on_what = on_evidence(ctx.status, ctx.seen, convicted=convicted) if outcome is Outcome.ROLLED_BACK else ""
    refused = is_refusal(ctx, reason)
    status, reason = ctx.status, told(reason, JOURNAL_ENTRY)
    if status.phase is Phase.BAKING:
        status = status.model_copy(update={"stable": status.previous, "canary": status.stable, "previous": None})
    verdict, evidence, excess = evidence_at_end(ctx.seen)
    status = change_step(status, ended_at=ctx.now, verdict=str(verdict.get("verdict", "")))
    status = change_release(
        status,
        outcome=outcome,
        outcome_reason=reason,
        verdict_at_end=verdict,
        excess_failed_requests=excess,
        reaction=Reaction(evidence_at=evidence, decided_at=ctx.now),
        refused=refused,
        evidence=on_what,
    )
    status = enter(status, ctx.now, Phase.ROLLING_BACK, weight=Weight(), paused=None)
    return write_journal(status, ctx.now, JournalKind(outcome.value), reason, weight=0)


def finish(status: Status, now: float, phase: Phase, outcome: Outcome, reason: str) -> Status:
    """End the release: it becomes `last`, and its record is due. A pause outlives it: no other starts before resume."""
    reason = told(reason, JOURNAL_ENTRY)
    status = write_journal(status, now, JournalKind.ENDED, f"{outcome.value}: {reason}")
    status = change_release(status, outcome=outcome, outcome_reason=reason, ended_at=now)
    done = {"last": status.release, "release": None, "canary": None, "previous": None, "weight": Weight(), "judge": ""}
    return enter(status, now, phase, **done, step=0)


def refuse(status: Status, now: float, version: Version, reason: str) -> Status:
    """Do not try this revision again by itself."""
    others = [entry for entry in status.refused if entry.revision != version.revision]
    entry = Refusal(revision=version.revision, image=version.image, at=now, reason=told(reason, REASON))
    return status.model_copy(update={"refused": [*others, entry][-REFUSED_LIMIT:]})


def is_refused(status: Status, revision: str) -> bool:
    """Whether this revision was taken back and nobody said `retry` since."""
    return any(entry.revision == revision for entry in status.refused)
