"""Certificates that are made in the cluster, accounts for each service, and lines that teams add."""

from __future__ import annotations

import socket
import ssl
import threading

import pytest

from components.model.credentials import draw, recipe_of
from components.model.mistakes import StackError
from components.model.signing import self_signed
from tests.components.conftest import read

USER = {"shop": {"image": "a/b:1", "uses": ["redis", "rabbitmq"]}}


def _objects(services=None, **components):
    named = {"redis": {}, "rabbitmq": {}, **components}
    found = read(components=named, services=USER if services is None else services).manifests()
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def _handshake(tmp_path, made, hostname):
    """A connection to ``hostname``, to a server that has the certificate; the client trusts the authority alone."""
    for name, text in made.items():
        (tmp_path / name).write_text(text)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    client = ssl.create_default_context(cafile=str(tmp_path / "ca"))
    ours, theirs = socket.socketpair()

    def serve():
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client.wrap_socket(ours, server_hostname=hostname).close()
    finally:
        ours.close()
        thread.join()


def test_a_certificate_is_for_its_hosts_and_of_its_authority(tmp_path):
    made = self_signed(["localhost", "redis.shop.svc", "*.redis-nodes.shop.svc"])
    for hostname in ("redis.shop.svc", "redis-0.redis-nodes.shop.svc", "localhost"):
        _handshake(tmp_path, made, hostname)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        _handshake(tmp_path, made, "other.shop.svc")
    with pytest.raises(
        ssl.SSLCertVerificationError, match=r"self-signed|unable to get|bad signature|signature failure"
    ):
        _handshake(tmp_path, {**made, "ca": self_signed(["localhost"])["ca"]}, "localhost")


def test_the_recipe_of_a_certificate_has_everything_and_tells_nothing():
    secret = _objects(redis={"tls": {}})["Secret", "redis-tls"]
    assert "data" not in secret
    values = draw(recipe_of(secret))
    assert values["tls.crt"].startswith("-----BEGIN CERTIFICATE")
    assert values["tls.key"].startswith("-----BEGIN PRIVATE KEY")
    assert values["ca.crt"] != values["tls.crt"]
    assert "redis.shop.svc" in values["names"].split(",")


def test_a_certificate_that_is_given_is_used():
    found = _objects(redis={"tls": {"secret": "mine"}})
    assert ("Secret", "redis-tls") not in found
    volumes = found["StatefulSet", "redis"]["spec"]["template"]["spec"]["volumes"]
    assert any(each.get("secret", {}).get("secretName") == "mine" for each in volumes)


def test_users_find_the_authority_and_never_the_key():
    template = _objects(redis={"tls": {}})["GrayRelease", "shop"]["spec"]["workload"]["template"]["spec"]
    volume = next(each for each in template["volumes"] if each["name"] == "grayling-ca-redis")
    assert volume["secret"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}]
    container = template["containers"][0]
    assert {"name": "REDIS_CA_FILE", "value": "/etc/grayling/ca/redis/ca.crt"} in container["env"]
    assert "/etc/grayling/ca/redis" in [each["mountPath"] for each in container["volumeMounts"]]


def test_every_service_has_an_account_of_its_own_and_none_is_an_administrator():
    services = {**USER, "billing": {"image": "a/b:1", "uses": ["rabbitmq"]}}
    found = _objects(services)
    drawn = {name: draw(recipe_of(found["Secret", f"rabbitmq-{name}-auth"])) for name in services}
    assert drawn["shop"]["password"] != drawn["billing"]["password"]
    assert drawn["shop"]["url"].startswith("amqp://shop:")
    assert '"tags": ""' in drawn["shop"]["users.json"]
    store = draw(recipe_of(found["Secret", "redis-shop-auth"]))
    assert f"user shop on >{store['password']} ~* &* +@all -@admin" in store["users.conf"]
    assert ("Secret", "redis-billing-auth") not in found


def test_a_store_that_nobody_uses_has_no_accounts():
    found = _objects({})
    assert not [name for kind, name in found if kind == "Secret" and name.count("-") > 1]
    assert "users/" not in found["ConfigMap", "redis-config"]["data"]["redis.conf"]


def test_lines_of_a_team_stand_in_the_files():
    found = _objects(redis={"extraConfig": {"maxclients": 100}}, rabbitmq={"extraConfig": {"channel_max": "64"}})
    assert "\nmaxclients 100\n" in found["ConfigMap", "redis-config"]["data"]["redis.conf"]
    assert "\nchannel_max = 64\n" in found["ConfigMap", "rabbitmq-config"]["data"]["rabbitmq.conf"]


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        ({"redis": {"extraConfig": {"port": 1}}}, "redis.extraConfig.port: is set by Grayling"),
        ({"redis": {"extraConfig": {"requirepass": "x"}}}, "extraConfig.requirepass: is set by Grayling"),
        ({"redis": {"extraConfig": {"a": "b\nport 1"}}}, "is no single line"),
        ({"redis": {"extraConfig": {"A b": "c"}}}, "is no keyword"),
        ({"redis": {"extraConfig": {"maxclient": 100}}}, "knows no such keyword and would not start; did you mean"),
        ({"redis": {"extraConfig": {"slowlog-max-lenn": 7}}}, "redis.extraConfig.slowlog-max-lenn: redis knows no"),
        ({"redis": {"extraConfig": {"wibble": 7}}}, "would not start; look it up in its documentation"),
        (
            {"redis": {"extraConfig": {"proc-title-template": '"a'}}},
            "has a quote, or a backslash, that nothing",
        ),
        (
            {"rabbitmq": {"extraConfig": {"chanel_max": 7}}},
            "would not start; did you mean 'channel_max'?",
        ),
        ({"rabbitmq": {"extraConfig": {"management.prot": 7}}}, "management.prot: rabbitmq knows no such keyword"),
        ({"rabbitmq": {"extraConfig": {"auth_backends.1.2.3": "x"}}}, "auth_backends.1.2.3: rabbitmq knows no such"),
        ({"redis": {"extraConfig": {"appendonly": True}}}, "quote what the file shall say"),
        ({"rabbitmq": {"extraConfig": {"listeners.tcp.2": 1}}}, "listeners.tcp.2: is set by Grayling"),
        ({"rabbitmq": {"tls": {"secret": "A b"}}}, "is no name of an object"),
    ],
)
def test_what_cannot_be_meant_is_refused(components, expected):
    with pytest.raises(StackError) as caught:
        _objects({}, **components)
    assert expected in str(caught.value)
