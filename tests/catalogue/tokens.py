"""An issuer of tokens, as far as a gateway knows one: its keys, and what it signs. And certificates of a day."""

from __future__ import annotations

import datetime as dt
import json
import time
from base64 import urlsafe_b64encode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID


def _text(data):
    return urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Signs with RS256."""

    def __init__(self, name):
        self.name = name
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwks(self):
        """What is checked with, as the issuer shows it."""
        numbers = self._key.public_key().public_numbers()
        n, e = (_text(each.to_bytes((each.bit_length() + 7) // 8, "big")) for each in (numbers.n, numbers.e))
        return json.dumps({"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one", "n": n, "e": e}]})

    def token(self, **claims):
        """A token that is right but for ``claims``."""
        now = int(time.time())
        body = {"iss": self.name, "aud": "shop", "sub": "ann", "iat": now - 10, "exp": now + 3600, **claims}
        parts = [_text(json.dumps(each).encode()) for each in ({"alg": "RS256", "kid": "one"}, body)]
        signed = ".".join(parts)
        return f"{signed}.{_text(self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def certificate(host):
    """Certificate and key of a Secret, as text; each call makes another one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {"tls.crt": made.public_bytes(serialization.Encoding.PEM).decode(), "tls.key": private.decode()}


def serial(pem):
    """Which certificate it is."""
    return x509.load_pem_x509_certificate(pem.encode()).serial_number
