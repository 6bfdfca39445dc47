"""`grayling stack waves` against an API server: one book, one command at a time, every end with its exit code."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager

import pytest

from components.deploy.fence import Rhythm
from components.deploy.inventory import HELD
from review.promotion.waves.ledger import Book, HeldError, entry_of, writing
from rollout.api.revision import image_of, revision_of
from rollout.api.spec import Spec
from rollout.api.status import Outcome, Phase, Release, Status, Version
from tests.fakes.apiserver import Fault, running
from tests.review.promotion.conftest import Promoter, T, person, project  # noqa: F401 - fixtures

EU = """config:
  grayling:environment: {tier: dev, namespace: eu, owners: [platform]}
  grayling:components: {controller: {image: "r.example.com/grayling:1"}}
  grayling:services: {checkout: {image: "r.example.com/shop/checkout:2.0.0"}}
"""
US = """config:
  grayling:environment: {tier: dev, namespace: us, owners: [platform], engine: {namespace: eu}}
  grayling:services: {checkout: {image: "r.example.com/shop/checkout:2.0.0"}}
"""
WAVES = """waves:
  world:
    home: {context: test, namespace: home}
    waves:
      - targets: [{stack: eu, context: test}]
        bake: 1s
      - targets: [{stack: us, context: other}]
