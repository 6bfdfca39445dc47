"""The files of a Flink: settings of both sides, what starts them, the jobs, and what keeps these as declared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from components.middleware.flink_settings import (
    BLOB_PORT,
    FRAMEWORK_MB,
    GATEWAY_PORT,
    JOBS_PORT,
    METRICS_PORT,
    REST_PORT,
    RPC_PORT,
    TASK_DATA_PORT,
    TASK_RPC_PORT,
    Memory,
)
from components.middleware.flink_sql import as_one_job, mark, statements, version
from manifests.render import text
from rollout.api.durations import duration_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.middleware.flink_settings import FlinkSettings

CONFIG, JOBS, DATA, RUN, HOME = "/etc/flink", "/etc/flink-jobs", "/data/flink", "/run/flink", "/opt/flink"
_OF_THE_CLUSTER = ("high-", "kubernetes.", "metrics.", "taskmanager.", "jobmanager.", "blob.", "web.", "rest.bind-")
REPORTER = "org.apache.flink.metrics.prometheus.PrometheusReporterFactory"
LOGIN = "org.apache.flink.kafka.shaded.org.apache.kafka.common.security.scram.ScramLoginModule"
"""Where the jar of Flink's connector has the class of Kafka's client."""


@dataclass(frozen=True, slots=True)
class Files:
    """What the files need to know: ``manager`` is the JobManager's address, ``kafka`` are properties of a client."""

    settings: FlinkSettings
    name: str
    namespace: str
    manager: str
    cpu: float
    memory: Memory
    heap: int
    gateway_heap: int
    kafka: Mapping[str, str]

    def nodes(self) -> dict[str, str]:
        """Of JobManager and TaskManagers, and what starts each."""
        script = text(
            "flink_node.sh.j2",
            config=CONFIG,
            jobs=JOBS,
            run=RUN,
            home=HOME,
            login=LOGIN,
            heap=self.heap,
            gateway_heap=self.gateway_heap,
            memory=self.memory,
            gateway_port=GATEWAY_PORT,
        )
        return {
            "config.yaml": yaml.safe_dump(self._cluster()),
            "log4j2.xml": text("flink_log4j2.xml.j2", level=self.settings.log_level),
            "node.sh": script,
        }

    def jobs(self) -> dict[str, str]:
        """Of the pod that starts and stops jobs."""
        keeper = text(
            "flink_jobs.py.j2",
            flink=f"http://{self.manager}:{REST_PORT}/v1",
            gateway=f"http://127.0.0.1:{GATEWAY_PORT}/v1",
            port=JOBS_PORT,
            jobs=JOBS,
            data=DATA,
        )
        alone = {key: value for key, value in self._cluster().items() if not key.startswith(_OF_THE_CLUSTER)}
        return {
            "gateway.yaml": yaml.safe_dump({**alone, **self._gateway()}),
            "jobs.json": json.dumps(self._jobs(), indent=1, ensure_ascii=False),
            "jobs.py": keeper,
        }

    def _cluster(self) -> dict[str, Any]:
        own, memory = self.settings, self.memory
        return {
            "high-availability.type": "kubernetes",
            "high-availability.storageDir": f"file://{DATA}/ha",
            "kubernetes.cluster-id": self.name,
            "kubernetes.namespace": self.namespace,
            "jobmanager.rpc.port": RPC_PORT,
            "jobmanager.bind-host": "0.0.0.0",  # noqa: S104 - a network policy says who may reach it
            "high-availability.jobmanager.port": str(RPC_PORT),
            "blob.server.port": str(BLOB_PORT),
            "rest.port": REST_PORT,
            "rest.bind-port": str(REST_PORT),
            "rest.bind-address": "0.0.0.0",  # noqa: S104
            "web.submit.enable": False,
            "taskmanager.bind-host": "0.0.0.0",  # noqa: S104
            "taskmanager.rpc.port": str(TASK_RPC_PORT),
            "taskmanager.data.port": TASK_DATA_PORT,
            "taskmanager.numberOfTaskSlots": own.slots,
            "taskmanager.cpu.cores": self.cpu,
            "taskmanager.memory.task.heap.size": f"{memory.heap - FRAMEWORK_MB}m",
            "taskmanager.memory.task.off-heap.size": "0m",
            "taskmanager.memory.framework.heap.size": f"{FRAMEWORK_MB}m",
            "taskmanager.memory.framework.off-heap.size": f"{FRAMEWORK_MB}m",
            "taskmanager.memory.managed.size": f"{memory.managed}m",
            "taskmanager.memory.network.min": f"{memory.network}m",
            "taskmanager.memory.network.max": f"{memory.network}m",
            "taskmanager.memory.jvm-metaspace.size": f"{memory.metaspace}m",
            "taskmanager.memory.jvm-overhead.min": f"{memory.overhead}m",
            "taskmanager.memory.jvm-overhead.max": f"{memory.overhead}m",
            "execution.checkpointing.interval": duration_of(own.checkpoint_interval),
            "execution.checkpointing.dir": f"file://{DATA}/checkpoints",
            "execution.checkpointing.savepoint-dir": f"file://{DATA}/savepoints",
            "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
            "execution.checkpointing.tolerable-failed-checkpoints": 10,
            "restart-strategy.type": "exponential-delay",
            "restart-strategy.exponential-delay.initial-backoff": "1s",
            "restart-strategy.exponential-delay.max-backoff": "1min",
            "metrics.reporters": "prometheus",
            "metrics.reporter.prometheus.factory.class": REPORTER,
            "metrics.reporter.prometheus.port": str(METRICS_PORT),
            "io.tmp.dirs": "/tmp",  # noqa: S108 - in the pod
        }

    def _gateway(self) -> dict[str, Any]:
        """Of the SQL Gateway: it is asked from its own pod alone, and hands jobs to the JobManager."""
        place = "sql-gateway.endpoint.rest"
        return {
            "rest.address": self.manager,
            "execution.target": "remote",
            f"{place}.address": "127.0.0.1",
            f"{place}.bind-address": "127.0.0.1",
            f"{place}.port": GATEWAY_PORT,
        }

    def _jobs(self) -> dict[str, Any]:
        written = ", ".join(f"'properties.{key}' = '{value}'" for key, value in self.kafka.items())
        made = {}
        for name, job in sorted(self.settings.jobs.items()):
            told = as_one_job(statements(job.sql), written)
            made[name] = {
                "mark": mark(name),
                "version": version(told, job.parallelism),
                "state": job.state,
                "parallelism": job.parallelism,
                "statements": told,
            }
        return made
