"""Public keys of an issuer of tokens: as a set of keys (JWKS) in the stack file, in PEM for a Kong."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

OF_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
"""What Kong checks a signature by such a key with; the first where the key does not say."""

OF_CURVES: Mapping[str, tuple[str, ec.EllipticCurve]] = {
    "P-256": ("ES256", ec.SECP256R1()),
    "P-384": ("ES384", ec.SECP384R1()),
    "P-521": ("ES512", ec.SECP521R1()),
}


def unusable(jwks: str) -> str:
    """Why a Kong could not check tokens by a set of keys; empty where it can."""
    keys = json.loads(jwks)["keys"]
    if len(keys) > 1:
        return "has several keys, and Kong takes one for an issuer; leave the others out"
    kind, curve = keys[0].get("kty"), keys[0].get("crv")
    if kind != "RSA" and not (kind == "EC" and curve in OF_CURVES):
        return "has a key that is neither RSA nor EC on P-256, P-384 or P-521; use one of these"
    allowed = OF_RSA if kind == "RSA" else OF_CURVES[curve][:1]
    if keys[0].get("alg", allowed[0]) not in allowed:
        return f"has a key for another algorithm; Kong has {', '.join(map(str, allowed))} for it"
    try:
        checking(jwks)
    except (KeyError, TypeError, ValueError, binascii.Error):
        return "has a key that is none; write it as the issuer shows it"
    return ""


def checking(jwks: str) -> tuple[str, str]:
    """The algorithm, and the one key in PEM.

    Raises:
        KeyError, TypeError, ValueError: a part is missing, or it is no key.
    """
    (key,) = json.loads(jwks)["keys"]
    public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    if key["kty"] == "RSA":
        algorithm = key.get("alg", OF_RSA[0])
        public = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
    else:
        algorithm, curve = OF_CURVES[key["crv"]]
        public = ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), curve).public_key()
    return algorithm, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _number(part: Any) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
