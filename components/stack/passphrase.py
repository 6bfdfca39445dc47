"""Secrets in stack files as Pulumi's passphrase provider writes them, so that render and apply can read them too.

The format (pulumi ``sdk/go/common/resource/config/crypt.go``): the key is PBKDF2-HMAC-SHA256 of the passphrase with an
8-byte salt and 1,000,000 rounds; a value is AES-256-GCM under a 12-byte nonce, written ``v1:<nonce>:<sealed>`` in
base64; ``encryptionsalt`` is ``v1:<salt>:<the word pulumi, sealed>``, by which a wrong passphrase is recognised.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from kube.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

ROUNDS = 1_000_000
_KEY_BYTES, _SALT_BYTES, _NONCE_BYTES = 32, 8, 12
_PROOF = "pulumi"
_PARTS = 3
HIDDEN = "(hidden)"
VARIABLE, FILE_VARIABLE = "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"


class SecretError(UsageError):
    """A secret in a stack file cannot be read."""


class Opened(str):
    """A secret in plain text: a text for those who write it out, hidden wherever it is shown, formatted or logged."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Of the text itself, which ``str()`` of another one hides."""
        return super().__new__(cls, str.__str__(text))

    def __repr__(self) -> str:
        return HIDDEN

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return HIDDEN


def values_hidden(text: str, manifest: Mapping[str, Any]) -> str:
    """``text``, which tells of an object, with every value of it hidden if it is a Secret, plain or in base64."""
    if manifest.get("kind") != "Secret":
        return text
    for coded in (manifest.get("data") or {}).values():
        plain = b64decode(coded).decode(errors="replace")
        for each in sorted({coded, plain, *plain.splitlines()}, key=len, reverse=True):
            text = text.replace(each, HIDDEN) if each.strip() else text
    return text


def without_opened(text: str, values: Any) -> str:
    """``text`` with every opened secret in ``values`` hidden, plain or in base64."""
    if isinstance(values, Opened) and values:
        coded = b64encode(values.encode()).decode()
        return text.replace(str.__str__(values), HIDDEN).replace(coded, HIDDEN)
    inner = values.values() if isinstance(values, dict) else values if isinstance(values, list) else ()
    for each in inner:
        text = without_opened(text, each)
    return text


@dataclass(frozen=True, slots=True)
class Crypter:
    """Seals and opens values under one key."""

    key: bytes = field(repr=False)

    def open(self, sealed: str) -> Opened:
        """The plain text.

        Raises:
            SecretError: it is damaged, or was sealed under another key.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        parts = sealed.split(":")
        if len(parts) != _PARTS or parts[0] != "v1":
            raise SecretError("a secure value is not of the form v1:<nonce>:<text>")
        try:
            return Opened(AESGCM(self.key).decrypt(b64decode(parts[1]), b64decode(parts[2]), None).decode())
        except (InvalidTag, ValueError):
            raise SecretError("a secure value cannot be decrypted: another key made it, or it is damaged") from None

    def seal(self, plain: str) -> str:
        """The form a stack file holds, under a fresh nonce."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(_NONCE_BYTES)
        text = AESGCM(self.key).encrypt(nonce, plain.encode(), None)
        return f"v1:{b64encode(nonce).decode()}:{b64encode(text).decode()}"


def passphrase(environment: Mapping[str, str] = os.environ) -> str:
    """The passphrase as Pulumi's own variables give it; an empty one is a passphrase too.

    Raises:
        SecretError: neither variable is set, or the file cannot be read.
    """
    if VARIABLE in environment:
        return environment[VARIABLE]
    file = environment.get(FILE_VARIABLE)
    if not file:
        raise SecretError(f"the stack file holds secrets: set {VARIABLE} or {FILE_VARIABLE}")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SecretError(f"{FILE_VARIABLE}={file}: {error.strerror}") from error
    except ValueError:
        raise SecretError(f"{FILE_VARIABLE}={file}: is no text in UTF-8") from None


def unlock(phrase: str, salt: str) -> Crypter:
    """The crypter of a stack whose ``encryptionsalt`` is ``salt``; takes about half a second, by design.

    Raises:
        SecretError: the salt is damaged, or the passphrase is wrong.
    """
    parts = salt.split(":", maxsplit=2)
    try:
        salt_bytes = b64decode(parts[1], validate=True)
    except (IndexError, ValueError) as error:
        raise SecretError("encryptionsalt is damaged: it must be v1:<salt>:v1:<nonce>:<text>") from error
    crypter = Crypter(_derive(phrase, salt_bytes))
    try:
        proven = len(parts) == _PARTS and crypter.open(parts[2]) == _PROOF
    except SecretError:
        proven = False
    if not proven:
        raise SecretError(f"wrong passphrase: {VARIABLE} does not open this stack's secrets")
    return crypter


def new_salt(phrase: str) -> tuple[str, Crypter]:
    """``encryptionsalt`` for a stack that has none yet, and its crypter."""
    salt = secrets.token_bytes(_SALT_BYTES)
    crypter = Crypter(_derive(phrase, salt))
    return f"v1:{b64encode(salt).decode()}:{crypter.seal(_PROOF)}", crypter


def _derive(phrase: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", phrase.encode(), salt, ROUNDS, _KEY_BYTES)
