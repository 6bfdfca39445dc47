"""A small world in virtual time, in which nothing follows at once.

Pods take time to become ready, the gateway takes time to accept a route and its data plane to obey it, requests spread
by chance, actions fail, and people edit what is not theirs.

All times are multiples of 1/64 s, which floats and microseconds both hold exactly.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from rollout.api.revision import image_of, revision_of
from rollout.api.spec import Spec
from rollout.api.status import Command, Phase, Status
from rollout.decide.actions import (
    Action,
    EnsureRevision,
    Finalize,
    Guard,
    KeepRecord,
    Retire,
    RetireRoute,
    Scale,
    Shift,
)
from rollout.decide.observation import (
    Failure,
    Observation,
    RevisionFacts,
    ShareFacts,
)
from rollout.judge.verdict.verdicts import Assessment, Verdict

NAME = "shop"
EPOCH = 1_800_000_000.0
JUDGED = {Phase.STEPPING, Phase.PROMOTING, Phase.BAKING}


def spec_of(image: str = "v1", **changes: Any) -> Spec:
    """A service of four pods, three short steps and one signal; ``changes`` are merged into it."""
    base: dict[str, Any] = {
        "workload": {
            "replicas": 4,
            "template": {"spec": {"containers": [{"name": "main", "image": image}]}},
            "ports": [{"name": "http", "port": 80}],
        },
        "traffic": {"parents": [{"name": "gateway"}]},
        "strategy": {
            "steps": [{"weight": 5, "hold": 5}, {"weight": 20, "hold": 5}, {"weight": 50, "hold": 5}],
            "ready_deadline": 60,
            "verify_deadline": 30,
            "bake": 20,
            "drain": 5,
        },
        "analysis": {"signals": [{"name": "errors", "kind": "errors", "source": "pods"}]},
    }
    return Spec.model_validate(_merged(base, changes))


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    made = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(made.get(key), dict)
        made[key] = _merged(made[key], value) if both else value
    return made


def revision(image: str) -> str:
    """Name of the revision of :func:`spec_of` with this image."""
    return revision_of(NAME, spec_of(image))


@dataclass
class Image:
    """How pods of an image behave."""

    ready_after: float = 2.0
    ready: bool = True
    most_ready: int = 1000
    problem: str = ""
    fatal: bool = False
    disrupted: bool = False
    threatened: int = 0
    altered: str = ""
    verdict: str | None = None


@dataclass
class Deployment:
    """Pods of one revision, by the time they were made."""

    image: str
    born: list[float] = field(default_factory=list)
    asked: int | None = None
    declared: int | None = None
    spare: int = 0
    keeps_last: bool = False

    def scale(self, replicas: int, now: float) -> None:
        del self.born[replicas:]
        self.born += [now] * (replicas - len(self.born))


@dataclass
class World:
    """The cluster, the gateway and the people."""

    spec: Spec
    now: float = EPOCH
    rate: float = 100.0
    verdict: str | None = "good"
    images: dict[str, Image] = field(default_factory=dict)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    route: dict[str, int] | None = None
    foreign_writer: str = ""
    outdated: bool = False
    accepts: bool = True
    accept_after: float = 0.25
    plane_after: float = 0.125
    plane_follows: bool = True
    countable: bool = True
    by_gateway: bool = True
    missing: float = 0.0
    strangers: dict[str, int] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    command: Command | None = None
    sees_nodes: bool | None = True
    deleted: bool = False
    finalized: str = ""
    generation: int = 1
    broken: set[str] = field(default_factory=set)
    records: list[str] = field(default_factory=list)
    log: list[Action] = field(default_factory=list)
    lost: int = 0
    written_at: float | None = None
    _commands: int = 0
    _plane: dict[str, int] = field(default_factory=dict)
    _changed_at: float = 0.0
    _answered: dict[str, int] = field(default_factory=dict)
    _last_at: dict[str, float] = field(default_factory=dict)
    _random: random.Random = field(default_factory=lambda: random.Random(20260101))  # noqa: S311

    # ------------------------------------------------------------------ people

    def want(self, image: str | None = None, **changes: Any) -> None:
        """Apply another spec."""
        self.spec = spec_of(image or image_of(self.spec), **changes)
        self.generation += 1

    def say(self, verb: str, **rest: str) -> None:
        """Give a command."""
        self._commands += 1
        self.command = Command(id=f"c{self._commands}", verb=verb, by="ann", **rest)

    def edit_route(self, weights: dict[str, int] | None) -> None:
        """Somebody else writes the route."""
        self._set_route(weights)
        self.foreign_writer = "kubectl-edit"

    def image(self, name: str) -> Image:
        """Behaviour of an image, to change it."""
        return self.images.setdefault(name, Image())

    # ------------------------------------------------------------------ physics

    def _set_route(self, weights: dict[str, int] | None) -> None:
        self.route, self._changed_at = weights, self.now
        self._answered = {}

    def ready_pods(self, name: str) -> int:
        found = self.deployments.get(name)
        if found is None:
            return 0
        image = self.images.get(found.image, Image())
        old_enough = sum(self.now - born >= image.ready_after for born in found.born)
        return min(old_enough, image.most_ready) if image.ready and not image.fatal else 0

    def pass_time(self, seconds: float) -> None:
        """Let time go by, and requests come."""
        self.now += seconds
        if self.plane_follows and self.now - self._changed_at >= self.plane_after:
            self._plane = dict(self.route or {})
        total = sum(self._plane.values())
        if not total:
            return
        names = list(self._plane)
        weights = [self._plane[name] for name in names]
        due = self.rate * seconds
        count = int(due) + (self._random.random() < due - int(due))
        for name in self._random.choices(names, weights, k=count):
            self._answered[name] = self._answered.get(name, 0) + 1
            self._last_at[name] = self.now
            self.lost += not self.ready_pods(name)

    def pod_numbers(self) -> dict[str, int]:
        return {name: len(found.born) for name, found in self.deployments.items()}

    # ------------------------------------------------------------------ what the engine sees and does

    def observe(self, status: Status, engine_wrote_at: float | None) -> Observation:
        trial = status.stable if status.phase is Phase.BAKING else status.canary
        judged = status.phase in JUDGED and (status.phase is Phase.BAKING or status.weight.desired > 0)
        return Observation(
            desired_revision=revision_of(NAME, self.spec),
            desired_image=image_of(self.spec),
            generation=self.generation,
            revisions={name: self._facts(name) for name in self.deployments},
            share=self._share(trial.revision if trial else ""),
            written_at=engine_wrote_at,
            assessment=self._assessment(trial.image if trial else "") if judged else None,
            assessed_at=self.now if judged else None,
            command=self.command,
            failures=self.failures,
            deleted=self.deleted,
            sees_nodes=self.sees_nodes,
            recorded=self.records[-1] if self.records else "",
        )

    def _facts(self, name: str) -> RevisionFacts:
        found, ready = self.deployments[name], self.ready_pods(name)
        image = self.images.get(found.image, Image())
        short = ready < len(found.born)
        return RevisionFacts(
            len(found.born),
            ready,
            image.problem if short else "",
            short and image.fatal,
            asked=found.asked,
            declared=found.declared,
            disrupted=len(found.born) - ready if image.disrupted else 0,
            threatened=min(ready, image.threatened),
            spare=found.spare,
            keeps_last=found.keeps_last,
            altered=image.altered,
        )

    def _share(self, trial: str) -> ShareFacts:
        total = sum(self._answered.values()) if self.countable else 0
        last = self._last_at.get(trial, EPOCH)
        return ShareFacts(
            exists=self.route is not None,
            weights=dict(self.route or {}),
            accepted=self.route is not None and self.accepts and self.now - self._changed_at >= self.accept_after,
            problem="" if self.accepts else "NoMatchingParent",
            canary_share=self._answered.get(trial, 0) / total if total else None,
            requests=total,
            canary_quiet_seconds=self.now - last if self.countable else None,
            outdated=self.outdated,
            foreign_writer=self.foreign_writer,
            foreign_backends=self.strangers,
            by_gateway=self.by_gateway,
            missing=self.missing,
            missing_seconds=5.0 if self.missing else 0.0,
        )

    def _assessment(self, image: str) -> Assessment | None:
        verdict = self.images.get(image, Image()).verdict or self.verdict
        if verdict is None or not self.spec.analysis.signals:
            return None
        return Assessment(
            verdict=Verdict(verdict),
            log_e=5.0,
            culprits=("errors",) if verdict == "bad" else (),
            excess_failed_requests=7.0 if verdict == "bad" else 0.0,
            evidence_at=self.now - 1 if verdict == "bad" else None,
            reason=f"errors {verdict}",
        )

    def perform(self, action: Action) -> bool:
        """Do one action; False when the API server does not take it."""
        if type(action).__name__ in self.broken:
            return False
        self.log.append(action)
        match action:
            case Shift(weights):
                if weights != self.route:
                    self._set_route(dict(weights))
                self.foreign_writer, self.outdated = "", False
            case RetireRoute():
                self._set_route(None)
            case KeepRecord(release):
                self.records += [release.id] if release.id not in self.records else []
            case Finalize(orphan):
                self.finalized = "orphaned" if orphan else "removed"
            case _:
                self._change_pods(action)
        return True

    def _ask(self, found: Deployment, replicas: int, spare: int = 0) -> None:
        """The engine scales a Deployment, and notes on it what it asked for and what the spec said then."""
        found.scale(replicas, self.now)
        found.asked, found.declared, found.spare = replicas, self.spec.workload.pods, spare

    def _change_pods(self, action: Action) -> None:
        match action:
            case EnsureRevision(name, replicas) if name == revision_of(NAME, self.spec):
                self._ask(self.deployments.setdefault(name, Deployment(image_of(self.spec))), replicas)
            case Scale(name, replicas, spare) if name in self.deployments:
                self._ask(self.deployments[name], replicas, spare)
            case Guard(name, keeps_last) if name in self.deployments:
                self.deployments[name].keeps_last = keeps_last
            case Retire(name):
                self.deployments.pop(name, None)
