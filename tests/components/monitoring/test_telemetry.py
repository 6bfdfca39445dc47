"""Collectors and stores of traces and lines: what they are made of, and what is said of settings that cannot be."""

from __future__ import annotations

import re
from base64 import b64encode

import pytest
import yaml

from components.model.credentials import draw, recipe_of
from components.model.mistakes import StackError
from components.monitoring.otel_collector_masking import key_pattern, text_patterns
from components.workloads.policy_rules import broken_rules
from tests.components.conftest import read
from tests.components.model.values import IMAGE

SINKS = {"logs": {"kind": "victorialogs", "retention": "30d"}, "audit": {"kind": "victorialogs", "retention": "365d"}}
SIEM = {"syslog": "siem.example.com:6514"}
WARNINGS = {"match": {"severity": "warn"}, "days": 365, "to": ["audit"]}
INDEX = {"urls": ["https://opensearch.example.com:9200"], "authSecret": "index", "caSecret": "index-ca"}


def with_collector(settings, **more):
    components = {**SINKS, "jaeger": {}, "telemetry": {"kind": "otel-collector", **settings}, **more}
    return read(components=components)


def one(platform, kind, name):
    return next(each for each in platform.manifests() if (each["kind"], each["metadata"]["name"]) == (kind, name))


def file_of(platform, name):
    return yaml.safe_load(one(platform, "ConfigMap", f"{name}-config")["data"]["config.yaml"])


def masked(name, text):
    """As the collector does it; Go writes groups in another way."""
    for pattern, instead in text_patterns(name):
        text = re.sub(pattern, lambda found, instead=instead: _expanded(found, instead), text)
    return text


def _expanded(found, instead):
    return re.sub(r"\$\{(\d)\}", lambda group: found[int(group[1])] or "", instead)


@pytest.mark.parametrize(
    ("settings", "where", "said"),
    [
        ({}, "telemetry", "sends nothing anywhere (found {}); give logs, traces or gateway"),
        ({"logs": "nowhere"}, "telemetry", "logs: 'nowhere' is no component of this stack"),
        ({"logs": "jaeger"}, "telemetry", "logs: 'jaeger' is a jaeger, which keeps no logs"),
        ({"traces": "audit"}, "telemetry", "traces: 'audit' is a victorialogs, which keeps no traces"),
        ({"logs": "telemetry"}, "telemetry", "logs: 'telemetry' is the collector itself"),
        ({"logs": "redis"}, "telemetry", "logs: 'redis' is a redis, which takes no telemetry"),
        ({"logs": "x", "mask": ["e mail"]}, "telemetry.mask.0", "(found 'e mail'); write it like email or"),
        ({"logs": "logs", "gateway": "x"}, "telemetry", "gateway and namespaces are of an agent"),
        ({"mode": "agent", "logs": "logs", "gateway": "x"}, "telemetry", "gateway: has sinks and rules of its own"),
        ({"mode": "agent", "gateway": "logs"}, "telemetry", "gateway: 'logs' is a victorialogs; give it as logs"),
        ({"mode": "agent", "traces": "jaeger"}, "telemetry", "traces: an agent reads logs alone"),
        ({"mode": "agent", "logs": "logs", "replicas": 2}, "telemetry.replicas", "an agent has one pod on each node"),
        ({"mode": "agent", "logs": "logs", "tls": {}}, "telemetry.tls", "and nobody connects to it (found {})"),
        ({"logs": "logs", "siem": {}}, "telemetry.siem", "give one of syslog: host:port and http: address"),
        ({"logs": "logs", "siem": SIEM}, "telemetry", "siem: is a sink that a rule names in `to`"),
        ({"logs": "logs", "siem": {"http": "https://u:p@x/"}}, "telemetry.siem.http", "the login in tokenSecret"),
        ({"traces": "jaeger", "retention": [WARNINGS]}, "telemetry", "has no store for the lines that no rule is for"),
        ({"logs": "logs", "retention": [{**WARNINGS, "match": {}}]}, "retention.0.match", "would fit every line"),
        ({"logs": "logs", "retention": [{**WARNINGS, "days": 7}]}, "telemetry", "and audit keeps its lines 365"),
        ({"logs": "logs", "retention": [{**WARNINGS, "to": ["audti"]}]}, "telemetry", "to.0: 'audti' is no component"),
        ({"logs": "logs", "storage": "1Mi"}, "telemetry.storage", "is too little"),
    ],
)  # fmt: skip
def test_a_collector_that_cannot_be_is_told_with_its_fix(settings, where, said):
    with pytest.raises(StackError) as told:
        with_collector(settings, redis={}).manifests()
    assert where in str(told.value)
    assert said in str(told.value)


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("victorialogs", {"retention": "36h"}, "is not in whole days"),
        ("victorialogs", {"storage": "1Gi", "maxDiskUsage": "1Gi"}, "is more than nine tenths of storage 1Gi"),
        ("jaeger", {"store": "index"}, "index: goes with store: index"),
        ("jaeger", {"replicas": 2}, "replicas: store badger has one pod"),
        ("jaeger", {"store": "index", "index": {"urls": ["opensearch:9200"]}}, "write it like https://opensearch"),
    ],
)
def test_a_store_that_cannot_be_is_told_with_its_fix(kind, settings, said):
    with pytest.raises(StackError, match=re.escape(said)):
        read(components={kind: settings}).manifests()


