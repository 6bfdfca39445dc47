"""`release forgive`, and what refuses until it was said: start, plan, watch."""

import json

import pytest

from rollout.api.taken_back import KEY, config_map_of, entry_in
from terminal.exits import Session
from tests.rollout import samples
from tests.rollout.cli.test_start import Stacks
from tests.rollout.taken_back import FORGIVEN, entry, kept

BY = ("--by", "ann", "--reason", "the database was down")
BAD = "shop/checkout:v3"


def asking(image=BAD, name="checkout", **changes):
    template = {"spec": {"containers": [{"name": "checkout", "image": image}]}}
    work = {"replicas": 4, "template": template, "ports": [{"name": "http", "port": 8080}]}
    return samples.manifest(name=name, the_spec=samples.spec(workload=work | changes))


@pytest.fixture
def shop(world):
    world.put(samples.manifest(status=samples.promoted()))
    world.put(config_map_of(entry(asking())))
    return world


def memory(world, manifest=None):
    return entry_in(world.server.find("ConfigMap", config_map_of(entry(manifest or asking()))["metadata"]["name"]))


def test_start_refuses_before_anything_is_written(shop):
    result = shop.grayling("start", "checkout", "--image", BAD)
    assert result.code == 6
    assert "GrayRelease shop/checkout: refused, and nothing was changed\n  shop/checkout:v3 with this" in result.err
    assert "grayling release forgive checkout -n shop --release 0a1b-77 --reason …" in result.err
    assert shop.server.writes == []


def test_start_takes_a_corrected_version(shop):
    assert shop.grayling("start", "checkout", "--image", "shop/checkout:v4").code == 0


def test_start_refuses_while_the_memory_cannot_be_read(shop):
    torn = config_map_of(entry(asking(name="other")))
    shop.put({**torn, "data": {KEY: "{"}})
    result = shop.grayling("start", "checkout", "--image", "shop/checkout:v4")
    assert (result.code, shop.server.writes) == (6, [])
    assert "cannot be read (taken-back.json: Invalid JSON" in result.err


def test_start_refuses_where_the_memory_may_not_be_read(shop):
    told = 'configmaps is forbidden: User "ann" cannot list resource "configmaps" in API group'
    shop.server.fail("GET", "configmaps", 403, 10, message=told)
    result = shop.grayling("start", "checkout", "--image", "shop/checkout:v4")
    assert (result.code, shop.server.writes) == (6, [])
    assert "Warning: what other namespaces took back was not asked" in result.err
    assert "let these credentials list ConfigMaps in shop" in result.err


def test_start_with_a_stack_leaves_the_file_alone(shop, tmp_path):
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    editor = Stacks(rendered=[asking()])
    place = ("--stack", "dev", "--stack-dir", str(tmp_path))
    result = shop.grayling("start", "checkout", "--image", BAD, *place, session=Session(stack=editor))
    assert (result.code, shop.server.writes) == (6, [])
    assert ("Pulumi.dev.yaml", "checkout", BAD) not in editor.asked


def test_start_with_a_stack_asks_the_records_of_the_project(world, tmp_path):
    folder = tmp_path / "stacks"
    folder.mkdir()
    (folder / "Pulumi.dev.yaml").write_text("config: {}\n")
    kept(tmp_path / ".grayling/records/a.json", asking())
    editor = Stacks(rendered=[asking()])
    place = ("--stack", "dev", "--stack-dir", str(folder))
    result = world.grayling("start", "checkout", "--image", BAD, *place, session=Session(stack=editor))
    assert result.code == 6
    assert "was taken back on" in result.err


def test_the_version_that_serves_is_not_brought_in_again(shop):
    found = shop.server.find("GrayRelease", "checkout")
    shop.put(config_map_of(entry({**found, "metadata": {"name": "checkout", "namespace": "shop"}})))
    assert shop.grayling("start", "checkout", "--image", "shop/checkout:v2").code == 0


def test_plan_tells_it(shop):
    result = shop.grayling("plan", "checkout", "--image", BAD, "-o", "json")
    assert result.code == 0
    assert "was taken back on" in json.loads(result.out)["refusals"][0]


