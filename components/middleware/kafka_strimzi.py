"""A Kafka that Strimzi runs: the objects that its operator reads, and the names that it gives to what it makes.

Of Strimzi 1.x (``kafka.strimzi.io/v1``). The operator itself, and its definitions, are the platform's to install.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.middleware.kafka_settings import (
    CONTROLLER_PORT,
    CONTROLLER_SIZES,
    EXPORTER_PORT,
    GRACE_S,
    INTERNAL_PORT,
    METRICS_PORT,
    OURS,
    SIZES,
    VOTERS,
    heap,
)
from components.model.endpoints import API_SERVER, MEMBERS, SCRAPERS, USERS, Endpoint
from components.model.images import split
from components.model.pods import SIDECAR, Resources, SecretKey
from components.model.profiles import Size
from components.workloads.baseline import config_map
from components.workloads.network import policy
from manifests.render import text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from components.middleware.kafka_files import Cluster
    from components.middleware.kafka_settings import KafkaSettings
    from components.model.component import Component
    from kube.kinds import Manifest

    Owner = Component[KafkaSettings]

API = "kafka.strimzi.io/v1"
DOMAIN = "strimzi.io/"
CLUSTER = f"{DOMAIN}cluster"
_NAMES = {"broker": "kafka", "exporter": "kafka-exporter", "entity": "entity-operator"}
"""What Strimzi calls the pods of a part, after the name of the cluster."""

_OPERATOR = Resources("100m", "384Mi")
_ITS_OWN = (*OURS, "allow.everyone.", "controller.", "initial.", "node.id", "process.roles")
_REFUSED = ("agent_image", "auth_secret", "exporter_image")
_READ_AND_WRITE = ("Read", "Write", "Describe", "DescribeConfigs")
RIGHTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("topic", _READ_AND_WRITE),
    ("group", ("Read", "Describe", "Delete")),
    ("transactionalId", ("Write", "Describe")),
)
"""Of a service: all data and no administration."""


def check(kafka: Owner, cluster: Cluster) -> None:
    """What Strimzi decides itself is not given.

    Raises:
        ValueError: it is, or the voters make no majority, or no version is said.
    """
    for field in _REFUSED:
        if field in kafka.settings.model_fields_set:
            shown = type(kafka.settings).model_fields[field].alias
            raise ValueError(f"{shown}: Strimzi brings its own; take the line out, or take out operator: strimzi")
    if kafka.settings.topology is not None:
        raise ValueError("topology: Strimzi keeps topics as its own objects; write KafkaTopic objects, or leave it out")
    tls = kafka.settings.tls
    if tls is not None and (tls.secret or tls.issuer):
        raise ValueError("tls: Strimzi makes and renews its certificates itself; write tls: {}")
    if kafka.settings.controllers == "combined" and cluster.members not in {1, VOTERS}:
        raise ValueError(f"members: {cluster.members} cannot all vote; give controllers: {{members: 3}}, or members: 3")
    if not split(kafka.settings.image)[1]:
        raise ValueError("image: its tag is the version that Strimzi runs; give one with a tag, such as kafka:4.3.1")


def endpoints(port: int) -> tuple[Endpoint, ...]:
    """Clients, what Strimzi's own pods say to each other, and metrics."""
    about = "Kafka, at Strimzi's bootstrap Service"
    return (
        Endpoint("clients", port, USERS | MEMBERS, about, part="broker"),
        Endpoint("control", CONTROLLER_PORT, MEMBERS, "voters", part="broker"),
        Endpoint("internal", INTERNAL_PORT, MEMBERS, "brokers, operators and exporter", part="broker"),
        Endpoint("metrics", METRICS_PORT, SCRAPERS, "JMX exporter", part="broker"),
        Endpoint("metrics", EXPORTER_PORT, SCRAPERS, "lag of consumers", part="exporter"),
    )


def selector(kafka: Owner, part: str | None) -> dict[str, str]:
    """The labels that Strimzi puts on the pods it makes."""
    own = {f"{DOMAIN}name": f"{kafka.name}-{_NAMES[part]}"} if part else {}
    return {CLUSTER: kafka.name, **own}


