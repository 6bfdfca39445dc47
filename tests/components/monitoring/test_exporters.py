"""Exporters of nodes, probes and Kubernetes' state: what is refused, what Prometheus is told, who lets whom in."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from components.model.mistakes import StackError
from components.monitoring.kube_state_metrics import KEPT
from components.monitoring.rules import groups_of
from components.stack.foundation import LEVEL
from tests.components.conftest import read
from tests.components.model.values import IMAGE

SHOP = {"target": "https://shop.example.com/health"}


def of(found, kind, name):
    (made,) = (each for each in found.manifests() if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return made


def probes(**found):
    return read(components={"prometheus": {}, "redis": {"tls": {}}, "blackbox-exporter": {"probes": found}})


def modules(found):
    return yaml.safe_load(of(found, "ConfigMap", "blackbox-exporter-config")["data"]["blackbox.yml"])["modules"]


def test_prometheus_asks_for_each_probe_as_it_is_declared():
    found = probes(shop={**SHOP, "interval": "60s", "timeout": "3s"}, mail={"target": "tls://mail.example.com:993"})
    made = yaml.safe_load(of(found, "ConfigMap", "prometheus-config")["data"]["prometheus.yml"])
    jobs = {each["job_name"]: each for each in made["scrape_configs"]}
    shop = jobs["blackbox-exporter/shop"]
    assert shop["params"] == {"module": ["shop"], "target": [SHOP["target"]]}
    assert (shop["scrape_interval"], shop["scrape_timeout"], shop["metrics_path"]) == ("1m", "3s", "/probe")
    (static,) = shop["static_configs"]
    assert static["targets"] == ["blackbox-exporter.shop.svc:9115"]
    assert static["labels"] == {"namespace": "shop", "instance_name": "blackbox-exporter", "probe": "shop"}
    assert jobs["blackbox-exporter/mail"]["params"]["target"] == ["mail.example.com:993"]


def test_what_a_good_answer_is():
    found = modules(
        probes(
            shop={**SHOP, "statuses": [200, 301], "contains": "up", "host": "inner.example.com"},
            mail={"target": "tls://mail.example.com:993", "caSecret": "mail-ca"},
            database={"target": "tcp://db.example.com:5432"},
        )
    )
    assert found["shop"]["http"]["valid_status_codes"] == [200, 301]
    assert found["shop"]["http"]["fail_if_body_not_matches_regexp"] == ["up"]
    assert found["shop"]["http"]["headers"] == {"Host": "inner.example.com"}
    assert found["mail"]["tcp"]["tls"] is True
    assert found["mail"]["tcp"]["tls_config"] == {"ca_file": "/run/authorities/mail/ca.crt"}
    assert found["database"]["tcp"]["tls"] is False


@pytest.mark.parametrize("host", ["redis", "redis.shop", "redis.shop.svc", "redis.shop.svc.cluster.local"])
def test_a_member_that_is_asked_lets_it_in(host):
    found = probes(store={"target": f"tls://{host}:6379"})
    rules = of(found, "NetworkPolicy", "redis")["spec"]["ingress"]
    callers = [peer["podSelector"]["matchLabels"]["app.kubernetes.io/instance"] for r in rules for peer in r["from"]]
    assert "blackbox-exporter" in callers


def test_nobody_is_let_in_for_somebody_else():
    found = probes(store={"target": "tls://redis.other.svc:6379"})
    assert "blackbox-exporter" not in yaml.safe_dump(of(found, "NetworkPolicy", "redis")["spec"])


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"target": "shop.example.com"}, "is no address .*write it like https://shop.example.com/health"),
        ({"target": "ftp://shop.example.com"}, "is no address"),
        ({"target": "tcp://db.example.com"}, "has no port, or a path that tcp does not know"),
        ({"target": "tls://db.example.com:1/x"}, "has no port, or a path that tls does not know"),
        ({"target": "https://me:secret@shop.example.com"}, "has a password in it"),
        ({"target": "https://shop.example.com:99999"}, "probes.shop.target"),
        ({**SHOP, "timeout": "31s"}, "timeout: is longer than the interval"),
        ({"target": "tcp://db.example.com:1", "contains": "x"}, "contains: tcp has no such thing"),
        ({"target": "tcp://db.example.com:1", "caSecret": "x"}, "caSecret: tcp has no certificate"),
        ({**SHOP, "statuses": [7]}, r"probes.shop.statuses"),
    ],
)
def test_a_probe_that_cannot_be_is_refused(asked, says):
    with pytest.raises(StackError, match=says) as found:
        probes(shop=asked)
    assert "components.blackbox-exporter.probes.shop" in str(found.value)
    assert "me:secret" not in str(found.value)


def test_probes_have_to_be_there():
    with pytest.raises(StackError, match=r"blackbox-exporter\.probes"):
        probes()


def test_a_node_exporter_makes_no_other_namespace_less_strict():
    components = {"prometheus": {}, "node-exporter": {"host": True}}
    found = read(components=components)
    space = next(each for each in found.manifests() if each["kind"] == "Namespace")
    assert space["metadata"]["labels"][f"{LEVEL}/enforce"] == "privileged"
    for more in ({"components": {**components, "redis": {}}}, {"services": {"shop": {"image": IMAGE}}}):
        with pytest.raises(StackError, match=r"host: the namespace becomes `privileged` .*(redis|shop) runs there too"):
            read(**{"components": components, **more})


def test_without_the_root_of_the_node_it_is_as_restricted_as_all():
    found = read(components={"prometheus": {}, "node-exporter": {}})
    pod = of(found, "DaemonSet", "node-exporter")["spec"]["template"]["spec"]
    assert [each for each in pod["volumes"] if "hostPath" in each] == []
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert not any("/host" in each for each in pod["containers"][0]["args"])
    space = next(each for each in found.manifests() if each["kind"] == "Namespace")
    assert space["metadata"]["labels"][f"{LEVEL}/enforce"] == "restricted"


def kube_state():
    return read(components={"prometheus": {}, "kube-state-metrics": {}})


def test_the_state_of_kubernetes_is_read_of_the_own_namespace_and_never_written():
    found = kube_state()
    rights = [each for each in found.manifests() if each["metadata"]["name"] == "kube-state-metrics"]
    assert {each["kind"] for each in rights if "Cluster" in each["kind"]} == set()
    role = of(found, "Role", "kube-state-metrics")
    assert role["metadata"]["namespace"] == "shop"
    allowed = {(rule["apiGroups"][0], name): rule["verbs"] for rule in role["rules"] for name in rule["resources"]}
    assert {*allowed} == {
        ("", "pods"),
        ("", "resourcequotas"),
        ("apps", "deployments"),
        ("batch", "jobs"),
        ("policy", "poddisruptionbudgets"),
    }
    assert all(verbs == ["list", "watch"] for verbs in allowed.values())
    (container,) = of(found, "Deployment", "kube-state-metrics")["spec"]["template"]["spec"]["containers"]
    assert "--namespaces=shop" in container["args"]
    (asked,) = (each for each in container["args"] if each.startswith("--resources="))
    assert {*asked.removeprefix("--resources=").split(",")} == {name for _, name in allowed}


def test_of_one_that_is_gone_nobody_is_told_besides_that_it_is_blind(promtool, tmp_path):
    member = next(each for each in kube_state().components if each.name == "kube-state-metrics")
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": groups_of(member)}))
    up = 'up{namespace="shop",instance_name="kube-state-metrics",pod="kube-state-metrics-0"}'
    for answers, fires in ((1, 1), (0, 0)):
        values = [{"series": up, "values": f"{answers}x240"}]
        count = {"expr": 'count(ALERTS{alertname="KubeStateMetricsBlind"}) or vector(0)'}
        told = [{**count, "eval_time": "1h", "exp_samples": [{"labels": "{}", "value": fires}]}]
        test = {"interval": "15s", "input_series": values, "promql_expr_test": told}
        body = {"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": [test]}
        (tmp_path / "tests.yml").write_text(yaml.safe_dump(body))
        line = [promtool, "test", "rules", "tests.yml"]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:]


def test_what_is_kept_of_the_state_is_what_rules_and_panels_read():
    member = next(each for each in kube_state().components if each.name == "kube-state-metrics")
    texts = [each.expr for each in (*member.alerts(), *member.dashboard().panels)]
    read_by = {name for text in texts for name in re.findall(r"kube_[a-z_]+", text)}
    read_by |= {name for each in member.resources() for name in re.findall(r"kube_[a-z_]+", each.used)}
    assert read_by == {*KEPT}
