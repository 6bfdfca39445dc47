"""Verbs: written once, acknowledged or not, and what a person then learns."""

import json
import re
import time
from pathlib import Path

import pytest

from rollout.api.spec import COMMAND_ANNOTATION
from rollout.api.status import (
    Command,
    Phase,
    Status,
    timestamp,
)
from rollout.cli import COMMANDS
from rollout.client.commands import Verb
from rollout.decide.commands import VERBS, obey
from rollout.decide.context import Context
from rollout.decide.observation import Observation
from rollout.engine.observe import command_mistake
from tests.rollout import samples


@pytest.fixture
def shop(world):
    world.put(samples.manifest(status=samples.stepping()))
    return world


def written(world):
    return json.loads(world.server.find("GrayRelease", "checkout")["metadata"]["annotations"][COMMAND_ANNOTATION])


@pytest.mark.parametrize("verb", ["pause", "resume", "promote", "abort", "retry"])
def test_each_verb_is_written_and_its_answer_told(shop, verb):
    shop.answering(lambda asked: f"did {asked}")
    result = shop.grayling(verb, "checkout", "--by", "ann", "--reason", "because")
    assert (result.code, result.out) == (0, f"shop/checkout: did {verb}\n")
    command = written(shop)
    assert (command["verb"], command["by"], command["reason"]) == (verb, "ann", "because")


def test_who_asks_comes_from_ci(shop, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTOR", "octo")
    shop.answering(lambda _: "paused")
    shop.grayling("pause", "checkout")
    assert written(shop)["by"] == "octo"


def test_nothing_to_do_is_an_error_for_scripts(shop):
    shop.answering(lambda _: "nothing to abort: the phase is Idle", done=False)
    result = shop.grayling("abort", "checkout")
    assert result.code == 1
    assert result.err == "Error: abort shop/checkout: nothing to abort: the phase is Idle\n"


@pytest.mark.parametrize("verb", [*VERBS, "dance"])
def test_the_engine_says_whether_a_verb_had_an_effect(verb):
    seen = Observation(desired_revision="r-1", desired_image="", generation=1)
    idle = Context(samples.spec(), Status(phase=Phase.IDLE), seen, samples.T)
    after = obey(idle, Command(id="1", verb=verb))
    assert after.command_done is (verb in {"pause", "resume"}), after.command_answer
    busy = Context(samples.spec(), samples.stepping(), seen, samples.T)
    if verb in {"pause", "promote", "abort"}:
        assert obey(busy, Command(id="1", verb=verb)).command_done is True


def test_a_reason_with_any_words_in_it_does_not_decide_whether_a_command_failed(shop):
    shop.answering(lambda _: "paused, there is nothing to lose")
    assert shop.grayling("pause", "checkout").code == 0


def test_an_engine_that_does_not_say_whether_there_was_an_effect_is_not_believed(shop):
    shop.answering(lambda _: "paused", done=None)
    result = shop.grayling("pause", "checkout")
    assert result.code == 1
    assert "pause shop/checkout: paused; its engine is of an older version" in result.err


def test_no_such_release(shop):
    assert shop.grayling("pause", "nope").code == 1


def lease(**spec):
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "grayling-checkout", "namespace": "shop"},
        "spec": spec,
    }


@pytest.mark.parametrize(
    ("found", "hint"),
    [
        (None, "no engine has ever taken charge of shop/checkout; start one with `grayling release controller`"),
        ({"holderIdentity": None}, "no engine is in charge of shop/checkout"),
        ({"holderIdentity": "pod-1", "age": 100.0}, "its engine pod-1 was last heard of 1"),
        ({"holderIdentity": "pod-1", "age": 1.0}, "its engine pod-1 is alive (heard of"),
        ({"holderIdentity": "pod-1", "renewTime": "soon"}, "pod-1 cannot be told to be alive (its lease has no time"),
        ({"holderIdentity": "pod-1", "renewTime": {"a": 1}}, "pod-1 cannot be told to be alive"),
        ({"holderIdentity": "pod-1", "leaseDurationSeconds": "long"}, "its engine pod-1 was last heard of"),
    ],
)
def test_nobody_answers(shop, found, hint):
    if found is not None:
        age = found.pop("age", 0.0)
        shop.put(lease(**{"leaseDurationSeconds": 30, "renewTime": timestamp(time.time() - age)} | found))
    result = shop.grayling("pause", "checkout", "--timeout", "300ms")
    assert result.code == 10
    assert result.err.startswith("Error: pause was written but not answered in 0.3 s: ")
    assert hint in result.err


