"""`grayling review probe`: a look beside a preview, as CI makes it."""

from __future__ import annotations

import json

import pytest

import grayling
from terminal.exits import Session, run

STACK = (
    "config:\n  grayling:environment: {tier: dev, namespace: shop, owners: [a]}\n"
    "  grayling:components:\n    redis: {image: 'registry.example.com/redis:7.0'}\n"
)
URN = "urn:pulumi:shop::grayling::kubernetes:apps/v1:StatefulSet::shop/redis"


@pytest.fixture
def preview(tmp_path):
    inputs = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "redis", "namespace": "shop"}}
    state = {"type": "kubernetes:apps/v1:StatefulSet", "custom": True, "inputs": {**inputs, "spec": {"replicas": 1}}}
    after = {**state, "inputs": {**inputs, "spec": {"replicas": 2}}}
    step = {"op": "update", "urn": URN, "oldState": state, "newState": after, "detailedDiff": None}
    path = tmp_path / "preview.json"
    path.write_text(json.dumps({"steps": [step], "diagnostics": [], "changeSummary": {"update": 1}}))
    return path


def probed(person, stack, preview, *more):
    try:
        command = ["review", "probe", stack, "--from", str(preview), "--kubeconfig", person.kubeconfig, *more]
        code = run(grayling.cli, command, prog_name="grayling", session=Session())
    except SystemExit as end:
        code = end.code or 0
    return code, person.capsys.readouterr()


def test_it_tells_where_each_object_stands(person, preview):
    path = person.stack("shop", STACK)
    assert person.apply(path).code == 0
    code, said = probed(person, path, preview)
    assert code == 0, said.err
    made = json.loads(said.out)
    assert made["schema"] == "grayling.probe/1"
    assert list(made["objects"]) == ["StatefulSet shop/redis"]
    assert "@" in made["objects"]["StatefulSet shop/redis"]
    assert "cluster: context test" in said.err


def test_a_cluster_that_is_away_makes_no_probe(person, preview):
    path = person.stack("shop", STACK)
    person.server.fail("GET", "/version", 503, times=99)
    person.server.fail("GET", "/api/v1", 503, times=99)
    person.server.fail("GET", "/apis/apps/v1", 503, times=99)
    code, said = probed(person, path, preview)
    assert code not in {0, 3}
    assert said.out == ""


def test_a_preview_that_was_cut_is_named(person, preview):
    path = person.stack("shop", STACK)
    preview.write_text(preview.read_text()[:80])
    code, said = probed(person, path, preview)
    assert code == 2
    assert f"{preview}: ends in the middle" in said.err
