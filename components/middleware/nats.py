"""NATS with JetStream: a cluster that keeps streams on the volumes of its members, and an account for each service.

Services talk to each other in one account of NATS; `accounts` keeps some apart. The members know each other by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.middleware import nats_administration as administration
from components.middleware.nats_observability import alerts, panels
from components.middleware.nats_settings import (
    CLUSTER_PORT,
    METRICS_PORT,
    MONITOR_PORT,
    OF_MEMORY,
    OF_VOLUME,
    PASSWORDS,
    PID_FILE,
    PORT,
    ROUTE_USER,
    SHARED,
    SIZES,
    STORE,
    SYSTEM,
    Limits,
    NatsSettings,
    setting,
)
from components.model.component import Component
from components.model.credentials import generated_secret
from components.model.endpoints import MEMBERS, NOBODY, RECONCILERS, SCRAPERS, USERS, Endpoint
from components.model.exhaustion import warnings
from components.model.mistakes import nearest
from components.model.observability import Dashboard, Resource
from components.model.pods import (
    SIDECAR,
    Container,
    FieldPath,
    Pod,
    Probe,
    SecretKey,
    config_volume,
    secret_volume,
)
from components.model.profiles import Size
from components.model.quantities import megabytes, share_of
from components.model.standing import real
from components.workloads.accounts import account_of, accounts, made_secrets, needed_secrets
from components.workloads.baseline import Volume, config_map, service, stateful_set
from components.workloads.encryption import FOLDER, authority_of, certificate, hosts, secret_of
from components.workloads.extra_config import checked
from components.workloads.network import policy
from manifests.render import text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from components.model.observability import AlertRule
    from components.model.topology import DeclaredTopology
    from components.workloads.administration import Administration
    from kube.kinds import Manifest

_SHOWN = "tests/catalogue/test_messaging_on_cluster.py::"


class Nats(Component[NatsSettings]):
    """A StatefulSet of servers that keep streams together, and an account for each service."""

    kind = "nats"
    modes = (
        real(
            f"{_SHOWN}test_nats_loses_no_acknowledged_message_when_members_die_and_are_replaced",
            f"{_SHOWN}test_nats_lets_in_who_it_knows_and_keeps_accounts_apart",
            f"{_SHOWN}test_nats_is_backed_up_and_restored_as_its_runbook_says",
        ),
    )

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Clients, metrics, what the members say to each other, and what probes ask."""
        clients = USERS | (RECONCILERS if self.settings.topology else NOBODY)
        return (
            Endpoint("client", PORT, clients, "NATS protocol"),
            Endpoint("cluster", CLUSTER_PORT, MEMBERS, "routes between members"),
            Endpoint("monitor", MONITOR_PORT, NOBODY, "health, for probes and the sidecar"),
            Endpoint("metrics", METRICS_PORT, SCRAPERS, "sidecar", container="metrics"),
        )

    @property
    def secret(self) -> str:
        """Name of the Secret with the administrator and the password of the routes."""
        return self.settings.auth_secret or f"{self.name}-auth"

    @property
    def members(self) -> int:
        """Pods in all."""
        return self.settings.members or min(5, self.environment.profile.members)

    def manifests(self) -> Iterable[Manifest]:
        """Secrets, configuration, Services, policy, StatefulSet."""
        if not self.settings.auth_secret:
            yield generated_secret(self.secret, self._recipe())
        yield from accounts(self, {"password": "{random:32}", "url": self._url()})
        yield from self._administered.manifests()
        yield from certificate(self, self.settings.tls, hosts(self, self.name))
        yield config_map(self, f"{self.name}-config", self._files())
        yield service(self, MEMBERS, headless=True, name=f"{self.name}-nodes")
        yield service(self)
        yield policy(self)
        yield from stateful_set(
            self,
            self._pod(),
            replicas=self.members,
            governing=f"{self.name}-nodes",
            volume=Volume("data", self.settings.storage),
        )

    def makes_secrets(self) -> Mapping[str, Collection[str]]:
        """Passwords and certificate, as far as they are not given."""
        own = {} if self.settings.auth_secret else {self.secret: self._recipe().keys()}
        return made_secrets(self, {**own, **self._administered.made()}, self.settings.tls)

    @property
    def _administered(self) -> Administration:
        return administration.administration(self)

    def topology(self) -> DeclaredTopology | None:
        """Streams and what belongs to them."""
        return administration.declared_topology(self, self._administered, self.members)

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Those that are given."""
        return needed_secrets(self.settings.auth_secret, tuple(self._recipe()), self.settings.tls)

    def _recipe(self) -> dict[str, str]:
        drawn = {"username": "{random:12}", "password": "{random:32}", "route": "{random:32}"}
        return {**drawn, "url": self._url()}

    def _url(self) -> str:
        scheme = "tls" if self.settings.tls else "nats"
        return f"{scheme}://{{username}}:{{password}}@{self.name}.{self.environment.namespace}.svc:{PORT}"

    def check(self) -> None:
        """Accounts are of services that use it, and what is added to the configuration is not there already.

        Raises:
            ValueError: one is not, or it is.
        """
        using = [user.name for user in self.scope.users_of(self.name)]
        homes: dict[str, str] = {}
        for account, limits in self.settings.accounts.items():
            for index, each in enumerate(limits.services):
                key = f"accounts.{account}.services.{index}"
                if each not in using:
                    raise ValueError(f"{key}: {each!r} does not use {self.name!r}; {_way_out(each, using, self.name)}")
                if homes.setdefault(each, account) != account:
                    raise ValueError(f"{key}: {each!r} is in {homes[each]!r} too; a service has one account")
        administration.check(self, self.members)
        extra = dict.fromkeys(self.settings.extra_config, "")
        checked(extra, self._configuration(alone=True), "nats", ours=("jetstream", "authorization", "tls"))
        self._extra()

    def _files(self) -> dict[str, str]:
        script = text("nats_metrics.py.j2", monitor_port=MONITOR_PORT, metrics_port=METRICS_PORT)
        return {"nats.conf": self._configuration(), "metrics.py": script}

    def _configuration(self, *, alone: bool = False) -> str:
        return text(
            "nats.conf.j2",
            port=PORT,
            monitor_port=MONITOR_PORT,
            cluster_port=CLUSTER_PORT,
            pid_file=PID_FILE,
            store=STORE,
            tls=FOLDER if self.settings.tls else "",
            max_memory=int(megabytes(self.sized(SIZES).memory) * OF_MEMORY),
            max_file=share_of(self.settings.storage, OF_VOLUME),
            sync_always=self.settings.sync_always,
            system=SYSTEM,
            accounts=list(self._accounts()),
            passwords=PASSWORDS,
            administrator=administration.user if self.settings.topology else None,
            may_ask=administration.MAY_ASK,
            cluster=f"{self.environment.namespace}-{self.name}",
            route_user=ROUTE_USER,
            routes=list(self._routes()),
            extra={} if alone else self._extra(),
        )

    def _accounts(self) -> Iterator[Mapping[str, object]]:
        """Those of the settings, and the one that all other services share."""
        named = {each for limits in self.settings.accounts.values() for each in limits.services}
        others = [user.name for user in self.scope.users_of(self.name) if user.name not in named]
        yield {"name": SHARED, "own": "", "limits": {}, "users": others}
        for name, limits in sorted(self.settings.accounts.items()):
            yield {"name": name, "own": name, "limits": _limits(limits), "users": limits.services}

    def _extra(self) -> dict[str, str]:
        return {key: setting(key, value) for key, value in self.settings.extra_config.items()}

    def _host(self, member: str) -> str:
        return f"{member}.{self.name}-nodes.{self.environment.namespace}.svc.cluster.local:{CLUSTER_PORT}"

    def _routes(self) -> dict[str, str]:
        """The other members, by the variable that has them; of one alone none."""
        names = [f"{self.name}-{ordinal}" for ordinal in range(self.members)] if self.members > 1 else []
        return {f"ROUTE_{index}": self._host(name) for index, name in enumerate(names)}

    def _variables(self) -> dict[str, str | SecretKey | FieldPath]:
        """What the configuration takes from the environment: quoted, as words that begin with digits are numbers."""
        drawn = {
            "SYSTEM_USERNAME": SecretKey(self.secret, "username"),
            "SYSTEM_PASSWORD": SecretKey(self.secret, "password"),
        }
        if self.settings.topology:
            drawn["TOPOLOGY_PASSWORD"] = SecretKey(self._administered.secret, "password")
        for user in self.scope.users_of(self.name):
            drawn[f"{PASSWORDS}{user.name}"] = SecretKey(account_of(self, user.name), "password")
        made: dict[str, str | SecretKey | FieldPath] = {"SERVER": FieldPath("metadata.name")}
        made |= {f"DRAWN_{name}": key for name, key in drawn.items()}
        made |= {name: f'"$(DRAWN_{name})"' for name in drawn}
        made["SERVER_NAME"] = '"$(SERVER)"'
        if routes := self._routes():
            made |= {"DRAWN_ROUTE": SecretKey(self.secret, "route"), "ROUTE": '"$(DRAWN_ROUTE)"'}
            made["ADVERTISED"] = f'"{self._host("$(SERVER)")}"'
            made |= {name: f'"nats-route://{ROUTE_USER}:$(DRAWN_ROUTE)@{host}"' for name, host in routes.items()}
        return made

    def _pod(self) -> Pod:
        volumes = {"config": config_volume(f"{self.name}-config")}
        if self.settings.tls:
            volumes["tls"] = secret_volume(secret_of(self, self.settings.tls))
        return Pod(containers=(self._server(), self._metrics()), volumes=volumes, grace_s=60)

    def _server(self) -> Container:
        """Ready while JetStream runs; alive also while its streams catch up, which a restart would only delay."""
        keys = {FOLDER: "tls"} if self.settings.tls else {}
        memory = int(megabytes(self.sized(SIZES).memory) * 0.8)
        return Container(
            name="nats",
            image=self.environment.image(self.settings.image),
            command=("nats-server", "-c", "/etc/nats/nats.conf"),
            env={**self._variables(), "GOMEMLIMIT": f"{memory}MiB"},
            mounts={"/etc/nats": "config", STORE: "data", **keys},
            resources=self.sized(SIZES),
            startup=Probe(MONITOR_PORT, "/healthz", every_s=2, failures=450, timeout_s=5),
            readiness=Probe(MONITOR_PORT, "/healthz?js-server-only=true", timeout_s=5),
            liveness=Probe(MONITOR_PORT, "/healthz?js-enabled-only=true", every_s=10, failures=6, timeout_s=5),
            pre_stop={"exec": {"command": ["nats-server", f"-sl=ldm={PID_FILE}"]}},
        )

    def _metrics(self) -> Container:
        return Container(
            name="metrics",
            image=self.environment.image(self.settings.exporter_image),
            command=("python3", "/etc/nats/metrics.py"),
            mounts={"/etc/nats": "config"},
            resources=SIDECAR[Size.SMALL],
            readiness=Probe(METRICS_PORT, every_s=10),
            liveness=Probe(METRICS_PORT, every_s=20),
        )

    def binding(self, user: str) -> Mapping[str, SecretKey]:
        """``NATS_URL``, with the account of the user."""
        return {"NATS_URL": SecretKey(account_of(self, user), "url")}

    def authority(self) -> SecretKey | None:
        """Of the certificate, where there is one."""
        return authority_of(self, self.settings.tls)

    def resources(self) -> Iterable[Resource]:
        """What streams may take."""
        own = self.metrics_selector
        used = f"max(nats_jetstream_storage_bytes{{{own}}} / nats_jetstream_max_storage_bytes{{{own}}})"
        yield Resource("store", "NatsStoreFills", used, "will refuse messages")

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, without a majority, behind, full, or losing its subscribers."""
        who = f"{self.environment.namespace}/{self.name}"
        yield from alerts(who, self.metrics_selector, self.members, self.settings.storage)
        yield from warnings(self)

    def dashboard(self) -> Dashboard:
        """Messages in and out, what is kept, connections, memory."""
        return Dashboard(f"{self.environment.namespace} / {self.name}", panels(self.metrics_selector))


def _limits(account: Limits) -> dict[str, object]:
    """As the configuration writes them."""
    sizes = {"max_file": account.max_storage, "max_memory": account.max_memory}
    made: dict[str, object] = {key: f"{int(megabytes(size))}MB" for key, size in sizes.items() if size}
    counts = {"max_streams": account.max_streams, "max_consumers": account.max_consumers}
    return made | {key: count for key, count in counts.items() if count}


def _way_out(name: str, using: list[str], store: str) -> str:
    return nearest(name, using) if using else f"write `uses: [{store}]` at the service"
