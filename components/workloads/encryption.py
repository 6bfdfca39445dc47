"""TLS between a store and its clients: a certificate of its own, or one that is given, and the authority to trust."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import Field

from components.model.settings import ComponentSettings
from components.model.values import ObjectName
from components.workloads.bindings import variable
from components.workloads.credentials import generated_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from components.model.component import Component, SecretKey
    from kube.kinds import Manifest

FOLDER = "/run/tls"
"""Where the pods of a store find certificate, key and authority."""

TRUSTED = "/etc/grayling/ca"
"""Where a service finds the authorities of what it uses, one folder for each."""

CERTIFICATE_KEYS = ("ca.crt", "tls.crt", "tls.key")
LIFETIME = timedelta(days=3650)
_CLOCKS_DIFFER = timedelta(hours=1)


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
        yield generated_secret(owner, secret_of(owner, tls), recipe)


def hosts(owner: Component, *services: str) -> list[str]:
    """Names under which the pods and Services of a store are reached inside the cluster."""
    domain = f"{owner.environment.namespace}.svc"
    found = [f"{name}.{domain}" for name in services] + [f"*.{owner.name}-nodes.{domain}"]
    return ["localhost", *(f"{name}{end}" for name in found for end in ("", ".cluster.local"))]


def self_signed(names: Sequence[str]) -> dict[str, str]:
    """PEM texts by their slot in a recipe: an authority, a certificate of it for ``names``, and its key.

    The authority's own key is forgotten: it can sign nothing else.
    """
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"grayling {names[0]}"[:64])])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[-1][:64])])

    def of(name: x509.Name, public: Any, *extensions: x509.ExtensionType) -> x509.Certificate:
        """A certificate signed by the authority."""
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCKS_DIFFER)
            .not_valid_after(now + LIFETIME)
        )
        for extension in extensions:
            made = made.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return made.sign(authority_key, hashes.SHA256())

    signer = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = of(issuer, authority_key.public_key(), x509.BasicConstraints(ca=True, path_length=0), signer)
    leaf = of(
        subject,
        key.public_key(),
        x509.BasicConstraints(ca=False, path_length=None),
        x509.SubjectAlternativeName([x509.DNSName(name) for name in names]),
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "ca": authority.public_bytes(pem).decode(),
        "certificate": leaf.public_bytes(pem).decode(),
        "key": private.decode(),
    }


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
