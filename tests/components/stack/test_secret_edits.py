"""An edit of a secret changes one sealed value in every spelling, or says why it does not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from components.stack.nodes import plain
from components.stack.passphrase import new_salt, unlock
from components.stack.reading import parse
from components.stack.stackfile import find
from components.stack.versions import set_secret
from kube.errors import UsageError
from tests.components.conftest import ROOT

SEALED = "v1:GhpJwa39WFQnkITL:MUPkwCzGTb+YQgGeufM6IUluy3VjOX1McD2Gs05BI89n"
ENVIRONMENT = "  grayling:environment: {tier: dev, namespace: shop, owners: [platform]}\n"


@pytest.mark.parametrize(
    ("text", "opening"),
    [
        (f"config:\n{ENVIRONMENT}", "config:\n  grayling:environment: "),
        (f"config:\n{ENVIRONMENT}# the end", "config:\n"),
        (f"config:\n{ENVIRONMENT}  grayling:secrets:\n  # nothing yet\n", "config:\n"),
        (f"config:\n{ENVIRONMENT}  grayling:secrets: {{}}\n", "config:\n"),
        (f"config:\n{ENVIRONMENT}  grayling:secrets: null # none\n", "config:\n"),
        (f"config:\n{ENVIRONMENT}  secrets:\n    other:\n      key: {{secure: '{SEALED}'}} # theirs\n", "config:\n"),
        (f"config:\n{ENVIRONMENT}  grayling:secrets:\n    payment:\n      x: {{secure: '{SEALED}'}}", "config:\n"),
        (f"config:\n{ENVIRONMENT}  grayling:secrets: {{payment: {{x: {{secure: '{SEALED}'}}}}}}\n", "config:\n"),
        (f"config:\n{ENVIRONMENT}  grayling:secrets:\n    payment: {{token: {{secure: '{SEALED}'}}}}\n", "config:\n"),
        (f"config:\n{ENVIRONMENT}  grayling:secrets:\n    payment:\n      token: hunter2\n", "config:\n"),
        (f"config:\n{ENVIRONMENT}  grayling:secrets:\n    payment:\n      token: 'hunter2' # x\n", "config:\n"),
        (f"config:\n{ENVIRONMENT}  grayling:secrets:\n    payment:\n      token:\n", "config:\n"),
        ("config: {grayling:environment: {tier: dev}}\n", "config: {"),
        ("config:\n", "config:\n"),
        ("# nothing\n", ""),
        ("", ""),
        ("config:\r\n  a: b\r\n", "config:\r\n"),
    ],
)
@pytest.mark.parametrize("salted", [True, False])
def test_a_secret_is_added_and_nothing_else_changes(project, monkeypatch, text, opening, salted):
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "test")
    monkeypatch.setattr("components.stack.passphrase.ROUNDS", 10)
    if salted:
        salt = f"encryptionsalt: {new_salt('test')[0]}\n"
        text, opening = salt + text, salt + opening
    path = project / "stacks" / "Pulumi.t.yaml"
    path.write_bytes(text.encode())
    if SEALED in text and not salted:
        with pytest.raises(UsageError, match="holds sealed values and no encryptionsalt; put back the one"):
            set_secret(find(str(path)), "payment.token", "swordfish")
        assert path.read_bytes() == text.encode()
        return
    set_secret(find(str(path)), "payment.token", "swordfish")
    after = path.read_bytes().decode()
    assert "swordfish" not in after
    assert after.startswith(opening)
    assert ("\r\n" in after) == ("\r\n" in text)
    said = plain(parse(after.encode(), "f").root)
    kept = plain(root) if (root := parse(text.encode(), "f").root) else {}
    section = "secrets" if "\n  secrets:" in text else "grayling:secrets"
    sealed = said["config"][section]["payment"].pop("token")
    assert unlock("test", said["encryptionsalt"]).open(sealed["secure"]) == "swordfish"
    if not salted:
        said.pop("encryptionsalt")
    assert json.dumps(emptied(said)) == json.dumps(emptied(kept))


def emptied(value):
    """Without what is empty, and without the plain text that was replaced."""
    if not isinstance(value, dict):
        return None if value == "hunter2" else value
    inner = {key: emptied(each) for key, each in value.items() if not (key == "token" and "secure" in (each or {}))}
    return {key: each for key, each in inner.items() if each not in (None, {})}


@pytest.mark.parametrize(
    ("path", "value", "text", "expected"),
    [
        ("payment", "x", "config: {}", r"write it as SECRET\.KEY"),
        ("payment.token", "", "config: {}", "the value on stdin is empty"),
        ("Payment.token", "x", "config: {}", "'Payment.token': is no name of an object"),
        ("payment.to ken", "x", "config: {}", "'payment.to ken': is no key of a Secret"),
        ("payment.token", "x", "[1]\n", "is no map; change it by hand"),
        ("payment.token", "x", "config: 5\n", "config: must be a map|is no map"),
        ("payment.token", "x", "config:\n  grayling:secrets:\n    payment: 5\n", "payment: is no map"),
        ("payment.token", "x", "config:\n  grayling:secrets:\n    payment: {token: {a: b}}\n", "is no single value"),
        ("payment.token", "x", "services: {}\n", "stands outside config"),
        (
            "payment.token",
            "x",
            "config:\n  grayling:secrets:\n    payment: &p {}\n    other: *p\n",
            "grayling:secrets.payment: is shared with line 4",
        ),
    ],
)
def test_a_secret_that_has_no_place(project, monkeypatch, path, value, text, expected):
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "test")
    monkeypatch.setattr("components.stack.passphrase.ROUNDS", 10)
    file = project / "stacks" / "Pulumi.t.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=expected):
        set_secret(find(str(file)), path, value)
    assert file.read_text() == text


WHERE = f"config:\n{ENVIRONMENT}  grayling:secrets:\n"
SPELLINGS = [
    f"{WHERE}    payment:\n      token:\n        secure: @@\n",
    f"{WHERE}    payment:\n      token:\n        secure:   @@   # old\n      x: {{secure: {SEALED}}}\n",
    f"{WHERE}    payment:\n      token:\n        secure: '@@'\n",
    f'{WHERE}    payment:\n      token:\n        secure: "@@"\n',
    f"{WHERE}    payment:\n      token:\n        secure: >-\n          @@\n      x: {{secure: {SEALED}}}\n",
    f"{WHERE}    payment:\n      token:\n        secure: |-\n          @@\n\n\n      x: {{secure: {SEALED}}}\n",
    f"{WHERE}    payment: {{x: {{secure: {SEALED}}}, token: {{secure: @@}}}}\n",
    f"{WHERE}    payment: {{token: {{secure: '@@'}}}}\n",
    f"{WHERE}    payment:\n      token:\n        secure: &v @@\n",
    f"{WHERE}    payment:\n      token: &v\n        secure: @@\n",
    f"{WHERE}    payment:\n      token:\n        secure: !!str @@\n",
    f"{WHERE}    payment:\n      token:\n        secure:\n          # here\n          @@\n",
    f"{WHERE}    payment:\n      ? token\n      : secure: @@\n",
    f'{WHERE}    "payment":\n      "token":\n        "secure": @@\n',
    f"{WHERE}    base: &b {{x: {{secure: {SEALED}}}}}\n    payment:\n      <<: *b\n      token: {{secure: @@}}\n",
    f"# grüße\n{WHERE}    payment:\n      token:\n        secure: @@\n",
    f"--- # one\n{WHERE}    payment:\n      token:\n        secure: @@\n...\n",
    f"config:\n{ENVIRONMENT}  secrets:\n    payment:\n      token:\n        secure: @@\n",
    f"{WHERE}    payment:\n      token:\n        secure: @@",
]


SHARED = [
    f"{WHERE}    payment:\n      token: &v {{secure: @@}}\n      x: *v\n",
    f"{WHERE}    payment:\n      x: &v {{secure: @@}}\n      token: *v\n",
    f"{WHERE}    payment: &p\n      token: {{secure: @@}}\n    other: *p\n",
    f"{WHERE}    base: &b {{token: {{secure: @@}}}}\n    payment:\n      <<: *b\n",
]


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "test")
    monkeypatch.setattr("components.stack.passphrase.ROUNDS", 10)
    return new_salt("test")


def salted(spelling: str, old: str, salt: str, newline: str, mark: str = "") -> str:
    head, config, rest = spelling.replace("@@", old).partition("config:\n")
    return mark + f"{head}encryptionsalt: {salt}\n{config}{rest}".replace("\n", newline)


@pytest.mark.parametrize("spelling", SPELLINGS, ids=[str(index) for index in range(len(SPELLINGS))])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_sealed_value_alone_changes(project, quick, spelling, newline, mark):
    salt, crypter = quick
    old = crypter.seal("old")
    before = salted(spelling, old, salt, newline, mark)
    path = project / "stacks" / "Pulumi.t.yaml"
    path.write_bytes(before.encode())
    set_secret(find(str(path)), "payment.token", "swordfish")
    after = path.read_bytes().decode()
    (at,) = [found.start() for found in re.finditer(re.escape(old), before)]
    new = after[at : len(after) - len(before) + at + len(old)]
    assert after == before[:at] + new + before[at + len(old) :]
    assert crypter.open(new) == "swordfish"


@pytest.mark.parametrize("spelling", SHARED, ids=[str(index) for index in range(len(SHARED))])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_sealed_value_that_others_share(project, quick, spelling, newline):
    salt, crypter = quick
    before = salted(spelling, crypter.seal("old"), salt, newline)
    path = project / "stacks" / "Pulumi.t.yaml"
    path.write_bytes(before.encode())
    with pytest.raises(UsageError, match=r"grayling:secrets\.payment.*(is shared with line|is an alias|comes through)"):
        set_secret(find(str(path)), "payment.token", "swordfish")
    assert path.read_bytes().decode() == before


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n# end", "\n# end\n"])
def test_an_added_secret_has_the_line_ends_of_the_file(project, quick, newline, end):
    before = f"config:\n{ENVIRONMENT.rstrip()}{end}".replace("\n", newline)
    path = project / "stacks" / "Pulumi.t.yaml"
    path.write_bytes(before.encode())
    set_secret(find(str(path)), "payment.token", "swordfish")
    after = path.read_bytes().decode()
    assert set(re.findall(r"\r\n|\r|\n", after)) == {newline}
    assert unlock("test", plain(parse(after.encode(), "f").root)["encryptionsalt"])


@pytest.mark.parametrize(
    ("beside", "phrase", "expected"),
    [
        ("encryptionsalt: {salt}\n", "wrong", "wrong passphrase: PULUMI_CONFIG_PASSPHRASE does not open"),
        ("encryptionsalt: {salt}\n", None, "the stack file holds secrets: set PULUMI_CONFIG_PASSPHRASE or"),
        ("", "test", "holds sealed values and no encryptionsalt; put back the one they were sealed under"),
        ("encryptionsalt: v1:x\n", "test", "encryptionsalt is damaged"),
        ("encryptionsalt: 5\n", "test", "encryptionsalt is damaged"),
        ("secretsprovider: 'awskms://alias/x?region=eu'\n", "test", "its secrets are kept by awskms://alias/x"),
        ("secretsprovider: 'awskms://alias/x'\nencryptedkey: abc\n", "test", "kept by awskms://alias/x, which only"),
        ("secretsprovider: passphrase\nencryptedkey: abc\n", "test", "which only Pulumi can ask"),
        ("secretsprovider: [a]\n", "test", "secretsprovider: is no text"),
        ("secretsprovider: passphrase\n", "test", "holds secure values but no encryptionsalt"),
    ],
)
def test_a_stack_whose_secrets_cannot_be_sealed(project, quick, monkeypatch, beside, phrase, expected):
    salt, crypter = quick
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    if phrase is not None:
        monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", phrase)
    before = f"{beside.format(salt=salt)}{WHERE}    payment:\n      x: {{secure: {crypter.seal('old')}}}\n"
    path = project / "stacks" / "Pulumi.t.yaml"
    path.write_text(before)
    with pytest.raises(UsageError) as caught:
        set_secret(find(str(path)), "payment.token", "swordfish")
    assert expected in str(caught.value)
    assert "swordfish" not in str(caught.value)
    assert path.read_text() == before


def test_secrets_by_several_at_once_are_all_there_under_one_salt(project):
    path = project / "stacks" / "Pulumi.t.yaml"
    path.write_text(f"config:\n{ENVIRONMENT}")
    environment = {**os.environ, "PULUMI_CONFIG_PASSPHRASE": "test"}
    line = [sys.executable, "-m", "grayling", "stack", "secret", "set", str(path)]
    runs = [
        subprocess.Popen([*line, f"payment.k{index}"], stdin=subprocess.PIPE, env=environment, cwd=ROOT)
        for index in range(3)
    ]
    for index, run in enumerate(runs):
        run.communicate(f"value-{index}".encode())
    assert [run.returncode for run in runs] == [0, 0, 0]
    config, _ = find(str(path)).config(environment)
    assert config["grayling:secrets"] == {"payment": {f"k{index}": f"value-{index}" for index in range(3)}}


def test_a_kill_while_a_secret_is_set_leaves_the_file_whole(project, quick):
    path = project / "stacks" / "Pulumi.t.yaml"
    path.write_text(f"config:\n{ENVIRONMENT}")
    code = (
        "import os, sys; from components.stack import edits, stackfile, versions\n"
        "edits.os.fsync = lambda _: os.kill(os.getpid(), 9)\n"
        "versions.set_secret(stackfile.find(sys.argv[1]), 'payment.token', 'swordfish')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=False)
    assert done.returncode == -9
    assert path.read_text() == f"config:\n{ENVIRONMENT}"
    set_secret(find(str(path)), "payment.token", "swordfish")
    assert find(str(path)).config()[0]["grayling:secrets"]["payment"]["token"] == "swordfish"
