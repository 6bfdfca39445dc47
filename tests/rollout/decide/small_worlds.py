"""Small worlds, whole: two steps, two pods, few facts, and every look that an engine could have at them.

A state is a status and the world it is in, told apart only by what the next decision can depend on: names of revisions
are roles, times are how long ago something was, in ticks up to the longest deadline. All deadlines are whole ticks, so
that nothing is lost by that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from rollout.api.status import (
    Command,
    Outcome,
    Phase,
    Status,
    Version,
)
from rollout.decide.actions import (
    EnsureRevision,
    Retire,
    RetireRoute,
    Scale,
    Shift,
)
from rollout.decide.decide import decide
from rollout.decide.observation import (
    Failure,
    Observation,
    RevisionFacts,
    ShareFacts,
)
from rollout.judge.verdict.verdicts import Assessment, Verdict
from tests.rollout.decide.world import EPOCH, JUDGED, revision, spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout.api.spec import Spec
    from rollout.decide.actions import Action

TICK = 10.0
REFUSING = {Outcome.ROLLED_BACK, Outcome.ABORTED}
REVISIONS = {image: revision(image) for image in ("v1", "v2", "v3")}
V1 = REVISIONS["v1"]


@cache
def spec_named(name: str) -> Spec:
    """The specs that people may apply."""
    hold = {"action": "hold", "deadline": 2 * TICK}
    policies = {"no_data": hold, "no_traffic": hold | {"then": "go-on"}, "source_down": hold | {"deadline": TICK}}
    signals = [] if name == "unjudged" else [{"name": "errors", "kind": "errors", "source": "pods"}]
    steps = [{"weight": 20, "hold": TICK}, {"weight": 50, "hold": TICK}]
    deadlines = {"ready_deadline": 2 * TICK, "verify_deadline": TICK, "bake": TICK, "drain": TICK}
    changes: dict[str, Any] = {
        "workload": {"replicas": 2},
        "strategy": {"steps": steps, **deadlines},
        "analysis": {"signals": signals, **policies},
    }
    if name == "without-traffic":
        changes["traffic"] = None
    return spec_of(_image(name), **changes)


class Look(NamedTuple):
    """What one look meets."""

    ticks: int = 1
    judge: str = "good"
    pods: str = "ready"
    gateway: str = "obeys"
    verb: str = ""
    edit: str = ""


JUDGE = ("good", "bad", "undecided", "no-traffic", "source-down", "silent", "of-before")
PODS = ("ready", "unready", "evicted", "all-down", "crashing")
GATEWAY = ("obeys", "refuses", "uncounted", "no-answers", "unmoved", "lags", "unwritten", "stranger")
VERBS = ("pause", "resume", "promote", "abort", "retry")
EDITS = ("v1", "v3", "v2", "without-traffic")


@dataclass(frozen=True)
class State:
    """A status in its world."""

    status: Status
    now: float
    spec: str
    route: tuple[tuple[str, int], ...]
    pods: tuple[tuple[str, int], ...]
    said: int = 0

    @property
    def key(self) -> tuple[Any, ...]:
        """What the next decision depends on."""
        status = self.status
        roles = {version.revision: role for role, version in _roles(status) if version}
        desired = REVISIONS[_image(self.spec)]
        refused = any(entry.revision == desired for entry in status.refused)
        where = (
            status.phase,
            self.spec.rstrip("123"),
            roles.get(desired),
            refused,
            bool(status.paused),
            status.stable is None,
        )
        if status.phase in {Phase.IDLE, Phase.ROLLED_BACK}:
            return (*where, bool(status.last and status.last.incomplete), self._shown(roles))
        if status.phase is Phase.ROLLING_BACK:
            release = status.release
            ends = (release.outcome in REFUSING, bool(release.steps)) if release else ()
            clocks = self._ago(status.phase_since, 3), self._ago(status.written_at, 1)
            return (*where, *ends, *clocks, self._shown(roles))
        return (
            *where,
            *self._under_way(),
            tuple(sorted((roles.get(name, "other"), share) for name, share in self.route)),
        )

    def _under_way(self) -> tuple[Any, ...]:
        status, release = self.status, self.status.release
        newest = release.steps[-1] if release and release.steps else None
        pods = {name: count for name, count in self.pods if count}
        return (
            *(status.step, status.steps, status.gate_passed, status.doubt),
            *(status.weight.desired, status.weight.accepted == status.weight.desired),
            *(status.written_at is None, status.verified_at is None),
            *self._clocks(),
            newest and (newest.ended_at is None, newest.verified_at is None, newest.verdict.startswith("skipped")),
            *(pods.get(version.revision, 0) for _, version in _roles(status) if version),
        )

    def _clocks(self) -> Iterator[int | None]:
        """How long ago things were on which a decision may depend; each up to where more makes no difference."""
        status = self.status
        if status.phase is Phase.BAKING:
            yield self._ago(status.phase_since, 3)
            return
        if status.verified_at is not None:
            yield self._ago(status.verified_at, 1)
        elif status.phase is not Phase.PREPARING:
            yield self._ago(status.phase_since if status.written_at is None else status.written_at, 2)
        yield from (self._ago(at, 2) for at in (status.withdrawn_at, status.doubt_since, status.held_since))

    def _shown(self, roles: dict[str, str]) -> tuple[Any, ...]:
        """The route, as far as it matters to what is at rest, or on its way there: who has any share."""
        return tuple(sorted((roles.get(name, "other"), share > 0) for name, share in self.route))

    def _ago(self, moment: float | None, most: int) -> int | None:
        return None if moment is None else min(most, int((self.now - moment) / TICK))

    # ------------------------------------------------------------------ one look

    def after(self, look: Look) -> tuple[State, Observation, tuple[Action, ...]]:
        """Let time go by, look, decide, and do what was decided."""
        now, spec = self.now + look.ticks * TICK, look.edit or self.spec
        seen = self._seen(look, spec_named(spec), now)
        status, actions = decide(spec_named(spec), self.status, seen, now)
        made = replace(self, status=status, now=now, spec=spec, said=self.said + bool(look.verb))
        for action in actions:
            made = made._done(action, writable=look.gateway != "unwritten")
        return made, seen, actions

    def _done(self, action: Action, *, writable: bool) -> State:
        pods = dict(self.pods)
        match action:
            case Shift(weights) if writable:
                return replace(self, route=tuple(sorted(weights.items())))
            case RetireRoute() if writable:
                return replace(self, route=())
            case EnsureRevision(name, count) | Scale(name, count):
                pods[name] = count
            case Retire(name):
                pods.pop(name, None)
        return replace(self, pods=tuple(sorted(pods.items())))

    def _seen(self, look: Look, spec: Spec, now: float) -> Observation:
        status = self.status
        trial = status.stable if status.phase is Phase.BAKING else status.canary
        judged = status.phase in JUDGED and (status.phase is Phase.BAKING or status.weight.desired > 0)
        heard = judged and bool(spec.analysis.signals) and look.judge != "silent"
        image = _image(look.edit or self.spec)
        unwritten = {"Shift": Failure("503", now), "RetireRoute": Failure("503", now)}
        return Observation(
            desired_revision=REVISIONS[image],
            desired_image=image,
            generation=1,
            revisions=dict(self._facts(look.pods, trial)),
            share=self._share(look.gateway, trial),
            assessment=_assessment(look.judge) if heard else None,
            assessed_at=(EPOCH - 1e6 if look.judge == "of-before" else now) if heard else None,
            failures=unwritten if look.gateway == "unwritten" else {},
            command=Command(id=f"c{self.said}", verb=look.verb) if look.verb else None,
            recorded=status.last.id if status.last else "",
        )

    def _facts(self, kind: str, trial: Version | None) -> Iterator[tuple[str, RevisionFacts]]:
        for name, count in self.pods:
            down = kind == "all-down" or (kind != "ready" and trial is not None and name == trial.revision)
            crashing = down and kind == "crashing"
            yield (
                name,
                RevisionFacts(
                    count,
                    0 if down else count,
                    problem="CrashLoopBackOff" if crashing else "",
                    fatal=crashing,
                    disrupted=count if down and kind == "evicted" else 0,
                ),
            )

    def _share(self, kind: str, trial: Version | None) -> ShareFacts:
        route = dict(self.route)
        weight = route.get(trial.revision, 0) if trial else 0
        quiet = TICK if weight == 0 and kind not in {"lags", "refuses"} else 0.0
        share = {"obeys": weight / 100, "unwritten": weight / 100, "stranger": weight / 100, "lags": 0.97}.get(
            kind, 0.0
        )
        counted = kind != "uncounted"
        silent = kind == "no-answers"
        return ShareFacts(
            exists=bool(route),
            weights=route,
            accepted=bool(route) and kind != "refuses",
            canary_share=share if counted else None,
            requests=1000 if counted else 0,
            canary_quiet_seconds=quiet if counted else None,
            foreign_backends={"stranger": 5} if kind == "stranger" else {},
            missing=20.0 if silent else 0.0,
            missing_seconds=5.0 if silent else 0.0,
        )


def _image(spec: str) -> str:
    return spec if spec in {"v1", "v3"} else "v2"


def _roles(status: Status) -> tuple[tuple[str, Version | None], ...]:
    return ("stable", status.stable), ("canary", status.canary), ("previous", status.previous)


@cache
def _assessment(verdict: str) -> Assessment:
    found = Verdict("good" if verdict == "of-before" else verdict)
    return Assessment(found, 5.0, (), 0.0, None, f"errors {verdict}")


def looks(state: State) -> tuple[Look, ...]:
    """Every look that could come next: any two facts out of the usual, and a person's word or edit amid a few."""
    judged = state.status.phase in JUDGED and bool(spec_named(state.spec).analysis.signals)
    pairs = state.spec in {"v1", "v2", "v3"} and not state.status.paused
    return _looks(state.spec, judged=judged, pairs=pairs)


