"""TLS between a store and its clients: a certificate of its own, or one that is given, and the authority to trust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field

from components.model.credentials import generated_secret
from components.model.pods import SecretKey
from components.model.settings import ComponentSettings
from components.model.values import ObjectName
from components.workloads.bindings import variable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from components.model.component import Component
    from kube.kinds import Manifest

FOLDER = "/run/tls"
"""Where the pods of a store find certificate, key and authority."""

TRUSTED = "/etc/grayling/ca"
"""Where a service finds the authorities of what it uses, one folder for each."""

ISSUED = "cert-manager.io/v1"
CERTIFICATE_KEYS = ("ca.crt", "tls.crt", "tls.key")


class Issuer(ComponentSettings):
    """Of cert-manager: it makes a certificate, writes it into a Secret, and renews it there."""

    name: ObjectName
    kind: Literal["Issuer", "ClusterIssuer"] = "Issuer"


class Tls(ComponentSettings):
    """Encryption of everything between the store and its clients; without it nothing is."""

    secret: ObjectName | None = Field(
        default=None,
        description="existing Secret with tls.crt, tls.key and ca.crt; one for ten years is generated if not given",
    )
    issuer: Issuer | None = Field(
        default=None,
        description="of cert-manager, which then writes the Secret; pods take a renewed one when they restart",
    )


def secret_of(owner: Component, tls: Tls) -> str:
    """Name of the Secret with certificate and key."""
    return tls.secret or f"{owner.name}-tls"


def authority_of(owner: Component, tls: Tls | None) -> SecretKey | None:
    """Whom clients have to trust, where there is a certificate."""
    return SecretKey(secret_of(owner, tls), "ca.crt") if tls else None


def made_for(owner: Component, tls: Tls | None) -> dict[str, Collection[str]]:
    """The Secret of its certificate and its keys, where a stack or an issuer makes it."""
    made = tls is not None and (tls.issuer is not None or tls.secret is None)
    return {secret_of(owner, tls): CERTIFICATE_KEYS} if tls is not None and made else {}


def certificate(owner: Component, tls: Tls | None, names: Sequence[str]) -> Iterable[Manifest]:
    """The Secret, where it is not given: made once in the cluster, for these names of hosts; or who makes it."""
    if tls is not None and tls.issuer is not None:
        yield issued(secret_of(owner, tls), tls.issuer, names)
    elif tls is not None and tls.secret is None:
        recipe = {"names": ",".join(names), "ca.crt": "{ca}", "tls.crt": "{certificate}", "tls.key": "{key}"}
        yield generated_secret(secret_of(owner, tls), recipe)


def issued(secret: str, issuer: Issuer, names: Sequence[str]) -> Manifest:
    """A Certificate of cert-manager for these names, in the Secret of the same name; a third of its life is spare."""
    spec = {
        "secretName": secret,
        "issuerRef": {"group": ISSUED.partition("/")[0], "kind": issuer.kind, "name": issuer.name},
        "dnsNames": list(names),
        "duration": "2160h0m0s",
        "renewBefore": "720h0m0s",
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "usages": ["digital signature", "server auth"],
    }
    return {"apiVersion": ISSUED, "kind": "Certificate", "metadata": {"name": secret}, "spec": spec}


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
