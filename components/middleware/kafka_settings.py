"""What a stack file may say of a Kafka, and the numbers that its parts agree on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.middleware.kafka_topology import KafkaTopology
from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import megabytes, share_of, size_from
from components.model.settings import ComponentSettings, Request, WorkloadSettings
from components.model.values import Image, ObjectName
from components.workloads.encryption import Tls
from components.workloads.extra_config import ExtraConfig
from rollout.api.durations import Seconds

IMAGE = "docker.io/apache/kafka:4.3.1"
AGENT_IMAGE = "quay.io/strimzi/kafka:1.2.0-kafka-4.3.1"
EXPORTER_IMAGE = "docker.io/danielqsj/kafka-exporter:v1.9.0"
CONTROLLER_PORT = 9090
INTERNAL_PORT = 9091
PLAIN_PORT = 9092
TLS_PORT = 9093
METRICS_PORT = 9404
EXPORTER_PORT = 9308
FIRST_CONTROLLER = 1000
"""Node id of the first separate controller; brokers count from 0."""

COPIES = 3
VOTERS = 3
IN_SYNC = 2
DRAIN_S = 120
"""Seconds that a broker waits with stopping for others to catch up: no longer, since where all go at once none will."""

CALM_S = 12
"""Seconds without one behind: Kafka counts a broker that died out after 9 (``broker.session.timeout.ms``)."""

GRACE_S = 300
SIZES: Sizes = {
    Size.SMALL: Resources("200m", "640Mi"),
    Size.MEDIUM: Resources("500m", "2Gi"),
    Size.LARGE: Resources("2000m", "8Gi"),
}
CONTROLLER_SIZES: Sizes = {
    Size.SMALL: Resources("100m", "512Mi"),
    Size.MEDIUM: Resources("200m", "1Gi"),
    Size.LARGE: Resources("500m", "2Gi"),
}
ACCOUNTS_RESOURCES = Resources("20m", "192Mi")
PASSWORDS = ("admin-password", "broker-password", "controller-password", "exporter-password")
OURS = (
    "advertised.", "authorizer.", "broker.id", "broker.session.", "config.providers", "controller.quorum.bootstrap.",
    "delegation.token.", "inter.broker.", "listener", "log.dir", "log.retention.hours", "log.retention.minutes",
    "metadata.log.dir", "principal.", "sasl.", "security.", "ssl.", "super.",
)  # fmt: skip
"""How keys begin that are written from other settings, or that would undo them."""

_LARGEST_SEGMENT = 2**30
_SMALLEST_SEGMENT = 2**20


class KafkaRequest(Request):
    """Of a node: one that starts, and holds something."""

    memory: Annotated[str, size_from("512Mi", "2Gi")] = Field(description="at least 512Mi; half of it is Java's heap")


class Controllers(ComponentSettings):
    """Nodes that vote and hold no data."""

    members: Literal[3, 5] = Field(default=3, description="an odd number, so that a majority exists")
    storage: Annotated[str, size_from("256Mi", "4Gi")] = Field(default="4Gi", description="volume of each")
    resources: KafkaRequest | None = Field(default=None, description="of each; the tier's size if not given")


class KafkaSettings(WorkloadSettings):
    """Settings of a cluster."""

    operator: Literal["strimzi"] | None = Field(
        default=None, description="`strimzi`: its operator, which is there already, runs the brokers"
    )
    image: Image = Field(
        default=IMAGE, description="with `operator` its tag alone is read: the version that the operator runs"
    )
    agent_image: Image = Field(
        default=AGENT_IMAGE, description="any image with bash and a jmx_prometheus_javaagent*.jar, which is copied"
    )
    exporter_image: Image = EXPORTER_IMAGE
    members: Annotated[int, Field(ge=1, le=99)] | None = Field(
        default=None, description="brokers; the tier's number of members if not given"
    )
    controllers: Literal["combined"] | Controllers = Field(
        default="combined", description="`combined`: the first three brokers vote, too; else nodes of their own"
    )
    storage: Annotated[str, size_from("256Mi", "10Gi")] = Field(
        default="2Gi", description="volume of each broker; at least 256Mi"
    )
    resources: KafkaRequest | None = Field(default=None, description="of each broker; the tier's size if not given")
    retention: Annotated[Seconds, Field(ge=60, le=3650 * 86400)] = Field(
        default=7 * 86400.0, description="how long messages are kept"
    )
    retention_size: Annotated[str, size_from("1Mi", "2Gi")] | None = Field(
        default=None, description="what is kept of a partition at most; no limit if not given"
    )
    partitions: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=3, description="of a topic that is made without saying how many"
    )
    lag_alert: Annotated[int, Field(ge=1, le=10**12)] = Field(
        default=10_000, description="messages that a consumer group may be behind in a topic"
    )
    log_level: Literal["debug", "info", "warn", "error"] = "info"
    tls: Tls | None = Field(default=None, description="encrypted where it is given; {} makes a certificate")
    topology: KafkaTopology | None = Field(
        default=None,
        description="topics, accounts, rights; needs a component `topology`, which makes it true",
    )
    extra_config: ExtraConfig = Field(default_factory=dict, description="further lines of server.properties by key")
    auth_secret: ObjectName | None = Field(
        default=None, description=f"existing Secret (cluster-id, {', '.join(PASSWORDS)}); generated if not given"
    )


def segment_bytes(storage: str) -> int:
    """Of a log segment: a hundredth of the volume, so that what is old can go; Kafka's own GiB at most."""
    return max(_SMALLEST_SEGMENT, min(_LARGEST_SEGMENT, share_of(storage, 0.01) * 2**20))


def heap(resources: Resources) -> int:
    """Mebibytes of Java's heap: the rest is for its own needs, buffers and the page cache."""
    return int(megabytes(resources.memory) * 0.5)