@pytest.mark.parametrize(
    ("name", "fits", "not_those"),
    [
        ("email", ["email", "Email", "user.email", "user_email", "email.0"], ["emails", "email_sent", "female"]),
        ("patient.name", ["patient.name", "patientName", "a.patient.0.name"], ["name", "patient", "name.patient"]),
    ],
)  # fmt: skip
def test_a_name_fits_whole_keys_and_their_last_parts(name, fits, not_those):
    pattern = re.compile(key_pattern(name))
    assert [key for key in fits if not pattern.search(key)] == []
    assert [key for key in not_those if pattern.search(key)] == []


@pytest.mark.parametrize(
    ("name", "text", "left"),
    [
        ("email", 'x "email": "a@b", "n": 1', 'x "email": "****", "n": 1'),
        ("email", r'"a": "{\"email\": \"a@b\"}"', r'"a": "{\"email\": \"****"'),
        ("email", "email=a@b email=c@d email=e@f n=1", "email=**** email=**** email=**** n=1"),
        ("email", "user.Email: a b c, n: 1", "user.Email: ****, n: 1"),
        ("email", "/x?a=1&email=a%40b&n=1", "/x?a=1&email=****&n=1"),
        ("email", "<email type='w'>a@b</email>", "<email type='w'>****</email>"),
        ("email", "female: yes, emails: 7", "female: yes, emails: 7"),
        ("patient.name", '{"patient": {"x": 1, "name": "A"}, "b": 2', '{"patient": {"x": 1, "name": "****"}, "b": 2'),
        ("patient.name", "<patient><id>1</id><name>A</name>", "<patient><id>1</id><name>****</name>"),
        ("patient.name", "patientName='A B' n=1", "patientName='****' n=1"),
    ],
)  # fmt: skip
def test_a_field_in_a_text_is_masked_and_the_rest_stays(name, text, left):
    assert masked(name, text) == left


def test_what_is_sent_is_queued_on_disk_before_anything_else_answers():
    found = file_of(with_collector({"logs": "logs", "traces": "jaeger"}), "telemetry")
    for exporter in found["exporters"].values():
        assert exporter["sending_queue"]["storage"] == "file_storage/queue"
        assert exporter["retry_on_failure"]["max_elapsed_time"] == "0s"
    for pipeline in found["service"]["pipelines"].values():
        assert pipeline["processors"] == ["memory_limiter"]


def test_masks_come_before_every_sink():
    settings = {"logs": "logs", "traces": "jaeger", "mask": ["email"], "retention": [WARNINGS]}
    pipelines = file_of(with_collector(settings), "telemetry")["service"]["pipelines"]
    steps = ["memory_limiter", "transform/shape", "redaction/mask", "transform/mask"]
    assert pipelines["traces"]["processors"] == steps
    assert pipelines["logs"]["processors"][:4] == steps
    others = {name: each for name, each in pipelines.items() if name.startswith("logs/")}
    assert {each["receivers"][0] for each in others.values()} == {"forward/sorted"}
    assert others.keys() == {"logs/logs", "logs/audit"}


def test_names_of_programs_are_no_personal_fields():
    steps = file_of(with_collector({"logs": "logs", "mask": ["name"]}), "telemetry")["processors"]
    assert {"service.name", "k8s.pod.name"} <= set(steps["redaction/mask"]["ignored_keys"])


