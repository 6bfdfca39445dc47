"""Overlays: what they change, what they leave, and what is said of those that are wrong."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner

from components.cli import cli
from components.deploy.render import declared, recorded, render
from components.deploy.session import inventory_of
from components.deploy.target import place_of
from components.model.profiles import PROFILES
from components.stack.overlay import LEAST, laid_over
from components.stack.passphrase import new_salt
from components.stack.stackfile import find
from kube.errors import UsageError
from tests.components.conftest import ROOT, STACKS

SANDBOX = ROOT / "stacks" / "overlays" / "sandbox.yaml"
STACK = """\
config:
  grayling:environment:
    tier: prod
    namespace: shop
    owners: [platform]
    images: {docker.io/: mirror.example.com/hub/, redis: mirror.example.com/redis}
    profile: {members: 7}
  grayling:components:
    controller: {image: 'registry.example.com/grayling:1.0'}
    gateway: {envoyReplicas: 8, envoyResources: {cpu: 2, memory: 2Gi}}
    rabbitmq: {resources: {cpu: 4, memory: 8Gi}, storage: 50Gi}
    queue: {kind: rabbitmq, members: 5}
    redis: {mode: replication, replicas: 9}
    prometheus: {}
  grayling:services:
    shop:
      image: registry.example.com/shop:1.0
      resources: {cpu: 1, memory: 1Gi}
      autoscaling: {min: 2, max: 40, cpu: 70}
      sidecars:
        - name: proxy
          image: registry.example.com/proxy:1.0
          resources: {cpu: 1, memory: 1Gi}
          readiness: {port: 15021}
    jobs: {image: 'registry.example.com/jobs:1.0', port: null, replicas: 12}
    small: {image: 'registry.example.com/small:1.0', port: null, replicas: 1}
