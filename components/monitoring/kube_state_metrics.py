"""kube-state-metrics: what the API server says of quotas, pods that cannot start, Jobs, and room for disruption.

What a system says of itself the other alerts know. This one tells what is not there to say anything: pods that a quota
refuses, that no node takes, whose image nobody has. It sees the namespace of its stack, and of that only what is
alarmed or drawn: five kinds of objects, by a Role, and of their metrics those that a rule or a panel reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model.component import Component
from components.model.endpoints import API_SERVER, METRICS, SCRAPERS, Endpoint
from components.model.exhaustion import warnings
from components.model.observability import AlertRule, Dashboard, Panel, Resource, gone
from components.model.pods import Container, Pod, Probe, Resources, Sizes, sleep
from components.model.profiles import Size
from components.model.settings import WorkloadSettings
from components.model.standing import Deviation, real
from components.model.values import Image
from components.workloads.baseline import deployment
from components.workloads.network import policy
from components.workloads.roles import granted, rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kube.kinds import Manifest

IMAGE = "registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.18.0"
PORT, OWN_PORT = 8080, 8081
SIZES: Sizes = dict.fromkeys(Size, Resources("10m", "96Mi"))
READ = {
    "": ("pods", "resourcequotas"),
    "apps": ("deployments",),
    "batch": ("jobs",),
    "policy": ("poddisruptionbudgets",),
}
"""Resources by their API group: those that a rule or a panel needs."""

QUOTA, PHASE, UNSCHEDULABLE = "kube_resourcequota", "kube_pod_status_phase", "kube_pod_status_unschedulable"
WAITS = ("kube_pod_container_status_waiting_reason", "kube_pod_init_container_status_waiting_reason")
"""Of containers, and of those that come before them."""

CONDITION, FAILED = "kube_deployment_status_condition", "kube_job_failed"
ROOM, PROTECTED = (
    "kube_poddisruptionbudget_status_pod_disruptions_allowed",
    "kube_poddisruptionbudget_status_expected_pods",
)
KEPT = (QUOTA, PHASE, UNSCHEDULABLE, *WAITS, CONDITION, FAILED, ROOM, PROTECTED)
ALWAYS_THERE = (PHASE, CONDITION, PROTECTED)
"""Its own pod, Deployment and budget have these, so that without them something may not be read."""

FULL = 0.95
SHOWN = "tests/catalogue/test_exporters_on_cluster.py"


class KubeStateMetricsSettings(WorkloadSettings):
    """Settings of what asks the API server."""

    image: Image = IMAGE


class KubeStateMetrics(Component[KubeStateMetricsSettings]):
    """A Deployment of one: it keeps nothing, and reads all again when it starts."""

    kind = "kube-state-metrics"
    room = "monitoring"
    modes = (real(f"{SHOWN}::test_a_quota_that_fills_is_told_with_what_it_refuses"),)
    endpoints = (Endpoint(METRICS, PORT, SCRAPERS, "state of quotas, pods, Deployments, Jobs and disruption budgets"),)
    deviations = (Deviation("token", "", "asks the API server for the objects that it tells of"),)

    def manifests(self) -> Iterable[Manifest]:
        """Rights, policy, Deployment."""
        space = self.environment.namespace
        rules = [rule(group, names, ("list", "watch")) for group, names in READ.items()]
        yield from granted("Role", {"name": self.name, "namespace": space}, space, self.name, rules)
        yield policy(self, [API_SERVER])
        yield from deployment(self, Pod(containers=(self._exporter(),), token=True), replicas=1)

    def _exporter(self) -> Container:
        read = sorted(name for names in READ.values() for name in names)
        return Container(
            name="kube-state-metrics",
            image=self.environment.image(self.settings.image),
            args=(
                f"--port={PORT}",
                f"--telemetry-port={OWN_PORT}",
                "--telemetry-host=127.0.0.1",
                f"--namespaces={self.environment.namespace}",
                f"--resources={','.join(read)}",
                f"--metric-allowlist={','.join(f'^{name}$' for name in KEPT)}",
                "--auto-gomemlimit",
            ),
            resources=self.sized(SIZES),
            readiness=Probe(PORT, "/livez"),  # whether the API server answers it
            liveness=Probe(PORT, "/healthz", every_s=10, failures=6),
            pre_stop=sleep(1),
        )

    @property
    def _quotas(self) -> str:
        """Share of each quota that is used; one of nothing at all is never used up."""
        own = self.metrics_selector
        return f'({QUOTA}{{{own},type="used"}} / ignoring (type) ({QUOTA}{{{own},type="hard"}} > 0))'

    @property
    def _waiting(self) -> str:
        """Containers that do not run, but for those whose turn has not come."""
        return f'{{__name__=~"{"|".join(WAITS)}",{self.metrics_selector},reason!="PodInitializing"}}'

    def resources(self) -> Iterable[Resource]:
        """The fullest quota."""
        yield Resource("quota", "QuotaFills", f"max({self._quotas})", "will have a quota that is used up")

    def alerts(self) -> Iterable[AlertRule]:
        """Gone or blind, quotas, pods that are not made, not placed or not started, Jobs, no room for disruption."""
        own = self.metrics_selector
        who = f"{self.environment.namespace}/{self.name}"
        yield gone("KubeStateMetricsDown", own, f"{who} does not answer: quotas and pods that cannot start go unseen")
        unseen = " or ".join(f"absent({name}{{{own}}})" for name in ALWAYS_THERE)
        blind = f"({unseen}) and on () sum(up{{{own}}}) > 0"
        yield AlertRule("KubeStateMetricsBlind", blind, f"{who} may not read what it should, or cannot", "10m")
        yield from self._of_quotas(own, who)
        yield from self._of_pods(own, who)
        failed = f'max by (job_name) ({FAILED}{{{own},condition="true"}}) == 1'
        yield AlertRule("JobFailed", failed, f"{who}: a Job has failed, and is not tried again", "1m")
        none = f"max by (poddisruptionbudget) ({ROOM}{{{own}}}) == 0"
        meant = f"max by (poddisruptionbudget) ({PROTECTED}{{{own}}}) > 0"
        says = f"{who}: pods are missing, or a budget allows none to go; a node cannot be drained"
        yield AlertRule("DisruptionWithoutRoom", f"{none} and {meant}", says, "30m")

    def _of_quotas(self, own: str, who: str) -> Iterable[AlertRule]:
        full = f"max by (resourcequota, resource) ({self._quotas}) > {FULL}"
        yield AlertRule("QuotaFull", full, f"{who}: over {FULL:.0%} of a quota is used", "15m")
        yield from warnings(self)
        refused = f'max by (deployment) ({CONDITION}{{{own},condition="ReplicaFailure",status="true"}}) == 1'
        yield AlertRule(
            "PodsRefused", refused, f"{who}: the API server refuses pods of a Deployment (a quota, a policy)"
        )

    def _of_pods(self, own: str, who: str) -> Iterable[AlertRule]:
        nowhere = f"max by (exported_pod) ({UNSCHEDULABLE}{{{own}}}) == 1"
        yield AlertRule("PodNotScheduled", nowhere, f"{who}: no node takes a pod", "10m")
        # One that ends again and again runs between two waits.
        stuck = f"max by (exported_pod, exported_container) (max_over_time({self._waiting}[5m])) == 1"
        says = f"{who}: a container does not start (no image, no Secret, no volume), or ends again and again"
        yield AlertRule("ContainerNotStarted", stuck, says, "10m")

    def dashboard(self) -> Dashboard:
        """Quotas, pods by their phase, what cannot start, and where none may go."""
        own = self.metrics_selector
        room = f"min by (poddisruptionbudget) ({ROOM}{{{own}}})"
        return Dashboard(
            f"{self.environment.namespace} / {self.name}",
            (
                Panel("Quotas in use", f"max by (resourcequota, resource) ({self._quotas})", "percentunit",
                      names="{{resourcequota}}: {{resource}}", about="Empty where the namespace has no quota"),
                Panel("Pods", f"sum by (phase) ({PHASE}{{{own}}})", "none", names="{{phase}}"),
                Panel("Containers that wait", f"sum by (reason) ({self._waiting})", "none",
                      names="{{reason}}", about="Empty while all is well"),
                Panel("Pods that may go now", room, "none", names="{{poddisruptionbudget}}",
                      about="Where it stays at 0, a node cannot be drained"),
            ),
        )  # fmt: skip
