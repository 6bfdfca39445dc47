"""What a stack file may say about a Flink: how large it is, and its jobs as SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from components.middleware.flink_sql import statements
from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import megabytes, size_from
from components.model.settings import ComponentSettings, Request, WorkloadSettings
from components.model.values import Image, Label, said, whole
from rollout.api.durations import Seconds

IMAGE = "registry.example.com/platform/flink:2.2.0"
JOBS_IMAGE = "docker.io/library/python:3.13.7-slim"
REST_PORT, RPC_PORT, BLOB_PORT, GATEWAY_PORT = 8081, 6123, 6124, 8083
TASK_RPC_PORT, TASK_DATA_PORT = 6122, 6121
METRICS_PORT, JOBS_PORT = 9249, 9250
FRAMEWORK_MB, LEAST_NETWORK_MB = 64, 32
SIZES: Sizes = {
    Size.SMALL: Resources("100m", "640Mi"),
    Size.MEDIUM: Resources("500m", "1Gi"),
    Size.LARGE: Resources("1000m", "2Gi"),
}
TASK_SIZES: Sizes = {
    Size.SMALL: Resources("100m", "768Mi"),
    Size.MEDIUM: Resources("1000m", "2Gi"),
    Size.LARGE: Resources("2000m", "4Gi"),
}
GATEWAY_SIZES: Sizes = dict.fromkeys(Size, Resources("50m", "512Mi"))
LARGEST_SQL = 500_000
"""Letters of all jobs together: they are in one ConfigMap."""


@dataclass(frozen=True, slots=True)
class Memory:
    """How the memory of a TaskManager is shared out, in MiB; every part has to be said when it starts."""

    metaspace: int
    overhead: int
    network: int
    managed: int
    heap: int

    @property
    def direct(self) -> int:
        """What is neither heap nor the JVM's own."""
        return self.network + FRAMEWORK_MB


def shared_out(resources: Resources) -> Memory:
    """The parts of a container's memory."""
    whole_mb = int(megabytes(resources.memory))
    tenth = whole_mb // 10
    metaspace, network = min(256, 2 * tenth), max(LEAST_NETWORK_MB, tenth)
    heap = whole_mb - metaspace - tenth - network - tenth - FRAMEWORK_MB
    return Memory(metaspace, tenth, network, tenth, heap)


class TaskRequest(Request):
    """Of a TaskManager: one that starts, and works."""

    memory: Annotated[str, size_from("640Mi", "2Gi")] = Field(description="at least 640Mi")


class GatewayRequest(Request):
    """Of the SQL Gateway: one that starts."""

    memory: Annotated[str, size_from("448Mi", "512Mi")] = Field(description="at least 448Mi")


class MainRequest(Request):
    """Of the JobManager: one that starts."""

    memory: Annotated[str, size_from("512Mi", "1Gi")] = Field(description="at least 512Mi")


class FlinkJob(ComponentSettings):
    """One job: what it reads and writes, as SQL."""

    sql: Annotated[str, Field(min_length=1, max_length=LARGEST_SQL)] = Field(
        description="CREATE TABLE, VIEW or FUNCTION, and INSERT INTO; `${kafka}` in WITH is the Kafka of `uses`"
    )
    parallelism: Annotated[int, Field(ge=1, le=256)] = 1
    state: Literal["keep", "matching", "forget"] = Field(
        default="keep",
        description="when the job changes: all of it or it does not start; what still fits; none, it begins anew",
    )

    @model_validator(mode="after")
    def _is_a_job(self) -> FlinkJob:
        try:
            statements(self.sql)
        except ValueError as error:
            raise ValueError(f"sql: {error}") from None  # here, where no value is shown beside it: it may be a secret
        return self


class FlinkSettings(WorkloadSettings):
    """Settings of a Flink."""

    image: Image = Field(default=IMAGE, description="with Flink in /opt/flink, and the connectors that jobs name")
    jobs_image: Image = Field(default=JOBS_IMAGE, description="of the container that starts and stops jobs")
    resources: MainRequest | None = Field(default=None, description="of the JobManager; the tier's size if not given")
    jobs: Annotated[dict[Label, FlinkJob], Field(max_length=100)] = Field(
        default_factory=dict, description="by name; one that is taken out is stopped with a savepoint"
    )
    uses: Annotated[list[Label], Field(max_length=1)] = Field(
        default_factory=list, description="the Kafka that its jobs read and write, with an account of its own"
    )
    task_managers: Annotated[int, Field(ge=1, le=100)] | None = None
    task_resources: TaskRequest | None = Field(
        default=None, description="of a TaskManager; the tier's size if not given"
    )
    gateway_resources: GatewayRequest | None = Field(
        default=None, description="of what reads SQL; the tier's size if not given"
    )
    slots: Annotated[int, Field(ge=1, le=64)] = Field(default=2, description="of a TaskManager: parts of jobs at once")
    storage: Annotated[str, size_from("16Mi", "1Gi")] = Field(default="10Gi", description="checkpoints and savepoints")
    access_mode: Literal["ReadWriteMany", "ReadWriteOnce"] = Field(
        default="ReadWriteMany", description="all pods write checkpoints; ReadWriteOnce is for a cluster of one node"
    )
    checkpoint_interval: Annotated[Seconds, Field(ge=0.1, le=86_400)] = Field(
        default=10.0, description="from one to the next: what is worked again after a fault"
    )
    lag_alert: Annotated[int, Field(ge=1)] = Field(default=10_000, description="records that a job is behind: an alert")
    log_level: Annotated[str, said(whole("error|warn|info|debug", 5), "is no level", "use warn or info")] = "info"

    @field_validator("jobs")
    @classmethod
    def _fit_together(cls, jobs: dict[str, FlinkJob]) -> dict[str, FlinkJob]:
        if sum(len(job.sql) for job in jobs.values()) > LARGEST_SQL:
            raise ValueError(f"have more than {LARGEST_SQL} letters together; give some to another flink")
        return jobs
