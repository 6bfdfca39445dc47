"""What can be done with a version, by how its pods run and how traffic comes to it: pure facts, no client.

`strategy.driver` names how the pods run; a route stands before them where the spec has `traffic`. Each side says what
it can do, and the two together can do what both can. The decision asks these and never who drives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollout.api.strategy import DriverName, not_built

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout.api.spec import Spec
    from rollout.api.status import Status

ALL = 100


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a driver can do.

    Attributes:
        divisible: two versions run side by side, and any share can be given to one of them.
        keeps_old: the version before keeps its pods until the bake is over, so that the way back is one write.
        counts_requests: whoever moves the share also counts what reaches each version.
    """

    divisible: bool
    keeps_old: bool
    counts_requests: bool

    def __and__(self, other: Capabilities) -> Capabilities:
        """What both can."""
        return Capabilities(
            self.divisible and other.divisible,
            self.keeps_old and other.keeps_old,
            self.counts_requests and other.counts_requests,
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of driver: of traffic, or of a workload."""

    name: str
    can: Capabilities


HTTPROUTE = Kind("an HTTPRoute", Capabilities(divisible=True, keeps_old=True, counts_requests=True))
NO_TRAFFIC = Kind("no route", Capabilities(divisible=False, keeps_old=False, counts_requests=False))
DEPLOYMENT = Kind("a Deployment", Capabilities(divisible=True, keeps_old=True, counts_requests=True))

WORKLOADS: dict[str, Kind] = {DriverName.GATEWAY: DEPLOYMENT}
"""How pods run, by `strategy.driver`: a row for each of :data:`rollout.api.strategy.BUILT`."""


def traffic_of(spec: Spec) -> Kind:
    """How traffic comes to the versions of a spec."""
    return NO_TRAFFIC if spec.traffic is None else HTTPROUTE


def capabilities_of(spec: Spec) -> Capabilities:
    """What the drivers of a spec can do together; nothing where one of them is not built."""
    workload = WORKLOADS.get(spec.strategy.driver)
    return NO_TRAFFIC.can if workload is None else traffic_of(spec).can & workload.can


def in_force(spec: Spec, status: Status, *, routed: bool) -> Capabilities:
    """What can be done with the release in flight: one that began with a route keeps it, whatever becomes of the spec.

    Args:
        spec: as it is now.
        status: of the release.
        routed: whether its route is there.
    """
    began_with_one = status.release is not None and status.stable is not None and routed
    workload = WORKLOADS.get(spec.strategy.driver)
    return HTTPROUTE.can & workload.can if began_with_one and workload else capabilities_of(spec)


def plan_problems(spec: Spec) -> list[str]:
    """What of a spec its drivers cannot do, a sentence each: asked by `plan`, by `start` and by the engine."""
    workload = WORKLOADS.get(spec.strategy.driver)
    if workload is None:
        return [not_built(spec.strategy.driver, WORKLOADS)]
    return [*_shares(spec, workload), *_ways_back(spec, workload)]


def _shares(spec: Spec, workload: Kind) -> Iterator[str]:
    for step in () if workload.can.divisible else spec.strategy.steps:
        if step.weight < ALL:
            yield (
                f"strategy.steps: {step.weight} % cannot be given: driver {spec.strategy.driver} runs {workload.name}, "
                f"which is not divisible; write one step with weight: {ALL}"
            )


def _ways_back(spec: Spec, workload: Kind) -> Iterator[str]:
    if spec.traffic is not None and not workload.can.keeps_old:
        yield (
            f"traffic: driver {spec.strategy.driver} runs {workload.name}, which does not keep the version before, so "
            "that a route would have nothing to go back to; take traffic out of the spec"
        )


def plan_warnings(spec: Spec) -> Iterator[str]:
    """What a release of a spec does less well than it could, a sentence each."""
    can = capabilities_of(spec)
    if traffic_of(spec) is NO_TRAFFIC:
        yield "no traffic is declared: the new version replaces the old one at once, without a share"
    if not can.keeps_old:
        yield (
            "the version before gives up its pods: a rollback is slow, it takes as long as they need to start "
            f"(up to {spec.strategy.ready_deadline:g} s)"
        )
