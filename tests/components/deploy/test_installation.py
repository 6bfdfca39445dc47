"""The engine without a stack file: real Helm renders the chart, and what comes out is what the component declares."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from components.deploy.chart import Knob, Templates
from components.deploy.installation import HELM_KEEPS, component, declared, files, write
from components.deploy.render import normal
from components.model.layers import identity
from kube.errors import GraylingError

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "grayling"
IMAGE = "registry.example.com/team/grayling:1.4.2"
DIGEST = f"registry.example.com:5000/team/grayling@sha256:{'ab' * 32}"

SETTINGS = {
    "nothing but the image": ({"image": IMAGE}, {"image": IMAGE, "replicas": 2}),
    "an image by its digest": ({"image": DIGEST}, {"image": DIGEST, "replicas": 2}),
    "an image by both": ({"image": IMAGE + "@" + DIGEST.split("@")[1]},) * 2,
    "one replica": ({"image": IMAGE, "replicas": 1},) * 2,
    "other namespaces": ({"image": IMAGE, "namespaces": ["shop", "billing", "9", "shop", "engine"]},) * 2,
    "reads logs there too": ({"image": IMAGE, "namespaces": ["shop"], "readLogs": True},) * 2,
    "nothing cluster-wide": ({"image": IMAGE, "readNodes": False, "installDefinitions": False},) * 2,
    **{f"{many} in flight": ({"image": IMAGE, "maxInFlight": many},) * 2 for many in (1, 22, 23, 200, 600, 999, 1000)},
    "on its own nodes": (
        {
            "image": IMAGE,
            "nodeSelector": {"pool": "engine"},
            "tolerations": [{"key": "engine", "operator": "Exists", "effect": "NoSchedule"}],
            "priorityClassName": "high",
            "podAnnotations": {"example.com/team": "platform"},
            "imagePullSecrets": [{"name": "registry"}],
        },
        {
            "image": IMAGE,
            "nodeSelector": {"pool": "engine"},
            "tolerations": [{"key": "engine", "effect": "NoSchedule"}],
            "priorityClass": "high",
            "podAnnotations": {"example.com/team": "platform"},
            "pullSecrets": ["registry"],
        },
    ),
}


def helm_template(helm, values, namespace="engine"):
    command = [helm, "template", "main", str(CHART), "--namespace", namespace, "--values", "-"]
    return subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)


def rendered(helm, values, **where):
    done = helm_template(helm, values, **where)
    assert done.returncode == 0, done.stderr
    return [normal(each) for each in yaml.safe_load_all(done.stdout) if each]


def by_name(manifests):
    manifests = list(manifests)
    made = {identity(each): each for each in manifests}
    assert len(made) == len(manifests)
    return made


def without_helms_own(manifest):
    meta = manifest["metadata"]
    return {**manifest, "metadata": {**meta, "annotations": dict(meta["annotations"].items() - HELM_KEEPS.items())}}


@pytest.mark.parametrize(("values", "settings"), SETTINGS.values(), ids=SETTINGS)
def test_the_chart_gives_what_the_component_gives_for_the_same_settings(helm, values, settings):
    settings = {"replicas": 2, **settings}
    environment = {"pullSecrets": settings.pop("pullSecrets", [])}
    wanted = component(settings, namespace="engine", stack="main", environment=environment)
    found = rendered(helm, values)
    assert by_name(map(without_helms_own, found)) == by_name(wanted)


def test_what_the_container_asks_for_is_a_value_of_its_own(helm):
    [found] = [
        each
        for each in rendered(helm, {"image": IMAGE, "resources": {"cpu": "2", "memory": "1Gi"}})
        if each["kind"] == "Deployment"
    ]
    [container] = found["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}


def test_definitions_are_upgraded_with_the_chart_and_stay_when_it_goes(helm):
    assert not (CHART / "crds").exists()
    found = [each for each in rendered(helm, {"image": IMAGE}) if each["kind"] == "CustomResourceDefinition"]
    assert "grayreleases.grayling.dev" in {each["metadata"]["name"] for each in found}
    assert all(each["metadata"]["annotations"].items() >= HELM_KEEPS.items() for each in found)


REFUSED = {
    "image: is not set; give the engine's image": {},
    "at '/image'": {"image": "registry.example.com/grayling"},
    "at '/image': 'not' failed": {"image": "registry.example.com/grayling:latest"},
    "at '/replicas': maximum: got 9, want 5": {"image": IMAGE, "replicas": 9},
    "at '/replicas': got string, want integer": {"image": IMAGE, "replicas": "2"},
    "additional properties 'replica' not allowed": {"image": IMAGE, "replica": 2},
    "at '/namespaces/0': 'Shop' does not match pattern": {"image": IMAGE, "namespaces": ["Shop"]},
    "at '/maxInFlight': minimum: got 0, want 1": {"image": IMAGE, "maxInFlight": 0},
    "at '/resources/cpu': 'much' does not match pattern": {"image": IMAGE, "resources": {"cpu": "much"}},
    "at '/resources/memory'": {"image": IMAGE, "resources": {"memory": "much"}},
    "at '/imagePullSecrets/0'": {"image": IMAGE, "imagePullSecrets": ["registry"]},
}


@pytest.mark.parametrize(("said", "values"), REFUSED.items(), ids=REFUSED)
def test_values_that_are_wrong_are_refused_with_their_place(helm, said, values):
    done = helm_template(helm, values)
    assert done.returncode != 0
    assert said in done.stderr


def test_helm_finds_no_fault_in_the_chart(helm):
    subprocess.run([helm, "lint", "--strict", str(CHART), "--set", f"image={IMAGE}"], check=True, capture_output=True)


@pytest.mark.parametrize("name", files())
def test_what_is_committed_is_what_is_generated(name):
    assert (ROOT / name).read_text() == files()[name], "run `make generate`"


def test_nothing_else_lies_beside_what_is_generated():
    there = {path for room in ("charts", "install") for path in (ROOT / room).rglob("*") if path.is_file()}
    assert {str(path.relative_to(ROOT)) for path in there} == set(files())


def test_plain_manifests_are_those_of_a_stack_with_the_engine_alone(tmp_path):
    write(tmp_path, IMAGE)
    texts = [(tmp_path / "install" / name).read_text() for name in ("definitions.yaml", "controller.yaml")]
    found = [each for text in texts for each in yaml.safe_load_all(text)]
    assert by_name(found) == by_name(declared({"image": IMAGE, "replicas": 2}, namespace="grayling", stack="install"))
    assert f"image: {IMAGE}" in (tmp_path / "charts" / "grayling" / "values.yaml").read_text()


def map_of(**data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": data}


def test_a_change_that_no_template_can_say_is_an_error_of_the_generator():
    full, less = [map_of(a="1 of sentinel", b="2")], [map_of(a="2")]
    with pytest.raises(GraylingError, match=r"ConfigMap  one\.data\.a: '1 of sentinel' changes with a value"):
        Templates(full, (Knob(less, said={"9": "$.Values.a"}),), {}).text(full)
    with pytest.raises(GraylingError, match="has no place in a template"):
        Templates(full, (), {}).text(full)
    with pytest.raises(GraylingError, match="is there with less on"):
        Templates(less, (Knob(full),), {}).text(less)
    twice = Knob([], opening="if a"), Knob([], opening="if b")
    with pytest.raises(GraylingError, match="two values of the chart change it"):
        Templates(full, twice, {}).text(full)


def test_what_looks_like_a_template_in_a_manifest_is_text(helm, tmp_path):
    odd = [map_of(a="{{ $labels.pod }}", b="{{- end }}\nsecond", c='"{{x}}"')]
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: odd\nversion: 1.0.0\n")
    (tmp_path / "templates" / "all.yaml").write_text(Templates(odd, (), {}).text(odd))
    done = subprocess.run([helm, "template", str(tmp_path)], capture_output=True, text=True, check=True)
    assert [normal(each) for each in yaml.safe_load_all(done.stdout)] == [normal(each) for each in odd]
