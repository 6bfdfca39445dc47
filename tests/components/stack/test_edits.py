"""An edit changes one value and not another byte, or says why it does not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from components.model.mistakes import StackError
from components.stack.edits import edited, with_entry, with_value
from components.stack.nodes import plain
from components.stack.passphrase import new_salt, unlock
from components.stack.reading import composed, parse
from components.stack.stackfile import find
from components.stack.versions import set_image, set_secret
from kube.errors import UsageError
from tests.components.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = "r.example.com/a:1.0", "r.example.com/a:2.0"
HEAD = "config:\n  grayling:services:\n"


def image_set(project: Path, text: str, image: str = NEW) -> str:
    """The file after ``checkout`` got another image."""
    path = project / "stacks" / "Pulumi.t.yaml"
    path.write_bytes(text.encode())
    set_image(path, "checkout", image)
    return path.read_bytes().decode()


@pytest.mark.parametrize(
    "before",
    [
        f"{HEAD}    checkout:\n      image: {OLD}\n",
        f"{HEAD}    checkout:\n      image: {OLD}",
        f"{HEAD}    checkout:\n      image:   {OLD}   # was {OLD[:-1]}9\n      port: 80\n",
        f"{HEAD}    checkout:\n      image: '{OLD}'\n",
        f'{HEAD}    checkout:\n      image: "{OLD}"\n',
        f"{HEAD}    checkout:\n      image: >-\n        {OLD}\n      port: 80\n",
        f"{HEAD}    checkout:\n      image: |-\n        {OLD}\n\n\n      port: 80\n",
        f"{HEAD}    checkout: {{port: 80, image: {OLD}, args: [{OLD}]}}\n",
        f"{HEAD}    checkout: {{image: {OLD}}}\n",
        f"{HEAD}    checkout:\n      image: &v {OLD}\n",
        f"{HEAD}    checkout:\n      image: !!str {OLD}\n",
        f"{HEAD}    checkout:\n      image:\n        # here\n        {OLD}\n",
        f"{HEAD}    checkout:\n      ? image\n      : {OLD}\n",
        f'{HEAD}    checkout:\n      "image": {OLD}\n',
        f"{HEAD}    base: &b {{port: 80}}\n    checkout:\n      <<: *b\n      image: {OLD}\n",
        f"{HEAD}    a: {{image: {OLD}}}\n    checkout: {{image: {OLD}}}\n    b: {{image: {OLD}}}\n",
        f"\ufeff{HEAD}    checkout:\n      image: {OLD}\n",
        f"# grüße\n{HEAD}    checkout:\n      image: {OLD}\n",
        f"config:\n  services:\n    checkout:\n      image: {OLD}\n",
        f"--- # one\n{HEAD}    checkout:\n      image: {OLD}\n...\n",
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_image_alone_changes(project, before, newline):
    before = before.replace("\n", newline)
    after = image_set(project, before)
    where = [found.start() for found in re.finditer(re.escape(OLD), before)]
    assert after in [before[:at] + NEW + before[at + len(OLD) :] for at in where]
    services = next(iter(plain(parse(after.encode(), "f").root)["config"].values()))
    assert services["checkout"]["image"] == NEW


def test_an_escaped_image_is_written_anew(project):
    before = f'{HEAD}    checkout:\n      image: "r.example.com/a:1.\\x30" # old\n'
    assert image_set(project, before) == f'{HEAD}    checkout:\n      image: "{NEW}" # old\n'


def test_an_image_that_is_a_number_is_text_afterwards(project):
    assert image_set(project, f"{HEAD}    checkout:\n      image: 5\n") == f"{HEAD}    checkout:\n      image: {NEW}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"{HEAD}    checkout:\n      image: &v {OLD}\n    billing:\n      image: *v\n",
            "4: grayling:services.checkout.image: is shared with line 6 by its anchor; write it out there",
        ),
        (
            f"{HEAD}    billing:\n      image: &v {OLD}\n    checkout:\n      image: *v\n",
            "6: grayling:services.checkout.image: is an alias, which others share; write the value out",
        ),
        (
            f"{HEAD}    base: &b {{image: {OLD}}}\n    checkout:\n      <<: *b\n      port: 80\n",
            "5: grayling:services.checkout.image: comes through <<, which others share; write it out",
        ),
        (
            f"{HEAD}    checkout: &c\n      image: {OLD}\n    billing: *c\n",
            "3: grayling:services.checkout: is shared with line 5 by its anchor",
        ),
        (
            f"{HEAD}    checkout: &c\n      image: {OLD}\n    billing:\n      <<: *c\n",
            "3: grayling:services.checkout: is shared with line 6 by its anchor",
        ),
        (
            f"{HEAD}    billing: &c\n      image: {OLD}\n    checkout: *c\n",
            "5: grayling:services.checkout: is an alias",
        ),
        (
            f"{HEAD}    checkout:\n      image: {OLD}\n      image: {OLD}\n",
            "5: grayling:services.checkout.image: is given twice, in lines 4 and 5; keep one",
        ),
        (
            f"{HEAD}    checkout:\n      image: >-\n        r.example.com/a\n        :1\n",
            "4: grayling:services.checkout.image: cannot be changed where it stands; write it on one line",
        ),
        (f"{HEAD}    checkout:\n      image: [a]\n", "is no single value; change it by hand"),
        (f"{HEAD}    checkout:\n      port: 80\n", "3: grayling:services.checkout.image: is required; add it"),
        (f"{HEAD}    checkout:\n", "3: grayling:services.checkout.image: is required; add it"),
        (f"x: &i {OLD}\n{HEAD}    checkout:\n      image: *i\n", "1: x: no such key beside config"),
        (f"{HEAD}    checkout: {{image: {OLD}}}\n    on: {{image: {OLD}}}\n", "4: grayling:services.on: the key on is"),
    ],
)
def test_what_is_refused_stays_as_it_was(project, text, expected):
    with pytest.raises(UsageError) as caught:
        image_set(project, text)
    assert str(caught.value).startswith(f"{project}/stacks/Pulumi.t.yaml:{expected}") or expected in str(caught.value)
    assert (project / "stacks" / "Pulumi.t.yaml").read_text() == text


# ---------------------------------------------------------------------- the file


@pytest.fixture
def stack(project) -> Path:
    path = project / "stacks" / "Pulumi.t.yaml"
    path.write_text(f"{HEAD}    checkout:\n      image: {OLD}\n")
    return path


def test_mode_and_symbolic_links_stay(stack, tmp_path):
    stack.chmod(0o640)
    link = stack.with_name("Pulumi.link.yaml")
    link.symlink_to(stack.name)
    set_image(link, "checkout", NEW)
    assert link.is_symlink()
    assert NEW in stack.read_text()
    assert stack.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in stack.parent.iterdir()) == [link.name, stack.name]


def test_hard_links_are_not_parted(stack, tmp_path):
    os.link(stack, tmp_path / "other")
    with pytest.raises(StackError, match="has hard links, which replacing it would part; use symbolic ones"):
        set_image(stack, "checkout", NEW)


def test_a_change_by_somebody_else_meanwhile_is_not_lost(stack):
    def change(document):
        stack.write_text(document.text + "# theirs\n")
        return with_value(document, ("config", "grayling:services", "checkout", "image"), NEW)

    with pytest.raises(StackError, match="was changed by somebody else meanwhile; try again"):
        edited(stack, "f", change)
    assert stack.read_text().endswith(f"{OLD}\n# theirs\n")
    assert [path.name for path in stack.parent.iterdir()] == [stack.name]


def test_many_at_once_lose_nothing(stack):
    names = [f"s{index}" for index in range(8)]
    stack.write_text(HEAD + "".join(f"    {name}: {{image: {OLD}}}\n" for name in names))
    failed: list[BaseException] = []

    def work(name: str) -> None:
        try:
            set_image(stack, name, NEW)
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert stack.read_text() == HEAD + "".join(f"    {name}: {{image: {NEW}}}\n" for name in names)


def test_processes_at_once_lose_nothing(stack):
    names = [f"s{index}" for index in range(4)]
    stack.write_text(HEAD + "".join(f"    {name}: {{image: {OLD}}}\n" for name in names))
    code = "import sys; from components.stack.versions import set_image; set_image(*sys.argv[1:])"
    started = [subprocess.Popen([sys.executable, "-c", code, str(stack), name, NEW], cwd=ROOT) for name in names]
    assert [each.wait() for each in started] == [0] * len(names)
    assert stack.read_text().count(NEW) == len(names)


def test_a_kill_before_the_end_leaves_the_file_whole(stack):
    before = stack.read_bytes()
    code = (
        "import os, sys, pathlib; from components.stack import edits, versions\n"
        "edits.os.fsync = lambda _: os.kill(os.getpid(), 9)\n"
        "versions.set_image(*sys.argv[1:])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(stack), "checkout", NEW], cwd=ROOT, check=False)
    assert done.returncode == -9
    assert stack.read_bytes() == before
    assert set_image(stack, "checkout", NEW)


def test_a_file_that_cannot_be_written(stack):
    longest = stack.rename(stack.with_name(f"Pulumi.{'x' * 240}.yaml"))
    with pytest.raises(StackError, match="cannot be written: File name too long; mind its folder"):
        edited(
            longest,
            longest.name,
            lambda document: with_value(document, ("config", "grayling:services", "checkout", "image"), NEW),
        )


# ---------------------------------------------------------------------- secrets

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


# ---------------------------------------------------------------------- secrets in every spelling

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


# ---------------------------------------------------------------------- laws

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)
NAMES = st.sampled_from(["a", "b", "image", "a.b", "5", "on", "x y"])
LEAVES = TEXTS | st.integers(-99, 99) | st.booleans() | st.none()
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)


def paths(value, above=()):
    """Every path of maps that ends at a scalar."""
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from paths(inner, (*above, key))
        elif not isinstance(inner, list):
            yield (*above, key)


class Shared(yaml.SafeDumper):
    """Anchors wherever the same object comes twice."""


DUMPED = st.builds(
    lambda tree, flow, width, style, indent: yaml.dump(
        tree,
        Dumper=Shared,
        default_flow_style=flow,
        width=width,
        default_style=style,
        allow_unicode=True,
        indent=indent,
    ),
    st.dictionaries(NAMES, TREES, min_size=1, max_size=3).flatmap(
        lambda tree: st.just({**tree, "shared": next(iter(tree.values()))}) | st.just(tree)
    ),
    st.sampled_from([True, False, None]),
    st.sampled_from([10, 80]),
    st.sampled_from([None, "'", '"', "|", ">"]),
    st.sampled_from([2, 4]),
)


@settings(max_examples=400, deadline=None)
@given(DUMPED, TEXTS, st.integers(0, 50), st.booleans())
def test_a_changed_value_is_the_only_one(text, new, which, crlf):
    text = text.replace("\n", "\r\n") if crlf else text
    try:
        before = composed(text, "f")
    except StackError:
        reject()
    said = plain(before.root)
    known = list(paths(said))
    assume(known)
    path = known[which % len(known)]
    try:
        after = with_value(before, path, new)
    except StackError as error:
        assert str(error).startswith("f:")  # noqa: PT017 - either is right
        return
    expected = plain(before.root)
    here = expected
    for part in path[:-1]:
        here = here[part]
    here[path[-1]] = new
    assert json.dumps(plain(composed(after, "f").root)) == json.dumps(expected)
    node = before.root
    for part in path:
        node = node.entries[part].node
    assert after.startswith(text[: node.start])
    assert after.endswith(text[node.end :])


@settings(max_examples=400, deadline=None)
@given(DUMPED, TEXTS, TEXTS, st.booleans())
def test_an_added_value_is_the_only_one(text, key, new, crlf):
    text = text.replace("\n", "\r\n") if crlf else text
    try:
        before = composed(text, "f")
    except StackError:
        reject()
    said = plain(before.root)
    assume(key not in said)
    try:
        after = with_entry(before, (key,), {"x": new})
    except StackError as error:
        assert str(error).startswith("f:")  # noqa: PT017 - either is right
        return
    assert json.dumps(plain(composed(after, "f").root), sort_keys=True) == json.dumps(
        {**said, key: {"x": new}}, sort_keys=True
    )
    same = next((at for at, (one, other) in enumerate(zip(text, after, strict=False)) if one != other), len(text))
    assert after.endswith(text[same:])
