"""Memcached: members that know nothing of each other; clients spread the keys over them by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.middleware.memcached_settings import (
    LEAST_DATA,
    METRICS_PORT,
    MONITOR,
    MOST_ACCOUNTS,
    PORT,
    RESERVED,
    SIZES,
    START,
    THREADS,
    MemcachedSettings,
    room_for_data,
)
from components.model.component import Component
from components.model.credentials import generated_secret
from components.model.endpoints import SCRAPERS, USERS, Endpoint
from components.model.exhaustion import warnings
from components.model.observability import AlertRule, Dashboard, Panel, Resource
from components.model.pods import (
    SIDECAR,
    Container,
    Pod,
    Probe,
    SecretKey,
    config_volume,
    secret_volume,
    sleep,
)
from components.model.profiles import Size
from components.model.standing import real
from components.workloads.accounts import account_files, account_of, accounts, made_secrets, needed_secrets
from components.workloads.baseline import config_map, service, stateful_set
from components.workloads.encryption import FOLDER, authority_of, certificate, hosts, secret_of
from components.workloads.network import policy
from manifests.render import text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from components.model.pods import FieldPath
    from kube.kinds import Manifest

TESTS = "tests/catalogue/test_discovery_on_cluster.py"


class Memcached(Component[MemcachedSettings]):
    """A StatefulSet of caches with accounts, and a reader of their statistics in each pod."""

    kind = "memcached"
    modes = (
        real(
            f"{TESTS}::test_memcached_takes_the_right_account_alone_and_loses_one_member_at_a_time",
            f"{TESTS}::test_panels_and_rules_have_series_and_no_alert_waits",
            f"{TESTS}::test_memcached_is_told_when_it_forgets_and_turns_away",
        ),
    )
    endpoints = (
        Endpoint("memcached", PORT, USERS, "text protocol, with an account; binary is off"),
        Endpoint(
            "metrics", METRICS_PORT, SCRAPERS, "its statistics, read by Grayling's own script", container="metrics"
        ),
    )

    @property
    def secret(self) -> str:
        """Name of the Secret of who reads statistics."""
        return self.settings.auth_secret or f"{self.name}-auth"

    @property
    def replicas(self) -> int:
        """Pods in all."""
        return self.settings.replicas or self.environment.profile.replicas

    @property
    def data(self) -> int:
        """Mebibytes of items in each pod."""
        tls = self.settings.tls is not None
        return room_for_data(self.sized(SIZES).memory, self.settings.max_connections, tls=tls)

    def check(self) -> None:
        """There is room for data beside the clients, and every account can be known.

        Raises:
            ValueError: what is too much.
        """
        if self.data < LEAST_DATA:
            problem = (
                f"{self.settings.max_connections} leave {max(self.data, 0)} MiB of {self.sized(SIZES).memory} for data"
            )
            raise ValueError(f"maxConnections: {problem}; allow fewer, or give resources with more memory")
        users = [user.name for user in self.scope.users_of(self.name)]
        if len(users) >= MOST_ACCOUNTS:
            fix = f"give {', '.join(users[MOST_ACCOUNTS - 1 :])} a Memcached of their own"
            raise ValueError(f"it knows {MOST_ACCOUNTS - 1} services by their accounts, and {len(users)} use it; {fix}")

    def manifests(self) -> Iterable[Manifest]:
        """Accounts, the reader of statistics, Service, policy, StatefulSet."""
        if not self.settings.auth_secret:
            yield generated_secret(self.secret, self._recipe())
        yield from accounts(self, self._account())
        yield from certificate(self, self.settings.tls, hosts(self))
        reader = text("memcached_metrics.py.j2", port=PORT, listen=METRICS_PORT, tls=self._folder)
        yield config_map(self, f"{self.name}-metrics", {"metrics.py": reader})
        yield service(self, headless=True, name=f"{self.name}-nodes")
        yield policy(self)
        for made in stateful_set(
            self, self._pod(), replicas=self.replicas, governing=f"{self.name}-nodes", volume=None
        ):
            if made["kind"] == "StatefulSet":
                made["spec"]["minReadySeconds"] = int(self.settings.warm_up)
            yield made

    @property
    def _folder(self) -> str:
        return FOLDER if self.settings.tls else ""

    def makes_secrets(self) -> Mapping[str, Collection[str]]:
        """Passwords and certificate, as far as they are not given."""
        own = {} if self.settings.auth_secret else {self.secret: self._recipe().keys()}
        return made_secrets(self, own, self.settings.tls)

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Those that are given."""
        return needed_secrets(self.settings.auth_secret, ("account.conf", "password", "username"), self.settings.tls)

    def _recipe(self) -> dict[str, str]:
        return {"username": MONITOR, "password": "{random:32}", "account.conf": f"{MONITOR}:{{password}}\n"}

    def _account(self) -> dict[str, str]:
        scheme = "memcacheds" if self.settings.tls else "memcached"
        where = f"{self.name}-nodes.{self.environment.namespace}.svc:{PORT}"
        return {
            "password": "{random:32}",
            "account.conf": "{username}:{password}\n",
            "url": f"{scheme}://{{username}}:{{password}}@{where}",
        }

    def _pod(self) -> Pod:
        own = {"secret": {"name": self.secret, "items": [{"key": "account.conf", "path": "0-monitor.conf"}]}}
        sources = [own, *account_files(self, "account.conf", prefix="1-")]
        volumes: dict[str, Mapping[str, object]] = {
            "accounts": {"projected": {"defaultMode": 0o440, "sources": sources}},
            "joined": {"emptyDir": {"medium": "Memory"}},
            "reader": config_volume(f"{self.name}-metrics"),
        }
        if self.settings.tls:
            volumes["tls"] = secret_volume(secret_of(self, self.settings.tls))
        return Pod(containers=(self._server(), self._reader()), volumes=volumes, grace_s=30)

    def _arguments(self) -> tuple[str, ...]:
        clients = ("--threads", str(THREADS), "--conn-limit", str(self.settings.max_connections + RESERVED))
        plain = ("--port", str(PORT), "--memory-limit", str(self.data), *clients)
        closed = ("--auth-file", "/run/joined/accounts", "--protocol", "ascii", "--disable-flush-all")
        quiet = ("--disable-dumping", "--disable-watch")
        if not self.settings.tls:
            return (*plain, *closed, *quiet)
        keys = f"ssl_chain_cert={FOLDER}/tls.crt,ssl_key={FOLDER}/tls.key,ssl_min_version=3"
        return (*plain, *closed, *quiet, "--enable-ssl", "--extended", keys)

    def _server(self) -> Container:
        return Container(
            name="memcached",
            image=self.environment.image(self.settings.image),
            command=("sh", "-c", START, "memcached"),
            args=self._arguments(),
            mounts={"/run/accounts": "accounts", "/run/joined": "joined", **self._keys()},
            resources=self.sized(SIZES),
            startup=Probe(PORT, every_s=1, failures=60),
            readiness=Probe(PORT),
            liveness=Probe(PORT, every_s=10, failures=6),
            pre_stop=sleep(2),
        )

    def _keys(self) -> dict[str, str]:
        return {FOLDER: "tls"} if self.settings.tls else {}

    def _reader(self) -> Container:
        env: dict[str, str | SecretKey | FieldPath] = {
            "MEMCACHED_USERNAME": SecretKey(self.secret, "username"),
            "MEMCACHED_PASSWORD": SecretKey(self.secret, "password"),
        }
        answers = Probe(METRICS_PORT, "/alive", every_s=15)
        return Container(
            name="metrics",
            image=self.environment.image(self.settings.metrics_image),
            command=("python3", "/etc/metrics/metrics.py"),
            env=env,
            mounts={"/etc/metrics": "reader", **self._keys()},
            resources=SIDECAR[Size.SMALL],
            readiness=answers,
            liveness=answers,
        )

    def binding(self, user: str) -> Mapping[str, str | SecretKey]:
        """``MEMCACHED_SERVERS`` (every member, for the client's hashing) and the account of the user."""
        domain = f"{self.name}-nodes.{self.environment.namespace}.svc"
        return {
            "MEMCACHED_SERVERS": ",".join(f"{self.name}-{each}.{domain}:{PORT}" for each in range(self.replicas)),
            "MEMCACHED_USERNAME": SecretKey(account_of(self, user), "username"),
            "MEMCACHED_PASSWORD": SecretKey(account_of(self, user), "password"),
        }

    def authority(self) -> SecretKey | None:
        """Of the certificate, where there is one."""
        return authority_of(self, self.settings.tls)

    def resources(self) -> Iterable[Resource]:
        """Connections; that memory is full of items is what a cache is for."""
        own = self.metrics_selector
        used = f"max(memcached_current_connections{{{own}}} / memcached_max_connections{{{own}}})"
        yield Resource("connections", "MemcachedConnectionsFill", used, "will turn clients away")

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, full of clients, forgetting, or of no use."""
        own = self.metrics_selector
        who = f"{self.environment.namespace}/{self.name}"
        down = f"sum(memcached_up{{{own}}}) < {self.replicas} or absent(memcached_up{{{own}}})"
        yield AlertRule("MemcachedDown", down, f"{who}: fewer than {self.replicas} members answer", "1m", "critical")
        evicted = f"rate(memcached_items_evicted_total{{{own}}}[5m]) > 1"
        full = f"memcached_current_bytes{{{own}}} / memcached_limit_bytes{{{own}}} > 0.75"
        yield AlertRule("MemcachedMemoryHigh", full, f"{who} has items in 75 % of its memory; no more fit", "15m")
        yield AlertRule("MemcachedEvictions", evicted, f"{who} drops items that are still wanted to keep others", "10m")
        used = f"memcached_current_connections{{{own}}} / memcached_max_connections{{{own}}} > 0.8"
        yield AlertRule("MemcachedConnectionsHigh", used, f"{who}: over 80 % of its connections are taken")
        refused = f"increase(memcached_connections_rejected_total{{{own}}}[5m]) > 0"
        yield AlertRule("MemcachedRejectsConnections", refused, f"{who} turns clients away", "1m", "critical")
        yield from warnings(self)
        hits, gets = _gets(own)
        poor = f"{hits} / {gets} < 0.5 and {gets} > 1"
        yield AlertRule("MemcachedHitRateLow", poor, f"{who} has less than half of what it is asked for", "15m")

    def dashboard(self) -> Dashboard:
        """Commands, hits, memory, items, clients, evictions."""
        own = self.metrics_selector
        hits, gets = _gets(own)
        return Dashboard(
            f"{self.environment.namespace} / {self.name}",
            (
                Panel("Commands", f"sum by (command) (rate(memcached_commands_total{{{own}}}[5m]))", "ops"),
                Panel("Hit rate", f"{hits} / {gets}", "percentunit"),
                Panel("Memory", f"memcached_current_bytes{{{own}}} / memcached_limit_bytes{{{own}}}", "percentunit"),
                Panel("Items", f"memcached_current_items{{{own}}}"),
                Panel("Clients", f"memcached_current_connections{{{own}}}"),
                Panel("Evictions", f"rate(memcached_items_evicted_total{{{own}}}[5m])", "ops"),
            ),
        )


def _gets(own: str) -> tuple[str, str]:
    """Reads that found something, and all, a second."""
    hits = f'sum(rate(memcached_commands_total{{{own},command="get",status="hit"}}[5m]))'
    return hits, f'sum(rate(memcached_commands_total{{{own},command="get"}}[5m]))'
