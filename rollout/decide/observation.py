"""What the engine sees in one look at the cluster: plain facts, no judgement, no client.

`decide` reads this and nothing else; drivers and the cluster cache produce it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rollout.api.taken_back import Memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rollout.api.approval import ApprovalSpec
    from rollout.api.pair import Pair
    from rollout.api.status import Command, Status
    from rollout.judge import Assessment


CRASHES = ("CrashLoopBackOff:", "Crashed:")
"""How the problem of pods begins whose containers end by themselves."""


@dataclass(frozen=True, slots=True)
class RevisionFacts:
    """Pods of one revision.

    Attributes:
        replicas: what its Deployment asks for.
        ready: pods that are ready and not being deleted.
        problem: why it cannot become ready, in one sentence (`ImagePullBackOff: …`); empty while nothing is known.
        refused: whether `problem` is that the API server takes no pod of it (a quota, pod security, a webhook).
        fatal: whether `problem` does not mend itself (a bad image name, a crash loop, a refused pod).
        asked: how many pods the engine asked for last; None where nobody noted it. A Deployment that asks for another
            number was scaled by somebody else, a person or an autoscaler, and keeps that number.
        epoch: of the holder that wrote its objects last; None where nobody noted it.
        declared: how many the spec asked for then; None where nobody noted it.
        disrupted: pods that are missing because of a planned event: an eviction, a drain, a node that shuts down.
        threatened: ready pods on nodes that take no such pods any more, and will be drained.
        spare: how many of the pods asked for are there only because of that.
        digests: of the images that its pods run, by the reference in the pod template, as far as pods say it.
        keeps_last: its disruption budget lets the last ready pod go only when there is another.
        altered: how the revision is no longer what it was made as, and by whom; empty while it is.
    """

    replicas: int
    ready: int
    problem: str = ""
    fatal: bool = False
    epoch: int | None = None
    asked: int | None = None
    declared: int | None = None
    disrupted: int = 0
    threatened: int = 0
    spare: int = 0
    keeps_last: bool = False
    altered: str = ""
    refused: bool = False
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def crashed(self) -> bool:
        """Whether it cannot start because a container of it ends by itself, again and again."""
        return self.fatal and self.problem.startswith(CRASHES)


@dataclass(frozen=True, slots=True)
class Failure:
    """An action that the API server did not take, the newest time it was tried.

    Attributes:
        text: the API server's words, bounded.
        since: of the first failure in a row; seconds since the epoch.
        final: the object itself was refused (its schema, an admission policy): trying again cures nothing.
        refused: the object was refused; by a quota or a webhook, too, which may change their mind.
    """

    text: str
    since: float
    final: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class ShareFacts:
    """Where the traffic goes.

    Attributes:
        weights: percent per revision as the route says now; empty where there is no route.
        accepted: whether every parent accepted exactly these weights (observed generation included).
        problem: why a parent does not accept it.
        canary_share: fraction (0 to 1) of the newest requests since the weights were written that reached the canary;
            None where nothing could be counted.
        requests: how many requests that fraction is made of.
        canary_quiet_seconds: for how long no request has reached the canary; None where it cannot be counted.
        canary_endpoints: how many of the canary's pods every proxy of the gateway can reach; None where nobody can say.
        outdated: the route's hostnames, matches, parents or time-outs are not those of the spec.
        foreign_writer: the field manager that last changed the weights when it was not the engine.
        foreign_backends: percent by name of backends on the release's rule that are none of its revisions.
        by_gateway: the gateway itself counted `requests`. What pods count holds their probes and scrapes as well: it
            can confirm a share, and never contradict one.
        missing: answers of the canary that are missing: how many it would have given since its newest one, were it as
            quick and as often asked as stable. 0 where nobody can say.
        missing_seconds: for how long.
        open_requests: at the canary, begun and not answered; None where nobody can say.
    """

    exists: bool = False
    weights: Mapping[str, int] = field(default_factory=dict)
    accepted: bool = False
    problem: str = ""
    canary_share: float | None = None
    requests: int = 0
    canary_quiet_seconds: float | None = None
    canary_endpoints: int | None = None
    outdated: bool = False
    foreign_writer: str = ""
    foreign_backends: Mapping[str, int] = field(default_factory=dict)
    by_gateway: bool = True
    missing: float = 0.0
    missing_seconds: float = 0.0
    open_requests: int | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """An Approval as it is on the cluster.

    Attributes:
        says: its spec.
        made_at: when the API server took it; seconds since the epoch.
    """

    says: ApprovalSpec
    made_at: float


@dataclass(frozen=True, slots=True)
class ApprovalFacts:
    """The approvals of a release.

    Attributes:
        problem: why none can be believed now; empty where they can be.
        trusted_since: what was made before is not believed.
        given: all that can be read.
        unreadable: how many cannot be read, or were edited.
    """

    problem: str = "nobody has looked at the approvals yet"
    trusted_since: float = 0.0
    given: tuple[Given, ...] = ()
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """One look.

    Attributes:
        desired_revision: revision that the spec describes now.
        desired_image: and the image people know it by.
        generation: of the spec.
        selector: labels that all pods of the release have, as a selector's text.
        deleted: the GrayRelease is being deleted.
        watching_since: since when this engine sees and writes without a break; deadlines do not run before it.
        recorded: id of the newest release whose record is known to be kept.
        written_at: when the API server answered the engine's own last write of the weights; None before the first.
        assessment: what the judge says after this look; None while nothing is judged.
        assessed_at: when the judge was asked for `assessment`; None while it was not. What lets a step end must be of
            that step: an assessment from before its verification is none.
        failures: actions that the API server does not take, by the name of the action's class.
        sees_nodes: whether it is known which nodes are being drained; None while nobody can say.
        digest: of the spec in force, which approvals name.
        approvals: who approved what.
        blind: nobody looked; it is made of a status alone.
        desired_pair: images and configuration that the spec describes; None where nobody knows them.
        memory: what was taken back on evidence, in all namespaces that this engine sees.
        remembered: id of the newest release that this holder has put into memory itself.
        no_room: why a release that is in Preparing has to wait before anything is done; empty where it may go on.
        notes: what people should know and nothing depends on, a sentence each (a spec that is not valid, a foreign
            object with the release's labels).
    """

    desired_revision: str
    desired_image: str
    generation: int
    revisions: Mapping[str, RevisionFacts] = field(default_factory=dict)
    share: ShareFacts = field(default_factory=ShareFacts)
    written_at: float | None = None
    assessment: Assessment | None = None
    assessed_at: float | None = None
    failures: Mapping[str, Failure] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    command: Command | None = None
    requested_by: str = ""
    reason: str = ""
    selector: str = ""
    deleted: bool = False
    recorded: str = ""
    watching_since: float = 0.0
    sees_nodes: bool | None = None
    no_room: str = ""
    digest: str = ""
    approvals: ApprovalFacts = field(default_factory=ApprovalFacts)
    desired_pair: Pair | None = None
    memory: Memory = field(default_factory=Memory)
    remembered: str = ""
    blind: bool = False

    @classmethod
    def unseen(cls, status: Status) -> Observation:
        """What a status alone tells of the world, for whoever looks ahead without looking at it."""
        return cls(status.desired_revision, "", status.observed_generation, blind=True)
