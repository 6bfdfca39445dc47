"""What Mosquitto is configured with, what prepares its files, and its metrics when it says nothing."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from components.middleware.mqtt_settings import PREPARE
from components.model.mistakes import StackError
from manifests.render import text
from tests.components.alerts.mqtt import BRIDGE
from tests.components.conftest import read
from tests.components.model.values import IMAGE


def stack(**settings):
    services = {name: {"image": IMAGE, "uses": ["mqtt"]} for name in ("shop", "sensors")}
    return read(components={"mqtt": settings}, services=services).manifests()


def files(**settings):
    return next(each for each in stack(**settings) if each["metadata"]["name"] == "mqtt-config")["data"]


def test_a_service_may_do_what_its_topics_say_and_one_without_everything_but_the_brokers_own():
    rows = files(topics={"sensors": {"read": ["commands/+"], "write": ["plant/#"]}})["acl"]
    assert rows.partition("user sensors\n")[2].partition("user")[0] == "topic read commands/+\ntopic write plant/#\n"
    assert rows.partition("user shop\n")[2] == "topic readwrite #\n"
    assert rows.count("$SYS") == 1


def test_encryption_turns_the_plain_port_off():
    assert "listener 1883\n" in files()["mosquitto.conf"]
    encrypted = files(tls={}, tlsMinimum="1.2")["mosquitto.conf"]
    assert "listener 8883\ncertfile /run/tls/tls.crt" in encrypted
    assert "tls_version tlsv1.2" in encrypted
    assert "listener 1883" not in encrypted


def test_a_bridge_keeps_what_the_other_does_not_take_and_its_password_is_in_no_file_of_the_stack():
    written = files(bridges={"head": BRIDGE})["bridge-head.conf"]
    assert "address mqtt.example.com:8883\n" in written
    assert "cleansession false\n" in written
    assert "bridge_cafile /run/bridges/head/ca.crt\n" in written
    assert "topic plant/# out 1\n" in written
    assert "remote_password" not in written


def test_the_policy_lets_a_bridge_out():
    made = next(
        each
        for each in stack(bridges={"head": BRIDGE})
        if (each["kind"], each["metadata"]["name"]) == ("NetworkPolicy", "mqtt")
    )
    ways = [rule for rule in made["spec"]["egress"] if "ipBlock" in rule["to"][0]]
    assert ways == [{"ports": [{"port": 8883, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"topics": {"sensor": {}}}, r"topics\.sensor: no service 'sensor' uses 'mqtt'; did you mean 'sensors'"),
        ({"topics": {"sensors": {"read": ["a/#/b"]}}}, r"topics\.sensors\.read\.0: is no filter of topics"),
        ({"topics": {"sensors": {"write": ["$SYS/#"]}}}, r"is no filter of topics .*; write it like plant/\+"),
        ({"topics": {"sensors": {"write": ["a b"]}}}, r"is no filter of topics"),
        (
            {"bridges": {"head": {**BRIDGE, "address": "mqtt.example.com:1884"}}},
            r"egress: does not open 1884",
        ),
        ({"bridges": {"head": {**BRIDGE, "address": "mqtt.example.com"}}}, r"is no host:port"),
        ({"extraConfig": {"listener": 1}}, r"extraConfig\.listener: is set by Grayling"),
        ({"extraConfig": {"max_qoss": 1}}, r"mosquitto knows no such keyword and would not start; did you mean 'max_q"),
        ({"extraConfig": {"max_qos": "1 2"}}, r"extraConfig\.max_qos: '1 2' is not one word"),
        ({"maxInflight": 0}, r"maxInflight: .*0"),
        ({"storage": "1Mi"}, r"storage: .*too little"),
    ],
)
def test_what_it_would_not_start_with_is_told_at_its_key(settings, told):
    with pytest.raises(StackError, match=rf"(?s)grayling:components\.mqtt.*{told}"):
        stack(**settings)


def test_a_service_is_not_called_as_the_broker():
    services = {"administrator": {"image": IMAGE, "uses": ["mqtt"]}}
    with pytest.raises(StackError, match="called as the account of the broker; rename it"):
        read(components={"mqtt": {}}, services=services)


@pytest.fixture
def node(tmp_path):
    """Files as the pod has them, and a tool that says that it hashed."""
    for part in ("users", "config", "bridges/head", "made", "bin"):
        (tmp_path / part).mkdir(parents=True)
    for user in ("administrator", "shop"):
        (tmp_path / "users" / f"{user}.passwd").write_text(f"{user}:secret\n")
    (tmp_path / "config" / "bridge-head.conf").write_text("connection head\n")
    (tmp_path / "bridges" / "head" / "username").write_text("plant")
    (tmp_path / "bridges" / "head" / "password").write_text("50% $HOME")
    tool = tmp_path / "bin" / "mosquitto_passwd"
    tool.write_text('#!/bin/sh\n[ "$1" = -U ] && sed -i s/secret/hashed/ "$2"\n')
    tool.chmod(0o755)
    return tmp_path


def prepare(node):
    places = {"/run/users": "users", "/etc/mosquitto": "config", "/run/bridges": "bridges", "/run/mosquitto": "made"}
    script = PREPARE
    for path, part in places.items():
        script = script.replace(path, str(node / part))
    path = f"{node / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-c", script], env={"PATH": path}, capture_output=True, text=True, check=False, timeout=20
    )


def test_files_are_prepared_twice_and_only_their_owner_reads_them(node):
    for _ in range(2):
        assert (prepare(node).returncode, prepare(node).stderr) == (0, "")
    passwords, bridge = node / "made" / "passwd", node / "made" / "bridges" / "head.conf"
    assert passwords.read_text() == "administrator:hashed\nshop:hashed\n"
    assert bridge.read_text() == "connection head\nremote_username plant\nremote_password 50% $HOME\n"
    assert {path.stat().st_mode & 0o077 for path in (passwords, bridge)} == {0}


def test_a_bridge_without_its_password_does_not_start(node):
    (node / "bridges" / "head" / "password").unlink()
    assert prepare(node).returncode != 0


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_metrics_of_a_broker_that_is_gone_say_so_and_nothing_else():
    port = free_port()
    script = text("mqtt_metrics.py.j2", local_port=free_port(), metrics_port=port, silence_s=5)
    account = {**os.environ, "MQTT_USERNAME": "a", "MQTT_PASSWORD": "b"}
    sidecar = subprocess.Popen([sys.executable, "-c", script], env=account, stdout=subprocess.DEVNULL)
    try:
        said = eventually(f"http://127.0.0.1:{port}/metrics")
    finally:
        sidecar.terminate()
    assert sidecar.wait(20) == 0
    assert said == "# TYPE mqtt_up gauge\nmqtt_up 0\n"


def eventually(url):
    for _ in range(300):
        try:
            with urllib.request.urlopen(url) as answer:
                return answer.read().decode()
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")
