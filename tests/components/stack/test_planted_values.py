"""Opened values are in nothing that a command says, whatever the API server answers."""

from __future__ import annotations

from base64 import b64encode

import pytest

from components.stack.stackfile import find
from components.stack.versions import set_secret
from tests.fakes.apiserver import Fault

PLANTED = "planted-Value-73"
CODED = b64encode(PLANTED.encode()).decode()
TEXT = """config:
  grayling:environment: {tier: dev, namespace: shop, owners: [a]}
  grayling:components:
    redis: {image: 'r.example.com/redis:7.0'}
"""


@pytest.fixture
def stack(person, monkeypatch):
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "correct horse")
    path = person.stack("planted", TEXT)
    set_secret(find(path), "payment.token", PLANTED)
    return path


def _quiet(result):
    for said in (result.out, result.err):
        assert PLANTED not in said
        assert CODED not in said
    return result


def test_everything_that_goes_well(person, stack):
    assert _quiet(person.grayling("validate", stack)).code == 0
    assert _quiet(person.grayling("render", stack)).code == 0
    assert _quiet(person.on("diff", stack)).code == 0
    assert _quiet(person.apply(stack)).code == 0
    assert person.server.find("Secret", "payment")["data"] == {"token": CODED}
    set_secret(find(stack), "payment.token", "another")
    assert _quiet(person.on("diff", stack)).out.count("payment") >= 1
    assert _quiet(person.apply(stack)).code == 0


@pytest.mark.parametrize("status", [409, 422, 500])
@pytest.mark.parametrize("echo", [f'data[token]: Invalid value: "{CODED}"', f"webhook says no to {PLANTED}"])
def test_a_server_that_repeats_them(person, stack, status, echo):
    person.done(lambda: person.server.faults.append(Fault("PATCH", "/secrets/payment", status, 50, echo)))
    result = _quiet(person.on("diff", stack))
    applied = _quiet(person.apply(stack))
    assert applied.code not in {0, None}
    assert "(hidden)" in result.out + result.err + applied.err
    assert "Secret shop/payment" in applied.err


def test_a_value_of_several_lines_is_hidden_line_by_line(person, stack):
    set_secret(find(stack), "payment.token", f"first\n{PLANTED}\nlast")
    person.done(lambda: person.server.faults.append(Fault("PATCH", "/secrets/payment", 422, 50, f"near {PLANTED}")))
    assert "(hidden)" in _quiet(person.apply(stack)).err
