"""Traces and lines of a stack: they arrive masked, none is lost, and each class of lines goes where it belongs."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from pathlib import Path
from types import SimpleNamespace

import pytest

from components.deploy.apply import Applier
from components.deploy.inventory import Inventory
from components.deploy.teardown import plan_teardown, tear_down
from components.deploy.waiting import Patience
from components.model.signing import self_signed
from components.stack.platform import Platform
from components.workloads.baseline import UID
from kube.cluster import Cluster
from kube.kinds import NAMESPACE, POD, Kind
from tests.catalogue.brokers import until
from tests.components.inside import run
from tests.components.on_prometheus import alerts, eventually, expected, has_data, series, wanted

KINDS = ("victorialogs", "jaeger", "otel-collector")
pytestmark = [pytest.mark.long, pytest.mark.extras(*KINDS)]

HERE = Path(__file__).parent
CLIENT, SIEM, COPY = ((HERE / f"{name}.py").read_text() for name in ("telemetry_client", "siem", "copy_of_a_day"))
SPACE = "telemetry-test"
INVENTORY = Inventory(SPACE, SPACE)
PYTHON = "sandbox.grayling.dev/python:3.11"
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
SMALL = {"cpu": "20m", "memory": "192Mi"}
SERVICES = ("shop", "payments")
SECTIONS = {
    "environment": {
        "tier": "local",
        "namespace": SPACE,
        "owners": ["platform"],
        "images": {
            "docker.io/victoriametrics/victoria-logs": "sandbox.grayling.dev/victoria-logs:1.52.1",
            "docker.io/jaegertracing/jaeger": "sandbox.grayling.dev/jaeger:2.13.0",
            "docker.io/otel/opentelemetry-collector-contrib": "sandbox.grayling.dev/otel-collector:0.165.0",
            "docker.io/library/python": PYTHON,
            "quay.io/prometheus/prometheus": "sandbox.grayling.dev/prometheus:2.42",
        },
    },
    "components": {
        "controller": {"image": "sandbox.grayling.dev/grayling:dev", "installDefinitions": False},
        "prometheus": {"discovery": "sidecar", "scrapeInterval": "1s", "storage": None},
        "victorialogs": {"storage": "256Mi", "tls": {}, "resources": SMALL},
        "audit": {"kind": "victorialogs", "storage": "256Mi", "retention": "365d", "tls": {}, "resources": SMALL},
        "jaeger": {"storage": "256Mi", "tls": {}, "resources": SMALL},
        "telemetry": {
            "kind": "otel-collector",
            "storage": "64Mi",
            "resources": SMALL,
            "tls": {},
            "mask": ["email", "iban", "patient.name"],
            "traces": "jaeger",
            "logs": "victorialogs",
            "siem": {"syslog": f"siem.{SPACE}.svc:6514", "caSecret": "siem-ca"},
            "retention": [
                {"match": {"services": ["payments"], "severity": "warn"}, "days": 365, "to": ["audit", "siem"]}
            ],
        },
        "pod-logs": {
            "kind": "otel-collector",
            "mode": "agent",
            "storage": "64Mi",
            "resources": SMALL,
            "mask": ["email", "iban", "patient.name"],
            "gateway": "telemetry",
        },
    },
    "services": {
        name: {
            "image": PYTHON,
            "command": ["python3", "-c", CLIENT],
            "env": {"LINES": "[]"},
            "uses": ["telemetry", "victorialogs", "audit", "jaeger"],
        }
        for name in SERVICES
    },
}
PLANTED = ("Ada", "Lovelace", "ada@example.com", "DE0212030000")
LINES = [
    json.dumps(
        {"message": "order 1", "level": "error", "email": "ada@example.com", "items": [{"iban": "DE0212030000"}]}
    ),
    json.dumps({"message": "order 2", "patient": [{"name": "Ada Lovelace", "bed": 7}], "note": "iban: DE0212030000"}),
    json.dumps({"message": "order 3", "inner": json.dumps({"Email": "ada@example.com", "total": 5})}),
    "order 4 email=ada@example.com patient_name='Ada Lovelace' total=5",
    "order 5 <patient><id>7</id><name>Ada Lovelace</name></patient><total>5</total>",
    'order 6 {"patient": {"id": 7, "name": "Ada Lovelace"}, "iban": "DE0212030000" cut off',
    "order 7 patient.name: Ada Lovelace, total: 5",
    "order 8 GET /pay?iban=DE0212030000&email=ada@example.com&total=5",
]


def declared():
    """The stack without its engine, and pods of its services."""
    every = Platform.read(SECTIONS, stack=SPACE, source="test").manifests()
    engine = [item for item in every if item["metadata"]["name"] == "controller"]
    releases = [item for item in every if item["kind"] == "GrayRelease"]
    return [item for item in every if item not in engine + releases], [_pod_of(release) for release in releases]


def _pod_of(release):
    template = release["spec"]["workload"]["template"]
    spec = {**template["spec"], "terminationGracePeriodSeconds": 1}
    for container in spec["containers"]:
        for key in ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"):
            container.pop(key, None)
        for variable in container["env"]:
            if variable["name"] == "LINES":
                variable["value"] = json.dumps(LINES)
    meta = {**template["metadata"], "name": release["metadata"]["name"], "namespace": SPACE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def siem():
    """The sink outside: its certificate, its address, its pod."""
    safety = self_signed([f"siem.{SPACE}.svc"])
    keys = {"tls.crt": safety["certificate"], "tls.key": safety["key"]}
    for name, values in (("siem-keys", keys), ("siem-ca", {"ca.crt": safety["ca"]})):
        data = {key: b64encode(text.encode()).decode() for key, text in values.items()}
        yield {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": SPACE}, "data": data}
    ports = [{"name": "syslog", "port": 6514, "targetPort": 6514}]
    meta = {"name": "siem", "namespace": SPACE}
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {"selector": {"app": "siem"}, "ports": ports},
    }
    yield _bare("siem", ["python3", "-c", SIEM], {"app": "siem"}, {"secretName": "siem-keys"})
    # Sees the processes of its node, and is the collectors' own user there.
    same = {"runAsUser": UID}
    yield _bare("killer", ["sleep", "100000"], {"app": "killer"}, None, hostPID=True, securityContext=same)


def _bare(name, command, labels, secret, **more):
    container = {"name": name, "image": PYTHON, "command": command}
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container], **more}
    if secret:
        container["volumeMounts"] = [{"name": "keys", "mountPath": "/keys"}]
        spec["volumes"] = [{"name": "keys", "secret": secret}]
    meta = {"name": name, "namespace": SPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


@pytest.fixture(scope="module")
def stack(cluster_kubeconfig):
    """Up once for all tests of this module."""

    async def up():
        async with await Cluster.open(kubeconfig=cluster_kubeconfig) as cluster:
            parts, pods = declared()
            applied = asyncio.create_task(Applier(cluster, INVENTORY, patience=Patience(300)).apply(parts))
            await until(lambda: cluster.find(NAMESPACE, SPACE))
            for each in siem():  # the collector waits for its authority
                await cluster.apply(each, manager="test")
            await applied
            for each in pods:
                await cluster.apply(each, manager="test")
            for name in (*SERVICES, "siem", "killer"):
                await until(lambda name=name: _runs(cluster, name))

    async def down():
        async with await Cluster.open(kubeconfig=cluster_kubeconfig) as cluster:
            plan = await plan_teardown(cluster, INVENTORY)
            await tear_down(cluster, INVENTORY, plan, Patience(240), lambda _line: None)
            assert await cluster.find(NAMESPACE, SPACE) is None

    try:
        asyncio.run(up())
        yield
    finally:
        asyncio.run(down())


@pytest.fixture
async def cluster(stack, cluster_kubeconfig):
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as opened:
        yield opened


async def _runs(cluster, name):
    pod = await cluster.find(POD, name, SPACE)
    return pod is not None and pod["status"]["phase"] == "Running"


async def call(cluster, expression, pod="shop"):
    """What an expression of the client is, in a pod of a service."""
    told = await run(cluster, SPACE, pod, pod, "python3", "-c", f"{CLIENT_PARTS}\nprint(json.dumps({expression}))")
    return json.loads(told.splitlines()[-1])


CLIENT_PARTS = CLIENT.partition("\nif __name__")[0]


async def found(cluster, query, store="VICTORIALOGS", pod="shop", at_least=1):
    """Lines of a store, once there are as many."""

    async def look():
        lines = await call(cluster, f"logs({store!r}, {query!r})", pod)
        return lines if len(lines) >= at_least else None

    return await until(look)


async def scaled(cluster, name, replicas):
    await cluster.merge_patch(STATEFUL_SET, name, SPACE, {"spec": {"replicas": replicas}}, manager="test")

    async def there():
        status = (await cluster.find(STATEFUL_SET, name, SPACE))["status"]
        return status.get("readyReplicas", 0) == replicas and status.get("replicas", 0) == replicas

    await until(there)


async def test_lines_of_pods_arrive_with_personal_fields_masked(cluster):
    for pod in SERVICES:
        store = "AUDIT" if pod == "payments" else "VICTORIALOGS"
        severe = await found(
            cluster, f'service.name:="{pod}" order', store, at_least=1 if pod == "payments" else len(LINES)
        )
        told = json.dumps(severe)
        assert [each for each in PLANTED if each in told] == []
        assert told.count("****") >= len(severe)
    lines = {line["_msg"].split(" {")[0][:7]: line for line in await found(cluster, 'service.name:="shop" order')}
    assert lines["order 1"] | {"email": "****", "items.0.iban": "****", "severity_number": "17"} == lines["order 1"]
    assert lines["order 2"] | {"patient.0.bed": "7", "patient.0.name": "****"} == lines["order 2"]
    assert lines["order 4"]["_msg"] == "order 4 email=**** patient_name='****' total=5"
    assert lines["order 5"]["_msg"].endswith("<id>7</id><name>****</name></patient><total>5</total>")
    assert lines["order 7"]["_msg"] == "order 7 patient.name: ****, total: 5"
    assert lines["order 8"]["_msg"].endswith("?iban=****&email=****&total=5")
    assert lines["order 8"]["k8s.namespace.name"] == SPACE


async def test_traces_arrive_with_personal_fields_masked(cluster):
    extra = {
        "email": "ada@example.com",
        "order": {"patient": {"name": "Ada Lovelace"}},
        "url.full": "/a?iban=DE0212030000",
    }
    events = [("paid by email=ada@example.com", {"patient.name": "Ada Lovelace", "step": 3})]
    sent = f"span('GET /pay?iban=DE0212030000&x=1', {extra!r}, {events!r}, 'no patient.name=Ada Lovelace')"
    assert await call(cluster, sent) == 200

    async def look():
        return (await call(cluster, "traces('/api/traces?service=shop&lookback=1h&limit=20')"))["data"]

    told = json.dumps(await until(look))
    assert [each for each in PLANTED if each in told] == []
    assert told.count("****") >= 6
    assert "GET /pay?iban=****&x=1" in told


async def test_a_class_of_lines_goes_where_its_rule_says_and_nowhere_else(cluster):
    sent = [("charge refused for email=ada@example.com", 13, {}), ("charge made", 9, {})]
    for pod in SERVICES:
        assert await call(cluster, f"lines({sent!r})", pod) == 200
    kept = await found(cluster, "charge", "AUDIT")
    assert {(each["service.name"], each["_msg"]) for each in kept} == {("payments", "charge refused for email=****")}
    assert kept[0]["grayling.retention_days"] == "365"
    others = await found(cluster, "charge", at_least=3)
    assert sorted((each["service.name"], each["_msg"]) for each in others) == [
        ("payments", "charge made"),
        ("shop", "charge made"),
        ("shop", "charge refused for email=****"),
    ]

    async def alarmed():
        messages = json.loads(await cluster.pod_text(SPACE, "siem", 8080, "/"))
        return [each for each in messages if "charge" in each]

    (message,) = await until(alarmed)
    assert message.startswith("<12>1 ")
    assert " payments " in message
    assert 'class="1"' in message
    assert message.rstrip().endswith("charge refused for email=****")


async def test_the_wrong_token_and_plain_text_are_refused(cluster):
    sent = "[('unwelcome', 9, {})]"
    assert await call(cluster, f"lines({sent}, headers={{}})") == 401
    assert await call(cluster, f"lines({sent}, headers={{'Authorization': 'Bearer wrong'}})") == 401
    assert await call(cluster, "span('x', {}, headers={'Authorization': 'Bearer wrong'})") == 401
    plain = await call(cluster, f"lines({sent}, address=OTLP.replace('https', 'http'))")
    assert plain in {400, "RemoteDisconnected", "ConnectionResetError"}
    for name in ("VICTORIALOGS", "AUDIT"):
        assert (
            await call(cluster, f"ask(store({name!r})[0], '/select/logsql/query?query=x', store({name!r})[1], 'a:b')")
            == 401
        )
    asked = "ask(os.environ['TRACES_URL'], '/api/services', os.environ['JAEGER_CA_FILE'], 'a:b')"
    assert await call(cluster, asked) == 401
    assert await call(cluster, "logs('VICTORIALOGS', 'unwelcome')") == []


async def test_nothing_is_lost_while_a_sink_is_away_and_a_collector_is_killed(cluster):
    assert await call(cluster, "counted('kept', 0, 500)") == [500, 0]
    await scaled(cluster, "victorialogs", 0)
    sending = asyncio.create_task(call(cluster, "counted('kept', 500, 6500, 900)"))

    async def told():
        return {"VictoriaLogsDown", "OtelCollectorQueueFills"} <= (await alerts(cluster, SPACE)).keys()

    for waiting in (500_000, 2_000_000):
        await until(lambda least=waiting: _queued(cluster, least))
        await run(cluster, SPACE, "killer", "killer", "python3", "-c", KILL)
    assert (await sending)[0] == 6000
    await until(told)
    (status,) = (await cluster.find(POD, "telemetry-0", SPACE))["status"]["containerStatuses"]
    assert status["restartCount"] == 2
    await scaled(cluster, "victorialogs", 1)

    async def counted():
        (line,) = await call(cluster, "logs('VICTORIALOGS', 'kept | extract \"kept-<n> \" | count_uniq(n) as n')")
        return int(line["n"]) == 6500

    await until(counted)


async def _queued(cluster, least):
    found = await series(cluster, SPACE, f'otelcol_exporter_queue_size{{exporter="otlp_http/victorialogs"}} > {least}')
    return [each for each in found if each["metric"]["instance_name"] == "telemetry"]


KILL = """
import os, signal
from pathlib import Path
wanted = [b"/bin/otel-collector", b"--config=/etc/otelcol/config.yaml", b""]
every = [each for each in Path("/proc").iterdir() if each.name.isdigit()]
found = [int(each.name) for each in every if (each / "cmdline").read_bytes().split(b"\\0") == wanted]
assert len(found) == 1, found
os.kill(found[0], signal.SIGKILL)
"""


async def test_a_copy_of_a_day_is_made_while_it_runs_and_put_back(cluster):
    assert await call(cluster, "lines([('precious', 9, {})])") == 200
    await found(cluster, "precious")

    async def there(many):
        async def look():
            return len(await call(cluster, "logs('VICTORIALOGS', 'precious')")) == many

        return await until(look)

    await run(cluster, SPACE, "victorialogs-0", "metrics", "python3", "-c", f"{COPY}\ncopy()")
    await run(cluster, SPACE, "victorialogs-0", "metrics", "python3", "-c", f"{COPY}\nlose()")
    await there(0)
    await run(cluster, SPACE, "victorialogs-0", "metrics", "python3", "-c", f"{COPY}\nput_back()")
    await there(1)


async def test_every_panel_and_rule_has_its_series_and_no_alert_is_left(cluster):
    platform = Platform.read(SECTIONS, stack=SPACE, source="test")
    own = SimpleNamespace(components=[each for each in platform.components if each.kind in KINDS])
    assert len(own.components) == 5
    assert await call(cluster, "[span('again', {}), lines([('again', 9, {})])]") == [200, 200]

    async def without():
        found = [each for each in wanted(own.components) if expected(each[1])]
        return [each for each in found if not await has_data(cluster, SPACE, each[1], numbers="panel" in each[0])]

    async def loud():
        ours = {alert.name for each in own.components for alert in each.alerts()}
        return sorted(ours & (await alerts(cluster, SPACE)).keys())

    assert await eventually(without) == []
    assert await eventually(loud, seconds=400) == []
