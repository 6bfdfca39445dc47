"""A value that Pulumi has opened is in no error and in nothing that is shown."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from components.cli import cli
from components.deploy.render import PROGRAM, declared, recorded
from components.stack.passphrase import new_salt
from components.stack.stackfile import find
from kube.errors import UsageError
from tests.components.stack.stack_files import WHERE, stack_of

PLANTED = "swordfish-0xCAFE"


def planted(project, monkeypatch, text: str) -> str:
    """The file with PLANTED, sealed, wherever it says ``{planted}``."""
    monkeypatch.setattr("components.stack.passphrase.ROUNDS", 10)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "test")
    salt, crypter = new_salt("test")
    sealed = f"{{secure: '{crypter.seal(PLANTED)}'}}"
    stack_of(project, f"encryptionsalt: {salt}\n{text.replace('{planted}', sealed)}")
    return str(project / "stacks" / "Pulumi.t.yaml")


SECRET = "  grayling:secrets: {payment: {token: {planted}}}\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{WHERE}  grayling:services: {{a: {{image: {{planted}}}}}}\n",
        f"{WHERE}  grayling:services: {{a: {{image: 'r/a:1', env: {{A: {{planted}}}}}}}}\n",
        f"{WHERE}  grayling:services: {{a: {{image: 'r/a:1', replicas: {{planted}}}}}}\n",
        f"{WHERE}  grayling:services: {{planted}}\n",
        f"{WHERE}  grayling:components: {{redis: {{storage: {{planted}}}}}}\n",
        f"{WHERE}  grayling:components: {{redis: {{planted}}}}\n",
        "config:\n  grayling:environment: {tier: {planted}, namespace: {planted}, owners: [{planted}]}\n",
        f"{WHERE}  grayling:secrets: {{planted}}\n",
        f"{WHERE}  grayling:secrets: {{payment: {{planted}}}}\n",
        f"{WHERE}  grayling:secrets: {{payment: [{{planted}}]}}\n",
        f"{WHERE}{SECRET}  grayling:services: {{a: {{}}}}\n",
        f"{WHERE}{SECRET}  grayling:components: {{rediss: {{}}}}\n",
        f"{WHERE}{SECRET}  grayling:nothing: {{planted}}\n",
        f"{WHERE}{SECRET}  graylin:nothing: {{planted}}\n",
        f"{WHERE}{SECRET}grayling:services: {{planted}}\n",
        f"{WHERE}{SECRET}  grayling:services: {{a: {{image: 'r/a:latest'}}}}\n",
    ],
)
def test_an_opened_value_is_in_no_error(project, monkeypatch, text):
    path = planted(project, monkeypatch, text)
    if "latest" in text:  # through a program of its own too
        (project / PROGRAM).write_text((project / PROGRAM).read_text() + "\nprint(platform)\n")
    result = CliRunner().invoke(cli, ["render", path])
    assert isinstance(result.exception, UsageError)
    assert PLANTED not in f"{result.output}{result.exception}{result.exception!r}{result.exception.__cause__!r}"


def test_a_program_that_fails_shows_no_opened_value(project, monkeypatch):
    path = planted(project, monkeypatch, f"{WHERE}{SECRET}")
    (project / PROGRAM).write_text(
        "import base64, pulumi\n"
        "found = pulumi.Config('grayling').require_object('secrets')['payment']['token']\n"
        "raise KeyError(found, base64.b64encode(found.encode()).decode())\n"
    )
    result = CliRunner().invoke(cli, ["render", path])
    assert "the program failed" in str(result.exception)
    assert "KeyError: ('(hidden)', '(hidden)')" in str(result.exception)


def test_an_opened_value_is_hidden_wherever_it_is_shown(project, monkeypatch):
    planted(project, monkeypatch, f"{WHERE}{SECRET}")
    config, keys = find("t", project).config()
    assert keys == ["grayling:secrets"]
    value = config["grayling:secrets"]["payment"]["token"]
    assert value == PLANTED
    assert json.dumps(value) == f'"{PLANTED}"'
    assert {
        str(value),
        repr(value),
        f"{value}",
        f"{value:>5}",
        f"{value}",
        str([value])[1:-1],
    } == {"(hidden)"}
    assert PLANTED not in f"{config}{keys}"
    assert type(value)(value) == PLANTED


def test_both_engines_write_the_secret(project, monkeypatch):
    planted(project, monkeypatch, f"{WHERE}{SECRET}")
    file = find("t", project)
    (own,) = [item["data"] for item in declared(file) if item["kind"] == "Secret"]
    (pulumis,) = [item["data"] for item in recorded(file, project / PROGRAM) if item["kind"] == "Secret"]
    assert own == pulumis == {"token": "c3dvcmRmaXNoLTB4Q0FGRQ=="}
