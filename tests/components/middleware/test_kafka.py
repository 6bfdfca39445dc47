"""What a Kafka makes of its settings, and its scripts run as the kubelet runs them, against folders of their own."""

from __future__ import annotations

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
import yaml

from components.middleware.kafka_files import DATA, RUN
from components.middleware.kafka_settings import DRAIN_S, METRICS_PORT, heap, segment_bytes
from components.model.pods import Resources
from components.workloads.encryption import FOLDER
from tests.components.conftest import read
from tests.components.model.values import IMAGE, of, pod, said

if TYPE_CHECKING:
    from pathlib import Path


def kafka(tier="local", services=(), **settings):
    uses = {name: {"image": IMAGE, "uses": ["kafka"]} for name in services}
    environment = {"tier": tier, "namespace": "shop", "owners": ["platform"]}
    return read(environment=environment, components={"kafka": settings}, services=uses)


def properties(platform, part="broker"):
    text = of(platform, "ConfigMap", f"kafka-{part}")["data"]["server.properties"]
    pairs = (line.split(" = ", 1) for line in text.splitlines() if " = " in line and not line.startswith("#"))
    return dict(pairs)


def names(platform, kind):
    return [item["metadata"]["name"] for item in platform.manifests() if item["kind"] == kind]


def test_three_copies_of_which_two_are_sure_where_there_are_three_brokers_and_one_where_there_is_one():
    for members, copies, sure in ((1, "1", "1"), (2, "2", "1"), (3, "3", "2"), (7, "3", "2")):
        found = properties(kafka(members=members))
        assert (found["default.replication.factor"], found["min.insync.replicas"]) == (copies, sure)
        internal = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
        assert {found[f"{topic}.replication.factor"] for topic in internal} == {copies}


def test_the_first_three_brokers_vote_and_more_brokers_change_no_voter():
    three, seven = (properties(kafka(members=count))["controller.quorum.voters"] for count in (3, 7))
    assert three == seven
    first = "0@kafka-broker-0.kafka-nodes.shop.svc.cluster.local:9090"
    assert three.split(",")[0] == first
    assert properties(kafka(members=2))["controller.quorum.voters"] == first


def test_separate_voters_are_a_set_of_their_own_with_ids_that_no_broker_gets():
    made = kafka(members=5, controllers={"members": 3, "storage": "1Gi"})
    assert names(made, "StatefulSet") == ["kafka-broker", "kafka-controller"]
    assert names(made, "PodDisruptionBudget") == ["kafka-broker", "kafka-controller", "kafka-exporter"]
    voters = properties(made)["controller.quorum.voters"].split(",")
    assert [each.split("@")[0] for each in voters] == ["1000", "1001", "1002"]
    assert "advertised.listeners" not in properties(made, "controller")
    selectors = [of(made, "StatefulSet", f"kafka-{each}")["spec"]["selector"] for each in ("broker", "controller")]
    assert selectors[0] != selectors[1]


def test_nobody_gets_in_without_an_account_and_nothing_is_allowed_that_is_not_said():
    found = properties(kafka())
    assert found["authorizer.class.name"].endswith("StandardAuthorizer")
    assert (found["allow.everyone.if.no.acl.found"], found["auto.create.topics.enable"]) == ("false", "false")
    assert "PLAINTEXT," not in found["listener.security.protocol.map"].replace("SASL_PLAINTEXT,", "")
    encrypted = properties(kafka(tls={}))["listener.security.protocol.map"]
    assert {each.split(":")[1] for each in encrypted.split(",")} == {"SASL_SSL"}


def test_no_password_is_in_a_file_or_in_a_pod():
    text = yaml.safe_dump(kafka(services=("orders",), tls={}).manifests())
    for line in text.splitlines():
        assert "password=" not in line or "{password}" in line or "${env:" in line or "=$" in line, line


