"""The command line: data on stdout, exit codes of the table, nothing asked without a terminal."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner

from components.cli import cli
from kube.errors import UsageError
from tests.components.conftest import ROOT

LOCAL = str(ROOT / "stacks" / "Pulumi.local.yaml")


def run(*arguments: str):
    return CliRunner().invoke(cli, list(arguments))


def test_render_as_yaml_and_json():
    as_yaml = list(yaml.safe_load_all(run("render", LOCAL).stdout))
    assert as_yaml == json.loads(run("render", LOCAL, "-o", "json").stdout)


def test_render_of_one_component():
    items = json.loads(run("render", LOCAL, "-o", "json", "--only", "redis").stdout)
    assert {item["metadata"]["labels"]["app.kubernetes.io/instance"] for item in items} == {"environment", "redis"}
    items = json.loads(run("render", LOCAL, "-o", "json", "--only", "Secret/*").stdout)
    assert {item["kind"] for item in items} == {"Namespace", "Secret"}


def test_render_into_a_folder(tmp_path):
    result = run("render", LOCAL, "-o", str(tmp_path / "out"))
    assert result.stdout == ""
    assert (tmp_path / "out" / "20-instances" / "shop" / "statefulset-redis.yaml").exists()


def test_a_pattern_that_fits_nothing():
    result = run("render", LOCAL, "--only", "reddis")
    assert isinstance(result.exception, UsageError)
    assert "components: billing, checkout, controller" in str(result.exception)


def test_validate():
    result = run("validate", LOCAL)
    assert result.exit_code == 0
    assert "no mistakes" in result.stderr


@pytest.mark.parametrize("command", ["apply", "destroy"])
def test_nothing_is_asked_without_a_terminal(command):
    result = run(command, LOCAL)
    assert isinstance(result.exception, UsageError)
    assert "pass --yes" in str(result.exception)


def test_a_cluster_that_is_not_there(tmp_path):
    result = run("diff", LOCAL, "--kubeconfig", str(tmp_path / "none"))
    assert isinstance(result.exception, UsageError)
    assert "no such file" in str(result.exception)


def test_a_secret_that_is_no_text(project, monkeypatch):
    path = project / "stacks" / "Pulumi.t.yaml"
    path.write_text("config: {}\n")
    result = CliRunner().invoke(cli, ["secret", "set", str(path), "payment.token"], input=b"\xff\xfe")
    assert "payment.token: the value on stdin is no text in UTF-8; encode it" in str(result.exception)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "x")
    monkeypatch.setattr("components.stack.passphrase.ROUNDS", 10)
    result = CliRunner().invoke(cli, ["secret", "set", str(path), "payment.token"], input="grüße\n")
    assert result.exit_code == 0, result.exception
    assert "grüße" not in path.read_text() + result.output
