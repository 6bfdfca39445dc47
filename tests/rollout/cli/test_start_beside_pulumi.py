"""`release start --stack` in an environment that Pulumi keeps: Pulumi can go on changing the service."""

from __future__ import annotations

import asyncio
from copy import deepcopy

import pytest

from kube.errors import ConflictError
from rollout.cli.desire import VERSION_LABEL, revision_in
from rollout.cli.start import STACK_MANAGER
from terminal.exits import Session
from tests.fakes.pulumi import Pulumi
from tests.rollout import samples
from tests.rollout.cli.test_start import BY, Stacks


def declared(image, **more):
    made = samples.manifest()
    bare = {"name": made["metadata"]["name"], "namespace": made["metadata"]["namespace"]}
    made = {**deepcopy(made), "metadata": bare}
    made.pop("status", None)
    made["spec"]["workload"]["template"]["spec"]["containers"][0].update(image=image, **more)
    return made


@pytest.fixture
def beside(world, tmp_path):
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")

    def start(image, **more):
        place = ("--stack", "dev", "--stack-dir", str(tmp_path))
        editor = Stacks(rendered=[declared(image, **more)])
        return world.grayling("start", "checkout", "--image", image, *place, *BY, session=Session(stack=editor))

    return start


def pulumi(world, state, *manifests):
    async def up():
        async with world.server.cluster() as cluster:
            hands = Pulumi(cluster, state=state)
            await hands.up(*manifests)

    asyncio.run(up())


def container(world):
    found = world.server.find("GrayRelease", "checkout")
    return found["spec"]["workload"]["template"]["spec"]["containers"][0]


def image(world):
    return container(world)["image"]


def test_pulumi_goes_on_after_a_release_was_started(world, beside):
    state = {}
    pulumi(world, state, declared("x:1"))
    for number in (2, 4):
        assert beside(f"x:{number}").code == 0
        assert image(world) == f"x:{number}"
        pulumi(world, state, declared(f"x:{number}"))
        assert image(world) == f"x:{number}"
        pulumi(world, state, declared(f"x:{number + 1}"))
        assert image(world) == f"x:{number + 1}"
    managers = {entry["manager"] for entry in world.server.find("GrayRelease", "checkout")["metadata"]["managedFields"]}
    assert STACK_MANAGER not in managers


def labelled(image):
    """As a stack renders it: through its mirror, and with the version on the pods."""
    made = declared(f"mirror.example.com/{image}")
    made["spec"]["workload"]["template"]["metadata"] = {"labels": {VERSION_LABEL: image.partition(":")[2]}}
    return made


def test_the_version_is_the_very_one_that_the_stack_declares(world, tmp_path):
    """Else the next `up` would bring in another one, which nobody asked for."""
    state = {}
    pulumi(world, state, labelled("x:1"))
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    place = ("--stack", "dev", "--stack-dir", str(tmp_path))
    editor = Session(stack=Stacks(rendered=[labelled("x:2")]))
    result = world.grayling("start", "checkout", "--image", "x:2", *place, *BY, session=editor)
    assert result.code == 0
    assert "says more" not in result.err
    found = world.server.find("GrayRelease", "checkout")
    assert revision_in(found) == revision_in(labelled("x:2"))
    assert found["metadata"]["annotations"]["grayling.dev/requested-revision"] == revision_in(found)
    pulumi(world, state, labelled("x:2"))
    after = world.server.find("GrayRelease", "checkout")
    assert after["metadata"]["generation"] == found["metadata"]["generation"]


def test_what_else_the_file_says_is_left_to_pulumi(world, beside):
    state = {}
    pulumi(world, state, declared("x:1"))
    result = beside("x:2", args=["new"])
    assert result.code == 0
    assert "says more than the image; `pulumi up` brings the rest" in result.err
    assert "args" not in container(world)
    pulumi(world, state, declared("x:2", args=["new"]))
    assert container(world)["args"] == ["new"]


def test_the_fake_pulumi_meets_the_conflict_that_there_was(world, beside):
    """As it was before: the whole object applied under our own name."""
    state = {}
    pulumi(world, state, declared("x:1"))

    async def as_it_was():
        async with world.server.cluster() as cluster:
            await cluster.apply(declared("x:2"), manager=STACK_MANAGER, force=True)

    asyncio.run(as_it_was())
    with pytest.raises(ConflictError, match='conflict with "grayling-stack"'):
        pulumi(world, state, declared("x:3"))


def test_who_asked_holds_for_one_version(world, beside):
    state = {}
    pulumi(world, state, declared("x:1"))
    beside("x:2")
    notes = world.server.find("GrayRelease", "checkout")["metadata"]["annotations"]
    assert notes["grayling.dev/requested-revision"] == revision_in(declared("x:2"))
    pulumi(world, state, declared("x:3"))
    found = world.server.find("GrayRelease", "checkout")
    assert found["metadata"]["annotations"]["grayling.dev/requested-revision"] != revision_in(found)
