"""The landscape that is shown: enough kinds, right in every tier, with a picture in the README that is still true."""

from __future__ import annotations

import importlib.util
import sys

import pytest
import yaml

from components.deploy.render import declared
from components.manual.drawing import drawing
from components.manual.flow import flow_of
from components.manual.subject import Subject
from components.model.profiles import Tier
from components.policy.project import look_at
from components.stack.overlay import laid_over
from components.stack.stackfile import find
from sandbox.extras import named
from tests.components.conftest import ROOT

_SPEC = importlib.util.spec_from_file_location("landscape", ROOT / "examples" / "landscape.py")
landscape = importlib.util.module_from_spec(_SPEC)
sys.modules["landscape"] = landscape  # its dataclasses look there
_SPEC.loader.exec_module(landscape)

PICTURE = ROOT / "docs" / "img" / "landscape.svg"
LEAST = 14


def test_it_has_fourteen_kinds_and_more():
    subject = Subject.of(find("landscape", ROOT), ROOT)
    assert len({each.kind for each in subject.members.values()}) >= LEAST


@pytest.fixture
def in_tier(tmp_path):
    def laid(tier):
        (tmp_path / "stacks").mkdir(exist_ok=True)
        for name in ("Pulumi.yaml", "__main__.py"):
            (tmp_path / name).write_text((ROOT / name).read_text())
        folder = tmp_path / "stacks" / "contracts" / "landscape"
        folder.mkdir(parents=True, exist_ok=True)
        for each in (ROOT / "stacks" / "contracts" / "landscape").iterdir():
            (folder / each.name).write_text(each.read_text())
        said = yaml.safe_load((ROOT / "stacks" / "Pulumi.landscape.yaml").read_text())
        said["config"]["grayling:environment"]["tier"] = tier
        (tmp_path / "stacks" / "Pulumi.landscape.yaml").write_text(yaml.safe_dump(said))
        return find("landscape", tmp_path)

    return laid


@pytest.mark.parametrize("tier", [each.value for each in Tier])
def test_it_is_right_in_every_tier_and_keeps_all_rules_of_the_house_but_one(in_tier, tier):
    file = in_tier(tier)
    refused = {(each.object, each.rule.id) for each in look_at(file, declared(file)).refused}
    root = {("DaemonSet landscape/pod-logs", "house-restricted")}  # it reads the files of its node: a waiver's business
    assert refused == (root if tier in {"staging", "prod"} else set())


def images(value):
    """Of every container in it."""
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from images(each)
    if isinstance(value, dict) and isinstance(value.get("image"), str):
        yield value["image"]


def test_made_small_every_image_is_one_of_the_sandbox():
    file = laid_over(find("landscape", ROOT), landscape.OVERLAY)
    found = set(images(declared(file)))
    assert found
    assert {each for each in found if not each.startswith("sandbox.grayling.dev/")} == set()


def test_the_picture_is_what_the_stack_draws_now():
    subject = Subject.of(find("landscape", ROOT), ROOT)
    made = drawing(flow_of(subject), alone=True) + "\n"
    assert PICTURE.read_text() == made, "grayling stack manual landscape -o svg --to docs/img/landscape.svg"
    assert "docs/img/landscape.svg" in (ROOT / "README.md").read_text()


def test_another_issuer_takes_the_place_of_the_one_in_the_file():
    text = (ROOT / "stacks" / "Pulumi.landscape.yaml").read_text()
    issuer = landscape.Issuer()
    changed = landscape.with_issuer(text, issuer)
    was, now = (yaml.safe_load(each)["config"]["grayling:components"]["gateway"]["jwt"][0] for each in (text, changed))
    assert now["jwks"] == issuer.jwks() != was["jwks"]
    assert {**now, "jwks": ""} == {**was, "jwks": ""}
    with pytest.raises(landscape.LandscapeError, match="has 0 keys of issuers"):
        landscape.with_issuer("config: {}", issuer)


def test_what_it_asks_the_sandbox_for_is_there():
    assert [each.name for each in named(landscape.EXTRAS)] == list(landscape.EXTRAS)
    page = (ROOT / "docs" / "tutorial" / "landscape.md").read_text()
    assert all(f"--with {each}" in page for each in landscape.EXTRAS)
