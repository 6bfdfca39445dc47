"""Which type a Secret of the stack file has: Kubernetes wants some of them typed, and their keys say which.

| keys | type | checked |
| --- | --- | --- |
| `.dockerconfigjson` alone | `kubernetes.io/dockerconfigjson` | JSON with credentials under `auths` |
| `tls.crt`, `tls.key`, and perhaps `ca.crt` | `kubernetes.io/tls` | PEM, and the key is the certificate's |
| any other | `Opaque` | |
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCKER, TLS, OPAQUE = "kubernetes.io/dockerconfigjson", "kubernetes.io/tls", "Opaque"
DOCKER_KEY = ".dockerconfigjson"
_CERTIFICATE, _KEY = "tls.crt", "tls.key"
_OF_TLS = {_CERTIFICATE, _KEY, "ca.crt"}


def type_of(keys: Mapping[str, Any]) -> str:
    """The type of a Secret with these keys."""
    if set(keys) == {DOCKER_KEY}:
        return DOCKER
    return TLS if {_CERTIFICATE, _KEY} <= set(keys) <= _OF_TLS else OPAQUE


def problem_of(values: Mapping[str, str]) -> str:
    """What the type of a Secret says against its values, without any of them; empty where nothing does."""
    match type_of(values):
        case "kubernetes.io/dockerconfigjson":
            return _docker(values[DOCKER_KEY])
        case "kubernetes.io/tls":
            return _certificate(values[_CERTIFICATE], values[_KEY])
        case _:
            return ""


def _docker(text: str) -> str:
    example = "seal what `docker login` writes, with a user and a password for each registry"
    try:
        auths = json.loads(text)["auths"]
        said = [bool(each.get("auth") or (each.get("username") and each.get("password"))) for each in auths.values()]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return f"{DOCKER_KEY}: is no configuration of Docker; {example}"
    return "" if said and all(said) else f"{DOCKER_KEY}: has no credentials under auths; {example}"


def _certificate(certificate: str, key: str) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        first = x509.load_pem_x509_certificates(certificate.encode())[0]
    except (ValueError, IndexError):
        return f"{_CERTIFICATE}: is no certificate; seal a PEM text that begins with -----BEGIN CERTIFICATE-----"
    try:
        private = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError):
        return f"{_KEY}: is no key, or one with a passphrase; seal a plain PEM text"
    if private.public_key() != first.public_key():
        return f"{_KEY}: is not the key of {_CERTIFICATE}; seal the two that belong together"
    return ""
