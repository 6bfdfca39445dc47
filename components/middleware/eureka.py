"""Eureka of Spring Cloud: members that tell each other which instances of services there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.middleware.eureka_settings import (
    ACCOUNTS,
    CONFIG,
    HEAP_PERCENT,
    MANAGEMENT_PORT,
    METRICS_PATH,
    PEER,
    PORT,
    SIZES,
    TRUST,
    TRUSTED,
    EurekaSettings,
)
from components.model.component import Component
from components.model.credentials import generated_secret
from components.model.endpoints import MEMBERS, SCRAPERS, USERS, Endpoint
from components.model.observability import AlertRule, Dashboard, Panel
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
from components.model.standing import real
from components.workloads.accounts import account_of, accounts, made_secrets, needed_secrets
from components.workloads.baseline import config_map, service, stateful_set
from components.workloads.encryption import FOLDER, authority_of, certificate, hosts, secret_of
from components.workloads.network import policy
from manifests.render import text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kube.kinds import Manifest

TESTS = "tests/catalogue/test_discovery_on_cluster.py"


class Eureka(Component[EurekaSettings]):
    """A StatefulSet of peers, with an account for each service that uses it."""

    kind = "eureka"
    modes = (
        real(
            f"{TESTS}::test_what_registers_at_one_eureka_is_found_at_the_other_and_survives_its_loss",
            f"{TESTS}::test_panels_and_rules_have_series_and_no_alert_waits",
        ),
    )
    endpoints = (
        Endpoint("eureka", PORT, USERS | MEMBERS, "registry, with an account"),
        Endpoint("metrics", MANAGEMENT_PORT, SCRAPERS, "probes and metrics of the actuator", path=METRICS_PATH),
    )

    @property
    def secret(self) -> str:
        """Name of the Secret with the password of the members."""
        return self.settings.auth_secret or f"{self.name}-auth"

    @property
    def replicas(self) -> int:
        """Pods in all."""
        return self.settings.replicas or self.environment.profile.replicas

    @property
    def scheme(self) -> str:
        """Of its addresses."""
        return "https" if self.settings.tls else "http"

    @property
    def domain(self) -> str:
        """Where its members have names."""
        return f"{self.name}-nodes.{self.environment.namespace}.svc"

    def manifests(self) -> Iterable[Manifest]:
        """Accounts, configuration, Services, policy, StatefulSet."""
        if not self.settings.auth_secret:
            yield generated_secret(self.secret, self._recipe())
        yield from accounts(self, self._account())
        yield from certificate(self, self.settings.tls, hosts(self, self.name))
        yield config_map(self, f"{self.name}-config", {"application.yml": self._configuration()})
        yield service(self, USERS | MEMBERS, headless=True, name=f"{self.name}-nodes")
        yield service(self)
        yield policy(self)
        yield from stateful_set(self, self._pod(), replicas=self.replicas, governing=f"{self.name}-nodes", volume=None)

    def makes_secrets(self) -> Mapping[str, Collection[str]]:
        """Passwords and certificate, as far as they are not given."""
        own = {} if self.settings.auth_secret else {self.secret: self._recipe().keys()}
        return made_secrets(self, own, self.settings.tls)

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Those that are given."""
        return needed_secrets(self.settings.auth_secret, ("password",), self.settings.tls)

    def _recipe(self) -> dict[str, str]:
        return {"username": PEER, "password": "{random:32}"}

    def _account(self) -> dict[str, str]:
        where = f"{self.name}.{self.environment.namespace}.svc:{PORT}/eureka/"
        return {"password": "{random:32}", "url": f"{self.scheme}://{{username}}:{{password}}@{where}"}

    def _configuration(self) -> str:
        account = f"{PEER}:${{registry.accounts.{PEER}}}"
        members = [f"{self.name}-{each}" for each in range(self.replicas)]
        urls = {each: f"{self.scheme}://{account}@{each}.{self.domain}:{PORT}/eureka/" for each in members}
        return text(
            "eureka.yml.j2",
            name=self.name,
            port=PORT,
            management_port=MANAGEMENT_PORT,
            tls=FOLDER if self.settings.tls else "",
            accounts=ACCOUNTS,
            domain=self.domain,
            self_preservation=self.settings.self_preservation,
            peers={member: [urls[each] for each in members if each != member] or [urls[member]] for member in members},
        )

    def _pod(self) -> Pod:
        known = {PEER: self.secret} | {
            user.name: account_of(self, user.name) for user in self.scope.users_of(self.name)
        }
        sources = [
            {"secret": {"name": secret, "items": [{"key": "password", "path": f"registry/accounts/{name}"}]}}
            for name, secret in known.items()
        ]
        volumes: dict[str, Mapping[str, Any]] = {
            "config": config_volume(f"{self.name}-config"),
            "accounts": {"projected": {"defaultMode": 0o440, "sources": sources}},
        }
        if self.settings.tls:
            volumes |= {"tls": secret_volume(secret_of(self, self.settings.tls)), "trust": {"emptyDir": {}}}
        init = (self._truster(),) if self.settings.tls else ()
        return Pod(init=init, containers=(self._server(),), volumes=volumes, grace_s=60)

    def _truster(self) -> Container:
        return Container(
            name="trust",
            image=self.environment.image(self.settings.image),
            command=("sh", "-c", TRUSTED),
            mounts={FOLDER: "tls", TRUST: "trust"},
            resources=SIDECAR[Size.SMALL],
        )

    def _server(self) -> Container:
        trust = f" -Djavax.net.ssl.trustStore={TRUST}/ca.p12 -Djavax.net.ssl.trustStorePassword=changeit"
        keys = {FOLDER: "tls", TRUST: "trust"} if self.settings.tls else {}
        return Container(
            name="eureka",
            image=self.environment.image(self.settings.image),
            env={
                "POD_NAME": FieldPath("metadata.name"),
                "SPRING_PROFILES_ACTIVE": FieldPath("metadata.name"),
                "SPRING_CONFIG_ADDITIONAL_LOCATION": f"file:{CONFIG}/",
                "JAVA_TOOL_OPTIONS": f"-XX:MaxRAMPercentage={HEAP_PERCENT} -XX:+ExitOnOutOfMemoryError"
                f"{trust if self.settings.tls else ''}",
            },
            mounts={CONFIG: "config", ACCOUNTS: "accounts", **keys},
            resources=self.sized(SIZES),
            startup=Probe(MANAGEMENT_PORT, "/actuator/health/liveness", every_s=2, failures=150),
            readiness=Probe(MANAGEMENT_PORT, "/actuator/health/readiness"),
            liveness=Probe(MANAGEMENT_PORT, "/actuator/health/liveness", every_s=10, failures=6, timeout_s=5),
            pre_stop=sleep(5),
        )

    def binding(self, user: str) -> Mapping[str, SecretKey]:
        """``EUREKA_URL``, with the account of the user."""
        return {"EUREKA_URL": SecretKey(account_of(self, user), "url")}

    def authority(self) -> SecretKey | None:
        """Of the certificate, where there is one."""
        return authority_of(self, self.settings.tls)

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, alone among peers, or keeping what may be dead."""
        own = self.metrics_selector
        who = f"{self.environment.namespace}/{self.name}"
        down = f"sum(up{{{own}}}) < {self.replicas} or absent(up{{{own}}})"
        yield AlertRule("EurekaDown", down, f"{who}: fewer than {self.replicas} members answer", "2m", "critical")
        if self.replicas > 1:
            alone = f"min(eureka_server_peers_available{{{own}}}) < {self.replicas - 1}"
            yield AlertRule("EurekaPeersMissing", alone, f"{who}: a member does not know all the others", "5m")
        most = f"max_over_time(eureka_server_renewals_last_minute{{{own}}}[5m])"  # of few, one may come a minute later
        few = f"{most} <= eureka_server_renewals_threshold{{{own}}}"
        yield AlertRule(
            "EurekaRenewalsBelowThreshold", few, f"{who}: too few instances renew; the dead are kept among them", "5m"
        )

    def dashboard(self) -> Dashboard:
        """Instances, renewals, peers, requests, memory."""
        own = self.metrics_selector
        return Dashboard(
            f"{self.environment.namespace} / {self.name}",
            (
                Panel("Instances", f"max by (application) (eureka_server_instances{{{own}}})"),
                Panel("Renewals in a minute", f"eureka_server_renewals_last_minute{{{own}}}"),
                Panel("Renewals that are expected", f"eureka_server_renewals_threshold{{{own}}}"),
                Panel("Peers that are known", f"eureka_server_peers_available{{{own}}}"),
                Panel("Requests", f"sum by (status) (rate(http_server_requests_seconds_count{{{own}}}[5m]))", "ops"),
                Panel("Heap", f'sum by (pod) (jvm_memory_used_bytes{{{own},area="heap"}})', "bytes"),
            ),
        )
