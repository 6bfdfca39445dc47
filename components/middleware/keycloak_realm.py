"""The realm of a Keycloak: what the stack says of it, and the Job that makes it so."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from components.middleware.keycloak_settings import (
    ADMIN_CLIENT,
    CREDENTIALS,
    KEEPER,
    PATIENCE_S,
    REALM,
    Client,
)
from components.model.endpoints import GATEWAYS
from components.model.pods import SIDECAR, Container, Pod, config_volume
from components.model.profiles import Size
from components.model.topology import key_file
from components.workloads.accounts import account_of
from components.workloads.baseline import account, config_map, pod_template, workload_name
from components.workloads.encryption import FOLDER, authority_of, one_file
from components.workloads.network import policy
from manifests.render import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from components.middleware.keycloak_settings import KeycloakSettings
    from components.model.component import Component
    from kube.kinds import Manifest

CLIENT_SECRET = "client-secret"  # noqa: S105 - the key of it


def services(owner: Component[KeycloakSettings]) -> list[str]:
    """Names of those who get tokens from it; a gateway checks them only."""
    return [user.name for user in owner.scope.users_of(owner.name) if not user.reads & GATEWAYS]


def clients(owner: Component[KeycloakSettings]) -> dict[str, Client]:
    """Those of the services that use it, and those that are declared."""
    found = {name: Client() for name in services(owner)}
    return dict(sorted({**found, **owner.settings.clients}.items()))


def confidential(owner: Component[KeycloakSettings]) -> list[str]:
    """Names of the clients with a secret."""
    return [name for name, client in clients(owner).items() if not client.public]


def name_of(owner: Component[KeycloakSettings]) -> str:
    """Of the realm."""
    return owner.settings.realm or owner.environment.namespace


def declared(owner: Component[KeycloakSettings]) -> dict[str, Any]:
    """As the program reads it."""
    settings = {
        "accessTokenLifespan": int(owner.settings.token_lifetime),
        "sslRequired": "external",
        "bruteForceProtected": True,
        "registrationAllowed": False,
    }
    found = {name: client.wire() for name, client in clients(owner).items()}
    return {"realm": name_of(owner), "settings": settings, "roles": sorted(owner.settings.roles), "clients": found}


def keeper(owner: Component[KeycloakSettings], admin: str, address: str) -> Iterable[Manifest]:
    """Files, account, policy, and the Job; whatever changes, it is another Job, for none can be changed."""
    program = text(
        "keycloak_realm.py.j2",
        secrets=CREDENTIALS,
        patience=PATIENCE_S,
        authority=f"{FOLDER}/ca.crt" if owner.settings.tls else None,
    )
    files = {"realm.py": program, "realm.json": json.dumps(declared(owner), indent=1, sort_keys=True) + "\n"}
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:8]
    name = f"{workload_name(owner, KEEPER)}-{digest}"
    yield config_map(owner, name, files)
    yield account(owner, KEEPER)
    yield policy(owner, part=KEEPER)
    yield _job(owner, name, admin, address)


def _job(owner: Component[KeycloakSettings], files: str, admin: str, address: str) -> Manifest:
    secrets = [key_file(admin, CLIENT_SECRET, "admin")]
    secrets += [key_file(account_of(owner, name), CLIENT_SECRET, f"clients/{name}") for name in confidential(owner)]
    volumes: dict[str, Mapping[str, Any]] = {
        "realm": config_volume(files),
        "credentials": {"projected": {"defaultMode": 0o440, "sources": secrets}},
    }
    mounts = {REALM: "realm", CREDENTIALS: "credentials"}
    if authority := authority_of(owner, owner.settings.tls):
        volumes["ca"] = one_file(authority)
        mounts[FOLDER] = "ca"
    container = Container(
        name=KEEPER,
        image=owner.environment.image(owner.settings.realm_image),
        command=("python3", f"{REALM}/realm.py", f"{REALM}/realm.json"),
        env={"KEYCLOAK_URL": address, "ADMIN_CLIENT": ADMIN_CLIENT},
        mounts=mounts,
        resources=SIDECAR[Size.SMALL],
    )
    template = pod_template(owner, Pod(containers=(container,), volumes=volumes), KEEPER)
    template["spec"]["restartPolicy"] = "OnFailure"
    meta = {"name": workload_name(owner, KEEPER), "labels": owner.labels(KEEPER)}
    spec = {"backoffLimit": 6, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}
