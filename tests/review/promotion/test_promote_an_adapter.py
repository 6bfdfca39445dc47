"""An adapter's routes are its code: they go on as a service's image does."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from components.deploy.session import render_service
from components.stack.stackfile import find
from components.stack.versions import declares, set_image
from kube.errors import UsageError
from tests.review.promotion.conftest import PROD, STAGING, ended, releases, settle

ADAPTER = """  grayling:components:
    bridge:
      kind: camel
      image: r.example.com/shop/camel:{version}
      deadLetters: {{to: "file:/var/dead-{version}"}}
      routes:
        orders:
          - route: {{id: orders-{version}, from: {{uri: "file:/in", steps: [{{to: "file:/out"}}]}}}}
"""


@pytest.fixture
def adapters(promoter):
    """Both environments have the adapter, and the newer one was proven."""
    for file, text, version in ((promoter.staging, STAGING, 2), (promoter.prod, PROD, 1)):
        Path(file).write_text(text + ADAPTER.format(version=version))
    made = releases(promoter.staging)["bridge"]
    settle(promoter.person.server, made, ended(made))
    return promoter


def bridge(file):
    return yaml.safe_load(Path(file).read_text())["config"]["grayling:components"]["bridge"]


def test_its_routes_go_and_its_dead_letters_stay(adapters):
    done = adapters.asking("--only", "bridge")
    assert done.code == 0, done
    after = bridge(adapters.prod)
    assert after["image"] == "r.example.com/shop/camel:2"
    assert after["routes"] == bridge(adapters.staging)["routes"]
    assert after["deadLetters"] == {"to": "file:/var/dead-1"}
    assert adapters.asking("--only", "bridge").out.startswith("nothing to do")


def test_one_that_is_a_service_there_is_another_thing(adapters):
    Path(adapters.prod).write_text(PROD + "    bridge:\n      image: r.example.com/shop/bridge:1\n")
    done = adapters.asking("--only", "bridge")
    assert done.code != 0
    assert "bridge: is an adapter in one of " in done.err
    assert "Traceback" not in done.err


def test_a_release_of_it_is_started_as_one_of_a_service(adapters):
    file = find(adapters.prod)
    assert declares(file, "bridge")
    made = [
        item for item in render_service(file, "bridge", "r.example.com/shop/camel:3") if item["kind"] == "GrayRelease"
    ]
    assert made[0]["spec"]["workload"]["template"]["spec"]["containers"][0]["image"] == "r.example.com/shop/camel:3"
    assert set_image(file, "bridge", "r.example.com/shop/camel:3")
    assert bridge(adapters.prod)["image"] == "r.example.com/shop/camel:3"
    with pytest.raises(UsageError, match="no service 'brige'; did you mean 'bridge'"):
        set_image(file, "brige", "a/b:1")
