"""What a stack file may say of a store, and the numbers that its parts agree on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import size_from
from components.model.settings import Request, WorkloadSettings
from components.model.values import Image, ObjectName
from components.workloads.encryption import Tls
from components.workloads.extra_config import ExtraConfig

IMAGE = "docker.io/valkey/valkey:9.1.1"
EXPORTER_IMAGE = "ghcr.io/oliver006/redis_exporter:v1.79.0"
PORT = 6379
METRICS_PORT = 9121
SIZES: Sizes = {
    Size.SMALL: Resources("50m", "128Mi"),
    Size.MEDIUM: Resources("250m", "512Mi"),
    Size.LARGE: Resources("500m", "2Gi"),
}
OURS = ("tls-", "user", "aclfile", "requirepass", "masterauth", "replicaof", "rename-command")
# Replicas follow the first ordinal; which one a pod is, only its own name says.
START = (
    'if [ "${POD_NAME##*-}" != 0 ]; then set -- --replicaof "$PRIMARY" "$PORT"; fi; '
    'exec redis-server /etc/redis/redis.conf "$@"'
)


class RedisRequest(Request):
    """Of the store: one that starts, and holds something."""

    memory: Annotated[str, size_from("32Mi", "256Mi")] = Field(description="at least 32Mi")


class RedisSettings(WorkloadSettings):
    """Settings of a cache."""

    image: Image = IMAGE
    exporter_image: Image = EXPORTER_IMAGE
    mode: Literal["standalone", "replication"] = Field(default="standalone", description="replication adds readers")
    replicas: Annotated[int, Field(ge=2, le=9)] | None = Field(default=None, description="pods in replication mode")
    storage: Annotated[str, size_from("64Mi", "2Gi")] | None = Field(
        default="1Gi", description="volume of each pod; at least 64Mi; null keeps everything in memory"
    )
    resources: RedisRequest | None = Field(
        default=None, description="of the main container; the tier's size if not given"
    )
    eviction: Literal["noeviction", "allkeys-lru", "allkeys-lfu", "volatile-lru", "volatile-ttl"] = "allkeys-lru"
    auth_secret: ObjectName | None = Field(
        default=None,
        description="existing Secret with `auth.conf`, `password` and `url`; one is generated if not given",
    )

    tls: Tls | None = Field(default=None, description="encrypted where it is given; {} makes a certificate")
    extra_config: ExtraConfig = Field(default_factory=dict, description="further lines of redis.conf by keyword")

    @field_validator("replicas")
    @classmethod
    def _replicas_replicate(cls, replicas: int | None, info: ValidationInfo) -> int | None:
        if info.data.get("mode") == "standalone" and replicas is not None:
            raise ValueError("a standalone store has one pod; set mode: replication, or leave replicas out")
        return replicas

    @field_validator("storage")
    @classmethod
    def _primaries_come_back(cls, storage: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("mode") == "replication" and storage is None:
            raise ValueError(
                "a primary without a volume comes back empty, and its readers copy that; "
                "give storage, or set mode: standalone"
            )
        return storage
