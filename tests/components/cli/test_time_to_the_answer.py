"""``requestTimeout`` is the time until an answer is there, wherever it is said: nothing else ends a request sooner."""

from __future__ import annotations

import pytest
import yaml

from components.model.mistakes import StackError
from tests.components.conftest import read

IMAGE = "registry.example.com/shop:1"


def rendered(gateway=None, reached=None, *, with_gateway=True):
    components = {"gateway": gateway or {}} if with_gateway else {}
    service = {"image": IMAGE, "traffic": reached or {}, "analysis": {"signals": [CRASHES]}}
    platform = read(components=components, services={"shop": service})
    return platform.manifests()


CRASHES = {"name": "crashes", "kind": "crashes", "source": "kubernetes"}


def of_route(items):
    return next(item for item in items if item["kind"] == "GrayRelease")["spec"]["traffic"].get("requestTimeout")


def limits(items):
    found = next(item for item in items if item["metadata"]["name"] == "gateway-contour" and "data" in item)
    return yaml.safe_load(found["data"]["contour.yaml"])["timeouts"]


@pytest.mark.parametrize(
    ("gateway", "reached", "route", "longest", "idle"),
    [
        ({}, {}, "0s", "infinity", "infinity"),
        ({"requestTimeout": "infinity"}, {"requestTimeout": "2s"}, "2s", "infinity", "infinity"),
        ({"requestTimeout": "60s"}, {}, "1m", "1m", "5m"),
        ({"requestTimeout": "60s"}, {"requestTimeout": "2s"}, "2s", "1m", "5m"),
        ({"requestTimeout": "60s"}, {"requestTimeout": "20m"}, "20m", "20m", "20m"),
        ({"requestTimeout": "60s"}, {"requestTimeout": "0s"}, "0s", "infinity", "infinity"),
    ],
)
def test_the_services_else_the_gateways(gateway, reached, route, longest, idle):
    items = rendered(gateway, reached)
    assert of_route(items) == route
    assert (limits(items)["request-timeout"], limits(items)["stream-idle-timeout"]) == (longest, idle)


def test_a_gateway_of_somebody_else_keeps_its_own_limit():
    assert of_route(rendered(with_gateway=False)) is None


def test_what_is_no_duration_is_refused():
    with pytest.raises(StackError, match=r"components\.gateway\.requestTimeout.*is no duration"):
        rendered({"requestTimeout": "soon"})
