"""What a GrayRelease may ask for, and what it is told when it may not."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rollout.api.spec import Signal, Spec, by_key
from tests.rollout import samples
from tests.rollout.decide.world import spec_of


def refused(**changes) -> str:
    with pytest.raises(ValidationError) as caught:
        spec_of("v1", **changes)
    return str(caught.value)


def signal(**changes) -> dict:
    return {"name": "errors", "kind": "errors", "source": "pods", **changes}


def test_defaults_are_a_whole_policy():
    spec = Spec.model_validate({"workload": {"template": {"spec": {"containers": [{"name": "a", "image": "i"}]}}}})
    assert [step.weight for step in spec.strategy.steps] == [5, 20, 50]
    assert spec.deletion == "Delete"
    assert spec.traffic_port is None
    assert spec.analysis.undecided.action == "go-on"
    assert {policy.action for policy in (spec.analysis.no_data, spec.analysis.source_down)} == {"hold"}


def test_the_wire_is_camel_case_with_durations_as_people_write_them():
    wire = spec_of("v1").wire()
    assert wire["strategy"]["readyDeadline"] == "1m"
    assert wire["analysis"]["sampling"]["young"] == "250ms"
    assert Spec.model_validate(wire) == spec_of("v1")


def test_unknown_keys_are_refused():
    assert "Extra inputs are not permitted" in refused(strategie={})


def test_weights_must_rise():
    told = refused(strategy={"steps": [{"weight": 20}, {"weight": 20}]})
    assert "steps: weights must rise from step to step, found [20, 20]" in told


@pytest.mark.parametrize("weight", [0, 101])
def test_a_step_is_a_share(weight: int):
    assert "weight" in refused(strategy={"steps": [{"weight": weight}]})


def test_there_is_at_least_one_step():
    assert "at least 1 item" in refused(strategy={"steps": []})


def test_a_source_must_be_able_to_read_the_kind():
    told = refused(analysis={"signals": [signal(kind="latency", source="gateway")]})
    assert "signal errors: source gateway has no latency; use pods or prometheus" in told
    assert Signal.model_validate(signal(kind="crashes", source="kubernetes")).kind == "crashes"


@pytest.mark.parametrize("kind", ["events", "gauge"])
def test_any_counter_or_gauge_is_named(kind: str):
    told = refused(analysis={"signals": [signal(kind=kind, source="pods")]})
    assert f"signal errors: kind {kind} has no usual metric; name one, for example metric: x_total" in told
    assert Signal.model_validate(signal(kind=kind, source="pods", metric="lag")).metric == "lag"


def test_a_query_is_for_prometheus_and_stands_alone():
    lost = signal(kind="events", source="prometheus", query="sum by (pod) (lost_total)")
    assert Signal.model_validate(lost).query == "sum by (pod) (lost_total)"
    for change, told in (
        ({"source": "pods"}, "only source prometheus takes a query, not pods"),
        ({"metric": "x_total"}, "give a metric or a query, not both"),
        ({"query": " "}, "the query is empty; for example sum by (pod)"),
    ):
        assert f"signal errors: {told}" in refused(analysis={"signals": [lost | change]})


def test_logs_need_a_pattern_that_is_one():
    logs = signal(kind="events", source="logs")
    assert "signal errors: source logs needs a pattern, for example pattern: ERROR|panic" in refused(
        analysis={"signals": [logs]}
    )
    assert "pattern '(' is no regular expression" in refused(analysis={"signals": [logs | {"pattern": "("}]})
    assert "source logs has no errors" in refused(analysis={"signals": [signal(source="logs", pattern="x")]})
    assert Signal.model_validate(logs | {"pattern": "ERROR"}).metric is None


def test_sources_need_their_addresses():
    assert "source gateway needs sources.gateway" in refused(analysis={"signals": [signal(source="gateway")]})
    assert "source prometheus needs sources.prometheus" in refused(analysis={"signals": [signal(source="prometheus")]})
    sources = {"gateway": {"namespace": "gw", "selector": {"app": "envoy"}}, "prometheus": "http://p:9090"}
    both = [signal(source="gateway"), signal(name="more", source="prometheus")]
    assert spec_of("v1", analysis={"signals": both}, sources=sources).sources.gateway.port == 8002


def test_signals_have_names_of_their_own():
    told = refused(analysis={"signals": [signal(), signal()]})
    assert "every signal needs a name of its own, found ['errors', 'errors']" in told


def test_traffic_goes_to_a_port_that_exists():
    assert "traffic needs a port to go to" in refused(workload={"ports": []})
    told = refused(traffic={"port": "grpc"})
    assert "traffic.port: 'grpc' is no workload port; there are ['http']" in told
    two = {"ports": [{"name": "http", "port": 80}, {"name": "grpc", "port": 81}]}
    assert spec_of("v1", workload=two).traffic_port.name == "http"
    assert spec_of("v1", workload=two, traffic={"port": "grpc"}).traffic_port.port == 81


def test_schema_of_a_keyed_list():
    assert by_key("name") == {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("metrics", "it begins with a slash: /metrics"),
        ("@10.0.0.9/metrics", "it begins with a slash"),
        ("//10.0.0.9/metrics", "names between single slashes"),
        ("/a/../../b", "without . and .."),
        ("/..", "without . and .."),
        ("/a\n", "names between"),
        ("/a b", "names between"),
        ("/%2e%2e/b", "names between"),
        ("/" + "a" * 300, "it has 301 characters, and at most 256 are taken"),
    ],
)
def test_a_path_is_that_of_a_page(path: str, says: str):
    assert says in refused(analysis={"signals": [signal(path=path)]})
    gateway = {"namespace": "gateway", "selector": {"app": "envoy"}, "path": path}
    assert says in refused(sources={"gateway": gateway})


def test_pages_of_all_sorts():
    for path in ("/", "/metrics", "/actuator/prometheus/", "/.well-known/x", "/v1/metrics?format=prometheus&x=%5E"):
        assert Signal.model_validate(signal(path=path)).path == path
    gateway = {"namespace": "gateway", "selector": {"app": "envoy"}, "path": "/stats?x"}
    assert "leave out the query" in refused(sources={"gateway": gateway})


@pytest.mark.parametrize("port", [0, -1, 65536, "0", "65536", "a/b", "http:80", "", "UP", "a-"])
def test_a_port_is_a_number_or_a_name(port):
    assert "is neither a number from 1 to 65535 nor the name of a port" in refused(
        analysis={"signals": [signal(port=port)]}
    )
    assert [Signal.model_validate(signal(port=it)).port for it in (1, "65535", "http-2")] == [1, "65535", "http-2"]


@pytest.mark.parametrize(
    "url",
    [
        "prometheus:9090",
        "ftp://p",
        "http://p:0",
        "http://p:99999",
        "http://p/../x",
        "http://p?x=1",
        "http://p#x",
        "http://p\n",
    ],
)
def test_the_address_of_prometheus_is_a_base_url(url: str):
    assert "is no base URL; write http://HOST:PORT" in refused(sources={"prometheus": url})


def test_a_password_in_an_address_is_refused_and_not_told():
    said = refused(sources={"prometheus": "http://me:hunter22@prometheus:9090"}).partition("[type=")[0]
    assert "is no base URL" in said
    assert "hunter22" not in said


def test_which_statuses_are_errors():
    said = "only kind errors takes errors and label, not crashes"
    assert said in refused(analysis={"signals": [signal(kind="crashes", source="kubernetes", errors=["4xx"])]})
    assert said in refused(analysis={"signals": [signal(kind="crashes", source="kubernetes", label="status")]})
    gateway = {"sources": {"gateway": {"namespace": "g", "selector": {"app": "envoy"}}}}
    for odd, named in (({"errors": ["Internal"]}, "Internal"), ({"errors": ["6xx"]}, "6xx"), ({"label": "a"}, "a")):
        found = refused(analysis={"signals": [signal(source="gateway", **odd)]}, **gateway)
        assert f"the gateway counts HTTP statuses alone, not {named}; read others at the pods, for gRPC with" in found
    assert "should match pattern" in refused(analysis={"signals": [signal(errors=["5 xx"])]})
    assert Signal.model_validate(signal(errors=["!OK"], label="grpc_code")).errors == ["!OK"]


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        (r"(a)\1", "is no regular expression of RE2, which has no (?=…), (?!…), (?<=…) and \\1: invalid escape"),
        ("(?=x)", "is no regular expression of RE2"),
        ("a{1001}", "is no regular expression of RE2"),
        ("a{100}", "is too large: write + or *"),
        ("(a{9}){9}", "is too large"),
        (r"\pL{9}", "is too large"),
        ("(" + "." * 200 + "){9}", "is too large"),
        ("a" * 257, "at most 256 characters"),
        ("\ud800", ""),
    ],
)
def test_a_pattern_is_re2s_and_small(pattern: str, says: str):
    logs = {"name": "lines", "kind": "events", "source": "logs", "pattern": pattern}
    assert says in refused(analysis={"signals": [logs]})


def test_a_container_is_named_by_a_name():
    logs = {"name": "lines", "kind": "events", "source": "logs", "pattern": "x", "container": "a&previous=true"}
    assert "should match pattern" in refused(analysis={"signals": [logs]})


@pytest.mark.parametrize(
    ("said", "recorded", "old"),
    [
        ({}, False, False),
        ({"recording": True}, True, False),
        ({"recording": False}, False, False),
        ({"record": True}, True, True),
        ({"record": False}, False, False),
        ({"record": False, "recording": True}, True, False),
    ],
)
def test_what_is_recorded_has_an_old_name_too(said, recorded, old):
    spec = Spec.model_validate({**samples.spec().wire(), **said})
    assert spec.is_recorded is recorded
    assert {key: each for key, each in spec.wire().items() if key.startswith("record")} == said, "as it was given"
    assert Spec.model_validate(spec.wire()) == spec
    assert spec.old_names == (("spec.record is the old name of spec.recording; write recording: true",) if old else ())


def test_both_names_of_it_are_told():
    with pytest.raises(ValueError, match="record: it is the old name of recording, which is given too; leave record"):
        Spec.model_validate({**samples.spec().wire(), "record": True, "recording": True})