def test_a_service_gets_an_account_and_all_that_a_client_has_to_say():
    made = kafka(services=("orders",), tls={})
    container = pod(made, "orders")["containers"][0]
    found = {each["name"]: each.get("value") or each["valueFrom"]["secretKeyRef"] for each in container["env"]}
    assert found["KAFKA_BOOTSTRAP_SERVERS"] == "kafka.shop.svc:9093"
    assert found["KAFKA_USERNAME"] == "orders"
    assert (found["KAFKA_SECURITY_PROTOCOL"], found["KAFKA_SASL_MECHANISM"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert found["KAFKA_PASSWORD"] == {"name": "kafka-orders-auth", "key": "password"}
    assert found["KAFKA_CA_FILE"] == "/etc/grayling/ca/kafka/ca.crt"
    assert properties(made)["advertised.listeners"].endswith("CLIENTS://${env:HOST}:9093")


def test_an_account_more_starts_no_broker_again():
    before, after = (of(kafka(services=each), "StatefulSet", "kafka-broker") for each in ((), ("orders", "billing")))
    assert before == after


def test_a_heap_fits_into_its_memory_and_a_segment_many_times_into_its_volume():
    assert heap(Resources("1", "2Gi")) == 1024
    assert segment_bytes("1Gi") == 10 * 2**20
    assert segment_bytes("50Ti") == 2**30
    script = of(kafka(resources={"cpu": "1", "memory": "1Gi"}), "ConfigMap", "kafka-broker")["data"]["node.sh"]
    assert "-Xms512m -Xmx512m" in script


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"members": 0}, "grayling:components.kafka.members"),
        ({"controllers": {"members": 4}}, "grayling:components.kafka.controllers"),
        ({"controllers": "seperate"}, "grayling:components.kafka.controllers"),
        ({"resources": {"cpu": "1", "memory": "256Mi"}}, "from 512Mi"),
        ({"storage": "1Mi"}, "from 256Mi"),
        ({"extraConfig": {"listeners": "PLAINTEXT://:9"}}, "is set by Grayling"),
        ({"extraConfig": {"min.insync.replicas": 1}}, "is set by Grayling"),
        ({"extraConfig": {"ssl.client.auth": "none"}}, "is set by Grayling"),
        ({"extraConfig": {"num.io.thread": 4}}, "did you mean 'num.io.threads'?"),
        ({"image": "docker.io/apache/kafka"}, "does not name one build"),
    ],
)
def test_a_mistake_is_told_with_its_place(settings, words):
    assert any(words in line for line in said(components={"kafka": settings})), said(components={"kafka": settings})


def test_no_service_is_called_as_an_account_that_may_do_everything():
    services = {"admin": {"image": IMAGE, "uses": ["kafka"]}}
    assert any("rename the service" in line for line in said(components={"kafka": {}}, services=services))


JAVA = """\
#!/bin/sh
echo "$@" >>{folder}/called
mkdir -p {folder}/data/kafka && printf 'cluster.id=%s\\nnode.id=0\\n' "$CLUSTER_ID" >{folder}/data/kafka/meta.properties
"""


