"""Secrets planted in a stack appear in no approval, record, verdict or message."""

from __future__ import annotations

import base64
import json

import pytest
from click.testing import CliRunner

from components.cli import cli
from tests.review.approval.team import ANN, BOB

PLANTED = "Tr0ub4dor&3-planted-" + "x9Kq7"
STACK = """\
config:
  grayling:environment: {tier: staging, namespace: shop, owners: [a]}
  grayling:components:
    redis: {image: 'registry.example.com/redis:7.0', storage: 1Gi}
"""


@pytest.fixture
def sealed(team, monkeypatch):
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "open sesame")
    team.git("checkout", "-q", "main")
    team.write("stacks/Pulumi.shop.yaml", STACK)
    runner = CliRunner()
    done = runner.invoke(cli, ["secret", "set", team.file, "payment.token"], input=PLANTED)
    assert done.exit_code == 0, done.output
    team.commit()
    team.git("checkout", "-qb", "next")
    return team


def forms(secret):
    return [secret, base64.b64encode(secret.encode()).decode(), json.dumps(secret)[1:-1], "open sesame"]


def test_no_secret_is_told(sealed, tmp_path):
    sealed.change()
    said = [sealed.review("verify", "-o", "json"), sealed.approve(ANN), sealed.approve(BOB), sealed.apply()]
    assert said[-1].code == 0, said[-1].err
    sealed.change("redis:7.1", "redis:7.2")
    said += [sealed.apply(), sealed.run("review", "log", sealed.file, "-o", "json")]
    assert said[-2].code == 5
    everything = "\n".join(each.out + each.err for each in said)
    everything += "\n".join(path.read_text() for path in (sealed.project / ".grayling").rglob("*.json"))
    for path in sealed.letters():
        everything += base64.b64decode(json.loads(path.read_text())["payload"]).decode()
    kept = [item for item in sealed.person.server.objects.values() if item["kind"] == "ConfigMap"]
    everything += json.dumps(kept)
    assert "grayling.change/1" in everything
    for form in forms(PLANTED):
        assert form not in everything


def test_a_secret_that_is_sealed_anew_makes_an_approval_stale(sealed):
    sealed.change()
    sealed.approve(ANN)
    CliRunner().invoke(cli, ["secret", "set", sealed.file, "payment.token"], input="another-one-entirely")
    sealed.commit()
    result = sealed.review("verify")
    assert (result.code, "configuration: grayling:secrets.payment.token" in result.err) == (5, True), result.err
