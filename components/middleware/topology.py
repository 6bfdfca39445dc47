"""The reconciler of topologies: a pod of the engine's image that makes true what members of its stack should hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from components.model.component import INSTANCE, Component
from components.model.endpoints import API_SERVER, RECONCILERS, SCRAPERS, Endpoint
from components.model.observability import AlertRule, Dashboard, Panel, gone
from components.model.pods import Container, FieldPath, Pod, Probe, Resources, Sizes, sleep
from components.model.profiles import Size
from components.model.settings import WorkloadSettings
from components.model.standing import Deviation, real
from components.model.values import Image
from components.workloads.baseline import deployment
from components.workloads.network import policy
from components.workloads.roles import granted, rule
from topology.api.spec import EVERY_SECONDS, PLURAL, manifest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.model.topology import DeclaredTopology
    from kube.kinds import Manifest

METRICS_PORT = 9465
CREDENTIALS = "/run/topology"
SIZES: Sizes = dict.fromkeys(Size, Resources("20m", "160Mi"))
STALE_SECONDS = 10 * EVERY_SECONDS


class TopologySettings(WorkloadSettings):
    """Settings of the reconciler."""

    image: Image = Field(description="of the engine: the reconciler is another entry of it, `python -m topology`")


class Topology(Component[TopologySettings]):
    """A Deployment of one, its rights, and a Topology object for each member that declares one."""

    kind = "topology"
    modes = (
        real(
            "tests/catalogue/test_topology_on_cluster.py::test_a_topology_from_its_declaration_to_its_end",
            "tests/catalogue/test_topology_of_streams_on_cluster.py::test_all_is_made_and_a_second_look_writes_nothing",
        ),
    )
    reads = RECONCILERS
    deviations = (Deviation("token", "", "it is a controller: it watches Topology objects and writes their status"),)
    endpoints = (Endpoint("metrics", METRICS_PORT, SCRAPERS, "its own metrics, and its health"),)

    @property
    def declared(self) -> dict[str, DeclaredTopology]:
        """What the members declare, by name."""
        found = ((name, member.topology()) for name, member in sorted(self.scope.members.items()))
        return {name: each for name, each in found if each is not None}

    def manifests(self) -> Iterable[Manifest]:
        """Rights, policy, Deployment, and the objects."""
        place = self.environment.namespace
        yield from granted("Role", {"name": self.name}, place, self.name, RIGHTS)
        yield policy(self, [API_SERVER])
        yield from deployment(self, self._pod(), replicas=1)
        yield from (manifest(name, each.spec) for name, each in self.declared.items())

    def _pod(self) -> Pod:
        found = self.declared
        volumes = {
            name: {"projected": {"defaultMode": 0o440, "sources": [dict(source) for source in each.files]}}
            for name, each in found.items()
        }
        container = Container(
            name="topology",
            image=self.environment.image(self.settings.image),
            command=("python3", "-m", "topology"),
            args=(
                "reconcile",
                f"--name={self.name}",
                f"--selector={INSTANCE}={self.name}",
                f"--credentials={CREDENTIALS}",
                f"--metrics-port={METRICS_PORT}",
                "--log-format=json",
            ),
            env={"POD_NAME": FieldPath("metadata.name"), "POD_NAMESPACE": FieldPath("metadata.namespace")},
            mounts={f"{CREDENTIALS}/{name}": name for name in found},
            resources=self.sized(SIZES),
            startup=Probe(METRICS_PORT, "/healthz", every_s=1, failures=120),
            readiness=Probe(METRICS_PORT, "/readyz", every_s=5),
            liveness=Probe(METRICS_PORT, "/healthz", every_s=10),
            pre_stop=sleep(1),
        )
        return Pod(containers=(container,), volumes=volumes, token=True)

    def alerts(self) -> Iterable[AlertRule]:
        """Something is refused or fails, a system is not seen, nobody reconciles."""
        own, who = self.metrics_selector, f"{self.environment.namespace}/{self.name}"
        wrong = f'max by (topology, state) (grayling_topology_items{{{own},state=~"Refused|Failed"}}) > 0'
        yield AlertRule("TopologyRefused", wrong, f"{who}: something is not as declared, and will not be by itself")
        old = f"time() - min by (topology) (grayling_topology_seen_timestamp_seconds{{{own}}}) > {STALE_SECONDS}"
        yield AlertRule("TopologyStale", old, f"{who}: a system was not seen for {STALE_SECONDS // 60} minutes")
        yield gone("TopologyDown", own, f"{who}: nobody reconciles topologies", "5m")

    def dashboard(self) -> Dashboard:
        """Items by state, age of what is known, writes."""
        own = self.metrics_selector
        return Dashboard(
            f"{self.environment.namespace} / {self.name}",
            (
                Panel("Items", f"sum by (topology, state) (grayling_topology_items{{{own}}})"),
                Panel(
                    "Seen before",
                    f"time() - max by (topology) (grayling_topology_seen_timestamp_seconds{{{own}}})",
                    "s",
                ),
                Panel("Ready", f"min by (topology) (grayling_topology_ready{{{own}}})"),
                Panel("Writes", f"sum by (topology) (rate(grayling_topology_writes_total{{{own}}}[5m]))", "ops"),
            ),
        )


RIGHTS = (
    rule("grayling.dev", [PLURAL], ["get", "list", "watch"]),
    rule("grayling.dev", [f"{PLURAL}/status"], ["get", "patch", "update"]),
    rule("coordination.k8s.io", ["leases"], ["get", "create", "patch", "update"]),
)
