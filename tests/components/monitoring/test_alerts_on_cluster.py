"""The local stack on a real cluster: every panel and rule finds its series, no alert fires, and faults are told."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import subprocess
from types import SimpleNamespace

import aiohttp
import pytest
import yaml
from aiohttp import web

from components.deploy.apply import Applier
from components.deploy.inventory import Inventory
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from components.monitoring.rules import groups_of, rules_of
from components.stack.platform import Platform
from kube.cluster import Cluster
from kube.kinds import DEPLOYMENT, KNOWN, NAMESPACE, NODE, SECRET, Kind
from rollout.api.revision import RELEASE_LABEL
from tests.components import alert_cases
from tests.components.alerts.model import ALWAYS, Fault
from tests.components.conftest import ROOT, program, read
from tests.components.inside import run
from tests.components.model.values import IMAGE
from tests.components.on_prometheus import alerts, all_is_well, eventually, series

SPACE = "alerts-test"
INVENTORY = Inventory(SPACE, SPACE)
PATIENCE = Patience(240)
NODE_PORT = 30087
DEFINITION = KNOWN["apiextensions.k8s.io/v1", "CustomResourceDefinition"]
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")


def local(*, definitions):
    """The local stack in a namespace of its own; with the definitions where nobody has brought them."""
    text = (ROOT / "stacks" / "Pulumi.local.yaml").read_text()
    text = text.replace("namespace: shop", f"namespace: {SPACE}").replace("30080", str(NODE_PORT))
    text = text.replace("class: contour", f"class: contour-{SPACE}")
    sections = {key.removeprefix("grayling:"): value for key, value in yaml.safe_load(text)["config"].items()}
    sections["components"]["controller"]["installDefinitions"] = definitions
    return Platform.read(sections, stack=SPACE, source="stacks/Pulumi.local.yaml")


@pytest.fixture
async def cluster(cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        yield opened
        plan = await plan_teardown(opened, INVENTORY)
        await tear_down(opened, INVENTORY, plan, PATIENCE, lambda _line: None, without_engine=True)
        assert await opened.find(NAMESPACE, SPACE) is None


async def node(cluster):
    """Where node ports answer."""
    (first, *_) = (await cluster.list(NODE)).items
    return next(each["address"] for each in first["status"]["addresses"] if each["type"] == "InternalIP")


async def traffic(address):
    """Orders through the gateway, written and read, until told otherwise."""
    host = {"Host": "checkout.local"}
    limit = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(f"http://{address}:{NODE_PORT}", timeout=limit) as client:
        while True:
            try:
                body = {"item": "book", "quantity": 1}
                taken = await client.post("/orders", json=body, headers=host)
                await (await client.get(f"/orders/{(await taken.json())['id']}", headers=host)).read()
            except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.1)


async def stop(cluster, kind, name):
    """No pod of it is left."""
    await cluster.merge_patch(kind, name, SPACE, {"spec": {"replicas": 0}}, manager="test")


BESIDE = (
    "GatewayControlPlaneDown",
    "GatewayWithoutControlPlane",
    "EngineDown",
    "BillingDown",
    "RabbitMQMemoryAlarm",
    "RabbitMQDiskAlarm",
    "RedisMemoryHigh",
    "TargetDown",
)
"""Alerts whose faults do not hide one another."""


async def faults_beside_each_other(cluster):
    """Those of ``BESIDE``."""
    await stop(cluster, DEPLOYMENT, "controller")
    await stop(cluster, DEPLOYMENT, "gateway-contour")
    (billing,) = (await cluster.list(DEPLOYMENT, SPACE, labels=f"{RELEASE_LABEL}=billing")).items
    await stop(cluster, DEPLOYMENT, billing["metadata"]["name"])
    for limit in (("set_vm_memory_high_watermark", "absolute", "1MB"), ("set_disk_free_limit", "1000000GB")):
        await run(cluster, SPACE, "rabbitmq-0", "rabbitmq", "rabbitmqctl", "-q", *limit)
    secret = (await cluster.get(SECRET, "redis-auth", SPACE))["data"]
    password = base64.b64decode(secret["password"]).decode()
    code = f'redis-cli --no-auth-warning -a "{password}" config set maxmemory 1mb'
    await run(cluster, SPACE, "redis-0", "redis", "sh", "-c", code)
    await cluster.create(MUTE, manager="test")


MUTE = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "mute",
        "namespace": SPACE,
        "labels": {"app.kubernetes.io/instance": "mute", "app.kubernetes.io/managed-by": "grayling"},
    },
    "spec": {
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "mute",
                "image": "sandbox.grayling.dev/python:3.11",
                "command": ["sleep", "3600"],
                "ports": [{"name": "metrics", "containerPort": 9464}],
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    },
}
"""A pod that says it has metrics, and does not answer."""


async def unseen(cluster, platform, *names):
    """Of these alerts, those whose condition is not there; how long it has to be is for promtool."""
    found = {alert.name: alert for member in platform.components for alert in member.alerts()}
    return [name for name in names if not await series(cluster, SPACE, found[name].expr)]


async def silent(cluster, *names, state=None):
    """Of these alerts, those that neither wait nor fire, or are not in this state."""
    found = await alerts(cluster, SPACE)
    return [name for name in names if name not in found or (state and found[name]["state"] != state)]


async def test_rules_and_panels_have_series_and_faults_are_told(cluster):
    missing = await cluster.find(DEFINITION, "grayreleases.grayling.dev", None) is None
    platform = local(definitions=missing)
    await Applier(cluster, INVENTORY, patience=PATIENCE).apply(platform.manifests())
    load = asyncio.create_task(traffic(await node(cluster)))
    try:
        await all_is_well(cluster, platform)

        await faults_beside_each_other(cluster)
        assert await eventually(lambda: unseen(cluster, platform, *BESIDE)) == []
        assert await eventually(lambda: silent(cluster, *BESIDE)) == []

        for name in ("redis", "rabbitmq"):
            await stop(cluster, STATEFUL_SET, name)
        assert await eventually(lambda: unseen(cluster, platform, "GatewayErrors", "CheckoutErrors")) == []
        await stop(cluster, DEPLOYMENT, "gateway-envoy")
        told = ("GatewayDown", "RedisDown", "RabbitMQNoMajority")
        assert await eventually(lambda: silent(cluster, *told, state="firing"), 150) == []
    finally:
        load.cancel()


def rules_file(everything, alert=None):
    """What the stack's Prometheus reads, all components in one file; with ``alert``, the group that has it alone."""
    groups = [group for each in everything.components for group in groups_of(each)]
    those = [group for group in groups if not alert or alert in {rule.get("alert") for rule in group["rules"]}]
    return yaml.safe_dump({"groups": those})