"""
BOOK = Book("world", "home")


class Waver(Promoter):
    """Somebody with two stacks and a plan for them."""

    def __post_init__(self):
        self.person.stack("eu", EU)
        self.person.stack("us", US)
        self.settings(WAVES)
        self.person.server.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "home"}})

    def waves(self, verb, *more):
        return self.grayling("waves", verb, "world", "--kubeconfig", self.person.kubeconfig, *more)

    def start(self, *more, verb="start"):
        return self.waves(verb, "--yes", "--timeout", "0", "--by", "ann", *more)

    def resume(self, *more):
        return self.start(*more, verb="resume")

    def book(self):
        return self.person.server.find("ConfigMap", BOOK.name, "home")

    def state(self):
        return json.loads(self.book()["data"]["state"])

    def stages(self):
        return [target["stage"] for wave in self.state()["waves"] for target in wave["targets"]]

    def writes(self, kind="grayreleases"):
        return [path for method, path, _ in self.person.server.writes if kind in path and method == "PATCH"]

    @contextmanager
    def engine(self, outcome=Outcome.PROMOTED, after=0):
        """Brings every version in at once, or ends it otherwise; after so many it does nothing more."""
        over = threading.Event()

        def work():
            while not over.is_set():
                self.person.done(lambda: bring_in(self.person.server, outcome, after))
                time.sleep(0.02)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(5)


def bring_in(server, outcome, most):
    found = server.all("GrayRelease")
    for item in found[: most or None]:
        name, spec = item["metadata"]["name"], Spec.model_validate(item["spec"])
        version = Version(revision=revision_of(name, spec), image=image_of(spec))
        if (item.get("status") or {}).get("desiredRevision") == version.revision:
            continue
        release = Release(
            id="r1",
            started_at=T,
            ended_at=T + 1,
            to_version=version,
            outcome=outcome,
            outcome_reason="told",
            proven=True,
        )
        good = outcome is Outcome.PROMOTED
        stable = version if good else Version(revision="checkout-00000000", image="x")
        refused = [] if good else [{"revision": version.revision, "at": T, "reason": "told"}]
        status = Status(
            observed_generation=item["metadata"].get("generation") or 0,
            phase=Phase.IDLE if good else Phase.ROLLED_BACK,
            desired_revision=version.revision,
            stable=stable,
            last=release,
            refused=refused,
        )
        server.put({**item, "status": status.wire()})


@pytest.fixture
def waver(person, monkeypatch):  # noqa: F811 - the fixture
    monkeypatch.chdir(person.project)
    return Waver(person)


def test_wave_after_wave_until_all_are_over(waver):
    assert waver.waves("status").out == "waves world: never started\n"
    with waver.engine():
        done = waver.start("--reason", "spring")
    assert (done.code, waver.stages()) == (0, ["baked", "baked"]), done.err
    assert done.err.endswith("wave 2: over\nwaves world: all 2 are over\n")
    assert done.err.index("wave 1: over") < done.err.index("wave 2: applying us on other")
    told = waver.waves("status").out
    assert told.startswith("waves world: over; begun 20")
    assert "  eu on test                     baked      eu/checkout checkout-" in told
    data = json.loads(waver.waves("status", "-o", "json").out)
    assert (data["stopped"], data["holder"], data["state"]["by"]) == ("", "", "ann")
    assert HELD not in waver.book()["metadata"]["annotations"]
    again = waver.resume()
    assert (again.code, "these waves are over: `start` begins again" in again.err) == (13, True)


def test_a_release_that_is_rolled_back_ends_it_before_the_next_target(waver):
    with waver.engine(Outcome.ROLLED_BACK):
        done = waver.start()
    assert (done.code, waver.stages()) == (7, ["releasing", "pending"])
    assert "eu on test: eu/checkout: checkout-" in done.err
    assert "was taken back before (told)" in done.err
    assert not waver.person.server.find("GrayRelease", "checkout", "us")
    told = waver.waves("status").out
    assert told.startswith("waves world: halted;")
    assert "(exit 7): eu on test" in told
    again = waver.start()
    assert (again.code, "the last run is not over: `resume` goes on with it" in again.err) == (13, True)


def test_a_stop_from_elsewhere_and_a_resume_that_applies_nothing_twice(waver):
    def stop():
        book = waver.book()
        book["data"]["stop"] = json.dumps({"by": "bob", "reason": "fire", "at": "noon"})
        waver.person.server.put(book)

    waver.person.server.meanwhile = ("PATCH /apis/grayling.dev/v1alpha1/namespaces/eu/grayreleases", stop)
    with waver.engine():
        done = waver.start()
        assert (done.code, waver.stages()[1]) == (9, "pending"), done.err
        assert "stopped by bob at noon: fire" in done.err
        assert "stopped by bob" in waver.waves("status").out
        assert not waver.person.server.find("GrayRelease", "checkout", "us")
        for refused in (waver.start(),):
            assert (refused.code, "stopped by bob at noon: fire: `resume` goes on" in refused.err) == (13, True)
        before = len(waver.writes())
        resumed = waver.resume()
    assert (resumed.code, waver.stages()) == (0, ["baked", "baked"]), resumed.err
    assert waver.book()["data"]["stop"] == ""
    written = waver.writes()[before:]
    assert not [path for path in written if "/eu/" in path]
    assert [path for path in written if "/us/" in path]


def test_the_stop_switch_by_its_command(waver):
    never = waver.waves("stop")
    assert (never.code, "waves world: was never started" in never.err) == (13, True)
    with waver.engine(Outcome.ROLLED_BACK):
        waver.start()
    done = waver.waves("stop", "--by", "bob", "--reason", "fire")
    assert done.code == 0
    assert "waves world: stopped by bob at 20" in done.err
    assert "`grayling stack waves resume world`" in done.err
    anew = waver.start("--anew")
    assert (anew.code, waver.book()["data"]["stop"]) == (7, "")


def test_a_stop_holds_what_is_over_too(waver):
    with waver.engine():
        waver.start()
        waver.waves("stop", "--by", "bob")
        done = waver.start()
        assert (done.code, "start: stopped by bob at" in done.err) == (13, True)
        anew = waver.start("--anew")
    assert (anew.code, waver.book()["data"]["stop"]) == (0, "")


def test_what_was_changed_since_is_told(waver):
    with waver.engine(Outcome.ROLLED_BACK):
        waver.start()
        waver.person.stack("us", US.replace("2.0.0", "2.0.1"))
        waver.settings(WAVES.replace("bake: 1s", "bake: 2s").replace("context: other", "context: test"))
        done = waver.resume()
    assert done.code == 13
    assert "wave 1: bake were 1s, and are 2s" in done.err
    assert "wave 2: targets were us on other, and are us on test" in done.err
    assert "stack us declares other objects than when the run began" in done.err
    assert "begin again from the first wave with `start --anew`" in done.err


def test_time_runs_out(waver):
    waver.settings(WAVES.replace("    home", "    timeout: 300ms\n    home"))
    done = waver.start()
    assert (done.code, "no outcome after 0.3 s: eu on test" in done.err) == (10, True), done.err


def test_another_object_of_that_name_is_not_waited_for(waver):
    with waver.engine(Outcome.ROLLED_BACK):
        waver.start()
    item = waver.person.server.find("GrayRelease", "checkout", "eu")
    waver.person.server.put({**item, "metadata": {**item["metadata"], "uid": "another"}})
    done = waver.resume()
    assert (done.code, "is another object than the one that was applied" in done.err) == (13, True)


def test_a_state_that_cannot_be_read(waver):
    waver.person.server.put({**BOOK.parent((), ()), "data": {"state": '{"id": 1}', "stop": ""}})
    for done in (waver.start(), waver.resume(), waver.waves("status")):
        assert (done.code, "ConfigMap home/grayling-waves-world: holds no state that can be read" in done.err) == (
            13,
            True,
        )


@pytest.mark.parametrize(
    ("settings", "code", "told"),
    [
        (
            WAVES.replace("world", "word"),
            2,
            ".grayling/promotion.yaml: waves.world: is not there; did you mean 'word'?",
        ),
        (WAVES.replace("context: other", "context: nowhere"), 2, "has no such context"),
        (WAVES.replace("context: test, namespace: home", "context: gone, namespace: home"), 2, "has no such context"),
        (WAVES.replace("stack: us", "stack: asia"), 2, "no stack 'asia'"),
        (WAVES.replace("stack: us, context: other", "stack: eu, context: test"), 2, "eu on test is there twice"),
        (WAVES.replace("bake: 1s", "bake: soon"), 2, ".grayling/promotion.yaml:6: waves.world.waves[0].bake"),
    ],
)
def test_a_plan_that_cannot_be_meant_writes_nothing(waver, settings, code, told):
    waver.settings(settings)
    done = waver.start()
    assert (done.code, told in done.err) == (code, True), done.err
    assert waver.person.server.writes == []


def test_nothing_is_asked_without_a_terminal_and_no_cluster_is_exit_12(waver):
    done = waver.waves("start")
    assert (done.code, "there is no terminal to ask on; pass --yes" in done.err) == (2, True)
    waver.person.done(lambda: None)
    gone = waver.grayling("waves", "status", "world", "--kubeconfig", str(waver.person.project / "gone"))
    assert (gone.code, "no such file" in gone.err) == (2, True)


def test_the_home_s_namespace_is_missed_by_name(waver):
    waver.settings(WAVES.replace("namespace: home", "namespace: nowhere"))
    waver.person.server.faults = [Fault("POST", "/namespaces/nowhere/configmaps", 404, 1)]
    done = waver.start()
    assert (done.code, "the home has no namespace nowhere: create it there" in done.err) == (13, True), done.err


async def test_two_at_once_and_a_dead_one():
    quick = Rhythm(0.02, 0.4)
    async with running() as server:
        server.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "home"}})
        async with server.cluster() as one, server.cluster() as two:
            async with writing(one, BOOK, "start", entry_of(BOOK, None), print, quick):
                entry = entry_of(BOOK, await BOOK.find(two))
                assert entry.holder.startswith("`stack waves start` by ")
                with pytest.raises(HeldError, match=r"waves resume world: `stack waves start` by .* is at it"):
                    async with writing(two, BOOK, "resume", entry, print, quick):
                        pytest.fail("both are at it")
            async with writing(two, BOOK, "resume", entry_of(BOOK, await BOOK.find(two)), print, quick):
                pass
            item = server.find("ConfigMap", BOOK.name, "home")
            dead = {"id": "x", "command": "waves start", "by": "z", "since": "y"}
            item["metadata"]["annotations"] = {HELD: json.dumps(dead)}
            server.put(item)
            async with writing(two, BOOK, "resume", entry_of(BOOK, await BOOK.find(two)), print, quick):
                assert "waves resume" in entry_of(BOOK, await BOOK.find(two)).holder
