"""Native histograms as a real Prometheus scrapes, keeps and tells them."""

from __future__ import annotations

import asyncio
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kube.cluster import Cluster
from kube.kinds import NAMESPACE, POD
from rollout.signals.looks import Arm
from rollout.sources.ask import ProxyAsk
from rollout.sources.pod_roster import Roster
from rollout.sources.prometheus import PrometheusSource
from rollout.sources.prometheus_hub import PrometheusHub
from tests.rollout.sources.builders import CANARY, STABLE, T, info, signal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rollout.signals.looks import SignalLook

TARGET = Path(__file__).with_name("native_target.py")
PODS = {"s": ("9101:3:10:0", 10, 0), "c": ("9102:5:10:5", 10, 5)}
"""What each pod's target is told, and the requests of 50 ms and of 2 s that it counts between two scrapes."""


def configuration(namespace: str) -> str:
    targets = [
        {"targets": [f"127.0.0.1:{told.partition(':')[0]}"], "labels": {"namespace": namespace, "pod": pod}}
        for pod, (told, _, _) in PODS.items()
    ]
    job = {"job_name": "pods", "static_configs": targets}
    return yaml.safe_dump({"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]})


def manifests(namespace: str) -> list[dict[str, Any]]:
    mount = [{"name": "files", "mountPath": "/files"}]
    flags = ["--config.file=/files/prometheus.yml", "--enable-feature=native-histograms", "--storage.tsdb.path=/tmp/d"]
    containers = [
        {
            "name": "target",
            "image": "sandbox.grayling.dev/python:3.11",
            "command": ["python3", "/files/native_target.py", *(told for told, _, _ in PODS.values())],
            "volumeMounts": mount,
        },
        {
            "name": "prometheus",
            "image": "sandbox.grayling.dev/prometheus:2.42",
            "command": ["/usr/bin/prometheus", *flags],
            "volumeMounts": mount,
            "readinessProbe": {"httpGet": {"path": "/-/ready", "port": 9090}, "periodSeconds": 1},
        },
    ]
    files = {"prometheus.yml": configuration(namespace), TARGET.name: TARGET.read_text()}
    volume = {"name": "files", "configMap": {"name": "files"}}
    named = {"namespace": namespace, "labels": {"app": "prometheus"}}
    return [
        {"kind": "Namespace", "metadata": {"name": namespace}},
        {"kind": "ConfigMap", "metadata": {"name": "files", **named}, "data": files},
        {
            "kind": "Service",
            "metadata": {"name": "prometheus", **named},
            "spec": {"selector": named["labels"], "ports": [{"port": 9090}]},
        },
        {
            "kind": "Pod",
            "metadata": {"name": "prometheus", **named},
            "spec": {"containers": containers, "volumes": [volume], "terminationGracePeriodSeconds": 1},
        },
    ]


@pytest.fixture
async def cluster(cluster_kubeconfig: str) -> AsyncIterator[Cluster]:
    async with await Cluster.open(kubeconfig=cluster_kubeconfig) as it:
        yield it


@pytest.fixture
async def namespace(cluster: Cluster) -> AsyncIterator[str]:
    """Prometheus and its two targets, in a namespace of their own."""
    name = f"native-{uuid.uuid4().hex[:8]}"
    for made in manifests(name):
        await cluster.apply({"apiVersion": "v1", **made}, manager="test", force=True)
    async with asyncio.timeout(60):
        while not ready(await cluster.get(POD, "prometheus", name)):
            await asyncio.sleep(0.2)
    yield name
    await cluster.delete(NAMESPACE, name)


def ready(pod: dict[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


async def looks_at(source: PrometheusSource, pods: Roster, wanted: int) -> list[SignalLook]:
    """The first looks in which both pods counted something."""
    found: list[SignalLook] = []
    async with asyncio.timeout(30):
        while len(found) < wanted:
            found += [look for look in await source.sample(pods, time.time()) if set(look.pods) == set(PODS)]
    return found


async def test_native_histograms_of_a_real_prometheus_and_why_it_refuses_a_query(
    cluster: Cluster, namespace: str
) -> None:
    arms = (info("s", Arm.STABLE, started=T), info("c", Arm.CANARY, started=T))
    pods, hub = Roster(namespace, STABLE, CANARY, arms), PrometheusHub(ProxyAsk(cluster, prometheus(namespace)))
    for query in (None, "sum by (pod) (http_request_duration_seconds)"):
        source = PrometheusSource(hub, [signal("latency", "prometheus", query=query)])
        for look in await looks_at(source, pods, 3):
            at = [round(edge, 6) for edge in look.edges_seconds].index(1.0)
            for pod, (_, fast, slow) in PODS.items():
                counts, scrapes = look.pods[pod].latency_counts, round(look.pods[pod].exposure_seconds)
                assert (sum(counts[: at + 1]), sum(counts[at + 1 :])) == (fast * scrapes, slow * scrapes)
    refused = PrometheusSource(hub, [signal("latency", "prometheus", query="sum by (pod) (no bracket")])
    (look,) = await refused.sample(pods, time.time())
    assert "parse error" in look.reason


def prometheus(namespace: str) -> str:
    return f"http://prometheus.{namespace}:9090"
