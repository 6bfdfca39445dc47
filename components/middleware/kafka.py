"""Kafka: brokers that keep messages in several copies, and the voters (KRaft) that say which broker leads what.

Nothing is asked of the API server: voters are listed by name, node ids follow from the pods' ordinals and stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.middleware import kafka_administration as administration
from components.middleware import kafka_strimzi as strimzi
from components.middleware.kafka_files import Cluster
from components.middleware.kafka_observability import alerts, panels, resources, usage
from components.middleware.kafka_pods import accounts_container, exporter, node
from components.middleware.kafka_settings import (
    CONTROLLER_PORT,
    CONTROLLER_SIZES,
    EXPORTER_PORT,
    FIRST_CONTROLLER,
    GRACE_S,
    INTERNAL_PORT,
    METRICS_PORT,
    OURS,
    PASSWORDS,
    PLAIN_PORT,
    SIZES,
    TLS_PORT,
    VOTERS,
    KafkaSettings,
    heap,
)
from components.middleware.kafka_topology import OWN_ACCOUNTS
from components.model.component import Component
from components.model.credentials import generated_secret
from components.model.endpoints import MEMBERS, NOBODY, RECONCILERS, SCRAPERS, USERS, Endpoint
from components.model.exhaustion import warnings
from components.model.observability import Dashboard, Resource
from components.model.pods import Pod, SecretKey, config_volume, secret_volume
from components.model.standing import real, served
from components.workloads.accounts import account_files, account_of, accounts, made_secrets, needed_secrets
from components.workloads.baseline import Volume, config_map, deployment, service, stateful_set
from components.workloads.encryption import authority_of, certificate, hosts, secret_of
from components.workloads.extra_config import checked
from components.workloads.network import policy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from typing import Any

    from components.model.observability import AlertRule
    from components.model.pods import Resources
    from components.model.topology import DeclaredTopology
    from components.workloads.administration import Administration
    from kube.kinds import Manifest

_DOMAIN_LABEL = "nodes"


class Kafka(Component[KafkaSettings]):
    """Brokers and voters in StatefulSets, and a Deployment that keeps accounts and measures lag."""

    kind = "kafka"
    front = "broker"
    modes = (
        real(
            "tests/catalogue/test_kafka_on_cluster.py::test_it_serves_only_those_it_knows",
            "tests/catalogue/test_kafka_on_cluster.py::test_nothing_acknowledged_is_lost",
            "tests/catalogue/test_kafka_voters_on_cluster.py::test_nothing_acknowledged_dies_with_the_leading_voter",
            "tests/catalogue/test_kafka_voters_on_cluster.py::test_an_account_goes_with_its_service_and_the_others_stay",
            "tests/catalogue/test_kafka_on_cluster.py::test_a_topic_is_a_file_and_produced_again_as_its_runbook_says",
        ),
        served(
            "tests/catalogue/test_examples_on_cluster.py::test_an_api_server_takes_a_kafka_that_strimzi_runs",
            name="operator: strimzi",
        ),
    )

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Clients, brokers among themselves, voters, and metrics of each."""
        if self.settings.operator:
            return strimzi.endpoints(self.port)
        who = USERS | MEMBERS | (RECONCILERS if self.settings.topology else NOBODY)
        found = (
            Endpoint("clients", self.port, who, f"Kafka; {TLS_PORT} with `tls`", part="broker"),
            Endpoint("internal", INTERNAL_PORT, MEMBERS, "brokers among themselves", part="broker", member="broker"),
            Endpoint("metrics", METRICS_PORT, SCRAPERS, "JMX exporter", part="broker"),
            Endpoint("metrics", EXPORTER_PORT, SCRAPERS, "lag of consumers", part="exporter", container="exporter"),
        )
        if not self.separate:
            return (*found, Endpoint("control", CONTROLLER_PORT, MEMBERS, "voters", part="broker", member="broker"))
        voters = Endpoint("control", CONTROLLER_PORT, MEMBERS, "voters", part="controller")
        return (*found, voters, Endpoint("metrics", METRICS_PORT, SCRAPERS, "JMX exporter", part="controller"))

    def selector(self, part: str | None = None) -> dict[str, str]:
        """Labels of the pods, whoever makes them."""
        return strimzi.selector(self, part) if self.settings.operator else super().selector(part)

    def labels(self, part: str | None = None) -> dict[str, str]:
        """Labels of every object: an operator counts what bears its labels as made by itself."""
        found = {**super().labels(part), **super().selector(part)}
        return {key: value for key, value in found.items() if not key.startswith(strimzi.DOMAIN)}

    @property
    def separate(self) -> bool:
        """Whether voters are nodes of their own."""
        return self.settings.controllers != "combined"

    @property
    def port(self) -> int:
        """Where clients connect."""
        return TLS_PORT if self.settings.tls else PLAIN_PORT

    @property
    def members(self) -> int:
        """Brokers in all."""
        return self.settings.members or self.environment.profile.members

    @property
    def secret(self) -> str:
        """Name of the Secret with the id of the cluster and its own passwords."""
        return self.settings.auth_secret or f"{self.name}-auth"

    @property
    def _governing(self) -> str:
        return f"{self.name}-{_DOMAIN_LABEL}"

    @property
    def _domain(self) -> str:
        return f"{self._governing}.{self.environment.namespace}.svc.cluster.local"

    @property
    def _bootstrap(self) -> str:
        own = f"{self.name}.{self.environment.namespace}.svc:{self.port}"
        return strimzi.bootstrap(self, self.port) if self.settings.operator else own

    def _voters(self) -> list[str]:
        part, first, count = "broker", 0, VOTERS if self.members >= VOTERS else 1
        if self.settings.controllers != "combined":
            part, first, count = "controller", FIRST_CONTROLLER, self.settings.controllers.members
        return [f"{first + each}@{self.name}-{part}-{each}.{self._domain}:{CONTROLLER_PORT}" for each in range(count)]

    def cluster(self) -> Cluster:
        """What its files say of the whole."""
        voters = self._voters()
        return Cluster(
            self.settings,
            port=self.port,
            members=self.members,
            voters=0 if self.separate else len(voters),
            quorum=",".join(voters),
            domain=self._domain,
            bootstrap=self._bootstrap,
            secret=self.secret,
            tls_secret=secret_of(self, self.settings.tls) if self.settings.tls else "",
        )

    def manifests(self) -> Iterable[Manifest]:
        """Secrets, configuration, Services, policies, the StatefulSets, and the pod that keeps accounts."""
        return strimzi.manifests(self, self.cluster()) if self.settings.operator else self._own()

    def _own(self) -> Iterable[Manifest]:
        if not self.settings.auth_secret:
            yield generated_secret(self.secret, self._recipe())
        yield from accounts(self, self._account())
        yield from self._administered.manifests()
        yield from certificate(self, self.settings.tls, hosts(self, self.name))
        yield self._nodes()
        front = service(self, part="broker", name=self.name)
        # Who is not ready is behind, and serves all the same; where all are, clients must still find one.
        front["spec"] |= {"publishNotReadyAddresses": True}
        yield front
        if self.settings.controllers != "combined":
            sized = self.sized(CONTROLLER_SIZES, self.settings.controllers.resources)
            count, storage = self.settings.controllers.members, self.settings.controllers.storage
            yield from self._part("controller", sized, count, storage)
        yield from self._part("broker", self.sized(SIZES), self.members, self.settings.storage)
        yield config_map(self, f"{self.name}-tools", self.cluster().tools())
        yield policy(self, part="exporter")
        yield from deployment(self, self._tools(), replicas=1, part="exporter")

    def _nodes(self) -> Manifest:
        """Names of all pods: brokers and voters are found by them, ready or not."""
        made = service(self, USERS | MEMBERS, part="broker", headless=True, name=self._governing)
        made["spec"]["selector"] = self.selector()
        return made

    def _part(self, part: str, sized: Resources, replicas: int, storage: str) -> Iterable[Manifest]:
        broker = part == "broker"
        files = self.cluster().node(broker=broker, heap=heap(sized))
        yield config_map(self, f"{self.name}-{part}", files)
        yield policy(self, part=part)
        volumes: dict[str, Mapping[str, Any]] = {
            "config": config_volume(f"{self.name}-{part}"),
            "run": {"emptyDir": {"medium": "Memory"}},
        }
        if self.settings.tls:
            volumes["tls"] = secret_volume(secret_of(self, self.settings.tls))
        init, container = node(
            self, self.cluster(), sized, port=self.port if broker else CONTROLLER_PORT, broker=broker
        )
        waits = broker and replicas > 1
        pod = Pod(init=init, containers=(container,), volumes=volumes, grace_s=GRACE_S if waits else 60)
        volume = Volume("data", storage)
        yield from stateful_set(self, pod, replicas=replicas, governing=self._governing, volume=volume, part=part)

    def _tools(self) -> Pod:
        volumes: dict[str, Mapping[str, Any]] = {"config": config_volume(f"{self.name}-tools")}
        files = account_files(self, "scram.properties")
        volumes |= administration.volumes(self)
        volumes["accounts"] = {"projected": {"defaultMode": 0o440, "sources": files}} if files else {"emptyDir": {}}
        if self.settings.tls:
            volumes["tls"] = secret_volume(secret_of(self, self.settings.tls))
        cluster = self.cluster()
        return Pod(containers=(exporter(self, cluster), accounts_container(self, cluster)), volumes=volumes)

    def makes_secrets(self) -> Mapping[str, Collection[str]]:
        """Passwords and certificate, as far as they are not given."""
        if self.settings.operator:
            return strimzi.makes_secrets(self)
        own: dict[str, Collection[str]] = {} if self.settings.auth_secret else {self.secret: self._recipe().keys()}
        own |= self._administered.made()
        return made_secrets(self, own, self.settings.tls, keys=("username", *self._account()))

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Those that are given."""
        own = needed_secrets(self.settings.auth_secret, ("cluster-id", *PASSWORDS), self.settings.tls)
        return {**own, **self._administered.needed()}

    def topology(self) -> DeclaredTopology | None:
        """Topics and all that belongs to them."""
        return administration.declared_topology(self, self._administered, self.port, self.members)

    @property
    def _administered(self) -> Administration:
        return administration.administration(self, self._account())

    def _recipe(self) -> dict[str, str]:
        """Kafka writes the 128 bits of an id as 22 letters, of which the last has two bits only."""
        return {"cluster-id": "{random:21}A", **dict.fromkeys(PASSWORDS, "{random:32}")}

    def _account(self) -> dict[str, str]:
        """As clients take it, and as Kafka's own tool does."""
        return {"password": "{random:32}", "scram.properties": "SCRAM-SHA-512=iterations=8192,password={password}\n"}

    def check(self) -> None:
        """What is added to the configuration is not there already, and no service is called as an own account.

        Raises:
            ValueError: it is.
        """
        if self.settings.operator:
            strimzi.check(self, self.cluster())
        alone = self.cluster().properties(broker=True, extra={})
        checked(self.settings.extra_config, alone, "kafka", ours=OURS)
        for user in self.scope.users_of(self.name):
            if user.name in OWN_ACCOUNTS:
                raise ValueError(f"{user.name} is an account of {self.name} itself; rename the service that uses it")
        administration.check(self, self._administered, self.members)

    def binding(self, user: str) -> Mapping[str, str | SecretKey]:
        """``KAFKA_BOOTSTRAP_SERVERS`` and what else a client needs, with the account of the user."""
        operated = self.settings.operator is not None
        name = strimzi.account(self, user) if operated else user
        said = {f"KAFKA_{key}": value for key, value in self.cluster().client(name).items()}
        return {**said, "KAFKA_PASSWORD": SecretKey(name if operated else account_of(self, user), "password")}

    def authority(self) -> SecretKey | None:
        """Of the certificate, where there is one."""
        if self.settings.operator:
            return strimzi.authority(self)
        return authority_of(self, self.settings.tls)

    @property
    def _who(self) -> str:
        return f"{self.environment.namespace}/{self.name}"

    def resources(self) -> Iterable[Resource]:
        """Volumes, and how far consumers may be behind."""
        return resources(self.metrics_selector, self.settings.storage, self.settings.lag_alert)

    def alerts(self) -> Iterable[AlertRule]:
        """Brokers gone, no controller, partitions without leader or copies, volumes full, consumers behind."""
        yield from alerts(self._who, self.metrics_selector, self.members)
        yield from usage(self._who, self.metrics_selector, self.settings.storage, self.settings.lag_alert)
        yield from warnings(self)

    def dashboard(self) -> Dashboard:
        """Messages in and out, lag, copies, time to write, volumes."""
        return Dashboard(f"{self.environment.namespace} / {self.name}", panels(self.metrics_selector))
