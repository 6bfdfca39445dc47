"""Redis or Valkey: one primary, and read replicas where asked for. Protocol and configuration are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.middleware.redis_settings import (
    METRICS_PORT,
    OURS,
    PORT,
    SIZES,
    START,
    RedisSettings,
)
from components.model.component import Component
from components.model.credentials import generated_secret
from components.model.endpoints import (
    MEMBERS,
    SCRAPERS,
    USERS,
    Endpoint,
)
from components.model.exhaustion import warnings
from components.model.observability import AlertRule, Dashboard, Panel, Resource
from components.model.pods import (
    SIDECAR,
    Container,
    FieldPath,
    Pod,
    Probe,
    SecretKey,
    config_volume,
    secret_volume,
    sleep,
)
from components.model.profiles import Size
from components.model.quantities import (
    bytes_of,
    megabytes,
    share_of,
)
from components.model.standing import ISSUED_CERTIFICATES, real, served
from components.workloads.accounts import (
    account_files,
    account_of,
    accounts,
    made_secrets,
    needed_secrets,
)
from components.workloads.baseline import (
    Volume,
    config_map,
    service,
    stateful_set,
)
from components.workloads.encryption import (
    FOLDER,
    authority_of,
    certificate,
    hosts,
    secret_of,
)
from components.workloads.extra_config import checked, words
from components.workloads.network import policy
from manifests.render import text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kube.kinds import Manifest


class Redis(Component[RedisSettings]):
    """A StatefulSet with a password, a volume and an exporter."""

    kind = "redis"
    modes = (
        real(
            "tests/components/middleware/test_stores_on_cluster.py::test_accounts_and_encryption_then_volumes_grow_and_an_account_goes",
            "tests/components/monitoring/test_alerts_on_cluster.py::test_rules_and_panels_have_series_and_faults_are_told",
            "tests/components/middleware/test_stores_on_cluster.py::test_redis_is_backed_up_and_restored_as_its_runbook_says",
        ),
        served(ISSUED_CERTIFICATES, name="tls.issuer (cert-manager)"),
    )

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Commands, of replicas too, and the exporter."""
        clients = USERS | MEMBERS if self.replicas > 1 else USERS
        return (
            Endpoint("redis", PORT, clients, "Redis protocol"),
            Endpoint("metrics", METRICS_PORT, SCRAPERS, "exporter", container="exporter"),
        )

    @property
    def secret(self) -> str:
        """Name of the Secret with the password."""
        return self.settings.auth_secret or f"{self.name}-auth"

    @property
    def replicas(self) -> int:
        """Pods in all."""
        if self.settings.mode == "standalone":
            return 1
        return self.settings.replicas or max(2, self.environment.profile.replicas)

    def manifests(self) -> Iterable[Manifest]:
        """Secret, configuration, Services, policy, StatefulSet."""
        if not self.settings.auth_secret:
            yield generated_secret(self.secret, self._recipe())
        yield from accounts(self, self._account())
        yield from certificate(self, self.settings.tls, hosts(self, self.name, f"{self.name}-readers"))
        yield config_map(self, f"{self.name}-config", {"redis.conf": self._configuration()})
        yield service(self, headless=True, name=f"{self.name}-nodes")
        primary = service(self)
        primary["spec"]["selector"] |= {"statefulset.kubernetes.io/pod-name": f"{self.name}-0"}
        yield primary
        if self.replicas > 1:
            yield service(self, name=f"{self.name}-readers")
        yield policy(self)
        volume = Volume("data", self.settings.storage) if self.settings.storage else None
        yield from stateful_set(
            self, self._pod(), replicas=self.replicas, governing=f"{self.name}-nodes", volume=volume
        )

    def makes_secrets(self) -> Mapping[str, Collection[str]]:
        """Passwords and certificate, as far as they are not given."""
        own = {} if self.settings.auth_secret else {self.secret: self._recipe().keys()}
        return made_secrets(self, own, self.settings.tls)

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Those that are given."""
        return needed_secrets(self.settings.auth_secret, ("auth.conf", "password", "url"), self.settings.tls)

    def _recipe(self) -> dict[str, str]:
        return {
            "password": "{random:32}",
            "auth.conf": "requirepass {password}\nmasterauth {password}\n",
            "url": self._url(""),
        }

    def _url(self, user: str) -> str:
        scheme = "rediss" if self.settings.tls else "redis"
        return f"{scheme}://{user}:{{password}}@{self.name}.{self.environment.namespace}.svc:{PORT}/0"

    def _account(self) -> dict[str, str]:
        """All data and no administration: neither settings, nor other accounts, nor everybody's data at once."""
        return {
            "password": "{random:32}",
            "users.conf": "user {username} on >{password} ~* &* +@all -@admin -flushall -swapdb\n",
            "url": self._url("{username}"),
        }

    def check(self) -> None:
        """What is added to the configuration is not there already.

        Raises:
            ValueError: it is.
        """
        checked(self.settings.extra_config, self._configuration(alone=True), "redis", ours=OURS)
        words(self.settings.extra_config)

    def _configuration(self, *, alone: bool = False) -> str:
        return text(
            "redis.conf.j2",
            port=PORT,
            maxmemory=f"{self._most_data()}mb",
            eviction=self.settings.eviction,
            persistent=self.settings.storage is not None,
            replicas=self.replicas,
            users=bool(self.scope.users_of(self.name)),
            tls=FOLDER if self.settings.tls else "",
            extra={} if alone else self.settings.extra_config,
        )

    def _most_data(self) -> int:
        """Megabytes that fit into memory, and into the volume: its log grows to twice that, and is then rewritten."""
        memory = int(megabytes(self.sized(SIZES).memory) * 0.75)
        return min(memory, share_of(self.settings.storage, 0.25)) if self.settings.storage else memory

    def _pod(self) -> Pod:
        volumes: dict[str, Mapping[str, object]] = {
            "config": config_volume(f"{self.name}-config"),
            "auth": secret_volume(self.secret),
        }
        if files := account_files(self, "users.conf"):
            volumes["users"] = {"projected": {"defaultMode": 0o440, "sources": files}}
        if self.settings.tls:
            volumes["tls"] = secret_volume(secret_of(self, self.settings.tls))
        if not self.settings.storage:
            volumes["data"] = {"emptyDir": {}}
        return Pod(containers=(self._server(), self._exporter()), volumes=volumes, grace_s=60)

    def _server(self) -> Container:
        asked = f"--tls --cacert {FOLDER}/ca.crt " if self.settings.tls else ""
        command = ("sh", "-c", f'[ "$(redis-cli {asked}-p {PORT} ping)" = PONG ]')
        ping = Probe(command=command, every_s=10, timeout_s=5)
        more = {"/etc/redis/users": "users"} if self.scope.users_of(self.name) else {}
        return Container(
            name="redis",
            image=self.environment.image(self.settings.image),
            command=("sh", "-c", START, "redis"),
            env={
                "POD_NAME": FieldPath("metadata.name"),
                "PRIMARY": f"{self.name}-0.{self.name}-nodes.{self.environment.namespace}.svc",
                "PORT": str(PORT),
                "REDISCLI_AUTH": SecretKey(self.secret, "password"),
            },
            mounts={"/etc/redis": "config", "/etc/redis/auth": "auth", "/data": "data", **more, **self._keys()},
            resources=self.sized(SIZES),
            startup=Probe(command=command, every_s=1, failures=120, timeout_s=5),
            readiness=ping,
            liveness=Probe(port=PORT, every_s=10, failures=6),
            pre_stop=sleep(2),
        )

    def _keys(self) -> dict[str, str]:
        return {FOLDER: "tls"} if self.settings.tls else {}

    def _exporter(self) -> Container:
        where = f"rediss://localhost:{PORT}" if self.settings.tls else f"redis://127.0.0.1:{PORT}"
        trusted = {"REDIS_EXPORTER_TLS_CA_CERT_FILE": f"{FOLDER}/ca.crt"} if self.settings.tls else {}
        return Container(
            name="exporter",
            image=self.environment.image(self.settings.exporter_image),
            env={
                "REDIS_ADDR": where,
                **trusted,
                "REDIS_PASSWORD": SecretKey(self.secret, "password"),
                "REDIS_EXPORTER_WEB_LISTEN_ADDRESS": f":{METRICS_PORT}",
            },
            mounts=self._keys(),
            resources=SIDECAR[Size.SMALL],
            readiness=Probe(port=METRICS_PORT, every_s=10),
            liveness=Probe(port=METRICS_PORT, every_s=20),
        )

    def binding(self, user: str) -> Mapping[str, SecretKey]:
        """``REDIS_URL``, with the account of the user."""
        return {"REDIS_URL": SecretKey(account_of(self, user), "url")}

    def authority(self) -> SecretKey | None:
        """Of the certificate, where there is one."""
        return authority_of(self, self.settings.tls)

    def resources(self) -> Iterable[Resource]:
        """Memory, where nothing is dropped for what is new, and the volume."""
        own = self.metrics_selector
        if self.settings.eviction == "noeviction":
            used = f"max(redis_memory_used_bytes{{{own}}} / redis_memory_max_bytes{{{own}}})"
            yield Resource("memory", "RedisMemoryFills", used, "will refuse writes")
        if self.settings.storage:
            used = f"max(redis_aof_current_size_bytes{{{own}}}) / {bytes_of(self.settings.storage)}"
            yield Resource("volume", "RedisVolumeFills", used, "will not be able to write its log")

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, full, refusing, or its replicas broken."""
        own = self.metrics_selector
        who = f"{self.environment.namespace}/{self.name}"
        down = f"sum(redis_up{{{own}}}) < {self.replicas} or absent(redis_up{{{own}}})"
        yield AlertRule("RedisDown", down, f"{who}: fewer than {self.replicas} pods answer", "1m", "critical")
        if self.settings.storage:
            whole = bytes_of(self.settings.storage)
            log = f"max(redis_aof_current_size_bytes{{{own}}}) / {whole} > 0.7"
            yield AlertRule("RedisVolumeFull", log, f"{who}: its log fills over 70 % of the volume", "5m", "critical")
        full = f"redis_memory_used_bytes{{{own}}} / redis_memory_max_bytes{{{own}}} > 0.9"
        yield AlertRule("RedisMemoryHigh", full, f"{who} uses more than 90 % of its memory")
        refused = f"increase(redis_rejected_connections_total{{{own}}}[5m]) > 0"
        yield AlertRule("RedisRejectsConnections", refused, f"{who} refuses connections", "1m")
        yield from warnings(self)
        if self.replicas > 1:
            slaves = f"redis_connected_slaves{{{own}}}"
            broken = f"sum({slaves}) < {self.replicas - 1} or absent({slaves})"
            yield AlertRule("RedisReplicaMissing", broken, f"{who} has fewer replicas than declared", "5m", "critical")

    def dashboard(self) -> Dashboard:
        """Commands, memory, clients, hit rate."""
        own = self.metrics_selector
        hits = f"rate(redis_keyspace_hits_total{{{own}}}[5m])"
        misses = f"rate(redis_keyspace_misses_total{{{own}}}[5m])"
        return Dashboard(
            f"{self.environment.namespace} / {self.name}",
            (
                Panel("Commands", f"sum(rate(redis_commands_processed_total{{{own}}}[5m]))", "ops"),
                Panel("Memory", f"redis_memory_used_bytes{{{own}}}", "bytes"),
                Panel("Clients", f"redis_connected_clients{{{own}}}"),
                Panel("Hit rate", f"{hits} / ({hits} + {misses})", "percentunit"),
            ),
        )
