"""Flink: a session cluster whose jobs are SQL in the stack file, kept running as they are declared.

JobManager and TaskManagers find each other, and jobs outlive the JobManager, by ConfigMaps that Flink keeps (Kubernetes
high availability); checkpoints and savepoints are on one volume of all pods. A pod of its own starts and stops jobs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.middleware.flink_files import CONFIG, DATA, JOBS, RUN, Files
from components.middleware.flink_observability import alerts, alerts_of_jobs, panels
from components.middleware.flink_settings import (
    BLOB_PORT,
    GATEWAY_SIZES,
    JOBS_PORT,
    METRICS_PORT,
    REST_PORT,
    RPC_PORT,
    SIZES,
    TASK_DATA_PORT,
    TASK_RPC_PORT,
    TASK_SIZES,
    FlinkSettings,
    shared_out,
)
from components.middleware.flink_sql import asks_for_kafka, unknown
from components.model.component import Component
from components.model.endpoints import API_SERVER, MEMBERS, SCRAPERS, Endpoint, Peer
from components.model.observability import Dashboard
from components.model.pods import SIDECAR, Container, FieldPath, Pod, Probe, SecretKey, config_volume, sleep
from components.model.profiles import Size
from components.model.quantities import megabytes, millicores
from components.model.standing import Deviation, real
from components.workloads.baseline import config_map, deployment, service, stateful_set, workload_name
from components.workloads.bindings import variables
from components.workloads.encryption import trust_of
from components.workloads.network import policy
from components.workloads.roles import granted, rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from components.model.observability import AlertRule
    from components.model.pods import Resources
    from kube.kinds import Manifest

MANAGER, TASKS, KEEPER = "jobmanager", "taskmanager", "jobs"
LEADS = "Flink finds its leader, and its jobs after a fault, in ConfigMaps that it keeps itself"
HEAP_SHARE = 0.45
"""Of the JobManager's memory, and of the SQL Gateway's: classes and buffers need the rest."""


class Flink(Component[FlinkSettings]):
    """JobManager, TaskManagers, a volume for checkpoints, and a pod that keeps jobs as they are declared."""

    kind = "flink"
    front = TASKS
    modes = (
        real(
            "tests/catalogue/test_flink_on_cluster.py::test_each_record_comes_out_once_whatever_is_killed_or_replaced",
            "tests/catalogue/test_flink_on_cluster.py::test_a_changed_job_goes_on_and_one_that_was_away_catches_up",
            "tests/catalogue/test_flink_on_cluster.py::test_what_is_counted_outlives_a_change_that_flink_does_not_take",
        ),
    )
    deviations = (Deviation("token", MANAGER, LEADS), Deviation("token", TASKS, LEADS))
    endpoints = (
        Endpoint("rpc", RPC_PORT, MEMBERS, "TaskManagers", part=MANAGER),
        Endpoint("blob", BLOB_PORT, MEMBERS, "files of jobs", part=MANAGER),
        Endpoint("rest", REST_PORT, MEMBERS, "its own page, and what starts jobs; for nobody outside", part=MANAGER),
        Endpoint("metrics", METRICS_PORT, SCRAPERS, "of the JobManager", part=MANAGER),
        Endpoint("rpc", TASK_RPC_PORT, MEMBERS, "the JobManager", part=TASKS),
        Endpoint("data", TASK_DATA_PORT, MEMBERS, "TaskManagers among themselves", part=TASKS),
        Endpoint("metrics", METRICS_PORT, SCRAPERS, "of a TaskManager", part=TASKS),
        Endpoint("metrics", JOBS_PORT, SCRAPERS, "which jobs run", part=KEEPER, container=KEEPER),
    )

    @property
    def uses(self) -> tuple[str, ...]:
        """As declared."""
        return tuple(self.settings.uses)

    @property
    def task_managers(self) -> int:
        """How many there are."""
        return self.settings.task_managers or self.environment.profile.replicas

    def speaker(self) -> dict[str, str]:
        """All its pods: the JobManager asks a Kafka which partitions there are, TaskManagers read them."""
        return self.selector()

    def check(self) -> None:
        """Jobs name a Kafka that is there.

        Raises:
            ValueError: they do not.
        """
        for name in self.uses:
            if name in self.scope.members and (kind := self.scope.members[name].kind) != "kafka":
                raise ValueError(f"uses: {name} is a {kind}, and jobs are given a Kafka alone; leave it out")
        for name, job in self.settings.jobs.items():
            if (word := unknown(job.sql)) is not None:
                raise ValueError(f"jobs.{name}.sql: ${{{word}}} stands for nothing; there is ${{kafka}}")
            if asks_for_kafka(job.sql) and not self.uses:
                raise ValueError(
                    f"jobs.{name}.sql: ${{kafka}} is the Kafka of `uses`, and there is none; name it there"
                )
        if (wanted := sum(job.parallelism for job in self.settings.jobs.values())) > (slots := self._slots()):
            raise ValueError(f"jobs: need {wanted} slots together, and there are {slots}; raise taskManagers or slots")

    def _slots(self) -> int:
        return self.task_managers * self.settings.slots

    def _task_size(self) -> Resources:
        return self.sized(TASK_SIZES, self.settings.task_resources)

    def files(self) -> Files:
        """What its files say."""
        size, gateway = self._task_size(), self.sized(GATEWAY_SIZES, self.settings.gateway_resources)
        return Files(
            self.settings,
            name=self.name,
            namespace=self.environment.namespace,
            manager=f"{self.name}-{MANAGER}.{self.environment.namespace}.svc",
            cpu=max(millicores(size.cpu) / 1000, 0.1),
            memory=shared_out(size),
            heap=int(megabytes(self.sized(SIZES).memory) * HEAP_SHARE),
            gateway_heap=int(megabytes(gateway.memory) * HEAP_SHARE),
            kafka=self._client(),
        )

    def _client(self) -> dict[str, str]:
        """Properties of Kafka's client, but for its password."""
        if not (bound := {key: value for key, value in variables(self).items() if isinstance(value, str)}):
            return {}
        said = {
            "bootstrap.servers": bound["KAFKA_BOOTSTRAP_SERVERS"],
            "security.protocol": bound["KAFKA_SECURITY_PROTOCOL"],
            "sasl.mechanism": bound["KAFKA_SASL_MECHANISM"],
        }
        for path in trust_of(self).variables.values():
            said |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": path}
        return said

    def manifests(self) -> Iterable[Manifest]:
        """Rights, files, volume, Services, policies and the three workloads."""
        files = self.files()
        yield config_map(self, f"{self.name}-config", files.nodes())
        yield config_map(self, f"{self.name}-jobs", files.jobs())
        yield self._claim()
        for part in (MANAGER, TASKS):
            name = workload_name(self, part)
            kept = rule("", ["configmaps"], ["create", "delete", "get", "list", "patch", "update", "watch"])
            yield from granted("Role", {"name": name}, self.environment.namespace, name, [kept])
        yield service(self, MEMBERS, part=MANAGER)
        yield service(self, MEMBERS, part=TASKS, headless=True, name=f"{self.name}-nodes")
        yield policy(self, [API_SERVER, *self._kafka()], part=MANAGER)
        yield policy(self, [API_SERVER], part=TASKS)
        yield policy(self, part=KEEPER)
        governing = f"{self.name}-nodes"
        yield from stateful_set(self, self._manager(), replicas=1, governing=governing, volume=None, part=MANAGER)
        yield from stateful_set(self, self._keeper(), replicas=1, governing=governing, volume=None, part=KEEPER)
        yield from deployment(self, self._tasks(), replicas=self.task_managers, part=TASKS)

    def _claim(self) -> Manifest:
        own = self.settings
        spec: Manifest = {"accessModes": [own.access_mode], "resources": {"requests": {"storage": own.storage}}}
        if self.environment.storage_class:
            spec["storageClassName"] = self.environment.storage_class
        meta = {"name": f"{self.name}-state", "labels": self.labels()}
        return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}

    def _kafka(self) -> Iterable[Peer]:
        """The JobManager's way to what TaskManagers reach."""
        for name in self.uses:
            for pods, ports in self.scope.members[name].ways():
                yield Peer("out", pods, ports, f"uses {name}")

    def _container(self, role: str, size: Resources, probe: Probe, **more: Any) -> Container:
        account_of = {
            key: value for key, value in variables(self).items() if key in {"KAFKA_USERNAME", "KAFKA_PASSWORD"}
        }
        place: dict[str, str | SecretKey | FieldPath] = {
            "POD_IP": FieldPath("status.podIP"),
            "POD_NAME": FieldPath("metadata.name"),
        }
        mounts = {CONFIG: "config", DATA: "state", RUN: "run", **trust_of(self).mounts}
        return Container(
            name=role,
            image=self.environment.image(self.settings.image),
            command=("bash", f"{CONFIG}/node.sh", role),
            env={**place, **({} if role == "gateway" else account_of)},
            mounts={**mounts, **more.pop("mounts", {})},
            resources=size,
            startup=probe,
            pre_stop=sleep(2),
            **more,
        )

    def _pod(self, *containers: Container, token: bool, **volumes: Mapping[str, Any]) -> Pod:
        every: dict[str, Mapping[str, Any]] = {
            "config": config_volume(f"{self.name}-config"),
            "state": {"persistentVolumeClaim": {"claimName": f"{self.name}-state"}},
            "run": {"emptyDir": {"medium": "Memory"}},
            **trust_of(self).volumes,
            **volumes,
        }
        return Pod(containers=containers, volumes=every, grace_s=60, token=token)

    def _manager(self) -> Pod:
        asked = {
            "readiness": Probe(REST_PORT, "/overview"),
            "liveness": Probe(REST_PORT, "/config", every_s=10, failures=6),
        }
        startup = Probe(REST_PORT, "/config", every_s=2, failures=150)
        return self._pod(self._container(MANAGER, self.sized(SIZES), startup, **asked), token=True)

    def _tasks(self) -> Pod:
        asked = {"readiness": Probe(TASK_RPC_PORT), "liveness": Probe(TASK_RPC_PORT, every_s=10, failures=6)}
        startup = Probe(TASK_RPC_PORT, every_s=2, failures=150)
        return self._pod(self._container(TASKS, self._task_size(), startup, **asked), token=True)

    def _keeper(self) -> Pod:
        answers = ("bash", f"{CONFIG}/node.sh", "answers")
        asked = {
            "readiness": Probe(command=answers),
            "liveness": Probe(command=answers, every_s=15, failures=8),
            "mounts": {JOBS: "jobs"},
        }
        size = self.sized(GATEWAY_SIZES, self.settings.gateway_resources)
        startup = Probe(command=answers, every_s=2, failures=150)
        gateway = self._container("gateway", size, startup, **asked)
        keeper = Container(
            name=KEEPER,
            image=self.environment.image(self.settings.jobs_image),
            command=("python3", f"{JOBS}/jobs.py"),
            mounts={JOBS: "jobs", DATA: "state"},
            resources=SIDECAR[Size.SMALL],
            readiness=Probe(JOBS_PORT, "/metrics"),
            liveness=Probe(JOBS_PORT, "/healthz", every_s=15, failures=4),
            pre_stop=sleep(1),
        )
        return self._pod(gateway, keeper, token=False, jobs=config_volume(f"{self.name}-jobs"))

    def alerts(self) -> Iterable[AlertRule]:
        """Processes gone, jobs that do not run, start again, make no checkpoints, or are behind."""
        who, own = f"{self.environment.namespace}/{self.name}", self.settings
        yield from alerts(who, self.metrics_selector, self.task_managers)
        yield from alerts_of_jobs(who, self.metrics_selector, own.lag_alert, own.checkpoint_interval)

    def dashboard(self) -> Dashboard:
        """Jobs, records, lag, checkpoints, restarts, heap."""
        return Dashboard(f"{self.environment.namespace} / {self.name}", panels(self.metrics_selector))
