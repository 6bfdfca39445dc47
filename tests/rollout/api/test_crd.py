"""The definition is fresh, structural, and says no to what the models say no to."""

from pathlib import Path

import pytest
import yaml

from rollout.api.crd import approval_definition, definition, structural
from rollout.api.definitions import FILES, rendered
from rollout.api.spec import (
    Signal,
    SignalKind,
    SourceName,
    Spec,
)
from rollout.api.status import Status

MANIFESTS = Path(__file__).parents[3] / "manifests"
COMMITTED = {
    "grayreleases": MANIFESTS / "crds" / "grayreleases.yaml",
    "approvals": MANIFESTS / "crds" / "approvals.yaml",
    "policy": MANIFESTS / "policies" / "approvals.yaml",
}


def _walk(node, path="schema"):
    yield path, node
    for key, child in node.get("properties", {}).items():
        yield from _walk(child, f"{path}.{key}")
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from _walk(node[key], f"{path}.{key}")


def _version():
    return definition()["spec"]["versions"][0]


@pytest.mark.parametrize("name", FILES)
def test_the_committed_file_is_what_the_models_say(name):
    assert COMMITTED[name].read_text() == rendered(name), "run: make generate"
    assert list(yaml.safe_load_all(rendered(name))) == FILES[name][1]()


KEYWORDS = {
    *("type", "description", "properties", "required", "items", "additionalProperties", "default", "enum", "format"),
    *("pattern", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "uniqueItems"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "nullable"),
}
"""What a schema of the API server may say; `x-kubernetes-…` besides. One unknown word, and it refuses all of it."""


@pytest.mark.parametrize("made", [definition(), approval_definition()], ids=["GrayRelease", "Approval"])
def test_every_node_is_structural(made):
    root = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for path, node in _walk(root):
        assert "type" in node or node.get("x-kubernetes-int-or-string"), path
        assert {key for key in node if not key.startswith("x-kubernetes-")} <= KEYWORDS, path
        assert not ("properties" in node and "additionalProperties" in node), path
        assert node.get("type") != "array" or "items" in node, path
        assert isinstance(node.get("exclusiveMinimum", True), bool), path


def test_lists_that_are_maps_have_their_key_required():
    for path, node in _walk(_version()["schema"]["openAPIV3Schema"]):
        for key in node.get("x-kubernetes-list-map-keys", ()):
            assert key in node["items"]["required"], path


def test_defaults_are_those_of_single_values_and_of_the_spec_alone():
    steps = structural(Spec, defaults=True)["properties"]["strategy"]["properties"]["steps"]
    assert steps["items"]["properties"]["hold"]["default"] == "1m"
    assert "default" not in steps
    assert not [path for path, node in _walk(structural(Status, defaults=False)) if "default" in node]


def test_lists_that_rules_walk_over_are_bounded():
    spec = structural(Spec, defaults=True)["properties"]
    assert spec["strategy"]["properties"]["steps"]["maxItems"] == 32
    assert spec["analysis"]["properties"]["signals"]["maxItems"] == 32
    assert spec["workload"]["properties"]["ports"]["maxItems"] == 32


@pytest.mark.parametrize("kind", list(SignalKind))
def test_the_rule_names_just_the_sources_the_model_takes(kind):
    signal = structural(Spec, defaults=True)["properties"]["analysis"]["properties"]["signals"]["items"]
    rule = next(rule for rule in signal["x-kubernetes-validations"] if f"'{kind.value}'" in rule["rule"])
    for source in SourceName:
        try:
            Signal(name="x", kind=kind, source=source, metric="m", pattern="p")
            taken = True
        except ValueError:
            taken = False
        assert (f'"{source.value}"' in rule["rule"]) is taken


def test_containers_are_told_apart_by_name():
    template = structural(Spec, defaults=True)["properties"]["workload"]["properties"]["template"]
    containers = template["properties"]["spec"]["properties"]["containers"]
    assert containers["x-kubernetes-list-map-keys"] == ["name"]
    assert template["x-kubernetes-preserve-unknown-fields"] is True


def test_columns_and_names():
    assert [column["name"] for column in _version()["additionalPrinterColumns"]] == [
        "Phase",
        "Step",
        "Weight",
        "Stable",
        "Canary",
        "Verdict",
        "Observed",
        "Holder",
        "Age",
    ]
    names = definition()["spec"]["names"]
    assert names["shortNames"] == ["gr"]
    assert names["categories"] == ["grayling"]


def test_the_status_keeps_what_a_newer_engine_writes():
    root = _version()["schema"]["openAPIV3Schema"]["properties"]
    status = root["status"]
    parts = [status, *(status["properties"][name] for name in ("release", "stable", "weight", "waiting"))]
    parts.append(status["properties"]["release"]["properties"]["journal"]["items"])
    assert all(part["x-kubernetes-preserve-unknown-fields"] for part in parts)
    assert "enum" not in status["properties"]["phase"], "nor is a phase refused that only the newer one knows"
    assert "x-kubernetes-preserve-unknown-fields" not in root["spec"]
