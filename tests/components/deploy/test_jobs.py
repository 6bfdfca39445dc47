"""A Job cannot be changed on a cluster: one that is another has another name, and one that is the same keeps it."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.deploy.render import PROGRAM, recorded, render
from components.stack.overlay import laid_over
from components.stack.stackfile import find
from tests.components.conftest import read, small

IMAGES = ("ghcr.io/projectcontour/contour:v1.33.8", "ghcr.io/projectcontour/contour:v1.33.9")
GATEWAYS = st.fixed_dictionaries(
    {},
    optional={
        "contourImage": st.sampled_from(IMAGES),
        "nodeSelector": st.dictionaries(st.sampled_from(["disk", "zone"]), st.sampled_from(["a", "b"])),
        "tolerations": st.lists(st.sampled_from([{"key": "spot"}, {"key": "gpu", "effect": "NoSchedule"}]), max_size=2),
        "priorityClass": st.sampled_from(["high", "low"]),
        "podAnnotations": st.dictionaries(st.just("team"), st.sampled_from(["a", "b"])),
        "accountAnnotations": st.dictionaries(st.just("team"), st.sampled_from(["a", "b"])),
        "contourReplicas": st.integers(1, 3),
        "envoyResources": st.just({"cpu": "1", "memory": "1Gi"}),
        "accessLog": st.sampled_from(["info", "error"]),
        "requestTimeout": st.sampled_from(["10s", "1m"]),
    },
)
ENVIRONMENTS = st.fixed_dictionaries(
    {"tier": st.sampled_from(["dev", "staging", "prod"]), "namespace": st.sampled_from(["shop", "till"])},
    optional={
        "images": st.just({"ghcr.io/": "mirror.example.com/"}),
        "pullSecrets": st.just(["registry"]),
        "owners": st.sampled_from([["a"], ["b"]]),
    },
)
STACKS = st.tuples(ENVIRONMENTS, st.sampled_from(["gateway", "edge"]), GATEWAYS)


def jobs(manifests):
    return [item for item in manifests if item["kind"] == "Job"]


def job(stack):
    environment, name, gateway = stack
    made = read(
        environment={**small()["environment"], **environment}, components={name: {"kind": "gateway", **gateway}}
    )
    (found,) = jobs(made.manifests())
    return found["metadata"]["name"], json.dumps(found["spec"], sort_keys=True)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(STACKS, STACKS)
def test_another_spec_is_another_name(one, other):
    (name, spec), (again, changed) = job(one), job(other)
    assert (name == again) == (spec == changed)
    assert job(one) == (name, spec)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(STACKS, STACKS)
def test_one_change_at_a_time(stack, other):
    environment, name, gateway = stack
    for key, value in other[2].items():
        first, second = job(stack), job((environment, name, {**gateway, key: value}))
        assert (first[0] == second[0]) == (first[1] == second[1]), key


@pytest.fixture
def stack(project):
    text = "config:\n  grayling:environment: {tier: dev, namespace: shop, owners: [p]}\n"
    path = project / "stacks" / "Pulumi.t.yaml"
    path.write_text(f"{text}  grayling:components: {{gateway: {{}}}}\n")
    return find("t", project)


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cpu=st.sampled_from(["1m", "5m", "9m", "10m", "11m", "1"]), other=st.sampled_from(["1m", "5m", "10m", "1"]))
def test_what_an_overlay_lowers_is_another_job(stack, cpu, other):
    found = []
    for value in (cpu, other):
        path = stack.project / "small.yaml"
        path.write_text(f"cpu: {value}\n")
        (made,) = jobs(render(laid_over(stack, path)))
        found.append((made["metadata"]["name"], json.dumps(made["spec"], sort_keys=True)))
    assert (found[0][0] == found[1][0]) == (found[0][1] == found[1][1])


def test_a_program_of_ones_own_gives_it_the_same_name(stack):
    path = stack.project / "small.yaml"
    path.write_text("cpu: 5m\n")
    ours = jobs(render(laid_over(stack, path)))
    program = stack.project / PROGRAM
    program.write_text(program.read_text() + "\npulumi.log.debug('more')\n")
    assert jobs(render(laid_over(stack, path))) == ours
    assert len(jobs(recorded(stack, program))) == 1
