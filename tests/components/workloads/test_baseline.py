"""Every workload of every stack keeps the production baseline, or its component says which rule it breaks and why."""

from __future__ import annotations

from base64 import b64decode
from copy import deepcopy

import pytest

from components.model.credentials import GENERATE_ANNOTATION, draw, recipe_of
from components.model.observability import alert_for, panel_for
from components.releases.service import Service
from components.stack.catalogue import KINDS
from components.workloads.policy_rules import (
    RULES,
    RUNS_PODS,
    broken_rules,
    pod_template_of,
)
from rollout.api.spec import Signal
from tests.components.conftest import read
from tests.rollout.signals.promql import selected

PART = "app.kubernetes.io/component"
LINES = {"name": "lines", "kind": "events", "source": "logs", "pattern": "ERROR"}


def workloads(rendered):
    return [item for item in rendered if item["kind"] in RUNS_PODS]


def names(rendered, kind):
    return {item["metadata"]["name"] for item in rendered if item["kind"] == kind}


def test_workloads_keep_the_baseline(rendered):
    excused = {
        (kind, deviation.workload, deviation.rule) for kind, one in KINDS.items() for deviation in one.deviations
    }
    for workload in workloads(rendered):
        labels = pod_template_of(workload)["metadata"]["labels"]
        broken = {(labels["app.kubernetes.io/name"], labels.get(PART, ""), rule) for rule, _ in broken_rules(workload)}
        assert broken <= excused, workload["metadata"]["name"]


def test_every_deviation_has_a_reason_and_a_rule_that_exists():
    for component in [*KINDS.values(), Service]:
        for deviation in component.deviations:
            assert deviation.rule in RULES
            assert len(deviation.reason) > 20


def test_every_server_has_a_disruption_budget_an_account_and_a_policy(rendered):
    budgets, accounts = names(rendered, "PodDisruptionBudget"), names(rendered, "ServiceAccount")
    policies = [
        item["spec"]["podSelector"].get("matchLabels", {}) for item in rendered if item["kind"] == "NetworkPolicy"
    ]
    for workload in workloads(rendered):
        template = pod_template_of(workload)
        assert template["spec"]["serviceAccountName"] in accounts
        labels = template["metadata"]["labels"]
        assert any(wanted and wanted.items() <= labels.items() for wanted in policies), workload["metadata"]["name"]
        if workload["kind"] in {"Deployment", "StatefulSet"}:
            assert workload["metadata"]["name"] in budgets


