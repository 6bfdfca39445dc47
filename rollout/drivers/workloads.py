"""Which driver runs the pods of a spec: one row for each `strategy.driver` that is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kube.errors import UsageError
from rollout.api.spec import DriverName
from rollout.decide.capabilities import WORKLOADS, plan_problems
from rollout.drivers.deployment import DeploymentDriver

if TYPE_CHECKING:
    from kube.cluster import Cluster
    from rollout.api.spec import Spec
    from rollout.drivers import WorkloadDriver


class Maker(Protocol):
    """Makes the driver of one GrayRelease's revisions."""

    def __call__(self, cluster: Cluster, *, namespace: str, name: str, uid: str) -> WorkloadDriver:
        """The driver of the revisions of the GrayRelease with this uid."""
        ...


MAKERS: dict[str, Maker] = {DriverName.GATEWAY: DeploymentDriver}
"""By `strategy.driver`; what each can do stands in :data:`rollout.decide.capabilities.WORKLOADS` by the same name."""


def workload_of(spec: Spec, cluster: Cluster, *, namespace: str, name: str, uid: str) -> WorkloadDriver:
    """The driver that a spec names.

    Raises:
        UsageError: it is not built.
    """
    driver = spec.strategy.driver
    if driver not in WORKLOADS or driver not in MAKERS:
        raise UsageError(f"GrayRelease {namespace}/{name}: spec.{'; spec.'.join(plan_problems(spec))}")
    return MAKERS[driver](cluster, namespace=namespace, name=name, uid=uid)
