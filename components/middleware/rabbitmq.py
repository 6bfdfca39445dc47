"""RabbitMQ: a cluster of voting members that find each other by name, with quorum queues.

Members are listed in the configuration file instead of asking the API server, so the pods need no token.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from components.middleware import rabbitmq_administration as administration
from components.middleware import rabbitmq_operator as operator
from components.middleware.rabbitmq_observability import alerts, panels, resources
from components.middleware.rabbitmq_settings import (
    AMQP_PORT,
    AMQPS_PORT,
    CLI_PORTS,
    DEFINITIONS,
    DISTRIBUTION_PORT,
    DRAIN,
    DRAIN_ALONE,
    EPMD_PORT,
    HOME,
    METRICS_PORT,
    OURS,
    PREPARE,
    SIZES,
    SWEEP,
    RabbitMQSettings,
    limits,
    numbers,
    user_definitions,
)
from components.model.component import Component
from components.model.credentials import generated_secret
from components.model.endpoints import API_SERVER, MEMBERS, RECONCILERS, SCRAPERS, USERS, Endpoint
from components.model.exhaustion import warnings
from components.model.images import version
from components.model.observability import Dashboard, Resource
from components.model.pods import SIDECAR, Container, FieldPath, Pod, Probe, SecretKey, config_volume, secret_volume
from components.model.profiles import Size
from components.model.standing import ISSUED_CERTIFICATES, real, served
from components.workloads.accounts import account_files, account_of, accounts, made_secrets, needed_secrets
from components.workloads.baseline import Volume, config_map, service, stateful_set
from components.workloads.encryption import FOLDER, authority_of, certificate, hosts, one_file, secret_of
from components.workloads.extra_config import checked
from components.workloads.network import policy
from manifests.render import text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from components.model.observability import AlertRule
    from components.model.topology import DeclaredTopology
    from components.workloads.administration import Administration
    from kube.kinds import Manifest


class RabbitMQ(Component[RabbitMQSettings]):
    """A StatefulSet with its cookie, its first user, and a policy for quorum queues."""

    kind = "rabbitmq"
    modes = (
        real(
            "tests/components/middleware/test_stores_on_cluster.py::test_accounts_and_encryption_then_volumes_grow_and_an_account_goes",
            "tests/components/monitoring/test_alerts_on_cluster.py::test_rules_and_panels_have_series_and_faults_are_told",
            "tests/components/middleware/test_stores_on_cluster.py::test_rabbitmq_is_backed_up_and_restored_as_its_runbook_says",
        ),
        served(ISSUED_CERTIFICATES, name="tls.issuer (cert-manager)"),
        served(
            "tests/components/middleware/test_rabbitmq_operator.py::test_it_is_what_the_golden_file_says",
            "tests/catalogue/test_examples_on_cluster.py::test_an_api_server_takes_what_an_operator_of_rabbitmq_reads",
            name="operator: cluster-operator",
        ),
    )

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Clients, metrics, and what the members say to each other."""
        return (
            Endpoint("amqp", self.port, USERS, f"AMQP 0-9-1 and 1.0; {AMQPS_PORT} with `tls`"),
            Endpoint("epmd", EPMD_PORT, MEMBERS, "names of Erlang nodes"),
            Endpoint("dist", DISTRIBUTION_PORT, MEMBERS, "Erlang distribution"),
            Endpoint("cli", CLI_PORTS[0], MEMBERS, "Erlang distribution of commands", last=CLI_PORTS[-1]),
            Endpoint("metrics", METRICS_PORT, SCRAPERS, "plugin rabbitmq_prometheus"),
            *administration.endpoints(self.settings),
        )

    @property
    def secret(self) -> str:
        """Name of the Secret with cookie and first user."""
        return self.settings.auth_secret or f"{self.name}-auth"

    @property
    def members(self) -> int:
        """Pods in all."""
        return self.settings.members or self.environment.profile.members

    @property
    def image(self) -> str:
        """What is pulled."""
        return self.environment.image(self.settings.image)

    def manifests(self) -> Iterable[Manifest]:
        """Secret, configuration, Services, policy, StatefulSet."""
        if not self.settings.auth_secret:
            yield generated_secret(self.secret, self._recipe())
        yield from self._administered.manifests()
        yield from accounts(self, self._account())
        yield from certificate(self, self.settings.tls, hosts(self, self.name))
        yield config_map(self, f"{self.name}-config", self._files())
        if self.settings.operator:
            yield policy(self, [API_SERVER])
            yield from operator.cluster(self, self.members, self.image, self._definitions())
            return
        yield service(self, USERS | MEMBERS, headless=True, name=f"{self.name}-nodes")
        yield service(self, USERS | RECONCILERS)
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

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Those that are given."""
        keys = ("10-users.json", "cookie", "url", *operator.first_user(self.settings))
        own = needed_secrets(self.settings.auth_secret, keys, self.settings.tls)
        return {**own, **self._administered.needed()}

    def topology(self) -> DeclaredTopology | None:
        """Queues and all that belongs to them."""
        return administration.declared_topology(self, self._administered)

    @property
    def _administered(self) -> Administration:
        return administration.administration(self, self._url())

    def selector(self, part: str | None = None) -> dict[str, str]:
        """As its pods are labelled, by whoever makes them."""
        return operator.selector(self.name) if self.settings.operator else super().selector(part)

    def _recipe(self) -> dict[str, str]:
        return {
            "username": "{random:12}",
            "password": "{random:32}",
            "cookie": "{random:48}",
            "10-users.json": json.dumps(user_definitions("administrator", vhosts=[{"name": "/"}])),
            "url": self._url(),
            **operator.first_user(self.settings),
        }

    def _account(self) -> dict[str, str]:
        """Queues and messages, no administration."""
        return {"password": "{random:32}", "users.json": json.dumps(user_definitions("")), "url": self._url()}

    def _url(self) -> str:
        scheme = "amqps" if self.settings.tls else "amqp"
        return f"{scheme}://{{username}}:{{password}}@{self.name}.{self.environment.namespace}.svc:{self.port}/"

    @property
    def port(self) -> int:
        """Where clients connect."""
        return AMQPS_PORT if self.settings.tls else AMQP_PORT

    def check(self) -> None:
        """What is added to the configuration is not there already, nor are declared users.

        Raises:
            ValueError: it is.
        """
        self._administered.check()
        operator.check(self.settings)
        checked(self.settings.extra_config, self._configuration(alone=True), "rabbitmq", ours=OURS)

    def _files(self) -> dict[str, str]:
        policies = {"20-policies.json": json.dumps(self._policies(), indent=1, sort_keys=True) + "\n"}
        if self.settings.operator:
            return policies
        plugins = ["rabbitmq_prometheus", *(["rabbitmq_management"] if self.settings.topology else [])]
        enabled = {"enabled_plugins": f"[{', '.join(plugins)}].\n"}
        return {"rabbitmq.conf": self._configuration(), **enabled, **policies}

    def _configuration(self, *, alone: bool = False) -> str:
        return text(
            "rabbitmq.conf.j2",
            port=self.port,
            tls=FOLDER if self.settings.tls else "",
            extra={} if alone else self.settings.extra_config,
            metrics_port=METRICS_PORT,
            management_port=administration.port_of(self.settings) if self.settings.topology else 0,
            cluster=f"{self.environment.namespace}-{self.name}",
            members=self.members,
            nodes=[f"rabbit@{self._host(str(ordinal))}" for ordinal in range(self.members)],
            **limits(self.sized(SIZES), self.settings.storage),
            log_level=self.settings.log_level,
            version=numbers(version(self.image)),
            definitions=DEFINITIONS,
        )

    def _policies(self) -> dict[str, Any]:
        limits = {"delivery-limit": self.settings.delivery_limit}
        quorum = {
            "vhost": "/",
            "name": "quorum-defaults",
            "pattern": ".*",
            "apply-to": "queues",
            "priority": 0,
            "definition": limits,
        }
        return {"policies": [quorum]}

    def _host(self, ordinal: str) -> str:
        return f"{self.name}-{ordinal}.{self.name}-nodes.{self.environment.namespace}.svc.cluster.local"

    def _pod(self) -> Pod:
        volumes = {
            "config": config_volume(f"{self.name}-config"),
            "definitions": self._definitions(),
            "cookie": one_file(SecretKey(self.secret, "cookie"), "cookie"),
            "home": {"emptyDir": {}},
        }
        if self.settings.tls:
            volumes["tls"] = secret_volume(secret_of(self, self.settings.tls))
        alone = self.members == 1
        return Pod(
            init=(self._prepare(),),
            containers=(self._server(DRAIN_ALONE if alone else DRAIN),),
            volumes=volumes,
            grace_s=60 if alone else 600,
        )

    def _definitions(self) -> dict[str, Any]:
        user = {"name": self.secret, "items": [{"key": "10-users.json", "path": "10-users.json"}]}
        others = [*administration.definitions(self), *account_files(self, "users.json", prefix="30-")]
        rest = {"name": f"{self.name}-config", "items": [{"key": "20-policies.json", "path": "20-policies.json"}]}
        return {"projected": {"defaultMode": 0o440, "sources": [{"secret": user}, {"configMap": rest}, *others]}}

    def _prepare(self) -> Container:
        return Container(
            name="prepare",
            image=self.image,
            command=("sh", "-c", PREPARE),
            mounts={HOME: "home", "/run/cookie": "cookie", "/run/definitions": "definitions"},
            resources=SIDECAR[Size.SMALL],
        )

    def _server(self, drain: str) -> Container:
        keys = {FOLDER: "tls"} if self.settings.tls else {}
        return Container(
            name="rabbitmq",
            image=self.image,
            command=("sh", "-c", SWEEP),
            env={
                "HOME": HOME,
                "POD_NAME": FieldPath("metadata.name"),
                "RABBITMQ_USE_LONGNAME": "true",
                "RABBITMQ_NODENAME": f"rabbit@{self._host('').replace(f'{self.name}-.', '$(POD_NAME).', 1)}",
                "RABBITMQ_CONFIG_FILE": "/etc/rabbitmq/rabbitmq.conf",
                "RABBITMQ_ENABLED_PLUGINS_FILE": "/etc/rabbitmq/enabled_plugins",
                "RABBITMQ_MNESIA_BASE": f"{HOME}/data/mnesia",
                "RABBITMQ_LOGS": "-",
                "LANG": "C.UTF-8",
            },
            mounts={HOME: "home", f"{HOME}/data": "data", "/etc/rabbitmq": "config", **keys},
            resources=self.sized(SIZES),
            startup=Probe(self.port, every_s=2, failures=150),
            readiness=Probe(self.port, every_s=5),
            liveness=Probe(DISTRIBUTION_PORT, every_s=15, failures=6),
            pre_stop={"exec": {"command": ["sh", "-c", drain]}},
        )

    def binding(self, user: str) -> Mapping[str, SecretKey]:
        """``AMQP_URL``, with the account of the user."""
        return {"AMQP_URL": SecretKey(account_of(self, user), "url")}

    def authority(self) -> SecretKey | None:
        """Of the certificate, where there is one."""
        return authority_of(self, self.settings.tls)

    def resources(self) -> Iterable[Resource]:
        """Volume, memory, backlog."""
        return resources(self.metrics_selector, self.settings.storage)

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, short of memory or disk, without a majority, messages nobody can route."""
        who = f"{self.environment.namespace}/{self.name}"
        yield from alerts(who, self.metrics_selector, self.members, self.settings.storage)
        yield from warnings(self)

    def dashboard(self) -> Dashboard:
        """Messages in and out, waiting, connections, memory."""
        return Dashboard(f"{self.environment.namespace} / {self.name}", panels(self.metrics_selector))