class Node:
    """A volume and what else a node has, in a folder; Java itself only notes what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for each in ("bin", "data", "run", "tls"):
            (folder / each).mkdir()
        java = folder / "bin" / "java"
        java.write_text(JAVA.format(folder=folder))
        java.chmod(0o755)
        (folder / "tls" / "tls.key").write_text("-----BEGIN PRIVATE KEY-----\n")
        (folder / "tls" / "tls.crt").write_text("-----BEGIN CERTIFICATE-----\n")

    def run(
        self, step, *, cluster="first", drawn="one", name="kafka-broker-0", metrics=METRICS_PORT, drain_s=60, **settings
    ):
        script = of(kafka(tls={}, **settings), "ConfigMap", "kafka-broker")["data"]["node.sh"]
        for path, own in ((DATA.rpartition("/")[0], "data"), (RUN, "run"), (FOLDER, "tls")):
            script = script.replace(path, str(self.folder / own))
        script = script.replace(f"127.0.0.1/{METRICS_PORT}", f"127.0.0.1/{metrics}")
        script = script.replace(f"-ge {DRAIN_S} ]", f"-ge {drain_s} ]").replace("sleep 2", "sleep 0.1")
        words = ("ADMIN", "BROKER", "CONTROLLER", "EXPORTER")
        secrets = {f"{each}_PASSWORD": drawn for each in words}
        environment = {"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "POD_NAME": name, "CLUSTER_ID": cluster}
        command = ["bash", "-c", script, "node.sh", step]
        return subprocess.run(
            command, env={**environment, **secrets}, capture_output=True, text=True, check=False, timeout=30
        )

    @property
    def called(self) -> list[str]:
        path = self.folder / "called"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


def test_a_volume_is_formatted_once_and_a_second_start_leaves_it_alone(node):
    assert [node.run("format").returncode for _ in range(2)] == [0, 0]
    assert len(node.called) == 1
    assert "--cluster-id first" in node.called[0]


def test_a_start_that_was_cut_off_before_the_volume_was_done_formats_it_again(node):
    node.run("format")
    (node.folder / "data" / "kafka" / "meta.properties").unlink()
    assert node.run("format").returncode == 0
    assert len(node.called) == 2


def test_the_volume_of_another_cluster_is_refused(node):
    node.run("format")
    refused = node.run("format", cluster="second")
    assert (refused.returncode, len(node.called)) == (1, 1)
    assert refused.stderr == (
        "the volume of kafka-broker-0 is of another cluster than Secret kafka-auth says (cluster-id); "
        "put the Secret back, or remove the volume\n"
    )


def test_other_voters_than_the_cluster_was_made_with_are_refused_and_more_brokers_are_not(node):
    node.run("format", members=3)
    assert node.run("format", members=5).returncode == 0
    refused = node.run("format", members=1)
    assert refused.returncode == 1
    assert "put members or controllers back: voters of a cluster stay" in refused.stderr


def test_a_key_that_kafka_cannot_read_and_a_password_that_breaks_a_line_are_told(node):
    assert node.run("prepare").returncode == 0
    keystore = node.folder / "run" / "keystore.pem"
    assert keystore.read_text().split("\n")[:2] == ["-----BEGIN PRIVATE KEY-----", "-----BEGIN CERTIFICATE-----"]
    assert keystore.stat().st_mode & 0o077 == 0
    (node.folder / "tls" / "tls.key").write_text("-----BEGIN RSA PRIVATE KEY-----\n")
    assert "Secret kafka-tls: tls.key is no plain PKCS#8; convert it" in node.run("prepare").stderr
    for wrong in ("", 'a"b', "a b"):
        refused = node.run("prepare", drawn=wrong)
        assert "a password is empty or has other than" in refused.stderr
        assert refused.returncode == 1
        assert not wrong or wrong not in refused.stderr


def test_a_node_that_cannot_be_asked_is_not_ready(node):
    assert node.run("ready").returncode != 0


class Behind:
    """What a broker's own metrics say, look by look; the last for ever."""

    def __init__(self, *values):
        self.values, self.asked = list(values), 0
        self.server = HTTPServer(("127.0.0.1", 0), self.handler())

    def handler(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.partition("=")[2]
                value = outer.values[min(outer.asked, len(outer.values) - 1)]
                outer.asked += 1
                self.send_response(200)
                self.end_headers()
                self.wfile.write(f"# HELP {name}\n{name} {value}\n".encode())

            def log_message(self, *_said):
                pass

        return Handler

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error):
        self.server.shutdown()
        self.server.server_close()

    @property
    def port(self):
        return self.server.server_address[1]


@pytest.mark.parametrize(
    ("looks", "asked"),
    [
        (["0.0"], 6),
        (["0.0", "0.0", "3.0", "0.0"], 9),
        (["nothing of the sort", "0.0"], 7),
    ],
)
def test_a_broker_stops_when_for_a_while_nobody_was_behind(node, looks, asked):
    with Behind(*looks) as behind:
        assert node.run("drain", metrics=behind.port).returncode == 0
        assert behind.asked == asked


def test_a_broker_does_not_wait_for_ever_with_stopping(node):
    with Behind("1.0") as behind:
        assert node.run("drain", metrics=behind.port, drain_s=4).returncode == 0
        assert behind.asked > 1


@pytest.mark.parametrize(
    ("looks", "code"),
    [
        (["3.0", "0.0"] * 2, 0),
        (["3.0", "0.0", "3.0", "5.0"], 1),
        (["3.0", "5.0"], 1),
        (["2.0", "0.0"], 1),
        ([""], 1),
    ],
)
def test_a_broker_is_ready_when_it_serves_and_has_all_that_was_acknowledged_twice(node, looks, code):
    with Behind(*looks) as behind:
        assert node.run("ready", metrics=behind.port).returncode == code
