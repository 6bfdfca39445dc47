"""Secrets of Pulumi's passphrase provider: read and written in its own format, and never shown."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from components.deploy.render import declared
from components.model.mistakes import StackError
from components.stack import passphrase
from components.stack.passphrase import SecretError, new_salt, unlock
from components.stack.passphrase import passphrase as given
from components.stack.stackfile import StackFile, find
from components.stack.versions import set_secret
from kube.errors import UsageError

ENVIRONMENT = "config:\n  grayling:environment: {tier: local, namespace: shop, owners: [platform]}\n"
SALT, NONCE, PHRASE = bytes(range(8)), bytes(range(12)), "correct horse"


def sealed_by_the_book(text: str, rounds: int = 1_000_000) -> str:
    key = hashlib.pbkdf2_hmac("sha256", PHRASE.encode(), SALT, rounds, 32)
    body = AESGCM(key).encrypt(NONCE, text.encode(), None)
    return f"v1:{b64encode(NONCE).decode()}:{b64encode(body).decode()}"


def salt_by_the_book() -> str:
    return f"v1:{b64encode(SALT).decode()}:{sealed_by_the_book('pulumi')}"


@pytest.fixture
def secret_stack(project) -> StackFile:
    (project / "stacks" / "Pulumi.test.yaml").write_text(
        f"""encryptionsalt: {salt_by_the_book()}
config:
  grayling:environment:
    tier: local
    namespace: shop
    owners: [platform]
  grayling:secrets:
    payment:
      token:
        secure: {sealed_by_the_book("hunter2")}
"""
    )
    return find("test", project)


def test_a_value_sealed_by_pulumi_is_opened(secret_stack):
    config, keys = secret_stack.config({"PULUMI_CONFIG_PASSPHRASE": PHRASE})
    assert config["grayling:secrets"] == {"payment": {"token": "hunter2"}}
    assert keys == ["grayling:secrets"]


def test_the_passphrase_may_stand_in_a_file(tmp_path):
    file = tmp_path / "phrase"
    file.write_text("s3cret\n")
    assert given({"PULUMI_CONFIG_PASSPHRASE_FILE": str(file)}) == "s3cret"


def test_a_passphrase_file_that_is_no_text(tmp_path):
    file = tmp_path / "phrase"
    file.write_bytes(b"\xff")
    with pytest.raises(SecretError, match=r"PULUMI_CONFIG_PASSPHRASE_FILE=.*phrase: is no text in UTF-8"):
        given({"PULUMI_CONFIG_PASSPHRASE_FILE": str(file)})


def test_a_value_that_is_empty_when_opened(secret_stack, monkeypatch):
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PHRASE)
    empty = secret_stack.path.read_text().replace(sealed_by_the_book("hunter2"), sealed_by_the_book(""))
    secret_stack.path.write_text(empty)
    with pytest.raises(StackError, match=r"stacks/Pulumi\.test\.yaml:9: grayling:secrets\.payment\.token: is empty"):
        declared(secret_stack)


@pytest.mark.parametrize("keys", [["tls.crt", "tls.key"], [".dockerconfigjson"]])
def test_what_a_typed_secret_holds_is_not_guessed(secret_stack, keys):
    sealed = sealed_by_the_book("x")
    secret_stack.path.write_text(
        f"encryptionsalt: {salt_by_the_book()}\n{ENVIRONMENT}  grayling:secrets:\n    edge:\n"
        + "".join(f"      {key}: {{secure: '{sealed}'}}\n" for key in keys)
    )
    with pytest.raises(SecretError, match="wrong passphrase"):
        secret_stack.config({"PULUMI_CONFIG_PASSPHRASE": "another"})


def test_a_round_trip():
    salt, crypter = new_salt(PHRASE)
    assert unlock(PHRASE, salt).open(crypter.seal("grüße")) == "grüße"
    assert crypter.seal("x") != crypter.seal("x")
    assert "key" not in repr(crypter)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE"),
        ({"PULUMI_CONFIG_PASSPHRASE": "wrong"}, "wrong passphrase"),
        ({"PULUMI_CONFIG_PASSPHRASE_FILE": "/nowhere"}, "PULUMI_CONFIG_PASSPHRASE_FILE=/nowhere: No such file"),
    ],
)
def test_a_passphrase_that_does_not_open_it(secret_stack, environment, expected):
    with pytest.raises(SecretError, match=r"stacks/Pulumi\.test\.yaml: ") as caught:
        secret_stack.config(environment)
    assert expected in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("secretsprovider: awskms://alias/x\nencryptedkey: abc", "kept by awskms://alias/x, which only Pulumi can ask"),
        ("secretsprovider: passphrase", "no encryptionsalt: use the Pulumi CLI"),
        ("encryptionsalt: v1:%%%", "encryptionsalt is damaged"),
    ],
)
def test_secrets_that_are_not_ours_to_read(project, line, expected):
    path = project / "stacks" / "Pulumi.test.yaml"
    path.write_text(f"{line}\n{ENVIRONMENT}  grayling:secrets:\n    a:\n      b:\n        secure: v1:AAAA:BBBB\n")
    with pytest.raises(SecretError, match=expected.replace("(", r"\(")):
        find("test", project).config({"PULUMI_CONFIG_PASSPHRASE": PHRASE})


def test_a_damaged_value_names_its_key(secret_stack):
    text = secret_stack.path.read_text()
    broken = text.replace(sealed_by_the_book("hunter2"), sealed_by_the_book("hunter2", rounds=10))
    secret_stack.path.write_text(broken)
    with pytest.raises(SecretError, match=r"grayling:secrets\.payment\.token: a secure value cannot be decrypted"):
        secret_stack.config({"PULUMI_CONFIG_PASSPHRASE": PHRASE})


def test_no_passphrase_is_asked_where_there_is_no_secret(project):
    (project / "stacks" / "Pulumi.test.yaml").write_text("config:\n  a: b\n")
    assert find("test", project).config({}) == ({"grayling:a": "b"}, [])


def test_setting_a_secret(secret_stack, monkeypatch):
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PHRASE)
    set_secret(secret_stack, "payment.other", "swordfish")
    assert "swordfish" not in secret_stack.path.read_text()
    config, _ = secret_stack.config()
    assert config["grayling:secrets"]["payment"] == {"token": "hunter2", "other": "swordfish"}
    with pytest.raises(UsageError, match=r"write it as SECRET\.KEY"):
        set_secret(secret_stack, "payment", "x")


def test_the_first_secret_of_a_stack_brings_its_salt(project, monkeypatch):
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PHRASE)
    path = project / "stacks" / "Pulumi.test.yaml"
    path.write_text("config:\n  # kept\n  a: b\n")
    set_secret(find("test", project), "s.k", "v")
    assert "# kept" in path.read_text()
    assert find("test", project).config()[0]["grayling:secrets"] == {"s": {"k": "v"}}


def test_the_derivation_is_as_slow_as_pulumis():
    assert passphrase.ROUNDS == 1_000_000
