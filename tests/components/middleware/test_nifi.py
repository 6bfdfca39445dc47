"""What a NiFi is told, and what a stack file may not say of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from components.model.mistakes import StackError
from components.model.profiles import Tier
from tests.components import kind_examples
from tests.components.conftest import read

GOLDEN = Path(__file__).with_name("nifi.golden.properties")
OIDC = {
    "discoveryUrl": "https://id.example.com/.well-known/openid-configuration",
    "clientId": "nifi",
    "clientSecret": "nifi-login",
    "admin": "ann@example.com",
}


def objects(settings=()):
    found = read(components={"nifi": dict(settings)}).manifests()
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def files(settings=()):
    return objects(settings)["ConfigMap", "nifi-config"]["data"]


def properties(settings=()):
    lines = [line for line in files(settings)["nifi.properties"].splitlines() if "=" in line]
    return dict(line.split("=", 1) for line in lines)


MISTAKES = {
    "no TLS": ({"tls": None}, "nifi.tls"),
    "an issuer in the clear": ({"oidc": {**OIDC, "discoveryUrl": "http://id"}}, "is no address of HTTPS"),
    "a line of its own": ({"oidc": {**OIDC, "admin": "ann|x\nnifi.web.http.port=1"}}, "oidc.admin: is no word"),
    "an id that is code": ({"oidc": {**OIDC, "clientId": "a$(b)"}}, "oidc.clientId: is no word"),
    "too little memory": ({"resources": {"cpu": "1", "memory": "512Mi"}}, "resources.memory"),
    "too little storage": ({"storage": "1Gi"}, "nifi.storage"),
}


@pytest.mark.parametrize(("settings", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_place(settings, problem):
    with pytest.raises(StackError) as caught:
        objects(settings)
    assert problem in str(caught.value)


def test_it_is_never_plain_and_one_user_logs_in_unless_an_issuer_says_who():
    own = properties()
    assert (own["nifi.web.http.port"], own["nifi.web.https.port"]) == ("", "8443")
    assert own["nifi.security.user.authorizer"] == "single-user-authorizer"
    assert "set-single-user-credentials" in files()["node.sh"]
    other = properties({"oidc": OIDC})
    assert other["nifi.security.user.authorizer"] == "managed-authorizer"
    assert other["nifi.security.user.login.identity.provider"] == ""
    assert "set-single-user-credentials" not in files({"oidc": OIDC})["node.sh"]


def test_no_secret_is_in_its_files():
    for settings in ({}, {"oidc": OIDC}):
        written = "".join(files(settings).values())
        assert "client.secret=" in written or not settings
        assert "nifi-login" not in written
    server, metrics = objects({"oidc": OIDC})["StatefulSet", "nifi"]["spec"]["template"]["spec"]["containers"]
    assert {each["name"] for each in server["env"]} == {"SENSITIVE_KEY", "CLIENT_SECRET", "ADMIN"}
    assert "env" not in metrics


def test_all_that_must_last_is_on_the_volume():
    for key, value in properties().items():
        if "director" in key or "location" in key or key == "nifi.flow.configuration.file":
            assert value.startswith("/data/"), key


def test_with_an_issuer_nobody_logs_in_for_metrics_so_only_its_answer_is_told():
    (with_login,) = (each for each in read(components={"nifi": {}}).components if each.kind == "nifi")
    (without,) = (each for each in read(components={"nifi": {"oidc": OIDC}}).components if each.kind == "nifi")
    assert [each.name for each in with_login.alerts()] == ["NifiDown", "NifiQueueFull", "NifiHeapFull"]
    assert [each.name for each in without.alerts()] == ["NifiDown"]
    assert [each.title for each in without.dashboard().panels] == ["Answers"]


@pytest.mark.parametrize("settings", [{}, {"oidc": OIDC}], ids=["one user", "an issuer"])
def test_its_script_changes_what_the_project_has(tmp_path, settings):
    """On files as NiFi 2 has them, with a program that only says how it was called."""
    home, data = tmp_path / "home", tmp_path / "data"
    (home / "conf").mkdir(parents=True)
    (home / "bin").mkdir()
    (home / "conf" / "nifi.properties").write_text("nifi.web.https.port=\nnifi.sensitive.props.key=\n")
    (home / "conf" / "bootstrap.conf").write_text("java.arg.2=-Xms1g\njava.arg.3=-Xmx1g\n")
    (home / "conf" / "state-management.xml").write_text('<property name="Directory">./state/local</property>')
    (home / "conf" / "authorizers.xml").write_text(
        '<property name="Users File">./conf/users.xml</property>'
        '<property name="Authorizations File">./conf/authorizations.xml</property>'
        '<property name="Initial User Identity 1"></property><property name="Initial Admin Identity"></property>'
    )
    program = home / "bin" / "nifi.sh"
    program.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/called\n')
    program.chmod(0o755)
    (tmp_path / "config").mkdir()
    for name, content in files(settings).items():
        changed = content.replace("/opt/nifi/nifi-current", str(home)).replace("/data", str(data))
        (tmp_path / "config" / name).write_text(changed.replace("/etc/nifi", str(tmp_path / "config")))
    env = {"PATH": os.environ["PATH"], "SENSITIVE_KEY": "key", "USERNAME": "ann", "PASSWORD": "word"}
    env |= {"CLIENT_SECRET": "hidden", "ADMIN": "ann@example.com"}
    subprocess.run(["bash", str(tmp_path / "config" / "node.sh"), "run"], env=env, check=True)
    written = (home / "conf" / "nifi.properties").read_text()
    assert written.rindex("nifi.web.https.port=8443") > written.index("nifi.web.https.port=\n")
    assert "\nnifi.sensitive.props.key=key\n" in written
    assert "-Xmx1024m" in (home / "conf" / "bootstrap.conf").read_text()
    assert str(data / "state") in (home / "conf" / "state-management.xml").read_text()
    called = (tmp_path / "called").read_text().splitlines()
    authorizers = (home / "conf" / "authorizers.xml").read_text()
    if settings:
        assert called == ["run"]
        assert authorizers.count(">ann@example.com<") == 2
        assert f"{data}/conf/users.xml" in authorizers
        assert "oidc.client.secret=hidden" in written
    else:
        assert called == ["set-single-user-credentials ann word", "run"]


def test_its_properties_are_as_they_were():
    """After a change that is meant: GOLDEN=write, and read the diff."""
    found = kind_examples.declared("nifi", "production").manifests()
    (made,) = [each["data"] for each in found if each["metadata"]["name"] == "nifi-config"]
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.write_text(made["nifi.properties"])
    assert made["nifi.properties"] == GOLDEN.read_text(), "run with GOLDEN=write if the change is meant"


@pytest.mark.parametrize("tier", [each.value for each in Tier])
def test_it_is_rendered_in_every_tier(tier):
    found = kind_examples.declared("nifi", "production", tier=tier).manifests()
    (made,) = [each for each in found if each["kind"] == "StatefulSet"]
    assert made["spec"]["replicas"] == 1
