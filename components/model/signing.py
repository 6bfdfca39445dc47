"""Certificates that are made here: an authority that signs one and is forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence

LIFETIME = timedelta(days=3650)
_CLOCKS_DIFFER = timedelta(hours=1)


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