def test_everything_is_denied_first(rendered):
    deny = next(item for item in rendered if item["metadata"]["name"] == "default-deny")
    assert deny["spec"]["podSelector"] == {}
    assert deny["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in deny["spec"]


def test_services_reach_ports_that_exist(rendered):
    for service in (item for item in rendered if item["kind"] == "Service"):
        selector = {key: value for key, value in service["spec"]["selector"].items() if key.startswith("app.")}
        pods = [pod_template_of(item) for item in workloads(rendered)]
        hit = [pod for pod in pods if selector.items() <= pod["metadata"]["labels"].items()]
        ports = {port["name"] for pod in hit for one in pod["spec"]["containers"] for port in one.get("ports", ())}
        wanted = {port["targetPort"] for port in service["spec"]["ports"]}
        assert wanted <= ports, service["metadata"]["name"]


def test_volumes_and_secrets_that_pods_name_exist(rendered):
    files, secrets = names(rendered, "ConfigMap"), names(rendered, "Secret")
    made_in_cluster = {"contourcert-gateway", "envoycert-gateway"}
    for workload in workloads(rendered):
        spec = pod_template_of(workload)["spec"]
        declared = {volume["name"] for volume in spec.get("volumes", ())}
        for container in [*spec["containers"], *spec.get("initContainers", ())]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= declared | {"data"}
            for entry in container.get("env", ()):
                if reference := entry.get("valueFrom", {}).get("secretKeyRef"):
                    assert reference["name"] in secrets
                    recipe = next(recipe_of(item) for item in rendered if item["metadata"]["name"] == reference["name"])
                    assert reference["key"] in recipe
        for volume in spec.get("volumes", ()):
            if "configMap" in volume:
                assert volume["configMap"]["name"] in files
            if "secret" in volume:
                assert volume["secret"]["secretName"] in secrets | made_in_cluster


def test_every_object_is_labelled(rendered):
    for item in rendered:
        assert item["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "grayling"
        assert item["metadata"]["labels"]["app.kubernetes.io/part-of"]


def test_a_render_holds_no_generated_secret(rendered):
    for item in rendered:
        if item["kind"] == "Secret" and GENERATE_ANNOTATION in item["metadata"]["annotations"]:
            assert "data" not in item


def test_only_the_engine_and_what_must_hold_rights_and_no_wildcards(rendered):
    for role in (item for item in rendered if item["kind"] in {"Role", "ClusterRole"}):
        for rule in role["rules"]:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
    for role in (item for item in rendered if item["kind"] == "Role" and item["metadata"]["name"] == "controller"):
        assert not any("secrets" in rule["resources"] for rule in role["rules"])


def test_a_workload_below_the_baseline_is_found(rendered):
    whole = next(item for item in rendered if item["kind"] == "StatefulSet")
    assert broken_rules({"kind": "ConfigMap"}) == []
    for rule, damage in _DAMAGE.items():
        broken = deepcopy(whole)
        damage(broken["spec"]["template"])
        assert rule in {found for found, _ in broken_rules(broken)}, rule


def _drop(*path):
    def damage(template):
        here = template
        for part in path[:-1]:
            here = here[part]
        if path[-1] == "lifecycle":
            for container in template["spec"]["containers"]:
                container.pop("lifecycle", None)
        else:
            here.pop(path[-1])

    return damage


_DAMAGE = {
    "restricted": _drop("spec", "securityContext"),
    "read-only-root": _drop("spec", "containers", 0, "securityContext"),
    "probes": _drop("spec", "containers", 0, "readinessProbe"),
    "drain": _drop("spec", "containers", 0, "lifecycle"),
    "resources": _drop("spec", "containers", 0, "resources"),
    "spread": _drop("spec", "topologySpreadConstraints"),
    "account": _drop("spec", "serviceAccountName"),
    "token": _drop("spec", "automountServiceAccountToken"),
    "labels": _drop("metadata", "labels", "app.kubernetes.io/version"),
}


def test_generated_credentials_repeat_within_one_secret_and_never_between_two():
    recipe = {"password": "{random:32}", "url": "redis://:{password}@host", "plain": '{"a": 1}'}
    one, other = draw(recipe), draw(recipe)
    assert one["url"] == f"redis://:{one['password']}@host"
    assert len(one["password"]) == 32
    assert one["password"] != other["password"]
    assert one["plain"] == '{"a": 1}'


def test_secrets_of_the_stack_become_a_secret():
    items = read(secrets={"payment": {"token": "hunter2"}}).manifests()
    secret = next(item for item in items if item["kind"] == "Secret")
    assert b64decode(secret["data"]["token"]) == b"hunter2"


def test_a_changed_file_changes_the_pods_and_nothing_else_does():
    def checksum(eviction):
        items = read(components={"redis": {"eviction": eviction}}).manifests()
        pods = next(item for item in items if item["kind"] == "StatefulSet")["spec"]["template"]
        return pods["metadata"]["annotations"]["grayling.dev/config"]

    assert checksum("allkeys-lru") == checksum("allkeys-lru")
    assert checksum("allkeys-lru") != checksum("noeviction")


@pytest.mark.parametrize(("mode", "storage"), [("standalone", None), ("replication", "1Gi")])
def test_redis_with_and_without_replicas(mode, storage):
    items = read(components={"redis": {"mode": mode, "storage": storage}}).manifests()
    stateful = next(item for item in items if item["kind"] == "StatefulSet")
    assert stateful["spec"]["replicas"] == (1 if mode == "standalone" else 2)
    assert ("volumeClaimTemplates" in stateful["spec"]) is (storage is not None)


def test_a_service_is_bound_to_what_it_uses():
    services = {
        "a": {"image": "a/b:1", "uses": ["redis", "rabbitmq"], "env": {"X": {"secret": "s", "key": "k"}, "Y": "1"}}
    }
    items = read(components={"redis": {}, "rabbitmq": {}}, services=services).manifests()
    release = next(item for item in items if item["kind"] == "GrayRelease")
    env = {entry["name"]: entry for entry in release["spec"]["workload"]["template"]["spec"]["containers"][0]["env"]}
    assert env["REDIS_URL"]["valueFrom"]["secretKeyRef"] == {"name": "redis-a-auth", "key": "url"}
    assert env["AMQP_URL"]["valueFrom"]["secretKeyRef"] == {"name": "rabbitmq-a-auth", "key": "url"}
    assert env["X"]["valueFrom"]["secretKeyRef"] == {"name": "s", "key": "k"}
    assert env["Y"]["value"] == "1"
    policy = next(item for item in items if item["kind"] == "NetworkPolicy" and item["metadata"]["name"] == "redis")
    assert policy["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/instance"] == "a"


def test_no_empty_map_on_a_custom_resource(rendered):
    def empties(value, path=""):
        if path.endswith("template"):
            return
        if isinstance(value, dict):
            for key, inner in value.items():
                assert inner != {}, f"{path}.{key}"
                empties(inner, f"{path}.{key}")

    for item in rendered:
        if item["kind"] in {"GrayRelease", "Gateway", "GatewayClass"}:
            empties(item)


@pytest.mark.parametrize(("signals", "may"), [([], False), ([LINES], True)])
def test_the_engine_reads_logs_only_where_lines_are_counted(signals, may):
    service = {"image": "shop/checkout:1", "analysis": {"signals": signals}}
    items = read(components={"controller": {"image": "a/grayling:1"}}, services={"checkout": service}).manifests()
    found = [item for item in items if item["kind"] == "Role" and item["metadata"]["name"] == "controller"]
    assert found
    assert any("pods/log" in rule["resources"] for role in found for rule in role["rules"]) is may


@pytest.mark.parametrize(
    ("signal", "asked"),
    [
        (
            {"kind": "events", "source": "pods", "metric": "letters_total"},
            '3600 * avg(sum by (pod) (rate(letters_total{job="x"}[5m])))',
        ),
        ({"kind": "gauge", "source": "pods", "metric": "lag"}, 'max(lag{job="x"})'),
        (LINES, 'max(grayling_release_log_evidence{namespace="shop",name="checkout",signal="lines"})'),
        (
            {"kind": "errors", "source": "prometheus", "query": "x"},
            'max(grayling_release_log_evidence{namespace="shop",name="checkout",signal="lines"})',
        ),
        (
            {"kind": "crashes", "source": "kubernetes"},
            '6 * max(sum by (pod) (changes(process_start_time_seconds{job="x"}[10m])))',
        ),
    ],
)
def test_every_kind_of_signal_has_a_graph(signal, asked):
    made = Signal.model_validate({"name": "lines", **signal})
    assert panel_for(made, "checkout", 'job="x"', "shop").expr == asked
    relative = made.kind in {"events", "gauge"} or made.query is not None
    assert (alert_for(made, "checkout", 'job="x"') is None) is relative


def test_every_graph_and_alert_of_a_service_selects_its_own_series(platform):
    services = [each for each in platform.components if each.kind == "service"]
    assert services
    for member in services:
        told = [*(panel.expr for panel in member.dashboard().panels), *(alert.expr for alert in member.alerts())]
        assert told
        for name, labels in (found for expr in told for found in selected(expr)):
            assert labels.get("namespace") == member.environment.namespace, (member.name, name, labels)
            assert member.name in {labels.get("instance_name"), labels.get("name")}, (member.name, name, labels)


@pytest.mark.parametrize(
    ("more", "failed"),
    [
        ({}, 'code=~"5.."'),
        ({"errors": ["4xx", "5xx", "!404", "!429"]}, 'code=~"4..|5..",code!~"404|429"'),
        ({"errors": ["!OK"], "label": "grpc_code"}, 'grpc_code!~"OK"'),
        ({"errors": ["Unavailable", "boxx"], "label": "state"}, 'state=~"Unavailable|boxx"'),
    ],
)
def test_the_alert_counts_the_errors_that_the_signal_calls_so(more, failed):
    made = Signal.model_validate({"name": "errors", "kind": "errors", "source": "pods", **more})
    alert = alert_for(made, "checkout", 'job="x"')
    assert alert is not None
    assert f'http_requests_total{{job="x",{failed}}}' in alert.expr
    assert selected(alert.expr)


@pytest.mark.parametrize(("floor", "bound"), [(None, 0.025), (0.1, 0.5), (0.0, 0.01)])
def test_the_alert_on_errors_follows_the_floor(floor, bound):
    made = Signal.model_validate({"name": "errors", "kind": "errors", "source": "pods", "floor": floor})
    alert = alert_for(made, "checkout", 'job="x"')
    assert alert is not None
    assert alert.expr.endswith(f" > {bound:g}")
