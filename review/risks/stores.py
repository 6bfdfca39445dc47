"""What holds data, and what becomes of the data when it goes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from review.model.change import Op
from review.model.risk import Severity
from review.risks.shapes import maps, text
from review.risks.templates import containers, pod_of

if TYPE_CHECKING:
    from review.model.change import Change, ChangeSet, ObjectRef

STORES: dict[str, frozenset[str]] = {
    "postgresql.cnpg.io": frozenset({"Cluster", "Database", "Backup"}),
    "acid.zalan.do": frozenset({"postgresql"}),
    "postgres-operator.crunchydata.com": frozenset({"PostgresCluster"}),
    "kafka.strimzi.io": frozenset({"Kafka", "KafkaTopic", "KafkaNodePool"}),
    "rabbitmq.com": frozenset({"RabbitmqCluster", "Queue", "Vhost", "SuperStream"}),
    "databases.spotahome.com": frozenset({"RedisFailover"}),
    "redis.redis.opstreelabs.in": frozenset({"Redis", "RedisCluster", "RedisReplication"}),
    "mysql.oracle.com": frozenset({"InnoDBCluster"}),
    "k8s.mariadb.com": frozenset({"MariaDB", "Database"}),
    "pxc.percona.com": frozenset({"PerconaXtraDBCluster"}),
    "psmdb.percona.com": frozenset({"PerconaServerMongoDB"}),
    "pgv2.percona.com": frozenset({"PerconaPGCluster"}),
    "mongodbcommunity.mongodb.com": frozenset({"MongoDBCommunity"}),
    "elasticsearch.k8s.elastic.co": frozenset({"Elasticsearch"}),
    "opensearch.opster.io": frozenset({"OpenSearchCluster"}),
    "cassandra.datastax.com": frozenset({"CassandraDatacenter"}),
    "k8ssandra.io": frozenset({"K8ssandraCluster"}),
    "clickhouse.altinity.com": frozenset({"ClickHouseInstallation"}),
    "minio.min.io": frozenset({"Tenant"}),
    "ceph.rook.io": frozenset({"CephCluster", "CephBlockPool", "CephFilesystem", "CephObjectStore"}),
    "longhorn.io": frozenset({"Volume", "Backup"}),
    "snapshot.storage.k8s.io": frozenset({"VolumeSnapshot", "VolumeSnapshotContent"}),
    "velero.io": frozenset({"Backup", "BackupStorageLocation"}),
    "jetstream.nats.io": frozenset({"Stream", "KeyValue", "ObjectStore"}),
}
"""Kinds of operators that keep data, by their API group."""

_CLOUD = re.compile(
    r"(?i)(bucket|database|dbinstance|dbcluster|rds|sqlserver|dynamodb|table|volume|disk|filesystem|filesystems?"
    r"|elasticache|queue|topic|stream|cosmos|documentdb|keyspace|snapshot|vault|kms"
    r"|storageaccount|storage/account|blob|fileshare|spanner|bigquery|bigtable|dataset|firestore|redis|redshift|neptune"
    r"|memorydb|memcache|mongo|mysql|postgres|mariadb|opensearch|elasticsearch|clickhouse|kafka|kinesis|eventhub"
    r"|servicebus|loggroup|backup|secretsmanager|secretmanager|ecr/repository|artifactregistry|containerregistry|hostedzone|cluster)"
)
_ABOUT = re.compile(
    r"(Policy|Notification|Permissions?|Parameters?|Group|Member|Binding|Association|Attachment|Rule|AccessBlock|RegistryImage|RemoteImage"
    r"|Acl|Alarm|Role|User|Grant)(V\d+)?$"
)
"""Last words of types that say something about what keeps data, and keep none."""
_CHART = "kubernetes:helm.sh/v3:Release"
_CLOUD_TYPE = re.compile(r"[a-z0-9-]+:[^:]*:[A-Za-z0-9]+")


class Loss(NamedTuple):
    """What becomes of the data."""

    severity: Severity
    text: str


def loss_of(change: Change, changes: ChangeSet) -> Loss | None:
    """What is lost if this object goes; None where it holds no data that is known."""
    match change.ref.kind:
        case "StatefulSet":
            return _claims_of(change)
        case "PersistentVolumeClaim":
            return Loss(Severity.CRITICAL, "the volume goes with its claim, unless its class keeps it")
        case "PersistentVolume":
            return _volume(change)
        case "Namespace":
            return Loss(Severity.CRITICAL, "everything in the namespace goes with it, volumes and secrets too")
    if is_store(change.ref):
        return Loss(Severity.CRITICAL, "its operator deletes what it made for it, with the data")
    if change.ref.kind == _CHART:
        return Loss(Severity.HIGH, "all that its chart made goes with it; what holds data there is not shown")
    if not change.ref.api_version and _keeps_data(change.ref.kind, changes.project):
        return Loss(Severity.CRITICAL, "it holds data outside the cluster")
    return None


def is_store(ref: ObjectRef) -> bool:
    """Whether it is a resource by which an operator keeps data."""
    return ref.kind in STORES.get(ref.group, ())


def _claims_of(change: Change) -> Loss | None:
    templates = maps(change.before, "spec", "volumeClaimTemplates")
    if not templates:
        return None
    names = ", ".join(text(each, "metadata", "name") or "unnamed" for each in templates)
    if text(change.before, "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted") == "Delete":
        return Loss(
            Severity.CRITICAL, f"its claims ({names}) go with it (whenDeleted is Delete), and with them the data"
        )
    return Loss(
        Severity.HIGH, f"its claims ({names}) stay (whenDeleted is Retain), but nobody serves the data meanwhile"
    )


def _volume(change: Change) -> Loss:
    if text(change.before, "spec", "persistentVolumeReclaimPolicy") == "Retain":
        return Loss(Severity.HIGH, "what lies behind the volume stays (Retain), but no claim finds it")
    return Loss(Severity.CRITICAL, "what lies behind the volume may go with it (its reclaim policy is not Retain)")


def _keeps_data(kind: str, project: str) -> bool:
    package = kind.partition(":")[0]
    own = package in {project, "pulumi", "grayling"}
    keeps = _CLOUD_TYPE.fullmatch(kind) and _CLOUD.search(kind.partition(":")[2]) and not _ABOUT.search(kind)
    return not own and bool(keeps)


def shape_of(change: Change) -> tuple[object, ...] | None:
    """What two objects of one kind have in common if one is the other renamed; None where that cannot be told."""
    manifest = change.after if Op.CREATE in change.ops else change.before
    kind = change.ref.kind
    if kind == "PersistentVolumeClaim":
        requests = text(manifest, "spec", "resources", "requests", "storage")
        return (kind, requests, text(manifest, "spec", "storageClassName")) if requests else None
    made = [
        (text(each, "name"), image_name(text(each, "image"))) for each in containers(pod_of(kind, manifest)).values()
    ]
    if made:
        return (kind, len(maps(manifest, "spec", "volumeClaimTemplates")), *sorted(image for _, image in made))
    return (change.ref.group, kind) if is_store(change.ref) else None


def image_name(image: str) -> str:
    """The repository of an image."""
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(":")[0]
