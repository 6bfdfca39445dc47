"""What a stack file may say of a Memcached, and the numbers that its parts agree on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import megabytes, size_from
from components.model.settings import Request, WorkloadSettings
from components.model.values import Image, ObjectName
from components.workloads.encryption import Tls
from rollout.api.durations import Seconds

IMAGE = "docker.io/library/memcached:1.6.39"
METRICS_IMAGE = "docker.io/library/python:3.13.7-slim"
PORT = 11211
METRICS_PORT = 9150
MONITOR = "grayling-monitor"
"""The account that reads statistics."""

MOST_ACCOUNTS = 8
"""Lines of its file of accounts that Memcached reads; the rest it leaves out without a word."""

THREADS = 4
RESERVED = 5 * THREADS + 7
"""Connections that it keeps from clients: for itself by thread, for its listener, and for who reads statistics."""

LEAST_DATA = 8
"""Mebibytes for items below which it is no cache."""

FIXED = 16
"""Mebibytes that the program takes before it holds anything: threads, the hash table, its log buffers."""

CONNECTION_KIB = {True: 32, False: 16}
"""Of one client, with TLS and without: an idle one has 15 and 1, a busy one a buffer of 16 besides."""

SIZES: Sizes = {
    Size.SMALL: Resources("50m", "128Mi"),
    Size.MEDIUM: Resources("250m", "512Mi"),
    Size.LARGE: Resources("500m", "2Gi"),
}
# It reads its accounts from one file, and each is in a Secret of its own.
START = 'umask 077 && cat /run/accounts/*.conf > /run/joined/accounts && exec memcached "$@"'


class MemcachedRequest(Request):
    """Of the cache: one that starts, and holds something."""

    memory: Annotated[str, size_from("32Mi", "256Mi")] = Field(description="at least 32Mi")


class MemcachedSettings(WorkloadSettings):
    """Settings of a cache that forgets."""

    image: Image = IMAGE
    metrics_image: Image = METRICS_IMAGE
    replicas: Annotated[int, Field(ge=1, le=32)] | None = Field(
        default=None, description="pods, each with its part of the keys; the tier's if not given"
    )
    resources: MemcachedRequest | None = Field(
        default=None, description="of the main container; the tier's size if not given"
    )
    max_connections: Annotated[int, Field(ge=16, le=100_000)] = Field(
        default=1024, description="clients at once; further ones are turned away"
    )
    warm_up: Annotated[Seconds, Field(ge=0, le=3600)] = Field(
        default=30.0, description="how long a pod fills again before the next one is restarted, empty"
    )
    auth_secret: ObjectName | None = Field(
        default=None,
        description="existing Secret (username, password, account.conf) that reads statistics; generated if not given",
    )
    tls: Tls | None = Field(default=None, description="encrypted where it is given; {} makes a certificate")


def room_for_data(memory: str, connections: int, *, tls: bool) -> int:
    """Mebibytes for items: what is left of a limit when the program and all its clients have theirs, less a tenth."""
    return int(megabytes(memory) * 0.9 - FIXED - connections * CONNECTION_KIB[tls] / 1024)
