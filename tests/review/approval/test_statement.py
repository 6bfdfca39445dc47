"""An approval's file: stock tools verify it, and whoever changes a byte of it is told so."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from kube.errors import UsageError
from review.approval.digest import PARTS, Bound
from review.approval.errors import PolicyError
from review.approval.signing import NAMESPACE
from review.approval.statement import OPENSSH, Said, pae, read, write

ANN, BOB = "ann@example.com", "bob@example.com"
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def key_of(folder, who, kind="ed25519", *more):
    path = folder / f"{who}-{kind}"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *more, "-N", "", "-C", who, "-f", str(path)], check=True)
    return path


def public(path):
    return path.with_name(f"{path.name}.pub")


def line(who, path, options=""):
    return " ".join(filter(None, [who, options, *public(path).read_text().split()[:2]])).encode() + b"\n"


def said_by(who=ANN, **more):
    parts = {name: {"x": "0" * 64} for name in PARTS}
    values = {
        "kind": "approval",
        "project": "p",
        "stack": "s",
        "tier": "prod",
        "source": "render",
        "approver": who,
        "created": NOW,
        "expires": NOW + timedelta(hours=1),
        "parts": parts,
    }
    return Said(**{**values, **more})


def letter_of(key, who=ANN, **more):
    said = said_by(who, **more)
    return write(said, said.bound().digest, key)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def key(folder):
    return key_of(folder, "ann")


@pytest.fixture(scope="module")
def letter(key):
    return letter_of(key)


def test_ssh_keygen_alone_verifies_it(letter, key, tmp_path):
    envelope = json.loads(letter.text())
    (signature,) = [each["sig"] for each in envelope["signatures"] if each["keyid"].startswith(OPENSSH)]
    (tmp_path / "sig").write_bytes(base64.b64decode(signature))
    (tmp_path / "allowed").write_bytes(line(ANN, key))
    place = ["-f", tmp_path / "allowed", "-I", ANN, "-n", NAMESPACE, "-s", tmp_path / "sig"]
    command = ["ssh-keygen", "-Y", "verify", *map(str, place)]
    framed = pae(base64.b64decode(envelope["payload"]))
    assert subprocess.run(command, input=framed, check=False, capture_output=True).returncode == 0
    assert subprocess.run(command, input=framed + b"x", check=False, capture_output=True).returncode != 0


def test_securesystemslib_verifies_it(letter, key, folder):
    data = json.loads(letter.text())
    mine = SSlibKey.from_crypto(load_ssh_public_key(public(key).read_bytes()), keyid=letter.key)
    assert set(Envelope.from_dict(data).verify([mine], 1)) == {letter.key}
    other = load_ssh_public_key(public(key_of(folder, "other")).read_bytes())
    with pytest.raises(VerificationError):
        Envelope.from_dict(json.loads(letter.text())).verify([SSlibKey.from_crypto(other, keyid=letter.key)], 1)


def test_it_is_an_in_toto_statement(letter):
    statement = json.loads(letter.payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": "p/s", "digest": {"sha256": letter.digest}}]
    assert statement["predicateType"] == "https://grayling.dev/approval/v1"


def test_what_is_written_is_read_and_checked(letter, key):
    again = read(letter.text().encode(), "x.json")
    assert again == letter
    assert again.check(line(ANN, key), NOW) == letter.key


def changed(letter, work):
    """The envelope with its statement edited, signatures as they were."""
    envelope = json.loads(letter.text())
    statement = json.loads(base64.b64decode(envelope["payload"]))
    work(statement)
    envelope["payload"] = base64.b64encode(json.dumps(statement, sort_keys=True).encode()).decode()
    return json.dumps(envelope).encode()


EDITS = [
    lambda each: each["predicate"].update(approver=BOB),
    lambda each: each["predicate"].update(created="2026-05-04T13:00:00Z"),
    lambda each: each["predicate"].update(expires="2036-05-04T13:00:00Z"),
    lambda each: each["predicate"].update(reason="because"),
    lambda each: each["predicate"].update(commit="f" * 40),
    lambda each: each["predicate"].update(emergency=True),
    lambda each: each["predicate"].update(kind="revocation"),
]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_statement_is_of_nobody(letter, key, folder, edit):
    both = line(ANN, key) + line(BOB, key)
    with pytest.raises(PolicyError, match="no valid signature of"):
        read(changed(letter, edit), "x.json").check(both, NOW)


REFUSED = [
    (lambda each: each["subject"][0]["digest"].update(sha256="0" * 64), "subject.digest: is not that of the parts"),
    (lambda each: each["predicate"]["parts"]["program"].update(x="1"), "subject.digest: is not that of the parts"),
    (lambda each: each["predicate"]["parts"].pop("live"), "subject.digest: is not that of the parts"),
    (lambda each: each["predicate"].update(stack="other"), "subject.digest: is not that of the parts"),
    (lambda each: each["predicate"].update(volatile=["x"]), "subject.digest: is not that of the parts"),
    (lambda each: each["predicate"].pop("expires"), "subject.digest: is not that of the parts"),
    (lambda each: each["predicate"].update(more=1), "predicate.more"),
    (lambda each: each.update(predicateType="https://slsa.dev/provenance/v1"), "predicateType"),
    (lambda each: each.update(subject=[]), "subject"),
]


@pytest.mark.parametrize(("edit", "words"), REFUSED)
def test_a_statement_that_contradicts_itself_is_refused(letter, edit, words):
    with pytest.raises(UsageError, match=f"x.json: {words}"):
        read(changed(letter, edit), "x.json")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"payload": "!", "payloadType": "x", "signatures": []}'])
def test_what_is_no_envelope_is_refused(data):
    with pytest.raises(UsageError, match=r"x.json: .*; (write it with `grayling review approve`|approve again)"):
        read(data, "x.json")


def test_a_damaged_payload_is_refused(letter):
    envelope = {**json.loads(letter.text()), "payload": "###"}
    with pytest.raises(UsageError, match="is damaged"):
        read(json.dumps(envelope).encode(), "x.json")


def test_a_plain_signature_of_another_key_is_seen(letter, key, folder):
    envelope = json.loads(letter.text())
    for each in envelope["signatures"]:
        if not each["keyid"].startswith(OPENSSH):
            each["sig"] = base64.b64encode(b"\0" * 64).decode()
    with pytest.raises(PolicyError, match="it was tampered with"):
        read(json.dumps(envelope).encode(), "x.json").check(line(ANN, key), NOW)


def test_without_openssh_s_signature_it_is_refused(letter):
    envelope = json.loads(letter.text())
    envelope["signatures"] = [each for each in envelope["signatures"] if not each["keyid"].startswith(OPENSSH)]
    with pytest.raises(UsageError, match="has 0 of OpenSSH's"):
        read(json.dumps(envelope).encode(), "x.json")


def test_another_file_of_keys_knows_nobody(letter, folder):
    with pytest.raises(PolicyError, match=f"no valid signature of {ANN}"):
        letter.check(line(ANN, key_of(folder, "replaced")), NOW)
    with pytest.raises(PolicyError):
        letter.check(b"", NOW)


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ('valid-before="20260601"', True),
        ('valid-before="20260501"', False),
        ('valid-after="20260501"', True),
        ('valid-after="20260601"', False),
        (f'namespaces="{NAMESPACE}"', True),
        ('namespaces="git"', False),
    ],
)
def test_options_of_a_key_count(letter, key, options, counts):
    if counts:
        assert letter.check(line(ANN, key, options), NOW) == letter.key
    else:
        with pytest.raises(PolicyError):
            letter.check(line(ANN, key, options), NOW)


def test_a_certificate_of_an_authority_counts(folder):
    authority, key = key_of(folder, "authority"), key_of(folder, "certified")
    command = ["ssh-keygen", "-q", "-s", str(authority), "-I", "x", "-n", ANN, "-V", "always:forever", str(public(key))]
    subprocess.run(command, check=True)
    letter = letter_of(key.with_name(f"{key.name}-cert.pub"))
    signers = line(ANN, authority, "cert-authority")
    assert letter.check(signers, NOW).startswith("SHA256:")
    with pytest.raises(PolicyError):
        letter_of(key.with_name(f"{key.name}-cert.pub"), BOB).check(line(BOB, authority, "cert-authority"), NOW)


def test_a_key_that_only_an_agent_holds_signs_for_ssh_keygen_alone(folder, monkeypatch, tmp_path):
    key = key_of(folder, "agent")
    words = subprocess.run(["ssh-agent", "-s"], check=True, capture_output=True, text=True).stdout
    told = dict(part.strip().split("=", 1) for part in words.split(";") if "=" in part)
    monkeypatch.setenv("SSH_AUTH_SOCK", told["SSH_AUTH_SOCK"])
    try:
        subprocess.run(["ssh-add", "-q", str(key)], check=True)
        hidden = key.rename(tmp_path / "elsewhere")
        letter = letter_of(public(key))
        assert letter.plain is None
        assert letter.check(line(ANN, key), NOW) == letter.key
        hidden.rename(key)
    finally:
        os.kill(int(told["SSH_AGENT_PID"]), 15)


def test_a_key_of_another_kind_signs_for_ssh_keygen_alone(folder):
    key = key_of(folder, "rsa", "rsa", "-b", "2048")
    letter = letter_of(key)
    assert letter.plain is None
    assert read(letter.text().encode(), "x").check(line(ANN, key), NOW) == letter.key


def test_an_envelope_is_not_longer_than_it_can_be():
    with pytest.raises(UsageError, match="is longer than"):
        read(b" " * (9 << 20), "x.json")


def test_a_bound_is_told_by_its_parts():
    assert said_by().bound() == Bound("p", "s", "render", {name: {"x": "0" * 64} for name in PARTS})
