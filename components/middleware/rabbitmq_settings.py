"""What a stack file may say of a RabbitMQ, and the numbers that its parts agree on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from components.middleware.rabbitmq_topology import RabbitMQTopology
from components.model.pods import Resources, Sizes
from components.model.profiles import Size
from components.model.quantities import megabytes, share_of, size_from
from components.model.settings import Request, WorkloadSettings
from components.model.values import Image, ObjectName
from components.workloads.encryption import Tls
from components.workloads.extra_config import ExtraConfig

IMAGE = "docker.io/library/rabbitmq:4.3.4-management"
AMQP_PORT = 5672
AMQPS_PORT = 5671
EPMD_PORT = 4369
DISTRIBUTION_PORT = 25672
METRICS_PORT = 15692
MANAGEMENT_PORT = 15672
MANAGEMENT_TLS_PORT = 15671
CLI_PORTS = (35672, 35682)
"""First and last."""

SIZES: Sizes = {
    Size.SMALL: Resources("100m", "384Mi"),
    Size.MEDIUM: Resources("500m", "1Gi"),
    Size.LARGE: Resources("2000m", "4Gi"),
}
OURS = (
    "listeners.",
    "ssl_options.",
    "cluster_formation.",
    "default_user",
    "default_pass",
    "load_definitions",
    "management.tcp.",
    "management.ssl.",
)
"""How keys begin that are written from other settings."""

HOME = "/var/lib/rabbitmq"
DEFINITIONS = f"{HOME}/definitions"
# A mark on the accounts that a stack makes for its services, and nothing that RabbitMQ knows: it gives no rights.
OF_A_SERVICE = "grayling-service"
# Erlang wants its cookie as a file that nobody else may read, which a Secret volume cannot give to an arbitrary user;
# and RabbitMQ takes every entry of the definitions folder for a file, a volume's hidden folders among them.
# It may run twice on one home (the kubelet makes a pod's sandbox anew), and what it copied can only be read: hence -f.
PREPARE = (
    f"umask 077 && cp -f /run/cookie/cookie {HOME}/.erlang.cookie.new "
    f"&& mv -f {HOME}/.erlang.cookie.new {HOME}/.erlang.cookie "
    f"&& mkdir -p {DEFINITIONS} && cp -f /run/definitions/*.json {DEFINITIONS}/ "
    f"&& for each in {DEFINITIONS}/30-*.json; do [ ! -e $each ] "
    f"""|| sed -i 's/"tags": ""/"tags": "{OF_A_SERVICE}"/' $each || exit 1; done"""
)
# Definitions are added to what is there, so an account outlives its service. The first member starts last in an update,
# when no other brings an old definition any more: it takes away what is marked and no longer defined.
SWEEP = f"""\
sweep() {{
  tab=$(printf '\\t')
  until listed=$(rabbitmqctl -q list_users --no-table-headers 2>/dev/null); do sleep 10; done
  printf '%s\\n' "$listed" | while IFS=$tab read -r name tags; do
    if [ "$tags" = '[{OF_A_SERVICE}]' ] && [ ! -e "{DEFINITIONS}/30-$name.json" ]; then
      rabbitmqctl -q delete_user "$name" && echo "account $name is gone: no service of the stack has it"
    fi
  done
}}
case "$POD_NAME" in *-0) (sleep 5; sweep) & ;; esac
exec rabbitmq-server
"""
# With peers: wait until the queues keep their quorum without this member. Always: send clients elsewhere, then stop.
DRAIN_ALONE = "rabbitmq-upgrade --timeout 20 drain || true"
DRAIN = f"rabbitmq-upgrade --timeout 300 await_online_quorum_plus_one; {DRAIN_ALONE}"


class RabbitMQRequest(Request):
    """Of the broker: one that starts, and holds something."""

    memory: Annotated[str, size_from("256Mi", "1Gi")] = Field(description="at least 256Mi")


class RabbitMQSettings(WorkloadSettings):
    """Settings of a broker."""

    image: Image = IMAGE
    members: Literal[1, 3, 5, 7] | None = Field(default=None, description="an odd number, so that a majority exists")
    storage: Annotated[str, size_from("256Mi", "10Gi")] = Field(
        default="1Gi", description="volume of each member; at least 256Mi"
    )
    resources: RabbitMQRequest | None = Field(
        default=None, description="of the main container; the tier's size if not given"
    )
    delivery_limit: int = Field(
        default=20, ge=1, le=1_000_000, description="a message delivered more often is dead-lettered"
    )
    operator: Literal["cluster-operator"] | None = Field(
        default=None,
        description="RabbitMQ's operator runs it, which the cluster must have; the stack itself if not given",
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    tls: Tls | None = Field(default=None, description="encrypted where it is given; {} makes a certificate")
    extra_config: ExtraConfig = Field(default_factory=dict, description="further lines of rabbitmq.conf by key")
    topology: RabbitMQTopology | None = Field(
        default=None,
        description="queues and all that belongs to them; needs a component `topology`, which makes it true",
    )
    auth_secret: ObjectName | None = Field(
        default=None,
        description="existing Secret (cookie, 10-users.json, username, password, url); generated if not given",
    )


def user_definitions(tags: str, **more: Any) -> dict[str, Any]:
    """Definitions of one account; its name and password are filled in where they are drawn."""
    may = {"user": "{username}", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
    users = [{"name": "{username}", "password": "{password}", "tags": tags}]
    return {**more, "users": users, "permissions": [may]}


def limits(resources: Resources, storage: str) -> dict[str, str]:
    """Where publishers are blocked: memory in use, and what is left of the disk."""
    memory = int(megabytes(resources.memory) * 0.6)
    return {"memory_watermark": f"{memory}MiB", "disk_free_limit": f"{min(memory, share_of(storage, 0.2))}MiB"}


def numbers(tag: str) -> tuple[int, int]:
    """Major and minor version of an image's tag; those of the default where it names none."""
    digits = tag.split("-", maxsplit=1)[0].split(".")
    if len(digits) > 1 and digits[0].isdigit() and digits[1].isdigit():
        return int(digits[0]), int(digits[1])
    return (4, 0)