def bootstrap(kafka: Owner, port: int) -> str:
    """Where clients begin."""
    return f"{kafka.name}-kafka-bootstrap.{kafka.environment.namespace}.svc:{port}"


def account(kafka: Owner, user: str) -> str:
    """A service's KafkaUser, its name in Kafka, and the Secret with its password: one name for all three."""
    return f"{kafka.name}-{user}"


def authority(kafka: Owner) -> SecretKey | None:
    """Of the certificates that Strimzi makes."""
    return SecretKey(f"{kafka.name}-cluster-ca-cert", "ca.crt") if kafka.settings.tls else None


def makes_secrets(kafka: Owner) -> Mapping[str, Collection[str]]:
    """Those that the operator writes."""
    trusted = authority(kafka)
    users = kafka.scope.users_of(kafka.name)
    made: dict[str, Collection[str]] = {account(kafka, user.name): ("password", "sasl.jaas.config") for user in users}
    return made | ({trusted.secret: (trusted.key,)} if trusted else {})


def manifests(kafka: Owner, cluster: Cluster) -> Iterable[Manifest]:
    """The cluster, its pools of nodes, a user for each service, and who may talk to whom."""
    metrics = f"{kafka.name}-metrics"
    yield config_map(kafka, metrics, {"metrics.yaml": text("kafka_metrics.yaml.j2")})
    yield policy(kafka, [API_SERVER], part="broker")
    yield policy(kafka, part="exporter")
    yield policy(kafka, [API_SERVER], part="entity")
    yield from _pools(kafka, cluster)
    yield _object(kafka, "Kafka", kafka.name, _cluster(kafka, cluster, metrics))
    for user in kafka.scope.users_of(kafka.name):
        yield _object(kafka, "KafkaUser", account(kafka, user.name), _user())


def _object(kafka: Owner, kind: str, name: str, spec: Manifest) -> Manifest:
    own = {} if kind == "Kafka" else {CLUSTER: kafka.name}
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name, "labels": own}, "spec": spec}


def _pools(kafka: Owner, cluster: Cluster) -> Iterable[Manifest]:
    controllers = kafka.settings.controllers
    if controllers == "combined":
        roles = ["controller", "broker"]
    else:
        roles = ["broker"]
        sized = kafka.sized(CONTROLLER_SIZES, controllers.resources)
        spec = _pool(kafka, ["controller"], controllers.members, sized, controllers.storage)
        yield _object(kafka, "KafkaNodePool", f"{kafka.name}-controller", spec)
    spec = _pool(kafka, roles, cluster.members, kafka.sized(SIZES), kafka.settings.storage)
    yield _object(kafka, "KafkaNodePool", f"{kafka.name}-broker", spec)


def _pool(kafka: Owner, roles: list[str], replicas: int, sized: Resources, storage: str) -> Manifest:
    volume = {
        "type": "persistent-claim",
        "size": storage,
        "deleteClaim": kafka.environment.profile.data == "Delete",
        "class": kafka.environment.storage_class,
    }
    return {
        "roles": roles,
        "replicas": replicas,
        "storage": {key: value for key, value in volume.items() if value is not None},
        "resources": sized.wire(),
        "jvmOptions": {"-Xms": f"{heap(sized)}m", "-Xmx": f"{heap(sized)}m"},
        "template": {"pod": _pod(kafka), "kafkaContainer": {"securityContext": _LOCKED}},
    }


_NOT_ROOT: Manifest = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
_LOCKED: Manifest = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, **_NOT_ROOT}