def test_a_plan_of_a_file_says_that_nobody_was_asked(shop, tmp_path):
    path = tmp_path / "release.json"
    path.write_text(json.dumps(asking()))
    result = shop.grayling("plan", "-f", str(path))
    assert (
        "no cluster was asked: whether it was taken back before is not known, and that a version before it serves"
        in result.err
    )
    assert "was taken back on" in shop.grayling("plan", "-f", str(path), "--server").out


def test_watch_ends_where_the_engine_holds_it(world):
    reason = "shop/checkout:v2 with this configuration was taken back on 2027-01-15"
    waiting = {"reason": reason, "since": 1, "gate": "taken-back"}
    held = samples.promoted().model_copy(update={"stable": samples.STABLE, "last": None})
    status = held.model_validate(held.wire() | {"waiting": waiting, "desiredRevision": samples.CANARY.revision})
    world.put(samples.manifest(status=status.model_copy(update={"observed_generation": 3})))
    result = world.grayling("watch", "checkout", "--timeout", "5s")
    assert result.code == 6
    assert f"stays out: {reason}" in result.out + result.err


def test_a_person_lets_it_in_again(shop):
    result = shop.grayling("forgive", "checkout", *BY)
    assert (result.code, result.out) == (
        0,
        "shop/checkout: shop/checkout:v3 may come in again (taken back by release 0a1b-77)\n",
    )
    word = memory(shop).forgiven
    assert (word.by, word.reason) == ("ann", "the database was down")
    assert shop.grayling("start", "checkout", "--image", BAD).code == 0


@pytest.mark.parametrize("reason", [(), ("--reason", ""), ("--reason", "  ")])
def test_there_is_no_yes_without_a_reason(shop, reason):
    result = shop.grayling("forgive", "checkout", *reason)
    assert (result.code, shop.server.writes) == (2, [])
    assert "--reason" in result.err


def test_which_one_is_meant_has_to_be_clear(shop):
    other = asking("shop/checkout:v4")
    shop.put(config_map_of(entry(other, release="0c2d-78")))
    result = shop.grayling("forgive", "checkout", *BY)
    assert (result.code, shop.server.writes) == (2, [])
    assert "which one is meant is not clear; name one with --release: " in result.err
    assert "0a1b-77 (shop/checkout:v3)" in result.err
    assert shop.grayling("forgive", "checkout", "--release", "nothing", *BY).code == 2
    assert shop.grayling("forgive", "checkout", "--release", "0c2d", *BY).code == 0
    assert (memory(shop).forgiven, memory(shop, other).forgiven is None) == (None, False)


def test_what_is_asked_for_now_is_meant_where_there_are_several(shop):
    shop.put(config_map_of(entry(asking("shop/checkout:v4"), release="0c2d-78")))
    shop.put(asking())
    assert shop.grayling("forgive", "checkout", *BY).code == 0
    assert memory(shop).forgiven is not None


def test_nothing_to_forgive(world):
    result = world.grayling("forgive", "checkout", "-n", "shop", *BY)
    assert result.code == 2
    assert "nothing was taken back on evidence; `release retry` tries the rest again" in result.err


def test_two_at_once_do_not_overwrite_each_other(shop):
    shop.server.fail("PATCH", "configmaps", 409)
    assert shop.grayling("forgive", "checkout", *BY).code == 11
    assert memory(shop).forgiven is None


def test_in_a_kept_record_no_cluster_is_asked(tmp_path, world):
    path = kept(tmp_path / "a.json", asking())
    world.server.down = True
    result = world.grayling("forgive", "checkout", "--record", str(path), *BY)
    assert result.code == 0
    assert json.loads(path.read_text())["forgiven"]["by"] == "ann"
    other = world.grayling("forgive", "billing", "--record", str(path), *BY)
    assert (other.code, "is of checkout, not of billing" in other.err) == (2, True)
    path.write_text("{}")
    torn = world.grayling("forgive", "checkout", "--record", str(path), *BY)
    assert (torn.code, "no record that can be read" in torn.err) == (2, True)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.json", "kubeconfig"]


def test_what_was_forgiven_stays_so_in_the_text_of_the_memory():
    told = entry(asking(), forgiven=FORGIVEN)
    assert entry_in(config_map_of(told)).forgiven == FORGIVEN