def test_nobody_answers_and_nobody_may_look(shop):
    shop.server.fail("GET", "leases/grayling-checkout", 403, times=9, message="cannot get leases")
    result = shop.grayling("pause", "checkout", "--timeout", "300ms")
    assert result.code == 10
    assert "whether an engine is in charge cannot be told (get Lease shop/grayling-checkout: cannot get" in result.err


def pend(world, verb="promote", by="bob"):
    waiting = samples.manifest(status=samples.stepping())
    waiting["metadata"]["annotations"] = {COMMAND_ANNOTATION: json.dumps({"id": "old", "verb": verb, "by": by})}
    world.put(waiting)


def test_an_earlier_command_is_heard_first(shop):
    pend(shop)
    heard = []
    shop.then(0.3, lambda: shop.answering(lambda verb: heard.append(verb) or "done"))
    assert shop.grayling("pause", "checkout").code == 0
    assert heard == ["promote", "pause"]


def test_an_abort_waits_for_nobody(shop):
    pend(shop)
    shop.when(lambda: bool(shop.server.writes), lambda: shop.answering(lambda _: "rolling back"))
    assert shop.grayling("abort", "checkout").code == 0
    assert written(shop)["verb"] == "abort"
    patches = [body for method, _, body in shop.server.writes if method == "PATCH"]
    assert "resourceVersion" in patches[0]["metadata"]


def test_a_command_nobody_answers_is_replaced_in_the_end(shop, monkeypatch):
    monkeypatch.setattr("rollout.client.commands.COURTESY_SECONDS", 0.2)
    pend(shop)
    shop.then(0.4, lambda: shop.answering(lambda _: "paused"))
    assert shop.grayling("pause", "checkout").code == 0


def test_a_write_that_comes_second_is_tried_again(shop):
    pend(shop)
    shop.server.fail("PATCH", "grayreleases/checkout", 409)
    shop.then(0.1, lambda: shop.answering(lambda _: "rolling back"))
    assert shop.grayling("abort", "checkout").code == 0


def test_a_write_that_always_comes_second_ends(shop, monkeypatch):
    monkeypatch.setattr("rollout.client.commands.WRITE_SECONDS", 0.3)
    shop.server.fail("PATCH", "grayreleases/checkout", 409, times=1000)
    assert shop.grayling("abort", "checkout").code == 11
    assert len([method for method, *_ in shop.server.writes]) == 0


def test_being_replaced_is_told(shop):
    def replaced():
        found = shop.server.find("GrayRelease", "checkout")
        note = json.dumps({"id": "new", "verb": "abort", "by": "bob"})
        found["metadata"]["annotations"] = {COMMAND_ANNOTATION: note}
        shop.server.put(found)

    shop.when_watched(replaced)
    result = shop.grayling("pause", "checkout")
    assert result.code == 10
    assert result.err == "Error: pause was replaced by abort of bob\n"


def test_an_annotation_that_is_no_command_counts_as_none(shop):
    strange = samples.manifest(status=samples.stepping())
    strange["metadata"]["annotations"] = {COMMAND_ANNOTATION: "{}"}
    shop.put(strange)
    shop.answering(lambda _: "paused")
    assert shop.grayling("pause", "checkout").code == 0


def test_a_duration_that_is_none(shop):
    result = shop.grayling("pause", "checkout", "--timeout", "soon")
    assert result.code == 2
    assert "write it like 250ms, 30s, 5m or 1h30m" in result.err


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_begins_with_its_line_in_the_list(shop, verb):
    told = " ".join(shop.grayling(verb, "--help").out.split())
    assert f"NAME {COMMANDS[verb][1]} " in told


ROOT = Path(__file__).parents[3]


def test_a_verb_is_in_every_place_that_the_guide_names():
    guide = (ROOT / "CONTRIBUTING.md").read_text().split("### A verb")[1].split("\n#")[0]
    code = {path for path in (ROOT / "rollout").rglob("*.py") if '"resume"' in path.read_text()}
    pages = {ROOT / "docs" / "reference" / "cli.md", ROOT / "docs" / "how-to" / "releases.md"}
    assert set(re.findall(r"^\| `([\w/.-]+)`", guide, re.MULTILINE)) == {
        str(path.relative_to(ROOT)) for path in code | pages
    }
    spoken = [name for name, (place, _) in COMMANDS.items() if place.startswith("rollout.cli.verbs:")]
    assert list(VERBS) == [verb.value for verb in Verb] == spoken
    for page in pages:
        assert all(f"`{verb}`" in page.read_text() for verb in VERBS)


def test_a_word_that_is_none_is_told_with_the_verbs_that_there_are():
    assert f"release {'|'.join(VERBS)}`" in command_mistake(samples.manifest(annotations={COMMAND_ANNOTATION: "{"}))
