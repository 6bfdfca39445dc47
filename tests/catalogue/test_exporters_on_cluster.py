"""Exporters of nodes, probes and Kubernetes' state beside a Prometheus: what they see, and what they tell apart."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from components.deploy.apply import Applier
from components.deploy.inventory import Inventory
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from components.model.exhaustion import RATIO
from components.monitoring.kube_state_metrics import ALWAYS_THERE, KEPT, PORT
from components.stack.foundation import LEVEL
from components.stack.platform import Platform
from kube.cluster import Cluster
from kube.kinds import DEPLOYMENT, NAMESPACE, NODE, POD, SECRET, Kind
from tests.components.inside import run
from tests.components.on_prometheus import alerts, ask, eventually, series, series_are_there
from tests.components.runbook import Terminal, blocks

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.extras("exporters", "kube-state-metrics")]

SPACE, NODES = "exporters-test", "nodes-test"
PROMETHEUS = f"http://prometheus.{SPACE}.svc:9090"
REDIS = f"tls://redis.{SPACE}.svc:6379"
IMAGES = {
    "quay.io/prometheus/prometheus": "sandbox.grayling.dev/prometheus:2.42",
    "quay.io/prometheus/node-exporter": "sandbox.grayling.dev/node-exporter:1.5",
    "quay.io/prometheus/blackbox-exporter": "sandbox.grayling.dev/blackbox-exporter:0.23",
    "registry.k8s.io/kube-state-metrics/kube-state-metrics": "sandbox.grayling.dev/kube-state-metrics:2.18.0",
    "docker.io/valkey/valkey": "sandbox.grayling.dev/redis:7.0",
    "ghcr.io/oliver006/redis_exporter": "sandbox.grayling.dev/redis-exporter:1.45",
    "docker.io/library/python": "sandbox.grayling.dev/python:3.11",
}
MONITOR = {"discovery": "sidecar", "scrapeInterval": "2s"}
FAST = {"interval": "2s", "timeout": "2s"}
PROBES = {
    "well": {"target": f"{PROMETHEUS}/-/healthy", "contains": "Healthy"},
    "other-words": {"target": f"{PROMETHEUS}/-/healthy", "contains": "nobody says this"},
    "other-status": {"target": f"{PROMETHEUS}/nothing-here"},
    "closed": {"target": f"tcp://prometheus.{SPACE}.svc:9"},
    "open": {"target": f"tcp://prometheus.{SPACE}.svc:9090"},
    "trusted": {"target": REDIS, "caSecret": "redis-tls"},
    "untrusted": {"target": REDIS},
}
GOOD = {"well", "open", "trusted"}
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
QUOTA = Kind("v1", "ResourceQuota", "resourcequotas")
JOB = Kind("batch/v1", "Job", "jobs")
BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
PYTHON, NOBODY_HAS_IT = IMAGES["docker.io/library/python"], "sandbox.grayling.dev/nobody-has-this:1"


def declared(space, asked=PROBES):
    environment = {"tier": "local", "namespace": space, "owners": ["platform"], "images": IMAGES}
    components = {"prometheus": MONITOR, "node-exporter": {"host": True}}
    if space == SPACE:
        probes = {name: {**FAST, **PROBES[name]} for name in asked}
        asks = {"redis": {"tls": {}}, "blackbox-exporter": {"probes": probes}}
        components = {"prometheus": MONITOR, "node-exporter": {}, "kube-state-metrics": {}, **asks}
    return Platform.read({"environment": environment, "components": components}, stack=space, source="test")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(cluster_kubeconfig):
    """With both stacks in it."""
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        try:
            for space in (SPACE, NODES):
                await Applier(opened, Inventory(space, space), patience=Patience(240)).apply(
                    declared(space).manifests()
                )
            yield opened
        finally:
            for space in (SPACE, NODES):
                plan = await plan_teardown(opened, Inventory(space, space))
                await tear_down(opened, Inventory(space, space), plan, Patience(240), lambda _line: None)


async def told(cluster, space, expr):
    """Values by the labels that are left."""
    return [(each["metric"], float(each["value"][1])) for each in await series(cluster, space, expr)]


async def pods_of(cluster, space, name):
    return (await cluster.list(POD, space, labels=f"app.kubernetes.io/instance={name}")).items


async def enforced(cluster, space):
    return (await cluster.get(NAMESPACE, space))["metadata"]["labels"][f"{LEVEL}/enforce"]


def memory_of_this_machine():
    (line,) = (each for each in Path("/proc/meminfo").read_text().splitlines() if each.startswith("MemTotal:"))
    return int(line.split()[1]) * 1024


async def test_every_node_is_measured_by_a_restricted_pod(cluster):
    assert await enforced(cluster, SPACE) == "restricted"
    assert await eventually(lambda: without(cluster, SPACE, 'up{instance_name="node-exporter"} == 1'), 180) == []
    nodes = (await cluster.list(NODE)).items
    assert len(await told(cluster, SPACE, 'up{instance_name="node-exporter"} == 1')) == len(nodes)
    for _, total in await told(cluster, SPACE, "node_memory_MemTotal_bytes"):
        assert total == memory_of_this_machine()
    disks = {metric["mountpoint"]: size for metric, size in await told(cluster, SPACE, "node_filesystem_size_bytes")}
    assert {"/", "/tmp"} <= disks.keys()  # noqa: S108 - of the pod
    assert all(size > 0 for size in disks.values())
    (pod, *_) = await pods_of(cluster, SPACE, "node-exporter")
    assert [each for each in pod["spec"]["volumes"] if "hostPath" in each] == []


async def without(cluster, space, expr):
    return [] if await series(cluster, space, expr) else [expr]


async def test_with_the_root_of_the_node_every_disk_is_seen(cluster):
    assert await enforced(cluster, NODES) == "privileged"
    sizes = 'node_filesystem_size_bytes{mountpoint="/"}'
    assert await eventually(lambda: without(cluster, NODES, sizes), 180) == []
    (pod, *_) = await pods_of(cluster, NODES, "node-exporter")
    name = pod["metadata"]["name"]
    code = "import os; s = os.statvfs('/host'); print(s.f_frsize * s.f_blocks)"
    root = int(await run(cluster, NODES, name, "node-exporter", "python3", "-c", code))
    assert {size for _, size in await told(cluster, NODES, sizes)} == {root}
    trying = "import os\ntry:\n open('/host/tmp/written', 'w')\nexcept OSError as error:\n print(error.errno)"
    assert int(await run(cluster, NODES, name, "node-exporter", "python3", "-c", trying)) in {os.EX_OK + 30, 13}
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True


async def answers(cluster):
    return {metric["probe"]: bool(value) for metric, value in await told(cluster, SPACE, "probe_success")}


async def unlike(cluster, wanted):
    """Probes that do not answer as they should."""
    found = await answers(cluster)
    return [name for name in PROBES if found.get(name) is not (name in wanted)]


async def test_what_answers_is_told_from_what_does_not(cluster):
    assert await eventually(lambda: unlike(cluster, GOOD), 180) == []
    ends = {metric["probe"]: at for metric, at in await told(cluster, SPACE, "probe_ssl_earliest_cert_expiry - time()")}
    assert 9 * 365 * 86400 < ends["trusted"] < 11 * 365 * 86400

    async def silent():
        return [] if "ProbeFails" in await alerts(cluster, SPACE) else ["ProbeFails"]

    assert await eventually(silent, 60) == []


def made(kind, name, **more):
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name, "namespace": SPACE, "labels": {"app": name}},
        **more,
    }


def runs(image=PYTHON, command=("sleep", "3600"), **more):
    """Spec of a pod that the namespace takes."""
    allowed = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "one", "image": image, "command": [*command], "securityContext": allowed}],
        **more,
    }


@asynccontextmanager
async def for_a_while(cluster, *objects):
    """These exist within, in the order that they are named."""
    kinds = {each.kind: each for each in (QUOTA, JOB, BUDGET, POD, DEPLOYMENT)}
    try:
        for each in objects:
            await cluster.create(each, manager="test")
        yield
    finally:
        for each in objects:
            await cluster.delete(kinds[each["kind"]], each["metadata"]["name"], SPACE)


async def unlike_told(cluster, wanted, *, there=True):
    """Of these alerts with some of their labels, those that do not wait (or do, though they should not)."""
    found = [each["labels"] for each in (await ask(cluster, SPACE, "/api/v1/alerts"))["alerts"]]
    waits = [any({"alertname": name, **labels}.items() <= each.items() for each in found) for name, labels in wanted]
    return [each for each, waiting in zip(wanted, waits, strict=True) if waiting is not there]


async def test_only_what_a_rule_or_a_panel_needs_is_told_of_the_stack_alone(cluster):
    assert await eventually(lambda: without(cluster, SPACE, "kube_pod_status_phase"), 180) == []
    (pod,) = await pods_of(cluster, SPACE, "kube-state-metrics")
    text = await cluster.pod_text(SPACE, pod["metadata"]["name"], PORT, "/metrics")
    families = {*re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)}
    assert {*ALWAYS_THERE} <= families <= {*KEPT}  # of what there is none, nothing is told
    assert {*re.findall(r'namespace="([^"]*)"', text)} == {SPACE}
    known = {metric["exported_pod"] for metric, _ in await told(cluster, SPACE, "kube_pod_status_phase")}
    assert {"prometheus-0", "redis-0", pod["metadata"]["name"]} <= known


async def test_a_quota_that_fills_is_told_with_what_it_refuses(cluster):
    share = f'{RATIO}{{instance_name="kube-state-metrics",resource="quota"}}'
    wanted = [
        ("QuotaFull", {"resourcequota": "team", "resource": "pods"}),
        ("PodsRefused", {"deployment": "more"}),
    ]
    assert await unlike_told(cluster, wanted, there=False) == []
    room = len((await cluster.list(POD, SPACE)).items) + 1
    quota = made(QUOTA, "team", spec={"hard": {"pods": str(room), "services.loadbalancers": "0"}})
    labels = {"matchLabels": {"app": "more"}}
    template = {"metadata": {"labels": {"app": "more"}}, "spec": runs()}
    more = made(DEPLOYMENT, "more", spec={"replicas": 3, "selector": labels, "template": template})
    async with for_a_while(cluster, quota, more):
        assert await eventually(lambda: unlike_told(cluster, wanted), 120) == []
        assert await eventually(lambda: without(cluster, SPACE, f"{share} == 1"), 120) == []
        panel = next(each for each in kube_state().dashboard().panels if each.title == "Quotas in use")
        drawn = {metric["resource"]: value for metric, value in await told(cluster, SPACE, panel.expr)}
        assert drawn == {"pods": 1.0}  # a quota of nothing is never used up
    assert await eventually(lambda: unlike_told(cluster, wanted, there=False), 120) == []


def kube_state():
    return next(each for each in declared(SPACE).components if each.name == "kube-state-metrics")


async def test_what_cannot_start_is_told(cluster):
    wanted = [
        ("PodNotScheduled", {"exported_pod": "nowhere"}),
        ("ContainerNotStarted", {"exported_pod": "without-image", "exported_container": "one"}),
        ("JobFailed", {"job_name": "fails"}),
        ("DisruptionWithoutRoom", {"poddisruptionbudget": "narrow"}),
    ]
    assert await unlike_told(cluster, wanted, there=False) == []
    ends = {**runs(command=("false",)), "restartPolicy": "Never"}
    async with for_a_while(
        cluster,
        made(POD, "nowhere", spec=runs(nodeSelector={"kubernetes.io/hostname": "no-such-node"})),
        made(POD, "without-image", spec=runs(NOBODY_HAS_IT)),
        made(JOB, "fails", spec={"backoffLimit": 0, "template": {"spec": ends}}),
        made(BUDGET, "narrow", spec={"minAvailable": 1, "selector": {"matchLabels": {"app": "nowhere"}}}),
    ):
        assert await eventually(lambda: unlike_told(cluster, wanted), 120) == []


async def asked_for_a_while(cluster):
    """The store is asked, since what nobody asks has no share of hits."""
    password = base64.b64decode((await cluster.get(SECRET, "redis-auth", SPACE))["data"]["password"]).decode()
    ask = f'redis-cli --tls --cacert /run/tls/ca.crt --no-auth-warning -a "{password}" get nothing'
    await run(cluster, SPACE, "redis-0", "redis", "sh", "-c", f"for each in $(seq 12); do {ask}; sleep 0.5; done")


async def test_panels_and_rules_find_their_series(cluster):
    await asked_for_a_while(cluster)
    async with for_a_while(cluster, made(QUOTA, "team", spec={"hard": {"pods": "100"}})):
        for space in (SPACE, NODES):  # who refuses to talk shows no certificate
            await series_are_there(cluster, declared(space, GOOD))


async def test_prometheus_is_backed_up_and_restored_as_its_runbook_says(cluster, kubectl, cluster_kubeconfig, tmp_path):
    night = Terminal(kubectl, cluster_kubeconfig, SPACE, tmp_path)
    backup, restore = blocks("prometheus")
    assert await eventually(lambda: without(cluster, SPACE, "up"), 60) == []
    before = time.time()
    await asyncio.sleep(5)
    await night.paste(backup)
    await asyncio.sleep(5)
    after = time.time()
    assert await eventually(lambda: unlike_at(cluster, {before: True, after: True}), 60) == []
    await night.paste(restore)
    assert await eventually(lambda: unlike_at(cluster, {before: True, after: False}), 60) == []
    assert await eventually(lambda: without(cluster, SPACE, "up"), 60) == []


async def unlike_at(cluster, wanted):
    """Times of which there is a sample of the second before, or is none, and should not."""
    looked = {at: await series(cluster, SPACE, f"count_over_time(up[4s] @ {at:.3f})") for at in wanted}
    return [at for at, found in looked.items() if bool(found) is not wanted[at]]


async def test_a_system_that_goes_away_is_seen(cluster):
    await cluster.merge_patch(STATEFUL_SET, "redis", SPACE, {"spec": {"replicas": 0}}, manager="test")
    assert await eventually(lambda: unlike(cluster, GOOD - {"trusted"}), 120) == []
