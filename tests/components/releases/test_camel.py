"""What a stack file may say of an adapter, and what becomes of it."""

from __future__ import annotations

import pytest
import yaml

from components.model.mistakes import StackError
from tests.components.conftest import read
from tests.components.model.values import IMAGE

ROUTE = {"route": {"id": "a", "from": {"uri": "platform-http:/a", "steps": [{"to": "file:/var/a"}]}}}
SETTINGS = {"image": IMAGE, "routes": {"a": [ROUTE]}, "deadLetters": {"to": "file:/var/dead"}}


def sends(uri):
    """A route that sends to it within a choice."""
    choice = {"choice": {"when": [{"simple": "${body} != null", "steps": [{"to": {"uri": uri}}]}]}}
    return {"route": {"from": {"uri": "platform-http:/b", "steps": [choice]}}}


def declared(name="camel", others=None, **more):
    kind = {} if name == "camel" else {"kind": "camel"}
    return read(components={**(others or {}), name: {**SETTINGS, **kind, **more}})


def files(platform, name="camel"):
    (release,) = [each for each in platform.manifests() if each["kind"] == "GrayRelease"]
    assert release["metadata"]["name"] == name
    return release["spec"]["workload"]["config"]


def test_its_files_are_released_with_it():
    made = files(declared(schemas={"order.json": "{}"}, config={"more.txt": "x"}))
    assert made.keys() == {
        "a.camel.yaml", "dead-letters.camel.yaml", "application.properties", "order.json", "more.txt",
    }  # fmt: skip
    (entry,) = yaml.safe_load(made["a.camel.yaml"])
    assert entry["route"]["from"]["steps"][1:] == ROUTE["route"]["from"]["steps"]


def test_every_route_looks_at_the_size_first():
    bare = {"from": {"uri": "platform-http:/b", "steps": [{"to": "file:/var/b"}]}}
    made = files(
        declared(routes={"a": [ROUTE, bare]}, maxBytes="1Ki", deadLetters={"to": "file:/d", "maxBytes": "2Ki"})
    )
    for entry in yaml.safe_load(made["a.camel.yaml"]):
        first, last = entry.get("route", entry)["from"]["steps"]
        assert [each["simple"][-6:] for each in first["choice"]["when"]] == ["> 1024", "> 1024"]
        assert "to" in last
    assert "camel.server.maxBodySize = 2048" in made["application.properties"]
    assert "duplicates.camel.yaml" not in made


def test_what_came_before_is_known_by_all_pods_and_after_it_was_carried_on():
    seen = {"topic": "seen", "routes": {"a": "${header.Idempotency-Key}"}}
    made = files(declared(others={"kafka": {"tls": {}}}, uses=["kafka"], duplicates=seen))
    (entry,) = yaml.safe_load(made["a.camel.yaml"])
    _size, once = entry["route"]["from"]["steps"]
    consumer = once["idempotentConsumer"]
    assert (consumer["eager"], consumer["skipDuplicate"], consumer["removeOnFailure"]) == (False, False, False)
    (choice,) = consumer["steps"]
    assert choice["choice"]["otherwise"]["steps"] == ROUTE["route"]["from"]["steps"]
    (beans,) = yaml.safe_load(made["duplicates.camel.yaml"])
    client, memory = beans["beans"]
    assert client["properties"]["[acks]"] == "all"
    assert client["properties"]["[ssl.truststore.location]"] == "{{env:KAFKA_CA_FILE}}"
    assert memory["name"] == consumer["idempotentRepository"]
    assert memory["properties"]["topic"] == "seen"


def test_duplicates_without_a_kafka_are_refused_for_each_pod_would_know_its_own():
    with pytest.raises(
        StackError, match="duplicates: are remembered in a Kafka that all pods share; add one to `uses`"
    ):
        declared(duplicates={"topic": "seen", "routes": {"a": "${header.x}"}}).manifests()


def test_every_route_has_the_dead_letters_and_they_have_no_others():
    entries = yaml.safe_load(files(declared())["dead-letters.camel.yaml"])
    configuration, dead, counter = entries
    handler = configuration["routeConfiguration"]["errorHandler"]["deadLetterChannel"]
    assert "id" not in configuration["routeConfiguration"], "one with an id is for those that name it"
    assert handler["useOriginalMessage"] is True
    assert handler["redeliveryPolicy"]["maximumRedeliveries"] == 3
    assert dead["route"]["errorHandler"] == {"noErrorHandler": {}}
    assert {"to": "file:/var/dead"} in dead["route"]["from"]["steps"]
    assert counter["route"]["from"]["steps"] == [{"to": "micrometer:counter:dead_letters?increment=0"}]


def test_an_endpoint_of_dead_letters_cannot_leave_its_line():
    to = 'file:/var/dead?fileName=${exchangeId}"\n- route: {}'
    made = yaml.safe_load(files(declared(deadLetters={"to": to}))["dead-letters.camel.yaml"])
    assert len(made) == 3
    assert {"to": to} in made[1]["route"]["from"]["steps"]


def test_java_starts_it_within_its_memory():
    (release,) = [each for each in declared().manifests() if each["kind"] == "GrayRelease"]
    (container,) = release["spec"]["workload"]["template"]["spec"]["containers"]
    assert container["command"] == ["java"]
    assert container["args"][0] == "-Xmx230m"
    assert container["resources"]["limits"]["memory"] == "384Mi"
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"


