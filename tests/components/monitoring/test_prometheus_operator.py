"""A Prometheus that somebody else runs: its operator is told what our own would do, and the engine asks it."""

from __future__ import annotations

import pytest
import yaml

from components.model.mistakes import StackError
from components.monitoring.overviews import dashboards_of
from components.monitoring.rules import groups_of
from tests.components.accepted import refusals
from tests.components.conftest import read
from tests.components.model.values import IMAGE

URL = "http://prometheus-operated.monitoring.svc:9090"
EXISTING = {"url": URL, "namespace": "monitoring", "labels": {"release": "kube-prometheus-stack"}}
MORE = {
    "redis": {},
    "controller": {"image": IMAGE},
    "blackbox-exporter": {"probes": {"shop": {"target": "https://shop.example.com", "interval": "60s"}}},
}
SERVICES = {"shop": {"image": IMAGE, "traffic": {}}}
SCRAPE = {"mainframe": {"targets": ["mq.example.com:9157"], "scheme": "https", "labels": {"site": "north"}}}
OPERATED = {"PodMonitor", "PrometheusRule", "Probe", "ScrapeConfig"}


def stack(*, ours=False, **prometheus):
    own = {} if ours else {"existing": EXISTING}
    return read(
        components={"prometheus": {**own, "scrape": SCRAPE, **prometheus}, **MORE},
        services=SERVICES,
    )


def of_kind(found, kind):
    return {each["metadata"]["name"]: each for each in found.manifests() if each["kind"] == kind}


def test_the_operator_is_told_what_our_own_would_do():
    found = stack()
    told = [
        rule
        for each in of_kind(found, "PrometheusRule").values()
        for g in each["spec"]["groups"]
        for rule in g["rules"]
    ]
    ours = [
        rule
        for member in sorted(stack(ours=True).components, key=lambda each: each.name)
        for group in groups_of(member)
        for rule in group["rules"]
        if member.name != "prometheus"
    ]
    marked = [rule["labels"].get("stack") for rule in told]
    told = [{**rule, "labels": {k: v for k, v in rule["labels"].items() if k != "stack"}} for rule in told]
    assert {*marked} == {"test"}
    assert [rule for rule in told if rule.get("alert") != "TargetDown"] == ours
    (unread,) = (rule for rule in told if rule.get("alert") == "TargetDown")
    assert 'up{namespace=~"shop"} == 0' in unread["expr"]
    labels = {each["metadata"]["labels"].get("release") for k in OPERATED for each in of_kind(found, k).values()}
    assert labels == {"kube-prometheus-stack"}


def test_pods_have_the_labels_that_our_own_would_give_them():
    (monitor,) = of_kind(stack(namespaces=["team-b"]), "PodMonitor").values()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["interval"]) == ("metrics", "15s")
    assert monitor["spec"]["namespaceSelector"]["matchNames"] == ["shop", "team-b"]
    config = of_kind(stack(ours=True), "ConfigMap")["prometheus-config"]["data"]["prometheus.yml"]
    (pods,) = (job for job in yaml.safe_load(config)["scrape_configs"] if job["job_name"] == "pods")
    ours = {r["target_label"]: r["source_labels"] for r in pods["relabel_configs"] if "target_label" in r}
    theirs = {each["targetLabel"]: each["sourceLabels"] for each in endpoint["relabelings"]}
    given = {"namespace", "pod", "container"}  # by the operator itself
    assert {name: source for name, source in ours.items() if name not in given} == theirs
    (ours,) = pods["metric_relabel_configs"]
    (theirs,) = endpoint["metricRelabelings"]
    assert (ours["source_labels"], ours["regex"]) == (theirs["sourceLabels"], theirs["regex"])


def test_probes_and_targets_of_ones_own_are_theirs_too():
    found = stack()
    (probe,) = of_kind(found, "Probe").values()
    assert probe["spec"]["prober"]["url"] == "blackbox-exporter.shop.svc:9115"
    assert probe["spec"]["targets"]["staticConfig"]["static"] == ["https://shop.example.com"]
    assert probe["spec"]["targets"]["staticConfig"]["labels"]["instance_name"] == "blackbox-exporter"
    (scraped,) = of_kind(found, "ScrapeConfig").values()
    assert (scraped["spec"]["scheme"], scraped["spec"]["staticConfigs"][0]["labels"]) == ("HTTPS", {"site": "north"})


def test_the_overview_counts_the_alarms_of_this_stack_alone():
    def asked(found):
        overview = dashboards_of(found.components[0].scope)["overview.health"]
        return [each.expr for each in overview.panels if "alarms" in each.title]

    assert len(asked(stack())) == 3
    assert all('stack="test"' in each for each in asked(stack()))
    assert not any("stack=" in each for each in asked(stack(ours=True)))


def test_nothing_is_run_and_dashboards_stay():
    found = stack()
    mine = [each for each in found.manifests() if each["metadata"]["name"].startswith("prometheus")]
    assert {each["kind"] for each in mine} == {"PodMonitor", "PrometheusRule", "ScrapeConfig", "ConfigMap"}
    assert [name for name in of_kind(found, "ConfigMap") if name.startswith("prometheus")] == ["prometheus-dashboards"]
    instances = {each["metadata"]["labels"]["app.kubernetes.io/instance"] for each in mine}
    assert instances == {"prometheus"}
    assert [why for each in found.manifests() for why in refusals(each)] == []


def test_the_engine_asks_it_and_may():
    found = stack()
    release = of_kind(found, "GrayRelease")["shop"]
    assert release["spec"]["sources"]["prometheus"] == URL
    pods = {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}
    place = {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}
    whom = {"namespaceSelector": place, "podSelector": pods}
    out = of_kind(found, "NetworkPolicy")["controller"]["spec"]["egress"]
    assert {"ports": [{"port": 9090, "protocol": "TCP"}], "to": [whom]} in out
    for name, port in (("redis", 9121), ("blackbox-exporter", 9115), ("controller", 9464)):
        rules = of_kind(found, "NetworkPolicy")[name]["spec"]["ingress"]
        assert {"ports": [{"port": port, "protocol": "TCP"}], "from": [whom]} in rules, name


def test_a_neighbour_lets_the_same_one_in():
    found = stack(namespaces=["team-b"])
    (policy,) = (
        each
        for each in found.manifests()
        if each["kind"] == "NetworkPolicy" and each["metadata"]["namespace"] == "team-b"
    )
    (rule,) = policy["spec"]["ingress"]
    (peer,) = rule["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "monitoring"}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"storage": "1Gi"},
            "storage: whoever runs the existing Prometheus decides that; leave out storage, or existing",
        ),
        ({"retentionSize": "1GB"}, "retentionSize: whoever runs the existing Prometheus"),
        ({"existing": {**EXISTING, "url": "monitoring:9090"}}, r"existing\.url"),
        ({"existing": {"url": URL}}, r"existing\.namespace"),
        ({"existing": {**EXISTING, "labels": {"a b": "c"}}}, r"existing\.labels"),
    ],
)
def test_what_cannot_be_is_refused(settings, says):
    with pytest.raises(StackError, match=says) as found:
        stack(**settings)
    assert "components.prometheus" in str(found.value)


def test_an_alertmanager_that_nobody_would_tell_is_refused():
    told = {"receivers": {"all": {"webhook": {"url": "https://hooks.example.com"}}}, "default": ["all"]}
    with pytest.raises(StackError, match="existing: its alerts go where its operator says, and nobody would tell 'am'"):
        read(components={"prometheus": {"existing": EXISTING}, "am": {"kind": "alertmanager", **told}})
