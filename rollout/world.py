"""What the engine sees in one look at the cluster: plain facts, no judgement, no client.

`decide` reads this and nothing else; drivers and the cluster cache produce it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rollout.judge import Assessment
    from rollout.status import Command


@dataclass(frozen=True, slots=True)
class RevisionFacts:
    """Pods of one revision.

    Attributes:
        replicas: what its Deployment asks for.
        ready: pods that are ready and not being deleted.
        problem: why it cannot become ready, in one sentence (`ImagePullBackOff: …`); empty while nothing is known.
        fatal: whether `problem` does not mend itself (a bad image name, a crash loop, a refused pod).
    """

    replicas: int
    ready: int
    problem: str = ""
    fatal: bool = False


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


@dataclass(frozen=True, slots=True)
class Observation:
    """One look.

    Attributes:
        desired_revision: revision that the spec describes now.
        desired_image: and the image people know it by.
        generation: of the spec.
        deleted: the GrayRelease is being deleted.
        watching_since: since when this engine sees and writes without a break; deadlines do not run before it.
        recorded: id of the newest release whose record is known to be kept.
        written_at: when the API server answered the engine's own last write of the weights; None before the first.
        assessment: what the judge says after this look; None while nothing is judged.
    """

    desired_revision: str
    desired_image: str
    generation: int
    revisions: Mapping[str, RevisionFacts] = field(default_factory=dict)
    share: ShareFacts = field(default_factory=ShareFacts)
    written_at: float | None = None
    assessment: Assessment | None = None
    command: Command | None = None
    requested_by: str = ""
    reason: str = ""
    deleted: bool = False
    recorded: str = ""
    watching_since: float = 0.0