def trial(fault, alert, member):
    """One test of promtool: nothing while all is well, the alert at the end of the second half."""
    seen = [each for each in alert_cases.series(fault) if not alert.every or f'"{member.name}"' in each[0]]
    inputs = [{"series": name, "values": values} for name, values in seen]
    half = fault.half * fault.apart
    (fired,) = (rule for rule in rules_of(member) if rule["alert"] == alert.name)
    told = {"exp_labels": {**fault.labels, **fired["labels"]}, "exp_annotations": fired["annotations"]}
    checks = [
        {"eval_time": f"{half * 29 // 30}s", "alertname": alert.name, "exp_alerts": []},
        {"eval_time": f"{half * 59 // 30}s", "alertname": alert.name, "exp_alerts": [told]},
    ]
    return {"interval": f"{fault.apart}s", "input_series": inputs, "alert_rule_test": checks}


def quiet(found):
    """An hour in which nothing happens, with an eye on every alert at several times of it."""
    inputs = [{"series": name, "values": values} for name, values in alert_cases.series(None)]
    checks = [
        {"eval_time": at, "alertname": name, "exp_alerts": []} for name in found for at in ("1m", "20m", "40m", "59m")
    ]
    return {"interval": "15s", "input_series": inputs, "alert_rule_test": checks}


