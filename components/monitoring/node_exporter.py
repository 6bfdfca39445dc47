"""The node exporter: how full and how busy the machines are that carry the pods.

Without the files of the node it is as restricted as every pod, and still sees what matters: the kernel's counts of
processors, memory and pressure are of the whole machine, and its own root and `/tmp` lie on the disks that images and
pods fill. With `host` it has the root of the node, read-only, and sees every disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from components.model.component import Component
from components.model.endpoints import METRICS, SCRAPERS, Endpoint
from components.model.exhaustion import warnings
from components.model.observability import AlertRule, Dashboard, Panel, Resource, gone
from components.model.pods import Container, Pod, Probe, Resources, Sizes, sleep
from components.model.profiles import Size
from components.model.settings import Toleration, WorkloadSettings
from components.model.standing import Deviation, real
from components.model.values import Image
from components.workloads.baseline import daemon_set
from components.workloads.network import policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kube.kinds import Manifest

IMAGE = "quay.io/prometheus/node-exporter:v1.10.2"
PORT = 9100
HOST = "/host"
SIZES: Sizes = dict.fromkeys(Size, Resources("20m", "64Mi"))
COLLECTORS = ("cpu", "meminfo", "loadavg", "stat", "vmstat", "filesystem", "diskstats", "pressure", "filefd")
NO_DISKS = "^(proc|sysfs|tmpfs|devtmpfs|devpts|mqueue|cgroup2?|squashfs|nsfs|rpc_pipefs|securityfs|tracefs)$"
NOT_OF_THE_NODE = "^/(dev|proc|sys|run|etc|var)($|/)"
OF_PODS = "^/(dev|proc|sys|run|var/lib/(containerd|kubelet|docker))($|/)"
SHOWN = "tests/catalogue/test_exporters_on_cluster.py"


class NodeExporterSettings(WorkloadSettings):
    """Settings of the exporters."""

    image: Image = IMAGE
    host: bool = Field(
        default=False,
        description="sees every disk of its node, through the node's root (read-only); the namespace is then "
        "`privileged` for pod security, so only a stack of nothing but monitoring may have it",
    )
    tolerations: Annotated[list[Toleration], Field(max_length=32)] = Field(
        default_factory=lambda: [Toleration()], description="taints of nodes that are put up with; all if not given"
    )


class NodeExporter(Component[NodeExporterSettings]):
    """A DaemonSet."""

    kind = "node-exporter"
    room = "monitoring"
    modes = (
        real(f"{SHOWN}::test_every_node_is_measured_by_a_restricted_pod", name="restricted"),
        real(f"{SHOWN}::test_with_the_root_of_the_node_every_disk_is_seen", name="host"),
    )
    endpoints = (Endpoint(METRICS, PORT, SCRAPERS, "metrics of its node"),)
    deviations = (Deviation("restricted", "", "with `host` it has the root of its node, read-only"),)

    @property
    def pod_security(self) -> str:
        """With the root of the node no other standard allows it."""
        return "privileged" if self.settings.host else "restricted"

    def check(self) -> None:
        """Nobody's pods but those of monitoring stand in a namespace that it makes less strict.

        Raises:
            ValueError: somebody's would.
        """
        others = sorted(
            name for name, each in self.scope.members.items() if each.room not in {self.room, "environment"}
        )
        if self.settings.host and others:
            raise ValueError(
                f"host: the namespace becomes `privileged` for pod security, and {others[0]} runs there too; "
                "give it a stack of its own with a prometheus, or leave host out"
            )

    def manifests(self) -> Iterable[Manifest]:
        """Policy, DaemonSet."""
        yield policy(self)
        made = daemon_set(self, Pod(containers=(self._exporter(),)))
        if self.settings.host:
            spec = made[-1]["spec"]["template"]["spec"]
            spec["volumes"].append({"name": "host", "hostPath": {"path": "/", "type": "Directory"}})
            mount = {"name": "host", "mountPath": HOST, "readOnly": True, "mountPropagation": "HostToContainer"}
            spec["containers"][0]["volumeMounts"].append(mount)
        yield from made

    def _exporter(self) -> Container:
        host = self.settings.host
        more = (f"--path.rootfs={HOST}", f"--path.procfs={HOST}/proc", f"--path.sysfs={HOST}/sys")
        return Container(
            name="node-exporter",
            image=self.environment.image(self.settings.image),
            args=(
                f"--web.listen-address=:{PORT}",
                "--collector.disable-defaults",
                *(f"--collector.{name}" for name in COLLECTORS),
                f"--collector.filesystem.fs-types-exclude={NO_DISKS}",
                f"--collector.filesystem.mount-points-exclude={OF_PODS if host else NOT_OF_THE_NODE}",
                *(more if host else ()),
            ),
            resources=self.sized(SIZES),
            readiness=Probe(PORT, "/"),
            liveness=Probe(PORT, "/", every_s=10, failures=6),
            pre_stop=sleep(1),
        )

    def resources(self) -> Iterable[Resource]:
        """The fullest disk."""
        yield Resource("disk", "NodeDiskFills", f"max({self._taken})", "will have a node with a full disk")

    @property
    def _taken(self) -> str:
        own = self.metrics_selector
        return f"(1 - node_filesystem_avail_bytes{{{own}}} / node_filesystem_size_bytes{{{own}}})"

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, a disk that is full or will be, memory that runs out, work that waits."""
        own = self.metrics_selector
        who = f"{self.environment.namespace}/{self.name}"
        yield gone("NodeExporterDown", own, f"{who}: no node is measured")
        full = f"max by (pod, mountpoint) ({self._taken}) > 0.95"
        yield AlertRule("NodeDiskFull", full, f"{who}: a disk of a node is over 95 % full", "5m", "critical")
        yield from warnings(self)
        left = f"node_memory_MemAvailable_bytes{{{own}}} / node_memory_MemTotal_bytes{{{own}}}"
        yield AlertRule("NodeMemoryFull", f"min by (pod) ({left}) < 0.08", f"{who}: a node has under 8 % memory left")
        waits = " or ".join(
            f"max by (pod) (rate(node_pressure_{what}_waiting_seconds_total{{{own}}}[5m])) > {most}"
            for what, most in (("memory", 0.2), ("io", 0.5), ("cpu", 0.9))
        )
        yield AlertRule("NodePressure", waits, f"{who}: work waits for memory, disks or processors of a node", "15m")

    def dashboard(self) -> Dashboard:
        """Disks, memory, processors, pressure."""
        own = self.metrics_selector
        busy = f'1 - avg by (pod) (rate(node_cpu_seconds_total{{mode="idle",{own}}}[5m]))'
        memory = f"1 - node_memory_MemAvailable_bytes{{{own}}} / node_memory_MemTotal_bytes{{{own}}}"
        waits = f"rate(node_pressure_io_waiting_seconds_total{{{own}}}[5m])"
        return Dashboard(
            f"{self.environment.namespace} / {self.name}",
            (
                Panel("Disks in use", f"max by (pod, mountpoint) ({self._taken})", "percentunit",
                      names="{{pod}} {{mountpoint}}"),
                Panel("Memory in use", memory, "percentunit", names="{{pod}}"),
                Panel("Processors in use", busy, "percentunit", names="{{pod}}"),
                Panel("Work that waits for disks", waits, "percentunit", names="{{pod}}"),
            ),
        )  # fmt: skip
