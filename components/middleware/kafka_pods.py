"""The containers of a Kafka: a node's own, the exporter of lag, and the one that keeps accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.middleware.kafka_files import ACCOUNTS, ADMINISTRATOR, CONFIG, DATA, RUN
from components.middleware.kafka_settings import (
    ACCOUNTS_RESOURCES,
    EXPORTER_PORT,
    PASSWORDS,
)
from components.model.pods import SIDECAR, Container, FieldPath, Probe, SecretKey, sleep
from components.model.profiles import Size
from components.workloads.encryption import FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.middleware.kafka_files import Cluster
    from components.middleware.kafka_settings import KafkaSettings
    from components.model.component import Component
    from components.model.pods import Resources

    Owner = Component[KafkaSettings]

NODE = f"{CONFIG}/node.sh"
_STARTS_S, _STARTS_EVERY_S = 1800, 5
"""A broker that was killed reads its logs again before it serves."""


def node(
    owner: Owner, cluster: Cluster, sized: Resources, *, port: int, broker: bool
) -> tuple[tuple[Container, ...], Container]:
    """What prepares a node, and the node."""
    keys = {FOLDER: "tls"} if owner.settings.tls else {}
    mounts = {CONFIG: "config", RUN: "run", DATA.rpartition("/")[0]: "data", **keys}
    image = owner.environment.image(owner.settings.image)

    def step(name: str, from_image: str, resources: Resources) -> Container:
        """One of its scripts, run before it starts."""
        command = ("bash", NODE, name)
        return Container(name, from_image, resources, command, env=_environment(cluster), mounts=mounts)

    agent = step("agent", owner.environment.image(owner.settings.agent_image), SIDECAR[Size.SMALL])
    prepare, form = step("prepare", image, SIDECAR[Size.SMALL]), step("format", image, sized)
    listens = Probe(port, every_s=15, failures=6)
    ready = Probe(command=("bash", NODE, "ready"), every_s=10, timeout_s=10) if broker else Probe(port)
    drain = {"exec": {"command": ["bash", NODE, "drain"]}} if broker and cluster.members > 1 else sleep(2)
    server = Container(
        name="kafka",
        image=image,
        command=("bash", NODE, "start"),
        env=_environment(cluster),
        mounts=mounts,
        resources=sized,
        startup=Probe(port, every_s=_STARTS_EVERY_S, failures=_STARTS_S // _STARTS_EVERY_S),
        readiness=ready,
        liveness=listens,
        pre_stop=drain,
    )
    return (agent, prepare, form), server


def _environment(cluster: Cluster) -> Mapping[str, SecretKey | FieldPath]:
    secrets = {_variable(key): SecretKey(cluster.secret, key) for key in ("cluster-id", *PASSWORDS)}
    return {"POD_NAME": FieldPath("metadata.name"), **secrets}


def _variable(key: str) -> str:
    return key.replace("-", "_").upper()


def exporter(owner: Owner, cluster: Cluster) -> Container:
    """Tells Prometheus how far consumers are behind."""
    trusted = ("--tls.enabled", f"--tls.ca-file={FOLDER}/ca.crt") if owner.settings.tls else ()
    account = ("--sasl.enabled", "--sasl.mechanism=scram-sha512", "--sasl.username=exporter")
    return Container(
        name="exporter",
        image=owner.environment.image(owner.settings.exporter_image),
        args=(
            f"--kafka.server={cluster.bootstrap}",
            "--kafka.version=3.6.0",
            f"--web.listen-address=:{EXPORTER_PORT}",
            *account,
            "--sasl.password=$(EXPORTER_PASSWORD)",
            *trusted,
        ),
        env={"EXPORTER_PASSWORD": SecretKey(cluster.secret, "exporter-password")},
        mounts={FOLDER: "tls"} if owner.settings.tls else {},
        resources=SIDECAR[Size.SMALL],
        readiness=Probe(EXPORTER_PORT, path="/healthz"),
        liveness=Probe(EXPORTER_PORT, path="/healthz", every_s=20),
        pre_stop=sleep(2),
    )


def accounts_container(owner: Owner, cluster: Cluster) -> Container:
    """Gives each service its account and its rights, and looks again every few minutes."""
    keys = {FOLDER: "tls"} if owner.settings.tls else {}
    keys |= {ADMINISTRATOR: "administrator"} if owner.settings.topology else {}
    return Container(
        name="accounts",
        image=owner.environment.image(owner.settings.image),
        command=("bash", f"{CONFIG}/accounts.sh"),
        env={"ADMIN_PASSWORD": SecretKey(cluster.secret, "admin-password")},
        mounts={CONFIG: "config", ACCOUNTS: "accounts", **keys},
        resources=ACCOUNTS_RESOURCES,
        readiness=Probe(command=("test", "-e", "/tmp/done"), every_s=2),  # noqa: S108 - in the pod
        liveness=Probe(command=("sh", "-c", "find /tmp/alive -mmin -15 | grep -q ."), every_s=30, failures=4),
    )
