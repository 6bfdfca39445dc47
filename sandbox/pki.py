"""Makes the certificates of one box: two authorities, one leaf for each daemon.

Every box has authorities of its own, so a kubeconfig of one never opens another.
The keys are elliptic (a few milliseconds each); they live in the box's state
folder and are readable by its owner alone.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path

VALID = dt.timedelta(days=3650)
BACKDATED = dt.timedelta(hours=1)


@dataclass(frozen=True)
class Leaf:
    """One certificate to be made: who it names and the addresses it is good for."""

    file: str
    common_name: str
    organization: str = ""
    hosts: tuple[str, ...] = ()
    authority: str = "ca"


@dataclass(frozen=True)
class Pair:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def certificate_pem(self) -> bytes:
        """Return the certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self) -> bytes:
        """Return the private key as unencrypted PEM."""
        return key_pem(self.key)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as unencrypted PEM in the form every Go program reads."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def leaves(node: str, address: str, service_address: str) -> tuple[Leaf, ...]:
    """Return the leaves of a box whose node is called ``node`` and lives at ``address``."""
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    return (
        Leaf("apiserver", "kube-apiserver", hosts=("localhost", "127.0.0.1", address, service_address, *names)),
        Leaf("kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
        Leaf("front-proxy", "front-proxy-client", authority="front-proxy-ca"),
        Leaf("admin", "grayling-admin", "system:masters"),
        Leaf("controller-manager", "system:kube-controller-manager"),
        Leaf("scheduler", "system:kube-scheduler"),
        Leaf("kube-proxy", "system:kube-proxy"),
        Leaf("kubelet", f"system:node:{node}", "system:nodes", hosts=(node, address)),
    )


def authority(common_name: str, now: dt.datetime) -> Pair:
    """Return a new self-signed authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name, "")
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    builder = _builder(name, name, key, now).add_extension(constraints, critical=True)
    builder = builder.add_extension(_usage(signs=True), critical=True)
    return Pair(builder.sign(key, hashes.SHA256()), key)


def issue(leaf: Leaf, issuer: Pair, now: dt.datetime) -> Pair:
    """Return a certificate for ``leaf`` signed by ``issuer``, good for client and server."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(leaf.common_name, leaf.organization), issuer.certificate.subject, key, now)
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
    builder = builder.add_extension(both, critical=False).add_extension(_usage(signs=False), critical=True)
    if leaf.hosts:
        alternatives = x509.SubjectAlternativeName([_alternative(host) for host in leaf.hosts])
        builder = builder.add_extension(alternatives, critical=False)
    return Pair(builder.sign(issuer.key, hashes.SHA256()), key)


def write(folder: Path, wanted: tuple[Leaf, ...], now: dt.datetime) -> None:
    """Write authorities, leaves and the service account key below ``folder``.

    A box keeps the authorities it has: only its leaves are made anew, so service
    account tokens and clients that trust them outlive a change of address.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    issuers = {name: _kept_authority(folder, name, now) for name in ("ca", "front-proxy-ca")}
    for leaf in wanted:
        _store(folder, leaf.file, issue(leaf, issuers[leaf.authority], now))
    account = folder / "service-account.key"
    if not account.exists():
        _private(account, key_pem(ec.generate_private_key(ec.SECP256R1())))


def _kept_authority(folder: Path, name: str, now: dt.datetime) -> Pair:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    if certificate.exists() and key.exists():
        loaded = serialization.load_pem_private_key(key.read_bytes(), password=None)
        if isinstance(loaded, ec.EllipticCurvePrivateKey):
            return Pair(x509.load_pem_x509_certificate(certificate.read_bytes()), loaded)
    made = authority(f"grayling-{name}", now)
    _store(folder, name, made)
    return made


def _store(folder: Path, name: str, pair: Pair) -> None:
    _private(folder / f"{name}.key", pair.key_pem())
    (folder / f"{name}.crt").write_bytes(pair.certificate_pem())


def _private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(content)


def _name(common_name: str, organization: str) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + VALID)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