def test_no_secret_stands_in_a_file():
    platform = with_collector({"logs": "logs", "traces": "jaeger", "retention": [WARNINGS]})
    for sink in file_of(platform, "telemetry")["exporters"].values():
        assert re.fullmatch(r"\$\{env:SINK_\d\}", sink["headers"]["authorization"])
    assert file_of(platform, "telemetry")["extensions"]["bearertokenauth"]["tokens"] == ["${env:TOKEN_0}"]


def test_a_login_is_written_as_basic_authentication_has_it():
    found = draw(recipe_of(one(read(components={"victorialogs": {}}), "Secret", "victorialogs-auth")))
    whole = b64encode(f"{found['username']}:{found['password']}".encode()).decode()
    assert found["authorization"] == f"Basic {whole}"


def test_a_service_finds_the_collector_by_the_usual_variables():
    components = {**SINKS, "telemetry": {"kind": "otel-collector", "logs": "logs", "tls": {}}}
    platform = read(components=components, services={"shop": {"image": IMAGE, "uses": ["telemetry"]}})
    (container,) = one(platform, "GrayRelease", "shop")["spec"]["workload"]["template"]["spec"]["containers"]
    env = {each["name"]: each.get("value") or each["valueFrom"]["secretKeyRef"] for each in container["env"]}
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == "https://telemetry.shop.svc:4318"
    assert env["OTEL_EXPORTER_OTLP_HEADERS"] == {"name": "telemetry-shop-auth", "key": "headers"}
    assert env["OTEL_EXPORTER_OTLP_CERTIFICATE"] == env["TELEMETRY_CA_FILE"]
    assert (env["OTEL_SERVICE_NAME"], env["OTEL_TRACES_EXPORTER"]) == ("shop", "none")
    token = draw(recipe_of(one(platform, "Secret", "telemetry-shop-auth")))
    assert token["headers"] == f"Authorization=Bearer%20{token['token']}"


def test_an_agent_alone_breaks_the_baseline_and_opens_its_namespace_for_it():
    agent = {"pod-logs": {"kind": "otel-collector", "mode": "agent", "gateway": "telemetry"}}
    for more, level in (({}, "restricted"), (agent, "privileged")):
        platform = with_collector({"logs": "logs"}, **more)
        labels = one(platform, "Namespace", "shop")["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == level
        assert labels["pod-security.kubernetes.io/audit"] == "restricted"
    assert broken_rules(one(platform, "StatefulSet", "telemetry")) == []
    nodes = one(platform, "DaemonSet", "pod-logs")
    assert broken_rules(nodes) == [("restricted", "the pod may run as root")]
    (container,) = nodes["spec"]["template"]["spec"]["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"name": "pods", "mountPath": "/var/log/pods", "readOnly": True} in container["volumeMounts"]


def test_traces_go_to_an_index_of_somebody_else():
    platform = read(components={"jaeger": {"store": "index", "index": INDEX, "replicas": 2}})
    store = file_of(platform, "jaeger")["extensions"]["jaeger_storage"]["backends"]["store"]
    assert store["opensearch"]["server_urls"] == INDEX["urls"]
    assert store["opensearch"]["auth"]["basic"]["password"] == "${env:INDEX_PASSWORD}"
    assert one(platform, "StatefulSet", "jaeger")["spec"]["replicas"] == 2
    egress = one(platform, "NetworkPolicy", "jaeger")["spec"]["egress"]
    assert {"ports": [{"port": 9200, "protocol": "TCP"}]} in egress


def test_a_siem_by_http_gets_json_and_its_login():
    siem = {"http": "https://siem.example.com:8443/in", "tokenSecret": "siem", "caSecret": "siem-ca"}
    settings = {"logs": "logs", "siem": siem, "retention": [{**WARNINGS, "to": ["siem"]}]}
    platform = with_collector(settings)
    exporter = file_of(platform, "telemetry")["exporters"]["otlp_http/siem"]
    assert (exporter["logs_endpoint"], exporter["encoding"]) == (siem["http"], "json")
    assert exporter["headers"] == {"authorization": "${env:SIEM_AUTHORIZATION}"}
    egress = one(platform, "NetworkPolicy", "telemetry")["spec"]["egress"]
    assert {"ports": [{"port": 8443, "protocol": "TCP"}]} in egress
