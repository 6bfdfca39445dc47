"""Keycloak: the issuer of an environment's tokens (OAuth2, OpenID Connect), with a realm that the stack declares.

Some of its settings are built into the program: an init container does that in each pod, so that any image will do.
The realm is made true by a Job, so that a service that comes or goes restarts no server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from components.middleware.keycloak_observability import alerts, panels
from components.middleware.keycloak_realm import CLIENT_SECRET, clients, confidential, keeper, name_of, services
from components.middleware.keycloak_settings import (
    ADMIN,
    ADMIN_CLIENT,
    BUILT,
    BUILTIN,
    CLUSTER_PORT,
    COPIED,
    DATA,
    DATABASE,
    FAILURE_PORT,
    HOME,
    HTTP_PORT,
    HTTPS_PORT,
    MANAGEMENT_PORT,
    SERVER,
    SIZES,
    KeycloakSettings,
)
from components.model.component import Component
from components.model.credentials import generated_secret
from components.model.endpoints import GATEWAYS, MEMBERS, METRICS, SCRAPERS, USERS, Endpoint
from components.model.observability import Dashboard
from components.model.pods import Container, FieldPath, Pod, Probe, SecretKey, secret_volume, sleep
from components.model.profiles import Tier
from components.model.standing import real
from components.workloads.accounts import account_of, needed_secrets
from components.workloads.baseline import Volume, service, stateful_set
from components.workloads.bindings import variable
from components.workloads.encryption import FOLDER, authority_of, certificate, hosts, made_for, one_file, secret_of
from components.workloads.network import policy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from components.model.observability import AlertRule
    from kube.kinds import Manifest

JAVA_TRUST = "org.postgresql.ssl.DefaultJavaSSLFactory"
TESTS = "tests/catalogue/test_identity_on_cluster.py"


class Keycloak(Component[KeycloakSettings]):
    """A StatefulSet of servers, and a Job that makes the realm what the stack says."""

    kind = "keycloak"
    front = SERVER
    modes = (
        real(
            f"{TESTS}::test_a_token_is_had_for_the_right_secret_and_holds_against_the_published_keys",
            f"{TESTS}::test_tokens_are_had_while_a_server_is_killed_and_all_are_replaced",
        ),
    )

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Tokens and keys, what the servers say to each other, metrics."""
        name, about = ("https", "tokens, keys, administration") if self.settings.tls else ("http", "without `tls`")
        readers = USERS | MEMBERS | (GATEWAYS if self.settings.hostname else USERS)
        return (
            Endpoint(name, self.port, readers, about, part=SERVER),
            Endpoint("cluster", CLUSTER_PORT, MEMBERS, "caches", part=SERVER, member=SERVER),
            Endpoint("failures", FAILURE_PORT, MEMBERS, "who is gone", part=SERVER, member=SERVER),
            Endpoint(METRICS, MANAGEMENT_PORT, SCRAPERS, "metrics and health", part=SERVER),
        )

    @property
    def port(self) -> int:
        """Where clients connect."""
        return HTTPS_PORT if self.settings.tls else HTTP_PORT

    @property
    def replicas(self) -> int:
        """Servers in all."""
        if self.settings.database is None:
            return 1
        return self.settings.replicas or self.environment.profile.replicas

    @property
    def secret(self) -> str:
        """Name of the Secret with the first administrator."""
        return self.settings.auth_secret or f"{self.name}-auth"

    @property
    def address(self) -> str:
        """Where it is inside the cluster."""
        scheme = "https" if self.settings.tls else "http"
        return f"{scheme}://{self.name}.{self.environment.namespace}.svc:{self.port}"

    @property
    def uses(self) -> tuple[str, ...]:
        """The database that others run."""
        name = self.settings.database.external if self.settings.database else ""
        return (name,) if name in {each.name for each in self.scope.of_kind("external")} else ()

    def manifests(self) -> Iterable[Manifest]:
        """Accounts, certificate, Services, policy, StatefulSet, and what keeps the realm."""
        if not self.settings.auth_secret:
            yield generated_secret(self.secret, self._recipe())
        for name in confidential(self):
            yield generated_secret(account_of(self, name), {"username": name, CLIENT_SECRET: "{random:48}"})
        yield from certificate(self, self.settings.tls, hosts(self, self.name))
        yield service(self, USERS | MEMBERS, part=SERVER, headless=True, name=f"{self.name}-nodes")
        yield service(self, part=SERVER, name=self.name)
        yield policy(self, part=SERVER)
        volume = None if self.settings.database else Volume("data", self.settings.storage)
        yield from stateful_set(
            self,
            self._pod(),
            replicas=self.replicas,
            governing=f"{self.name}-nodes",
            volume=volume,
            part=SERVER,
        )
        yield from keeper(self, self.secret, self.address)

    def makes_secrets(self) -> Mapping[str, Collection[str]]:
        """Passwords and certificate, as far as they are not given."""
        own = {} if self.settings.auth_secret else {self.secret: self._recipe().keys()}
        others = {account_of(self, name): ("username", CLIENT_SECRET) for name in confidential(self)}
        return {**own, **others, **made_for(self, self.settings.tls)}

    def needs_secrets(self) -> Mapping[str, tuple[str, Collection[str]]]:
        """Those that are given."""
        found = needed_secrets(self.settings.auth_secret, self._recipe().keys(), self.settings.tls)
        if self.settings.database and (signer := self.settings.database.authority):
            found["database.authority.secret"] = (signer.secret, (signer.key,))
        return found

    def _recipe(self) -> dict[str, str]:
        return {"username": ADMIN, "password": "{random:32}", CLIENT_SECRET: "{random:48}"}

    def check(self) -> None:
        """It has a database that fits its tier, and no service is called as a client that is there already.

        Raises:
            ValueError: it is not so.
        """
        if self.settings.database is not None:
            self._database()
        elif self.environment.tier in {Tier.STAGING, Tier.PROD}:
            fix = "name a component of kind external with a PostgreSQL"
            raise ValueError(f"database: the tier {self.environment.tier} needs one, a file is of one server; {fix}")
        for name in services(self):
            if name in BUILTIN:
                raise ValueError(f"the service {name} would be a client that every realm has; rename the service")
            if clients(self)[name].public:
                raise ValueError(f"clients.{name}.public: the service of this name gets a secret; leave public out")

    def _database(self) -> dict[str, str | SecretKey]:
        """Address and account of the database, as the external says them.

        Raises:
            ValueError: it says none.
        """
        asked = self.settings.database
        assert asked is not None  # noqa: S101 - asked where there is one
        name = asked.external
        if not self.uses:
            raise ValueError(f"database.external: {name!r} is no component of kind external in this stack; declare one")
        bound = self.scope.members[name].binding(self.name)
        url, user, password = (bound.get(variable(name, what)) for what in ("URL", "USERNAME", "PASSWORD"))
        parts = urlsplit(url if isinstance(url, str) else "")
        if parts.scheme != "postgresql" or not parts.path.strip("/"):
            raise ValueError(
                f"database.external: {name} has no database in its url; write postgresql://db.example.com/keycloak"
            )
        if user is None or password is None:
            raise ValueError(f"database.external: {name} has no credentials with the keys username and password")
        trusted = f"sslrootcert={DATABASE}/ca.crt" if asked.authority else f"sslfactory={JAVA_TRUST}"
        where = f"jdbc:postgresql://{parts.hostname}:{parts.port or 5432}{parts.path}"
        return {
            "KC_DB_URL": f"{where}?sslmode=verify-full&{trusted}",
            "KC_DB_USERNAME": user,
            "KC_DB_PASSWORD": password,
        }

    def _pod(self) -> Pod:
        volumes: dict[str, Mapping[str, Any]] = {"built": {"emptyDir": {}}}
        if self.settings.database:
            volumes["data"] = {"emptyDir": {}}
            if signer := self.settings.database.authority:
                volumes["database"] = one_file(SecretKey(signer.secret, signer.key))
        if self.settings.tls:
            volumes["tls"] = secret_volume(secret_of(self, self.settings.tls))
        return Pod(init=(self._copier(), self._builder()), containers=(self._server(),), volumes=volumes, grace_s=60)

    def _copier(self) -> Container:
        return Container(
            name="copy",
            image=self.environment.image(self.settings.image),
            command=("cp", "-R", f"{BUILT}/.", f"{COPIED}/"),
            mounts={COPIED: "built"},
            resources=self.sized(SIZES),
        )

    def _builder(self) -> Container:
        return Container(
            name="build",
            image=self.environment.image(self.settings.image),
            command=(f"{HOME}/bin/kc.sh", "build"),
            env={**self._built_in(), "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1"},  # it runs for half a minute
            mounts={BUILT: "built", DATA: "data"},
            resources=self.sized(SIZES),
        )

    def _built_in(self) -> dict[str, str | SecretKey | FieldPath]:
        """Settings that the program is built with."""
        return {
            "KC_RUN_IN_CONTAINER": "true",
            "KC_DB": "postgres" if self.settings.database else "dev-file",
            "KC_CACHE": "ispn" if self.replicas > 1 else "local",
            "KC_HEALTH_ENABLED": "true",
            "KC_METRICS_ENABLED": "true",
            "KC_EVENT_METRICS_USER_ENABLED": "true",
        }

    def _configuration(self) -> dict[str, str | SecretKey | FieldPath]:
        """Settings that it is started with."""
        tls = {
            "KC_HTTPS_CERTIFICATE_FILE": f"{FOLDER}/tls.crt",
            "KC_HTTPS_CERTIFICATE_KEY_FILE": f"{FOLDER}/tls.key",
            "KC_HTTPS_PROTOCOLS": "TLSv1.3",
        }
        outside = {"KC_HOSTNAME_BACKCHANNEL_DYNAMIC": "true", "KC_PROXY_HEADERS": "xforwarded"}
        return {
            **(tls if self.settings.tls else {"KC_HTTP_ENABLED": "true"}),
            **(self._database() if self.settings.database else {}),
            **(outside if self.settings.hostname else {}),
            "KC_HOSTNAME": self.settings.hostname or self.address,
            "KC_HTTP_MANAGEMENT_SCHEME": "http",
            "KC_LOG_CONSOLE_OUTPUT": "json",
            "KC_SHUTDOWN_TIMEOUT": "20s",
            "KC_BOOTSTRAP_ADMIN_USERNAME": SecretKey(self.secret, "username"),
            "KC_BOOTSTRAP_ADMIN_PASSWORD": SecretKey(self.secret, "password"),
            "KC_BOOTSTRAP_ADMIN_CLIENT_ID": ADMIN_CLIENT,
            "KC_BOOTSTRAP_ADMIN_CLIENT_SECRET": SecretKey(self.secret, CLIENT_SECRET),
            "POD_IP": FieldPath("status.podIP"),
        }

    def _server(self) -> Container:
        keys = {FOLDER: "tls"} if self.settings.tls else {}
        trusted = {DATABASE: "database"} if self.settings.database and self.settings.database.authority else {}
        apart = {"KC_CACHE_EMBEDDED_NETWORK_BIND_ADDRESS": "$(POD_IP)"} if self.replicas > 1 else {}
        return Container(
            name="keycloak",
            image=self.environment.image(self.settings.image),
            command=(f"{HOME}/bin/kc.sh", "start", "--optimized"),
            env={**self._configuration(), **self._built_in(), **apart},
            mounts={BUILT: "built", DATA: "data", **keys, **trusted},
            resources=self.sized(SIZES),
            startup=Probe(MANAGEMENT_PORT, "/health/started", every_s=2, failures=150),
            readiness=Probe(MANAGEMENT_PORT, "/health/ready"),
            liveness=Probe(MANAGEMENT_PORT, "/health/live", every_s=10, failures=6, timeout_s=5),
            pre_stop=sleep(5),
        )

    def binding(self, user: str) -> Mapping[str, str | SecretKey]:
        """``OIDC_ISSUER``, ``OIDC_TOKEN_URL`` and ``OIDC_JWKS_URL``; ``OIDC_CLIENT_ID`` and its secret."""
        realm = f"/realms/{name_of(self)}"
        here = f"{self.address}{realm}/protocol/openid-connect"
        return {
            "OIDC_ISSUER": f"{self.settings.hostname or self.address}{realm}",
            "OIDC_TOKEN_URL": f"{here}/token",
            "OIDC_JWKS_URL": f"{here}/certs",
            "OIDC_CLIENT_ID": user,
            "OIDC_CLIENT_SECRET": SecretKey(account_of(self, user), CLIENT_SECRET),
        }

    def authority(self) -> SecretKey | None:
        """Of the certificate, where there is one."""
        return authority_of(self, self.settings.tls)

    def alerts(self) -> Iterable[AlertRule]:
        """Gone, not ready, apart, failing, attacked, or short of connections and memory."""
        return alerts(f"{self.environment.namespace}/{self.name}", self.metrics_selector, self.replicas)

    def dashboard(self) -> Dashboard:
        """Logins, requests, members, database, memory."""
        return Dashboard(f"{self.environment.namespace} / {self.name}", panels(self.metrics_selector))
