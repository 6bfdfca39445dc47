"""What a stack file may say of an MQTT broker, and the numbers that its parts agree on."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import size_from
from components.model.settings import ComponentSettings, Request, WorkloadSettings
from components.model.values import HostPort, Image, Label, ObjectName
from components.workloads.egress import Egress
from components.workloads.encryption import Tls
from components.workloads.extra_config import ExtraConfig

IMAGE = "docker.io/library/eclipse-mosquitto:2.0.22"
EXPORTER_IMAGE = "docker.io/library/python:3.13.7-slim"
PORT, TLS_PORT, LOCAL_PORT = 1883, 8883, 1884
METRICS_PORT = 9234
SYS_INTERVAL_S = 5
SIZES: Sizes = {
    Size.SMALL: Resources("50m", "64Mi"),
    Size.MEDIUM: Resources("100m", "256Mi"),
    Size.LARGE: Resources("500m", "1Gi"),
}
ADMINISTRATOR = "administrator"
STORE = "/data"
MADE = "/run/mosquitto"
BRIDGES = "/run/bridges"
# Hashes are made where the pod starts, by the broker's own tool; bridges need their password in the configuration.
# It may run twice on one volume: the kubelet makes a pod's sandbox anew.
PREPARE = f"""\
set -eu; umask 077
mkdir -p {MADE}/bridges
cat /run/users/* > {MADE}/passwd
mosquitto_passwd -U {MADE}/passwd
for part in /etc/mosquitto/bridge-*.conf; do
  [ -e "$part" ] || continue
  name=${{part#/etc/mosquitto/bridge-}}; name=${{name%.conf}}
  user=$(cat {BRIDGES}/"$name"/username); password=$(cat {BRIDGES}/"$name"/password)
  {{ cat "$part"; printf 'remote_username %s\\nremote_password %s\\n' "$user" "$password"; }} \\
    > {MADE}/bridges/"$name".conf
done
"""
_LEVEL = r"(?:[^/+#\s$][^/+#\s]*|\+)"
_FILTER = re.compile(rf"(?:{_LEVEL}/)*(?:{_LEVEL}|#)")


def _filter(text: str) -> str:
    """A filter of topics.

    Raises:
        ValueError: it is none.
    """
    if not _FILTER.fullmatch(text) or len(text) > 200:  # noqa: PLR2004 - longer than anybody's
        raise ValueError("is no filter of topics; write it like plant/+/temperature or plant/#, without spaces and $")
    return text


Topic = Annotated[str, AfterValidator(_filter)]


class Topics(ComponentSettings):
    """What a service may hear and say."""

    read: Annotated[list[Topic], Field(max_length=100)] = Field(default_factory=list, description="filters, as plant/#")
    write: Annotated[list[Topic], Field(max_length=100)] = Field(default_factory=list, description="filters")


class BridgeTopic(ComponentSettings):
    """One filter of topics that is carried over a bridge."""

    pattern: Topic
    direction: Literal["in", "out", "both"] = Field(description="out: from here to there")
    qos: Literal[0, 1, 2] = 1


class Bridge(ComponentSettings):
    """Another broker that topics are exchanged with; what it does not take meanwhile waits here."""

    address: HostPort
    secret: ObjectName = Field(description="existing Secret with username and password there; with tls also ca.crt")
    tls: bool = Field(default=True, description="encrypted, and the other's certificate checked")
    topics: Annotated[list[BridgeTopic], Field(min_length=1, max_length=100)]
    egress: Egress = Field(description="where its address leads, for the network policy")

    @model_validator(mode="after")
    def _leads_there(self) -> Bridge:
        port = int(self.address.rpartition(":")[2])
        if port not in self.egress.ports:
            raise ValueError(f"egress: does not open {port}, the port of the address; add it to ports")
        return self


class MqttRequest(Request):
    """Of the broker: one that starts, and holds something."""

    memory: Annotated[str, size_from("32Mi", "256Mi")] = Field(description="at least 32Mi")


class MqttSettings(WorkloadSettings):
    """Settings of a Mosquitto."""

    image: Image = IMAGE
    exporter_image: Image = Field(default=EXPORTER_IMAGE, description="of the sidecar with the metrics: any Python 3")
    storage: Annotated[str, size_from("64Mi", "2Gi")] = Field(default="1Gi", description="its volume; at least 64Mi")
    resources: MqttRequest | None = Field(
        default=None, description="of the main container; the tier's size if not given"
    )
    topics: dict[Label, Topics] = Field(
        default_factory=dict, description="by service; one that is not named may hear and say everything"
    )
    bridges: Annotated[dict[Label, Bridge], Field(max_length=20)] = Field(default_factory=dict)
    max_inflight: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=20, description="messages sent to a client and not acknowledged yet"
    )
    max_queued: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        default=10_000, description="messages that wait for a client; further ones are dropped, and told by an alert"
    )
    message_size_limit: Annotated[str, size_from("1Ki", "1Mi")] = Field(default="1Mi", description="of one message")
    save_every: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=1, description="changes after which everything is written to the volume; more is faster, and loses more"
    )
    tls: Tls | None = Field(default=None, description="encrypted where it is given; {} makes a certificate")
    tls_minimum: Literal["1.2", "1.3"] = Field(default="1.3", description="1.2 for devices that know no newer")
    extra_config: ExtraConfig = Field(default_factory=dict, description="further lines of mosquitto.conf by keyword")
