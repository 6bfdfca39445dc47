"""Signatures by OpenSSH's own tool, so that everybody can check them without us, with keys wherever ssh keeps them.

What is signed is DSSE's PAE of a statement. A plain ed25519 key in a file signs it a second time as DSSE has it, so
that in-toto's tools verify the envelope too; for keys in an agent or on hardware ``ssh-keygen`` alone verifies it.
"""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_private_key,
    load_ssh_public_key,
)

from kube.errors import UsageError
from review.approval.errors import PolicyError

if TYPE_CHECKING:
    from datetime import datetime

NAMESPACE = "approval@grayling.dev"
_GOOD = re.compile(r"^Good \".*\" signature for .* with \S+ key (?P<key>SHA256:\S+)$", re.MULTILINE)
_MAGIC = b"SSHSIG"
_ED25519 = "ssh-ed25519"


class Signed(NamedTuple):
    """A message's signatures: OpenSSH's armoured one, and where the key allows it a plain ed25519 one."""

    armoured: bytes
    key: str
    plain: bytes | None


def sign(message: bytes, key: Path) -> Signed:
    """Sign with a private key's file, or with a public one whose other half is in an agent.

    Raises:
        UsageError: there is no such key, or it does not sign.
    """
    done = _ssh_keygen(["-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(key)], message)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        why = said[-1] if said else "ssh-keygen refused"
        raise UsageError(f"--key {key}: does not sign: {why}; pass a private key, or the .pub of one in the agent")
    blob = public_key_in(done.stdout)
    return Signed(done.stdout, fingerprint(blob), _plain(message, key, blob))


def verify(message: bytes, armoured: bytes, person: str, signers: bytes, now: datetime) -> str:
    """The fingerprint of the key, if ``person`` signed the message with one that counts now.

    Args:
        message: what was signed.
        armoured: OpenSSH's signature.
        person: who is said to have signed.
        signers: the allowed signers, in OpenSSH's form; their options count.
        now: when it must be valid.

    Raises:
        PolicyError: it was somebody else, another message, or the key does not count.
    """
    with tempfile.TemporaryDirectory(prefix="grayling-signature-") as folder:
        allowed, signature = Path(folder) / "allowed_signers", Path(folder) / "signature"
        allowed.write_bytes(signers)
        signature.write_bytes(armoured)
        moment = now.astimezone().strftime("%Y%m%d%H%M%S")
        place = ["-f", str(allowed), "-I", person, "-n", NAMESPACE, "-s", str(signature)]
        done = _ssh_keygen(["-Y", "verify", f"-Overify-time={moment}", *place], message)
    found = _GOOD.search(done.stdout.decode(errors="replace"))
    if done.returncode != 0 or found is None:
        said = (done.stdout + done.stderr).decode(errors="replace").replace(str(folder), "").strip().splitlines()
        raise PolicyError(f"no valid signature of {person}: {said[0] if said else 'ssh-keygen refused it'}")
    return found["key"]


def plain_is_good(message: bytes, plain: bytes, armoured: bytes) -> bool:
    """Whether the plain signature is of the same key as OpenSSH's, and of this message."""
    blob = public_key_in(armoured)
    try:
        key = load_ssh_public_key(f"{_ED25519} {base64.b64encode(blob).decode()}".encode())
        if not isinstance(key, Ed25519PublicKey):
            return False
        key.verify(plain, message)
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        return False
    return True


def public_key_in(armoured: bytes) -> bytes:
    """The public key that stands in OpenSSH's signature, in wire form.

    Raises:
        PolicyError: this is no such signature.
    """
    body = b"".join(line for line in armoured.splitlines() if not line.startswith(b"-----"))
    try:
        blob = base64.b64decode(body, validate=True)
    except ValueError:
        blob = b""
    if not blob.startswith(_MAGIC):
        raise PolicyError("a signature that is not OpenSSH's: sign with `grayling review approve`")
    start = len(_MAGIC) + 8  # version and length, four bytes each
    length = int.from_bytes(blob[len(_MAGIC) + 4 : start], "big")
    return blob[start : start + length]


def fingerprint(blob: bytes) -> str:
    """``SHA256:…``, as ``ssh-keygen -l`` shows it."""
    return f"SHA256:{base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip('=')}"


def _plain(message: bytes, key: Path, blob: bytes) -> bytes | None:
    try:
        private = load_ssh_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):  # in an agent, on hardware, or under a passphrase
        return None
    if not isinstance(private, Ed25519PrivateKey):
        return None
    shown = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return private.sign(message) if base64.b64decode(shown.split()[1]) == blob else None


def _ssh_keygen(arguments: list[str], message: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["ssh-keygen", *arguments], input=message, capture_output=True, check=False)
    except OSError as error:
        raise UsageError(f"ssh-keygen: {error.strerror}: install OpenSSH 8.9 or newer") from error
