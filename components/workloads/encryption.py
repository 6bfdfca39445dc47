"""TLS between a store and its clients: a certificate of its own, or one that is given, and the authority to trust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from components.model.credentials import generated_secret
from components.model.settings import ComponentSettings
from components.model.values import ObjectName
from components.workloads.bindings import variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from components.model.component import Component
    from components.model.pods import SecretKey
    from kube.kinds import Manifest

FOLDER = "/run/tls"
"""Where the pods of a store find certificate, key and authority."""

TRUSTED = "/etc/grayling/ca"
"""Where a service finds the authorities of what it uses, one folder for each."""

CERTIFICATE_KEYS = ("ca.crt", "tls.crt", "tls.key")


class Tls(ComponentSettings):
    """Encryption of everything between the store and its clients; without it nothing is."""

    secret: ObjectName | None = Field(
        default=None,
        description="existing Secret with tls.crt, tls.key and ca.crt; one for ten years is generated if not given",
    )


def secret_of(owner: Component, tls: Tls) -> str:
    """Name of the Secret with certificate and key."""
    return tls.secret or f"{owner.name}-tls"


def certificate(owner: Component, tls: Tls | None, names: Sequence[str]) -> Iterable[Manifest]:
    """The Secret, where it is not given: made once in the cluster, for these names of hosts."""
    if tls is not None and tls.secret is None:
        recipe = {"names": ",".join(names), "ca.crt": "{ca}", "tls.crt": "{certificate}", "tls.key": "{key}"}
        yield generated_secret(secret_of(owner, tls), recipe)


def hosts(owner: Component, *services: str) -> list[str]:
    """Names under which the pods and Services of a store are reached inside the cluster."""
    domain = f"{owner.environment.namespace}.svc"
    found = [f"{name}.{domain}" for name in services] + [f"*.{owner.name}-nodes.{domain}"]
    return ["localhost", *(f"{name}{end}" for name in found for end in ("", ".cluster.local"))]


class Trust(NamedTuple):
    """What a service needs to trust the stores it uses; ``variables`` name the files."""

    volumes: dict[str, Mapping[str, Any]]
    mounts: dict[str, str]
    variables: dict[str, str]


def trust_of(user: Component) -> Trust:
    """Of all that ``user`` uses and that is encrypted."""
    made = Trust({}, {}, {})
    for name in user.uses:
        authority = user.scope.members[name].authority() if name in user.scope.members else None
        if authority is not None:
            volume, folder = f"grayling-ca-{name}", f"{TRUSTED}/{name}"
            made.volumes[volume] = one_file(authority)
            made.mounts[folder] = volume
            made.variables[variable(name, "CA_FILE")] = f"{folder}/ca.crt"
    return made


def one_file(key: SecretKey, path: str = "ca.crt") -> dict[str, Any]:
    """A volume with one key of a Secret."""
    return {"secret": {"secretName": key.secret, "defaultMode": 0o440, "items": [{"key": key.key, "path": path}]}}