def run_promtool(promtool, folder, rules, tests):
    """What it says; all groups are evaluated as often as samples come, whatever their own interval."""
    (folder / "rules.yml").write_text(rules)
    body = {"rule_files": ["rules.yml"], "evaluation_interval": tests[0]["interval"], "tests": tests}
    (folder / "tests.yml").write_text(yaml.safe_dump(body))
    return subprocess.run(
        [promtool, "test", "rules", "tests.yml"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_no_alert_fires_in_a_quiet_hour(promtool, tmp_path):
    everything = alert_cases.platform()
    found = [name for name in alert_cases.alerts(everything) if name not in ALWAYS]
    done = run_promtool(promtool, tmp_path, rules_file(everything), [quiet(found)])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ALWAYS)
def test_a_sign_of_life_fires_from_the_first_moment(promtool, tmp_path, name):
    everything = alert_cases.platform()
    test = trial(Fault({}), *reversed(alert_cases.alerts(everything)[name]))
    told = test["alert_rule_test"][-1]["exp_alerts"]
    test["alert_rule_test"] = [{**each, "exp_alerts": told} for each in test["alert_rule_test"]]
    test["alert_rule_test"].append({**test["alert_rule_test"][0], "eval_time": "15s"})
    done = run_promtool(promtool, tmp_path, rules_file(everything), [test])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", alert_cases.CASES)
def test_an_alert_fires_for_its_fault(promtool, tmp_path, name):
    everything = alert_cases.platform()
    member, alert = alert_cases.alerts(everything)[name]
    tests = [trial(fault, alert, member) for fault in alert_cases.CASES[name]]
    done = run_promtool(promtool, tmp_path, rules_file(SimpleNamespace(components=[member]), alert.name), tests)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_share_of_errors_is_zero_before_the_first_error(promtool, tmp_path):
    everything = alert_cases.platform()
    (panel,) = (
        each for member in everything.components for each in member.dashboard().panels if each.title == "shop errors"
    )
    zero = {"expr": panel.expr, "eval_time": "20m", "exp_samples": [{"labels": "{}", "value": 0}]}
    test = {**quiet(()), "promql_expr_test": [zero]}
    done = run_promtool(promtool, tmp_path, rules_file(everything), [test])
    assert done.returncode == 0, done.stdout + done.stderr


def test_crashes_and_events_are_told_per_pod_hour(promtool, tmp_path):
    signals = [
        {"name": "crashes", "kind": "crashes", "source": "kubernetes"},
        {"name": "letters", "kind": "events", "source": "pods", "metric": "letters_total"},
    ]
    everything = read(services={"shop": {"image": IMAGE, "traffic": {}, "analysis": {"signals": signals}}})
    panels = {each.title: each for member in everything.components for each in member.dashboard().panels}
    crashes, letters = panels["shop crashes"], panels["shop letters"]
    assert {crashes.unit, letters.unit} == {"suffix: crashes per pod-hour", "suffix: events per pod-hour"}
    of, other = alert_cases.of, 'process_start_time_seconds{namespace="shop",instance_name="other",pod="other-0"}'
    series = [
        of("shop", "process_start_time_seconds", "1000x50 2000x10 3000x60"),  # twice within ten minutes
        of("shop", "process_start_time_seconds", "1000x121", "1"),
        (other, "0+1x121"),
        *(of("shop", "letters_total", "0+1x121", pod, queue=queue) for pod in "01" for queue in "ab"),
    ]
    checks = [
        {"expr": each.expr, "eval_time": "18m", "exp_samples": [{"labels": "{}", "value": value}]}
        for each, value in ((crashes, 12), (letters, 2 * 240))
    ]
    inputs = [{"series": name, "values": values} for name, values in series]
    done = run_promtool(
        promtool,
        tmp_path,
        rules_file(everything),
        [{"interval": "15s", "input_series": inputs, "promql_expr_test": checks}],
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
async def engine_page():
    """An engine of one namespace that carries releases of two."""
    page = """\
# TYPE grayling_release_log_evidence gauge
grayling_release_log_evidence{namespace="alerts-test",name="shop",signal="lines"} 1.5
grayling_release_log_evidence{namespace="other",name="shop",signal="lines"} 99
"""
    app = web.Application()
    app.router.add_get("/metrics", lambda _request: web.Response(text=page))
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield site._server.sockets[0].getsockname()[1]
    await runner.cleanup()


@pytest.mark.parametrize("of_engine", ["alerts-test", "engines"])
async def test_the_panel_of_evidence_shows_this_release_alone(engine_page, tmp_path, of_engine):
    lines = {"name": "lines", "kind": "events", "source": "logs", "pattern": "ERROR"}
    everything = read(
        components={"controller": {"image": IMAGE}, "prometheus": {"discovery": "sidecar", "scrapeInterval": "1s"}},
        services={"shop": {"image": IMAGE, "analysis": {"signals": [lines]}}},
        environment={"tier": "local", "namespace": "alerts-test", "owners": ["platform"]},
    )
    (shop,) = (each for each in everything.components if each.name == "shop")
    (panel,) = (each for each in shop.dashboard().panels if each.title == "shop lines")
    made = [each for each in everything.manifests() if "prometheus.yml" in each.get("data", {})]
    text = made[0]["data"]["prometheus.yml"].replace("/targets/", f"{tmp_path}/")
    (tmp_path / "prometheus.yml").write_text(text)
    labels = {
        "__meta_kubernetes_pod_container_port_name": "metrics",
        "__meta_kubernetes_namespace": of_engine,
        "__meta_kubernetes_pod_name": "controller-0",
    }
    targets = [{"targets": [f"127.0.0.1:{engine_page}"], "labels": labels}]
    (tmp_path / "engines.json").write_text(json.dumps(targets))
    asked = await evaluated(tmp_path, panel.expr)
    assert [each["value"][1] for each in asked] == ["1.5"]


async def evaluated(folder, expr):
    """What a Prometheus with the configuration in a folder answers, once it has read something."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    options = (f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data")
    where = f"--web.listen-address=127.0.0.1:{port}"
    log = (folder / "log").open("w")
    running = await asyncio.create_subprocess_exec(program("prometheus", folder), *options, where, stderr=log)
    try:
        async with asyncio.timeout(60), aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    answer = await client.get("/api/v1/query", params={"query": expr})
                    if found := (await answer.json())["data"]["result"]:
                        return found
                await asyncio.sleep(0.2)
    finally:
        running.terminate()
        await running.wait()
        log.close()
