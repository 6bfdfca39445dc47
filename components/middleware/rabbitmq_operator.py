"""A RabbitMQ that RabbitMQ's cluster operator runs: what differs from the one that a stack runs itself.

Accounts, certificate, policies and settings are the same; the operator makes the pods, their Services and the cookie.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.middleware.rabbitmq_settings import METRICS_PORT, SIZES, limits, numbers
from components.model.component import INSTANCE, MANAGED_BY, NAME, PART, PART_OF, PROJECT
from components.model.images import version
from components.model.pods import SIDECAR, Container, Pod
from components.model.profiles import Size
from components.workloads.baseline import budget, pod_template
from components.workloads.encryption import secret_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from components.middleware.rabbitmq_settings import RabbitMQSettings
    from components.model.component import Component
    from kube.kinds import Manifest

API = "rabbitmq.com/v1beta1"
FIRST_USER = "default_user.conf"
FIRST_USER_FILE = "default_user = {username}\ndefault_pass = {password}\n"
FOLDER, SOURCE = "/run/grayling", "/run/definitions"
DRAIN_S = 600
SHAPE = ("affinity", "topologySpreadConstraints", "nodeSelector", "tolerations", "priorityClassName")
"""Of a pod, as every pod of a stack has it."""

HARDENED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
OURS = ("prometheus.", "cluster_partition_handling", "cluster_name", "queue_master_locator", "auth_mechanisms.")
"""How further keys begin that the operator writes."""


def selector(name: str) -> dict[str, str]:
    """Labels of its pods: the operator calls each cluster by its own name."""
    return {NAME: name, INSTANCE: name}


def first_user(settings: RabbitMQSettings) -> dict[str, str]:
    """What the Secret of the first user has for the operator."""
    return {FIRST_USER: FIRST_USER_FILE} if settings.operator else {}


def cluster(
    broker: Component[RabbitMQSettings], members: int, image: str, definitions: Mapping[str, Any]
) -> Iterable[Manifest]:
    """The object that the operator reads, and the disruption budget that it does not make."""
    own, place = broker.settings, broker.environment
    spec: Manifest = {
        "replicas": members,
        "image": image,
        "imagePullSecrets": [{"name": name} for name in place.pull_secrets],
        "resources": broker.sized(SIZES).wire(),
        "persistence": {"storage": own.storage},
        "terminationGracePeriodSeconds": DRAIN_S,
        "secretBackend": {"externalSecret": {"name": own.auth_secret or f"{broker.name}-auth"}},
        "rabbitmq": {"additionalConfig": _lines(broker, image)},
        "tls": {"secretName": secret_of(broker, own.tls), "disableNonTLSListeners": True} if own.tls else None,
        "override": {"statefulSet": {"spec": {"template": _template(broker, image, definitions)}}},
    }
    if place.storage_class:
        spec["persistence"]["storageClassName"] = place.storage_class
    kept = {key: value for key, value in spec.items() if value not in ([], None)}
    yield {"apiVersion": API, "kind": "RabbitmqCluster", "metadata": {"name": broker.name}, "spec": kept}
    yield budget(broker)


def _lines(broker: Component[RabbitMQSettings], image: str) -> str:
    """Of rabbitmq.conf, besides those that the operator writes."""
    found = limits(broker.sized(SIZES), broker.settings.storage)
    lines = {
        "load_definitions": FOLDER,
        "prometheus.tcp.port": str(METRICS_PORT),
        "vm_memory_high_watermark.absolute": found["memory_watermark"],
        "disk_free_limit.absolute": found["disk_free_limit"],
        "log.console.level": broker.settings.log_level,
        **({"default_queue_type": "quorum"} if numbers(version(image)) >= (4, 0) else {}),
        **broker.settings.extra_config,
    }
    return "".join(f"{key} = {value}\n" for key, value in lines.items())


def _template(broker: Component[RabbitMQSettings], image: str, files: Mapping[str, Any]) -> Manifest:
    """What every pod of a stack has, and the operator does not give its own: labels, fewer rights, accounts."""
    copy = Container(
        name="definitions",
        image=image,
        command=("sh", "-c", f"cp -f {SOURCE}/*.json {FOLDER}/"),
        mounts={FOLDER: "grayling", SOURCE: "definitions"},
        resources=SIDECAR[Size.SMALL],
    )
    whole = pod_template(broker, Pod(containers=(copy,)))["spec"]
    shape = {key: whole[key] for key in SHAPE if key in whole}
    server = {
        "name": "rabbitmq",
        "ports": [{"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}],
        "volumeMounts": [{"name": "grayling", "mountPath": FOLDER}],
        "securityContext": HARDENED,
    }
    labels = {**selector(broker.name), PART: "rabbitmq", PART_OF: broker.environment.namespace, MANAGED_BY: PROJECT}
    volumes = [{"name": "grayling", "emptyDir": {}}, {"name": "definitions", **files}, {"name": "tmp", "emptyDir": {}}]
    spec = {
        **shape,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [{"name": "setup-container", "securityContext": HARDENED}, copy.wire()],
        "containers": [server],
        "volumes": volumes,
    }
    return {"metadata": {"labels": labels}, "spec": spec}


def check(settings: RabbitMQSettings) -> None:
    """Nothing is asked for that the operator decides.

    Raises:
        ValueError: it is.
    """
    for key in settings.extra_config if settings.operator else ():
        if key.startswith(OURS):
            raise ValueError(f"extraConfig.{key}: the operator, or another setting, writes it; leave it out")
