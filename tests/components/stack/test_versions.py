"""The desired version has one home: the stack file, whose comments and order survive the change."""

from __future__ import annotations

import pytest

from components.deploy.session import render_service
from components.stack.stackfile import find
from components.stack.versions import declares, set_image
from kube.errors import UsageError
from tests.components.conftest import ROOT


@pytest.fixture
def file(project):
    (project / "stacks" / "Pulumi.local.yaml").write_text((ROOT / "stacks" / "Pulumi.local.yaml").read_text())
    return find("local", project)


@pytest.mark.parametrize("name", ["local", "dev", "staging", "prod"])
def test_only_the_image_changes(project, name):
    path = project / "stacks" / f"Pulumi.{name}.yaml"
    before = (ROOT / "stacks" / path.name).read_text()
    path.write_text(before)
    assert set_image(path, "checkout", "registry.example.com/shop/checkout:9.9.9")
    after = path.read_text().splitlines()
    changed = [(old, new) for old, new in zip(before.splitlines(), after, strict=True) if old != new]
    assert len(changed) == 1
    assert changed[0][1].strip() == "image: registry.example.com/shop/checkout:9.9.9"


def test_the_same_image_again_is_no_change(file):
    assert set_image(file, "checkout", "sandbox.grayling.dev/shop:v2")
    assert not set_image(file, "checkout", "sandbox.grayling.dev/shop:v2")


def test_a_service_nobody_declares(file):
    assert declares(file, "checkout")
    assert not declares(file, "chekout")
    with pytest.raises(UsageError, match=r"no service 'chekout'; did you mean 'checkout'"):
        set_image(file, "chekout", "a/b:1")
    with pytest.raises(UsageError, match="no service 'chekout'"):
        render_service(file, "chekout")


def test_an_image_that_names_no_build(file):
    with pytest.raises(UsageError, match="does not name one build"):
        set_image(file, "checkout", "a/b:latest")


def test_the_objects_of_one_service_are_members_of_the_stack(file):
    set_image(file, "checkout", "sandbox.grayling.dev/shop:v2")
    items = render_service(str(file.path), "checkout")
    assert [item["kind"] for item in items] == ["NetworkPolicy", "ServiceAccount", "GrayRelease"]
    pod = items[-1]["spec"]["workload"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "sandbox.grayling.dev/shop:v2"
    assert all(item["metadata"]["labels"]["applyset.kubernetes.io/part-of"].startswith("applyset-") for item in items)
