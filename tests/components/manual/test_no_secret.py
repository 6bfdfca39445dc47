"""No value of a Secret is in a manual, wherever a stack file holds one: sealed, in a variable, a file, an address."""

from __future__ import annotations

import copy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.manual.configuration import HIDDEN, said, shown
from components.manual.drawing import drawing
from components.manual.flow import flow_of
from components.manual.manual import manual_of
from components.manual.markdown import markdown
from components.manual.page import page
from components.manual.subject import Subject
from components.stack.stackfile import find
from components.stack.versions import set_secret
from tests.components.manual.subjects import SHOP, TODAY, project_in, subject_of, written

ALPHABET = st.sampled_from("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
VALUES = st.text(ALPHABET, min_size=12, max_size=60)


def planted(value: str) -> dict:
    """The shop with a secret in every free text that a stack file has."""
    sections = copy.deepcopy(SHOP)
    checkout = sections["services"]["checkout"]
    checkout["env"] = {"SMTP_PASSWORD": value, "DSN": f"amqp://user:{value}@mq.example.com/"}
    checkout["args"] = [f"--token={value}"]
    checkout["config"] = {"app.ini": f"password = {value}\n"}
    checkout["command"] = ["app", value]
    checkout["podAnnotations"] = {"example.com/token": value}
    sections["components"]["redis"]["extraConfig"] = {"masteruser": value}
    steps = sections["components"]["adapter"]["routes"]["orders"][0]["route"]["from"]["steps"]
    steps += [{"to": f"http://api.example.com/in?token={value}"}, {"to": f"http://user:{value}@api.example.com/in"}]
    sections["components"]["adapter"]["properties"] = {"camel.component.http.password": value}
    return sections


def forms(subject: Subject) -> str:
    made = manual_of(subject)
    return markdown(made) + page(made) + drawing(flow_of(subject), alone=True)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES)
def test_what_is_written_in_plain_text_stays_in_the_stack_file(tmp_path_factory, value):
    subject = subject_of(project_in(tmp_path_factory.mktemp("plain") / "p"), "shop", planted(value))
    text = forms(subject)
    assert value not in text
    assert "SMTP_PASSWORD" in text  # its name is there


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES)
def test_a_sealed_value_needs_no_passphrase_and_is_not_told(tmp_path_factory, value):
    project = project_in(tmp_path_factory.mktemp("sealed") / "p")
    sections = copy.deepcopy(SHOP)
    sections["components"]["redis"]["authSecret"] = "sessions"
    path = written(project, "shop", sections)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULUMI_CONFIG_PASSPHRASE", "correct horse")
        for key in ("auth.conf", "password", "url"):
            set_secret(find("shop", project), f"sessions.{key}", f"{value}-{key}")
        patch.delenv("PULUMI_CONFIG_PASSPHRASE")
        patch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
        text = forms(Subject.of(find("shop", project), project, TODAY))
    assert value not in text
    assert "sessions" in text
    sealed = path.read_text().partition("secure:")[2].split()[0]
    assert sealed not in text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("password", "x"),
        ("apiKey", "x"),
        ("clientToken", "x"),
        ("url", "https://user:pw@example.com"),
        ("anything", "Zm9vYmFyabcDEF012345ghiJKL678901mnoPQR"),
        ("image", "registry.example.com/app:ghp0123456789abcdefABCDEF0123456789abcd"),
    ],
)
def test_what_could_be_one_is_hidden(key, value):
    assert shown(key, value) == HIDDEN


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("secret", "erp-login"),
        ("authSecret", "sessions"),
        ("image", "registry.example.com/shop/checkout@sha256:" + "ca978112" * 8),
        ("url", "https://erp.example.com/api"),
    ],
)
def test_a_reference_is_no_secret(key, value):
    assert shown(key, value) == value


def test_only_what_differs_is_listed(tmp_path):
    subject = subject_of(project_in(tmp_path / "p"), "shop", SHOP)
    assert said(subject.members["gateway"]) == {}
    assert said(subject.members["redis"]) == {"storage": "none"}
    assert said(subject.members["erp"])["credentials.secret"] == "erp-login"
