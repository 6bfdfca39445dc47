"""Endpoints that nobody would reach, or that no pod can have, are refused where they are written."""

from __future__ import annotations

import re

import pytest

from components.model.component import Component
from components.model.endpoints import (
    SCRAPERS,
    USERS,
    Endpoint,
)
from components.model.pods import (
    SIDECAR,
    Container,
    Pod,
    Probe,
    sleep,
)
from components.model.profiles import Size
from components.model.settings import WorkloadSettings
from components.stack.catalogue import KINDS
from components.workloads.baseline import deployment
from tests.components.conftest import read
from tests.components.model.values import IMAGE


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "prom", "port": 7777, "readers": SCRAPERS}, "Prometheus looks for one port called 'metrics'"),
        ({"name": "metrics", "port": 7777, "readers": SCRAPERS | USERS, "last": 7778}, "one port called 'metrics'"),
        ({"name": "client", "port": 0}, "0 to 0 are no ports"),
        ({"name": "client", "port": 5, "last": 4}, "5 to 4 are no ports"),
        ({"name": "client", "port": 5, "last": 65536}, "5 to 65536 are no ports"),
    ],
)
def test_endpoints_that_nobody_would_reach_are_refused_where_they_are_written(wrong, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        Endpoint(**wrong)


@pytest.mark.parametrize(
    ("endpoints", "said"),
    [
        ((Endpoint("client", 1, USERS, container="other"),), "endpoint 'client' is of 'other', the pod has ['server']"),
        (
            (Endpoint("metrics", 1, SCRAPERS), Endpoint("metrics", 2, SCRAPERS, path="/more")),
            "one pod has its metrics at /metrics and at /more",
        ),
    ],
)
def test_endpoints_that_no_pod_can_have_are_refused(monkeypatch, endpoints, said):
    class Odd(Component[WorkloadSettings]):
        kind = "odd"

        def manifests(self):
            alive = Probe(1)
            resources = SIDECAR[Size.SMALL]
            server = Container("server", IMAGE, resources, readiness=alive, liveness=alive, pre_stop=sleep(1))
            return deployment(self, Pod(containers=(server,)), replicas=1)

    Odd.endpoints = endpoints
    monkeypatch.setitem(KINDS, "odd", Odd)
    with pytest.raises(ValueError, match=re.escape(said)):
        read(components={"odd": {}}).manifests()
