"""An approval or a revocation as a file: an in-toto statement in a DSSE envelope, which stock tools verify.

docs/reference/approvals.md has the form. What is read here was written by anybody: nothing counts before its signature.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AwareDatetime, Field, ValidationError

from kube.errors import UsageError
from review.approval import signing
from review.approval.digest import PARTS, Bound, canonical, hash_of
from review.approval.errors import PolicyError
from rollout.api.wire import Model

if TYPE_CHECKING:
    from pathlib import Path

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://grayling.dev/approval/v1"
PAYLOAD = "application/vnd.in-toto+json"
OPENSSH = "ssh:"
"""What a signature's key id starts with where it is OpenSSH's own."""
MOST_BYTES = 8 << 20

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Said(Model):
    """What a person says of one digest.

    Attributes:
        kind: approval, or revocation of every approval of the digest until then.
        project: the Pulumi project.
        stack: the stack.
        tier: the stack's tier.
        source: what the changes were read from.
        commit: the project's commit; what is volatile may move after it, nothing else.
        base: the commit that the change was judged from.
        approver: who says so.
        created: when.
        expires: when an approval no longer counts; none for a revocation.
        reason: why.
        emergency: given in the emergency lane.
        volatile: fields that stand as placeholders.
        parts: each part's entries with their hashes; a revocation has none.
        releases: gray releases that the change starts or changes.
    """

    kind: Literal["approval", "revocation"]
    project: str
    stack: str
    tier: str
    source: str = ""
    commit: str = ""
    base: str = ""
    approver: str
    created: AwareDatetime
    expires: AwareDatetime | None = None
    reason: str = ""
    emergency: bool = False
    volatile: tuple[str, ...] = ()
    parts: dict[str, dict[str, str]] = Field(default_factory=dict)
    releases: tuple[str, ...] = ()

    def bound(self) -> Bound:
        """What it was given for."""
        return Bound(self.project, self.stack, self.source, self.parts, self.volatile)


class _Digests(Model):
    sha256: Hash


class _Subject(Model):
    name: str
    digest: _Digests


class _Statement(Model):
    form: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: tuple[_Subject]
    predicate_type: Literal["https://grayling.dev/approval/v1"]
    predicate: Said


class _Signature(Model):
    keyid: str
    sig: str


class _Envelope(Model):
    payload: str
    payload_type: Literal["application/vnd.in-toto+json"]
    signatures: tuple[_Signature, ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """One envelope.

    Attributes:
        digest: what it speaks of.
        said: what it says.
        payload: the bytes that are signed, without their frame.
        armoured: OpenSSH's signature.
        plain: the plain ed25519 signature; None where the key gives none.
        key: fingerprint of the key that the signature names.
    """

    digest: str
    said: Said
    payload: bytes
    armoured: bytes
    plain: bytes | None
    key: str

    @property
    def id(self) -> str:
        """Of what it says; two envelopes of the same words are one."""
        return hash_of(self.payload.decode())[:16]

    def text(self) -> str:
        """The file."""
        signatures = [{"keyid": OPENSSH + self.key, "sig": _b64(self.armoured)}]
        if self.plain is not None:
            signatures.append({"keyid": self.key, "sig": _b64(self.plain)})
        made = {"payload": _b64(self.payload), "payloadType": PAYLOAD, "signatures": signatures}
        return json.dumps(made, indent=2) + "\n"

    def check(self, signers: bytes, now: datetime) -> str:
        """The fingerprint of the key, if it was signed by who it names.

        Raises:
            PolicyError: it was not, or the two signatures say two things.
        """
        key = signing.verify(pae(self.payload), self.armoured, self.said.approver, signers, now)
        if self.plain is not None and not signing.plain_is_good(pae(self.payload), self.plain, self.armoured):
            raise PolicyError("its plain signature is not of the same key and text: it was tampered with")
        return key


def pae(payload: bytes) -> bytes:
    """DSSE's frame: what is really signed.

    >>> pae(b"{}")
    b'DSSEv1 28 application/vnd.in-toto+json 2 {}'
    """
    return b"DSSEv1 %d %b %d %b" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


def write(said: Said, digest: str, key: Path) -> Letter:
    """Sign what a person says.

    Raises:
        UsageError: the key does not sign.
    """
    subject = [{"name": f"{said.project}/{said.stack}", "digest": {"sha256": digest}}]
    statement = {"_type": STATEMENT, "subject": subject, "predicateType": PREDICATE, "predicate": said.wire()}
    payload = canonical(statement)
    signed = signing.sign(pae(payload), key)
    return Letter(digest, said, payload, signed.armoured, signed.plain, signed.key)


def read(data: bytes, source: str) -> Letter:
    """The envelope in a file; its signature is not checked yet.

    Raises:
        UsageError: it is no envelope of ours, or its digest is not of what it says.
    """
    if len(data) > MOST_BYTES:
        raise UsageError(f"{source}: is longer than {MOST_BYTES >> 20} MiB: no approval is")
    try:
        envelope = _Envelope.model_validate_json(data)
        payload = base64.b64decode(envelope.payload, validate=True)
        statement = _Statement.model_validate_json(payload)
        found = {each.keyid: base64.b64decode(each.sig, validate=True) for each in envelope.signatures}
    except ValidationError as error:
        raise UsageError(f"{source}: {_first(error)}; write it with `grayling review approve`") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{source}: is damaged ({error}); approve again") from None
    return _letter(statement, payload, found, source)


def _letter(statement: _Statement, payload: bytes, found: dict[str, bytes], source: str) -> Letter:
    said, (subject,) = statement.predicate, statement.subject
    ssh = [(keyid, sig) for keyid, sig in found.items() if keyid.startswith(OPENSSH)]
    if len(ssh) != 1:
        raise UsageError(f"{source}: signatures: has {len(ssh)} of OpenSSH's, and must have one; approve again")
    digest = subject.digest.sha256
    whole = said.expires is not None and set(said.parts) == set(PARTS) and said.bound().digest == digest
    if said.kind == "approval" and not whole:
        raise UsageError(f"{source}: subject.digest: is not that of the parts it lists: it was tampered with")
    keyid, armoured = ssh[0]
    key = keyid.removeprefix(OPENSSH)
    return Letter(digest, said, payload, armoured, found.get(key), key)


def _first(error: ValidationError) -> str:
    first: Any = error.errors(include_url=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    return f"{path}: {first['msg']}" if path else str(first["msg"])


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def now() -> datetime:
    """In UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)