def _pod(kafka: Owner) -> Manifest:
    """Restricted, spread over zones and hosts, on the nodes that the settings name."""
    pods = {"matchLabels": selector(kafka, "broker")}
    apart = {"labelSelector": pods, "topologyKey": "kubernetes.io/hostname"}
    affinity: Manifest = {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": apart}]
        }
    }
    scheduling = kafka.placement.scheduling()
    if nodes := scheduling.pop("nodeSelector", None):
        wanted = [{"key": key, "operator": "In", "values": [value]} for key, value in nodes.items()]
        terms = {"nodeSelectorTerms": [{"matchExpressions": wanted}]}
        affinity["nodeAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
    spread = {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": kafka.environment.profile.spread,
        "labelSelector": pods,
    }
    return {
        **_meta(kafka.placement.pod_annotations),
        **scheduling,
        "affinity": affinity,
        "topologySpreadConstraints": [spread],
        "terminationGracePeriodSeconds": GRACE_S,
        "enableServiceLinks": False,
        # Without this group, which Strimzi leaves out where something is given, the volume could not be written.
        "securityContext": {**_NOT_ROOT, "fsGroup": 0},
        **_pull_secrets(kafka),
    }


def _meta(annotations: Mapping[str, str]) -> Manifest:
    return {"metadata": {"annotations": dict(annotations)}} if annotations else {}


def _pull_secrets(kafka: Owner) -> Manifest:
    found = [{"name": name} for name in kafka.environment.pull_secrets]
    return {"imagePullSecrets": found} if found else {}


def _cluster(kafka: Owner, cluster: Cluster, metrics: str) -> Manifest:
    """The object ``Kafka``: one listener, closed but to users; the operators of topics and users; the exporter."""
    helper = {"resources": SIDECAR[Size.SMALL].wire()}
    operator = {"resources": _OPERATOR.wire()}
    pod = {"securityContext": _NOT_ROOT, **_pull_secrets(kafka)}
    locked = {"securityContext": _LOCKED}
    template: Manifest = {"pod": pod, "topicOperatorContainer": locked, "userOperatorContainer": locked}
    return {
        "kafka": _brokers(kafka, cluster, metrics),
        "entityOperator": {"topicOperator": operator, "userOperator": operator, "template": template},
        "kafkaExporter": {
            "topicRegex": ".*",
            "groupRegex": ".*",
            **helper,
            "template": {"pod": pod, "container": locked},
        },
    }


def _brokers(kafka: Owner, cluster: Cluster, metrics: str) -> Manifest:
    users = [user.speaker() for user in kafka.scope.users_of(kafka.name)]
    listener = {
        "name": "clients",
        "port": cluster.port,
        "type": "internal",
        "tls": kafka.settings.tls is not None,
        "authentication": {"type": "scram-sha-512"},
        "networkPolicyPeers": [{"podSelector": {"matchLabels": pods}} for pods in (selector(kafka, None), *users)],
    }
    rules = {"configMapKeyRef": {"name": metrics, "key": "metrics.yaml"}}
    account_meta = _meta(kafka.placement.account_annotations)
    made = {
        "version": split(kafka.settings.image)[1],
        "listeners": [listener],
        "authorization": {"type": "simple"},
        "config": _config(kafka, cluster),
        "logging": {"type": "inline", "loggers": {"rootLogger.level": kafka.settings.log_level.upper()}},
        "metricsConfig": {"type": "jmxPrometheusExporter", "valueFrom": rules},
    }
    return made | ({"template": {"serviceAccount": account_meta}} if account_meta else {})


def _config(kafka: Owner, cluster: Cluster) -> dict[str, Any]:
    """What the own mode writes into ``server.properties``, less what Strimzi writes there itself."""
    lines = cluster.properties(broker=True, extra=kafka.settings.extra_config).splitlines()
    pairs = dict(line.split(" = ", 1) for line in lines if " = " in line and not line.startswith("#"))
    given = kafka.settings.extra_config
    return {key: value for key, value in pairs.items() if key in given or not key.startswith(_ITS_OWN)}


def _user() -> Manifest:
    acls = [
        {
            "type": "allow",
            "resource": {"type": kind, "name": "*", "patternType": "literal"},
            "operations": list(operations),
            "host": "*",
        }
        for kind, operations in RIGHTS
    ]
    return {
        "authentication": {"type": "scram-sha-512"},
        "authorization": {"type": "simple", "acls": acls},
    }
