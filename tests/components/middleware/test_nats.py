"""What NATS is configured with, and its metrics, read from a server that says nothing."""

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from components.middleware.nats_settings import METRICS_PORT, MONITOR_PORT
from components.model.mistakes import StackError
from manifests.render import text
from tests.components.conftest import read
from tests.components.model.values import IMAGE


def stack(**settings):
    services = {name: {"image": IMAGE, "uses": ["nats"]} for name in ("shop", "sensors")}
    return read(components={"nats": settings}, services=services).manifests()


def named(manifests, kind, name):
    return next(each for each in manifests if (each["kind"], each["metadata"]["name"]) == (kind, name))


def configuration(**settings):
    return named(stack(**settings), "ConfigMap", "nats-config")["data"]["nats.conf"]


def variables(**settings):
    server = named(stack(**settings), "StatefulSet", "nats")["spec"]["template"]["spec"]["containers"][0]
    return {each["name"]: each.get("value") for each in server["env"]}


def test_no_secret_is_in_its_configuration_and_words_of_digits_stay_words():
    assert "user = $SYSTEM_USERNAME, password = $SYSTEM_PASSWORD" in configuration()
    assert variables()["PASSWORD_shop"] == '"$(DRAWN_PASSWORD_shop)"'


@pytest.mark.parametrize("members", [1, 3])
def test_whatever_the_configuration_takes_from_the_environment_is_there(members):
    taken = set(re.findall(r"\$([\w-]+)", configuration(members=members).partition("\n")[2]))
    assert "PASSWORD_sensors" in taken
    assert taken <= variables(members=members).keys()


def test_one_alone_has_no_routes_and_three_know_each_other():
    assert "cluster {" not in configuration(members=1)
    assert "ROUTE_0" not in variables(members=1)
    three = variables(members=3)
    assert [name for name in three if name.startswith("ROUTE_")] == ["ROUTE_0", "ROUTE_1", "ROUTE_2"]
    assert "@nats-2.nats-nodes.shop.svc.cluster.local:6222" in three["ROUTE_2"]


def test_a_service_of_an_account_is_in_no_other():
    shared, _, own = configuration(accounts={"machines": {"services": ["sensors"], "maxStorage": "8Mi"}}).partition(
        "machines {"
    )
    assert '{user = "shop"' in shared
    assert '{user = "sensors"' not in shared
    assert '{user = "sensors"' in own
    assert "max_file = 8MB" in own


def test_streams_fill_what_the_volume_and_the_memory_bear():
    made = configuration(storage="100Mi", resources={"cpu": "50m", "memory": "100Mi"})
    assert "max_file_store = 80MB" in made
    assert "max_memory_store = 25MB" in made


def test_durations_are_quoted_because_two_minutes_would_be_two_millions():
    made = configuration(extraConfig={"ping_interval": "2m", "max_payload": "8MB", "debug": True, "ping_max": 3})
    assert made.endswith('ping_interval = "2m"\nmax_payload = 8MB\ndebug = true\nping_max = 3\n')


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"accounts": {"machines": {"services": ["sensor"]}}},
            r"accounts\.machines\.services\.0: 'sensor' does not use 'nats'; did you mean 'sensors'",
        ),
        (
            {"accounts": {"a": {"services": ["shop"]}, "b": {"services": ["shop"]}}},
            r"accounts\.b\.services\.0: 'shop' is in 'a' too; a service has one account",
        ),
        ({"extraConfig": {"max_payload": "8MB; debug = true"}}, r"max_payload: '8MB; debug = true' is no value of it"),
        ({"extraConfig": {"ping_interval": "soon"}}, r"ping_interval: 'soon' is no value of it; write it like 10s"),
        ({"extraConfig": {"debug": "loud"}}, r"extraConfig\.debug: 'loud' is no value of it; write it like true"),
        ({"extraConfig": {"max_paylod": 1}}, r"nats knows no such keyword and would not start; did you mean 'max_payl"),
        ({"extraConfig": {"lame_duck_duration": "9s"}}, r"lame_duck_duration: is set by Grayling"),
        ({"members": 2}, r"members"),
        ({"storage": "1Mi"}, r"storage: .*too little"),
    ],
)
def test_what_it_would_not_start_with_is_told_at_its_key(settings, told):
    with pytest.raises(StackError, match=rf"(?s)grayling:components\.nats.*{told}"):
        stack(**settings)


def test_an_account_of_nobody_says_how_to_use_it():
    with pytest.raises(StackError, match=r"'shop' does not use 'nats'; write `uses: \[nats\]` at the service"):
        read(components={"nats": {"accounts": {"a": {"services": ["shop"]}}}})


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def test_metrics_of_a_server_that_is_gone_say_so_and_nothing_else():
    port = free_port()
    script = text("nats_metrics.py.j2", monitor_port=free_port(), metrics_port=port)
    assert (MONITOR_PORT, METRICS_PORT) == (8222, 7777)
    sidecar = subprocess.Popen([sys.executable, "-c", script])
    try:
        said = eventually(f"http://127.0.0.1:{port}/metrics")
    finally:
        sidecar.terminate()
    assert sidecar.wait(20) == 0
    assert said.splitlines() == ["# TYPE nats_up gauge", "nats_up 0", "# TYPE nats_healthy gauge", "nats_healthy 0"]


def eventually(url):
    for _ in range(300):
        try:
            with urllib.request.urlopen(url) as answer:
                return answer.read().decode()
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")