"""


@pytest.fixture
def stack(project):
    path = project / "stacks" / "Pulumi.big.yaml"
    path.write_text(STACK)
    return find("big", project)


def overlaid(stack, text, name="small.yaml"):
    path = stack.project / name
    path.write_text(text)
    return laid_over(stack, path)


def sections(stack):
    return {key.removeprefix("grayling:"): value for key, value in stack.config()[0].items()}


def named(manifests, kind, name):
    return next(item for item in manifests if item["kind"] == kind and item["metadata"]["name"] == name)


def requests(manifests):
    """CPU of every container."""
    found = []

    def look(value):
        """Into it."""
        if isinstance(value, dict):
            found.extend([value["requests"]["cpu"]] if "cpu" in value.get("requests", {}) else [])
            for inner in value.values():
                look(inner)
        elif isinstance(value, list):
            for inner in value:
                look(inner)

    look(manifests)
    return found


def test_counts_above_the_most_are_lowered_and_others_stay(stack):
    found = sections(overlaid(stack, "replicas: 4\n"))
    assert found["environment"]["profile"] == {"members": 3}
    assert found["components"]["gateway"]["envoyReplicas"] == 4
    assert found["components"]["queue"]["members"] == 3  # an odd number, so that a majority exists
    assert found["components"]["redis"]["replicas"] == 4
    assert found["services"]["shop"]["autoscaling"] == {"min": 2, "max": 4, "cpu": 70}
    assert found["services"]["jobs"]["replicas"] == 4
    assert found["services"]["small"]["replicas"] == 1


def test_no_tier_has_more_by_itself_than_an_overlay_may_leave():
    for profile in PROFILES.values():
        assert max(profile.replicas, profile.members) <= LEAST


def test_requests_become_those_of_the_size(stack):
    found = sections(overlaid(stack, "size: small\n"))
    assert found["environment"]["profile"] == {"members": 7, "size": "small"}
    assert found["components"]["rabbitmq"] == {"storage": "50Gi"}
    assert found["components"]["gateway"] == {"envoyReplicas": 8}
    assert found["services"]["shop"].keys() == {"image", "autoscaling", "sidecars"}
    assert found["services"]["shop"]["sidecars"] == [
        {"name": "proxy", "image": "registry.example.com/proxy:1.0", "readiness": {"port": 15021}}
    ]


def test_no_container_requests_more_cpu(stack):
    asked = requests(render(stack))
    lowered = requests(render(overlaid(stack, "cpu: 20m\n")))
    assert "4" in asked
    assert len(lowered) == len(asked)
    assert set(lowered) == {"10m", "20m"}  # what asked for less still does


def test_images_go_over_those_of_the_stack(stack):
    found = sections(
        overlaid(stack, "images: {docker.io/library/redis: local/redis:7, registry.example.com/: local/}\n")
    )
    assert found["environment"]["images"] == {
        "docker.io/": "mirror.example.com/hub/",
        "docker.io/library/redis": "local/redis:7",
        "registry.example.com/": "local/",
    }


def test_place_and_storage(stack):
    stack.path.write_text(STACK.replace("config:\n", "config:\n  kubernetes:context: prod-eu\n"))
    laid = overlaid(stack, "namespace: trial\nstorageClass: slow\ncluster: grayling-default\ndiscovery: sidecar\n")
    config = laid.config()[0]
    assert "kubernetes:context" not in config
    environment = config["grayling:environment"]
    assert (environment["namespace"], environment["storageClass"]) == ("trial", "slow")
    assert environment["cluster"] == "grayling-default"
    assert config["grayling:components"]["prometheus"] == {"discovery": "sidecar"}
    claims = named(render(laid), "StatefulSet", "rabbitmq")["spec"]["volumeClaimTemplates"]
    assert [claim["spec"]["storageClassName"] for claim in claims] == ["slow"]


@pytest.mark.parametrize("text", ["cpu: 1\n", "cluster: https://10.0.0.1:6443\n"])
def test_another_cluster_is_refused_with_the_way_to_name_it(stack, text):
    stack.path.write_text(STACK.replace("config:\n", "config:\n  kubernetes:context: prod-eu\n"))
    with pytest.raises(UsageError) as caught:
        place_of(overlaid(stack, text)).check("grayling-default", "https://10.201.0.2:6443")
    assert str(caught.value).startswith(f"{stack.project / 'small.yaml'}: cluster: this stack belongs to ")
    assert str(caught.value).endswith("or change cluster")
    place_of(overlaid(stack, "cluster: grayling-default\n")).check("grayling-default", "https://10.201.0.2:6443")


def test_it_is_another_stack(stack):
    laid = overlaid(stack, "namespace: trial\n")
    assert laid.stack == "big-small"
    assert (inventory_of(laid).name, inventory_of(laid).namespace) == ("grayling-stack-big-small", "trial")
    assert inventory_of(overlaid(stack, "cpu: 1\n")).namespace == "shop"


def test_the_stack_file_stays_as_it_is(stack):
    before = render(stack)
    render(overlaid(stack, SANDBOX.read_text()))
    assert stack.path.read_text() == STACK
    assert render(stack) == before


def test_secrets_are_opened_under_it(stack, monkeypatch):
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "correct horse")
    salt, crypter = new_salt("correct horse")
    secret = f"  grayling:secrets: {{payment: {{token: {{secure: '{crypter.seal('hunter2')}'}}}}}}\n"
    stack.path.write_text(f"encryptionsalt: {salt}\n{STACK}{secret}")
    config, keys = overlaid(stack, "replicas: 3\n").config()
    assert keys == ["grayling:secrets"]
    assert config["grayling:secrets"] == {"payment": {"token": "hunter2"}}
    assert config["grayling:services"]["jobs"]["replicas"] == 3


def test_a_program_of_ones_own_gets_what_both_say(stack):
    laid = overlaid(stack, "replicas: 3\ncpu: 20m\nnamespace: trial\n")
    program = stack.project / "__main__.py"
    found = {(item["kind"], item["metadata"]["name"]): item for item in recorded(laid, program)}
    assert found == {(item["kind"], item["metadata"]["name"]): item for item in declared(laid)}
    assert {item["metadata"].get("namespace", "trial") for item in found.values()} == {"trial"}
    program.write_text(program.read_text() + "\nprint()\n")
    assert set(requests(render(laid))) == {"10m", "20m"}


@pytest.mark.parametrize("name", STACKS)
def test_the_shape_of_every_stack_stays_in_the_sandbox(name):
    """Same objects, same policies, same spread; and no image that the sandbox has not."""
    stack = find(name, ROOT)
    whole, laid = render(stack), render(laid_over(stack, SANDBOX))
    assert [(item["kind"], item["metadata"]["name"]) for item in laid if item["kind"] != "Job"] == [
        (item["kind"], item["metadata"]["name"]) for item in whole if item["kind"] != "Job"
    ]
    for kind in ("NetworkPolicy", "PodDisruptionBudget", "Role", "Gateway", "Service"):
        assert [item for item in laid if item["kind"] == kind] == [item for item in whole if item["kind"] == kind]
    for before, after in zip(_workloads(whole), _workloads(laid), strict=True):
        assert (after["name"], after["spread"]) == (before["name"], before["spread"])
        assert after["replicas"] == min(before["replicas"], 3)
    text = json.dumps(laid)
    assert "registry.example.com/mirror" not in text
    assert set(_images(laid)) <= set(yaml.safe_load(SANDBOX.read_text())["images"].values())


def _workloads(manifests):
    for item in manifests:
        spec = item["spec"].get("workload", item["spec"]) if "spec" in item else {}
        if "template" in spec:
            pod = spec["template"]["spec"]
            yield {
                "name": item["metadata"]["name"] if item["kind"] != "Job" else "job",
                "replicas": spec.get("replicas", 1),
                "spread": (pod.get("topologySpreadConstraints"), pod.get("affinity")),
            }


def _images(value):
    if isinstance(value, dict):
        if isinstance(value.get("image"), str):
            yield value["image"]
        for inner in value.values():
            yield from _images(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _images(inner)


WRONG = {
    "not-allowed": (
        "replicas: 3\ntier: dev\n",
        ":2: tier: an overlay changes no such thing (found 'dev'); known here: ",
    ),
    "a-section": ("config:\n  grayling:environment: {}\n", ":1: config: an overlay changes no such thing"),
    "typo": (
        "storageclass: a\n",
        ":1: storageclass: an overlay changes no such thing (found 'a'); did you mean 'storageClass'?",
    ),
    "below-three": ("cpu: 1\nreplicas: 2\n", ":2: replicas: "),
    "no-number": ("replicas: many\n", ":1: replicas: "),
    "no-size": ("size: tiny\n", ":1: size: "),
    "no-cpu": ("cpu: 5 cores\n", ":1: cpu: is no amount of CPU"),
    "no-image": ("images:\n  docker.io/: local\n", ":1: images: "),
    "no-namespace": ("namespace: Shop_1\n", ":1: namespace: "),
    "twice": ("replicas: 3\nreplicas: 4\n", ":2: replicas: is given twice"),
    "empty": ("", ":1: is no map of changes; known here: "),
    "comment": ("# later\n", ":1: is no map of changes; known here: "),
    "list": ("- replicas\n", ":1: is no map of changes; known here: "),
    "no-yaml": ("replicas: [3\n", ":2: not YAML: "),
    "null": ("replicas:\n", ":1: replicas: is empty; give it a value, or leave it out"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_overlay_is_told_with_its_own_name_and_line(case, stack):
    text, told = WRONG[case]
    with pytest.raises(UsageError) as caught:
        overlaid(stack, text)
    assert str(caught.value).startswith(f"{stack.project / 'small.yaml'}{told}")
    assert "\n" not in str(caught.value)


def test_what_is_wrong_only_together_is_said_of_the_overlay(stack):
    with pytest.raises(UsageError) as caught:
        render(overlaid(stack, "replicas: 3\nnamespace: kube-system\n"))
    told = f"{stack.project / 'small.yaml'}:2: namespace: is the cluster's own (found 'kube-system'); use another, or"
    assert str(caught.value).startswith(told)


def test_what_is_wrong_without_it_is_said_of_the_stack_file(stack):
    stack.path.write_text(STACK.replace("storage: 50Gi", "storge: 50Gi"))
    with pytest.raises(UsageError) as caught:
        render(overlaid(stack, "replicas: 3\n"))
    told = "stacks/Pulumi.big.yaml:11: grayling:components.rabbitmq.storge: no such key (found '50Gi')"
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize("name", ["Small.yaml", "a b.yaml", f"{'a' * 41}.yaml", "-a.yaml", ".yaml"])
def test_a_name_that_cannot_be_part_of_one(name, stack):
    with pytest.raises(
        UsageError, match=r"its name becomes part of the stack's, and cannot \(found .*call the file like"
    ):
        overlaid(stack, "cpu: 1\n", name)


def test_a_name_that_is_too_long_with_the_stack_s(stack):
    both = "a" * 96
    (stack.path.parent / f"Pulumi.{both}.yaml").write_bytes(stack.path.read_bytes())
    long = find(both, stack.project)
    assert overlaid(long, "cpu: 1\n", "abc.yaml").stack == f"{both}-abc"
    said = rf"abcd\.yaml: .*cannot \(found abcd\); choose a shorter one: '{both}-abcd' has"
    with pytest.raises(UsageError, match=said):
        overlaid(long, "cpu: 1\n", "abcd.yaml")


def run(*arguments):
    return CliRunner().invoke(cli, list(arguments))


def test_commands_take_one():
    stack = str(ROOT / "stacks" / "Pulumi.prod.yaml")
    items = json.loads(run("render", stack, "--overlay", str(SANDBOX), "-o", "json").stdout)
    assert named(items, "GrayRelease", "checkout")["spec"]["workload"]["replicas"] == 3
    assert "no mistakes" in run("validate", stack, "--overlay", str(SANDBOX)).stderr
    for command in ("apply", "destroy"):
        said = str(run(command, stack, "--overlay", str(SANDBOX)).exception)
        assert "of stack prod-sandbox" in said or "destroy stack prod-sandbox" in said


def test_commands_that_write_the_stack_file_take_none():
    result = run("secret", "set", "prod", "a.b", "--overlay", str(SANDBOX))
    assert result.exit_code == 2
    assert "No such option" in result.output


def test_one_that_is_not_there():
    result = run("validate", str(ROOT / "stacks" / "Pulumi.prod.yaml"), "--overlay", "none.yaml")
    assert str(result.exception) == "none.yaml: no such file; name one that exists"
