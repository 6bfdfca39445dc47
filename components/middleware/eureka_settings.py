"""What a stack file may say of a Eureka, and the numbers that its parts agree on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import size_from
from components.model.settings import Request, WorkloadSettings
from components.model.values import Image, ObjectName
from components.workloads.encryption import Tls

PORT = 8761
MANAGEMENT_PORT = 8762
METRICS_PATH = "/actuator/prometheus"
PEER = "grayling-peer"
"""The account of the members among themselves."""

CONFIG = "/etc/eureka"
ACCOUNTS = "/run/accounts"
"""A tree whose files are values: `registry/accounts/<name>` holds a password."""

TRUST = "/run/trust"
HEAP_PERCENT = 45
"""Of the memory limit: classes, threads and buffers of the JVM need the rest."""

SIZES: Sizes = {
    Size.SMALL: Resources("100m", "448Mi"),
    Size.MEDIUM: Resources("250m", "768Mi"),
    Size.LARGE: Resources("500m", "1536Mi"),
}
# A JVM reads no PEM as its trust; the store holds no secret, so that its password is none.
TRUSTED = (
    f"rm -f {TRUST}/ca.p12 && keytool -importcert -noprompt -alias ca -file /run/tls/ca.crt "
    f"-keystore {TRUST}/ca.p12 -storetype PKCS12 -storepass changeit"
)


class EurekaRequest(Request):
    """Of the server: one that starts, and holds something."""

    memory: Annotated[str, size_from("384Mi", "768Mi")] = Field(description="at least 384Mi")


class EurekaSettings(WorkloadSettings):
    """Settings of a registry of services."""

    image: Image = Field(
        description="of your own, as docs/runbooks/eureka.md makes it: nobody publishes one of Spring Cloud's server"
    )
    replicas: Annotated[int, Field(ge=1, le=5)] | None = Field(
        default=None, description="members that tell each other everything; the tier's if not given"
    )
    resources: EurekaRequest | None = Field(
        default=None, description="of the main container; the tier's size if not given"
    )
    self_preservation: bool = Field(
        default=True, description="keep instances when so many stop renewing that the network is to blame"
    )
    auth_secret: ObjectName | None = Field(
        default=None, description="existing Secret with the `password` of the members; generated if not given"
    )
    tls: Tls | None = Field(default=None, description="encrypted where it is given; {} makes a certificate")
