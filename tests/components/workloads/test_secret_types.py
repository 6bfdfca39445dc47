"""Secrets that Kubernetes wants typed: known by their keys, and checked before they are of use to nobody."""

from __future__ import annotations

import json

import pytest

from components.model.mistakes import StackError
from components.model.signing import self_signed
from tests.components.conftest import read

PAIR, OTHER = self_signed(["shop.example.com"]), self_signed(["shop.example.com"])
LOGIN = json.dumps({"auths": {"registry.example.com": {"username": "planted-user", "password": "planted-word"}}})


def _secret(**values):
    return next(each for each in read(secrets={"mine": values}).manifests() if each["kind"] == "Secret")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({".dockerconfigjson": LOGIN}, "kubernetes.io/dockerconfigjson"),
        ({"tls.crt": PAIR["certificate"], "tls.key": PAIR["key"]}, "kubernetes.io/tls"),
        ({"tls.crt": PAIR["certificate"], "tls.key": PAIR["key"], "ca.crt": PAIR["ca"]}, "kubernetes.io/tls"),
        ({"tls.crt": PAIR["certificate"]}, "Opaque"),
        ({"tls.crt": "x", "tls.key": "y", "more": "z"}, "Opaque"),
        ({"password": "x"}, "Opaque"),
    ],
)
def test_keys_say_the_type(values, expected):
    assert _secret(**values)["type"] == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({".dockerconfigjson": "planted-word"}, "is no configuration of Docker"),
        ({".dockerconfigjson": '{"auths": {}}'}, "has no credentials under auths"),
        ({".dockerconfigjson": '{"auths": {"a": {"username": "planted-user"}}}'}, "has no credentials under auths"),
        ({".dockerconfigjson": '{"auths": ["planted-word"]}'}, "is no configuration of Docker"),
        ({".dockerconfigjson": "[" * 5000}, "is no configuration of Docker"),
        ({"tls.crt": "planted-word", "tls.key": PAIR["key"]}, "tls.crt: is no certificate"),
        ({"tls.crt": PAIR["certificate"], "tls.key": "planted-word"}, "tls.key: is no key"),
        ({"tls.crt": PAIR["certificate"], "tls.key": OTHER["key"]}, "tls.key: is not the key of tls.crt"),
    ],
)
def test_values_that_the_type_has_no_use_for(values, expected):
    with pytest.raises(StackError) as caught:
        _secret(**values)
    text = str(caught.value)
    assert expected in text
    assert "mine" in text
    assert "planted" not in text


def test_a_secret_for_pulling_is_one_for_a_registry():
    environment = {"tier": "local", "namespace": "shop", "owners": ["a"], "pullSecrets": ["mine"]}
    with pytest.raises(StackError, match=r"pullSecrets: Secret mine is none for a registry .*dockerconfigjson"):
        read(environment=environment, secrets={"mine": {"password": "x"}})
    assert read(environment=environment, secrets={"mine": {".dockerconfigjson": LOGIN}}).manifests()


def test_the_certificate_of_a_gateway_has_both_parts():
    with pytest.raises(StackError, match=r"gateway\.tlsSecret: Secret mine has no tls\.key"):
        read(components={"gateway": {"tlsSecret": "mine"}}, secrets={"mine": {"tls.crt": PAIR["certificate"]}})