@cache
def _looks(spec: str, *, judged: bool, pairs: bool) -> tuple[Look, ...]:
    usual = Look(judge="good" if judged else "silent")
    judge = [usual._replace(judge=each) for each in (JUDGE if judged else ())]
    pods = [usual._replace(pods=each) for each in PODS]
    gateway = [usual._replace(gateway=each) for each in GATEWAY]
    singles = {*judge, *pods, *gateway}
    made = singles | {look._replace(ticks=0) for look in singles}
    if pairs:
        made |= {one._replace(pods=other.pods) for one in (*judge, *gateway) for other in pods}
        made |= {one._replace(gateway=other.gateway) for one in judge for other in gateway}
    amid = {usual, usual._replace(judge="silent"), usual._replace(gateway="unwritten")}
    made |= {look._replace(verb=verb) for look in amid for verb in VERBS}
    if spec != "unjudged":
        made |= {look._replace(edit=edit) for look in amid for edit in EDITS if edit != spec}
    return tuple(sorted(made))


def beginning(spec: str = "v2", *, first: bool = False) -> State:
    """A service of two pods whose next version is wanted; or one that does not run yet."""
    if first:
        return State(Status(), EPOCH, spec, (), ())
    serves = Status(stable=Version(revision=V1, image="v1"), phase_since=EPOCH - 4 * TICK)
    route = () if spec == "without-traffic" else ((V1, 100),)
    return State(serves, EPOCH, spec, route, ((V1, 2),))
