"""The files of a Kafka's nodes: settings, scripts, which metrics are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.middleware.kafka_settings import (
    CALM_S,
    CONTROLLER_PORT,
    COPIES,
    DRAIN_S,
    FIRST_CONTROLLER,
    IN_SYNC,
    INTERNAL_PORT,
    METRICS_PORT,
    segment_bytes,
)
from components.model.quantities import bytes_of
from components.workloads.encryption import FOLDER
from manifests.render import text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.middleware.kafka_settings import KafkaSettings

CONFIG = "/etc/kafka/grayling"
DATA = "/data/kafka"
RUN = "/run/kafka"
ACCOUNTS = "/run/accounts"
ADMINISTRATOR = "/run/administrator"
# The first is where the image of the project has it.
LIBS = "/opt/kafka/libs/*"
_ACCOUNTS_AGAIN_S = 300


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the files need to know of the whole: ``quorum`` are the voters, ``voters`` of them are brokers."""

    settings: KafkaSettings
    port: int
    members: int
    voters: int
    quorum: str
    domain: str
    bootstrap: str
    secret: str
    tls_secret: str

    @property
    def _tls(self) -> str:
        return FOLDER if self.settings.tls else ""

    @property
    def _protocol(self) -> str:
        return "SASL_SSL" if self.settings.tls else "SASL_PLAINTEXT"

    def node(self, *, broker: bool, heap: int) -> dict[str, str]:
        """Of a broker, or of a controller that is none."""
        script = text(
            "kafka_node.sh.j2",
            broker=broker,
            heap=heap,
            first_id=0 if broker else FIRST_CONTROLLER,
            domain=self.domain,
            voters=self.voters,
            quorum=self.quorum,
            port=self.port,
            internal_port=INTERNAL_PORT,
            controller_port=CONTROLLER_PORT,
            metrics_port=METRICS_PORT,
            secret=self.secret,
            tls=self._tls,
            tls_secret=self.tls_secret,
            keystore=f"{RUN}/keystore.pem",
            agent=f"{RUN}/agent.jar",
            libs=LIBS,
            data=DATA,
            config=CONFIG,
            drain_s=DRAIN_S,
            calm_s=CALM_S,
        )
        return {
            "node.sh": script,
            "server.properties": self.properties(broker=broker, extra=self.settings.extra_config),
            "metrics.yaml": text("kafka_metrics.yaml.j2"),
            "log4j2.xml": text("kafka_log4j2.xml.j2", level=self.settings.log_level),
        }

    def properties(self, *, broker: bool, extra: Mapping[str, str]) -> str:
        """``server.properties``."""
        size = self.settings.retention_size
        return text(
            "kafka.properties.j2",
            broker=broker,
            data=DATA,
            quorum=self.quorum,
            protocol=self._protocol,
            tls=self._tls,
            keystore=f"{RUN}/keystore.pem",
            port=self.port,
            internal_port=INTERNAL_PORT,
            partitions=self.settings.partitions,
            copies=min(COPIES, self.members),
            in_sync=IN_SYNC if self.members >= COPIES else 1,
            retention_ms=round(self.settings.retention * 1000),
            retention_bytes=bytes_of(size) if size else -1,
            segment_bytes=segment_bytes(self.settings.storage),
            extra=extra,
        )

    def tools(self) -> dict[str, str]:
        """Of the pod that makes accounts."""
        script = text(
            "kafka_accounts.sh.j2",
            config=CONFIG,
            libs=LIBS,
            bootstrap=self.bootstrap,
            accounts=ACCOUNTS,
            administrator=ADMINISTRATOR if self.settings.topology else "",
            every_s=_ACCOUNTS_AGAIN_S,
        )
        return {
            "accounts.sh": script,
            "admin.properties": text("kafka_admin.properties.j2", protocol=self._protocol, tls=self._tls),
            "log4j2.xml": text("kafka_log4j2.xml.j2", level="error"),
        }

    def client(self, user: str) -> dict[str, str]:
        """What a client has to say, but for its password."""
        return {
            "BOOTSTRAP_SERVERS": self.bootstrap,
            "SECURITY_PROTOCOL": self._protocol,
            "SASL_MECHANISM": "SCRAM-SHA-512",
            "USERNAME": user,
        }