def test_brokers_that_it_uses_are_told_to_camel():
    made = files(declared(others={"rabbitmq": {}}, uses=["rabbitmq"]))["application.properties"]
    assert "camel.beans.rabbitmq.uri = {{env:AMQP_URL}}" in made
    assert "rabbitmq" not in files(declared())["application.properties"]


def test_several_adapters_stand_in_one_stack_under_their_names():
    alerts = [alert.name for member in declared("orders").components for alert in member.alerts()]
    assert alerts == ["CamelDown", "CamelDeadLetters", "CamelRouteStopped", "CamelCrashes"]
    assert "camel.main.name = orders" in files(declared("orders"), "orders")["application.properties"]


def test_it_is_judged_by_dead_letters_and_crashes_unless_said_otherwise():
    (camel,) = (each for each in declared().components if each.kind == "camel")
    assert [(signal.name, signal.metric) for signal in camel.health()] == [
        ("dead-letters", "dead_letters_total"),
        ("crashes", None),
    ]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"routes": {}}, "components.camel.routes: "),
        ({"routes": {"a": []}}, "a: has no route; give it one, or leave it out"),
        ({"routes": {"a": [{"routes": {}}]}}, "a.0.routes: is nothing that Camel reads there; did you mean 'route'"),
        ({"routes": {"a": [{"route": {}, "from": {}}]}}, "a.0: has the keys from, route; an entry has one"),
        ({"routes": {"a": [{"route": {"id": "x"}}]}}, "a.0.route.from.uri: is missing"),
        (
            {"routes": {"a": [{"onException": {}}]}},
            "a.0.onException: what becomes of failures is said by `deadLetters`",
        ),
        (
            {"routes": {"a": [{"route": {**ROUTE["route"], "errorHandler": {}}}]}},
            "a.0.route.errorHandler: what becomes of failures is said by `deadLetters`",
        ),
        ({"routes": {"a": [ROUTE], "b": [ROUTE]}}, "b.0.route.id: 'a' is that of a.0 too; use another"),
        (
            {"routes": {"a": [{"route": {**ROUTE["route"], "id": "grayling-x"}}]}},
            "a.0.route.id: 'grayling-x' begins as the adapter's own; use another",
        ),
        ({"deadLetters": {"to": "log:dead"}}, "log keeps nothing, and a dead letter would be lost"),
        ({"deadLetters": {"to": "orders"}}, "is no endpoint (found 'orders'); write SCHEME:REST"),
        (
            {"deadLetters": {"to": "spring-rabbitmq:default?routingKey=dead"}},
            "waits for an answer of the queue where its caller does (found 'spring-rabbitmq:default?routing",
        ),
        (
            {"routes": {"a": [sends("spring-rabbitmq:default?queues=a&exchangePattern=InOnly")]}},
            "makes a queue that is gone with its broker; add arg.queue.durable=true",
        ),
        ({"properties": {"camel.main.name": "x"}}, "camel.main.name: is set by Grayling"),
        ({"properties": {"a b": "x"}}, "is no key of a properties file"),
        ({"config": {"x.camel.yaml": ""}}, "'x.camel.yaml' is a file of the adapter itself"),
        ({"config": {"x": ""}, "schemas": {"x": ""}}, "schemas: 'x' is a file of `config` too"),
        ({"args": ["x"]}, "command, args: the adapter starts Camel itself"),
        (
            {"adminPort": None, "probes": {"liveness": {"command": ["true"]}, "readiness": {"command": ["true"]}}},
            "adminPort: health and metrics of an adapter need one",
        ),
        ({"maxBytes": "12"}, "maxBytes: "),
        (
            {"maxBytes": "2Mi"},
            "deadLetters.maxBytes: 1000Ki is less than maxBytes (2Mi); give it as much, or more",
        ),
        (
            {"duplicates": {"topic": "seen", "routes": {"b": "${header.x}"}}},
            "duplicates.routes.b: is the id of no route",
        ),
        ({"duplicates": {"topic": "seen", "routes": {"a": "x\ny"}}}, "components.camel.duplicates.routes.a: "),
    ],
)
def test_a_mistake_is_told_with_its_place_and_its_cure(more, told):
    with pytest.raises(StackError) as refused:
        declared(**more)
    assert told in str(refused.value)


def test_an_encrypted_rabbitmq_is_refused_for_its_client_would_take_any_certificate():
    with pytest.raises(StackError, match="rabbitmq has `tls`, and Camel's client for RabbitMQ takes any certificate"):
        declared(others={"rabbitmq": {"tls": {}}}, uses=["rabbitmq"]).manifests()


def test_two_brokers_of_a_kind_are_refused_for_it_is_set_up_for_one():
    two = {"rabbitmq": {}, "returns": {"kind": "rabbitmq"}}
    with pytest.raises(
        StackError, match="uses: rabbitmq and returns are both a rabbitmq, and an adapter is set up for"
    ):
        declared(others=two, uses=["rabbitmq", "returns"]).manifests()


def test_an_encrypted_kafka_is_trusted_by_its_own_authority():
    made = files(declared(others={"kafka": {"tls": {}}}, uses=["kafka"]))["application.properties"]
    assert "camel.component.kafka.brokers = {{env:KAFKA_BOOTSTRAP_SERVERS}}" in made
    assert "camel.component.kafka.ssl-truststore-location = {{env:KAFKA_CA_FILE}}" in made
    assert "kafka" not in files(declared())["application.properties"]
