"""`release history`, `record`, `plan` and `crd`."""

import json
import re

import pytest
import yaml

from rollout.api.status import Outcome
from rollout.records.record import config_map_of, record_of
from rollout.records.recorder import Recorder
from rollout.records.recorder import config_map_of as recording_of
from rollout.signals.looks import (
    Arm,
    PodLook,
    SignalLook,
    SourceStatus,
)
from tests.rollout import samples


def keep(world, release):
    world.put(config_map_of(record_of("checkout", "shop", samples.spec(), release), {"uid": "u"}))


@pytest.fixture
def shop(world):
    world.put(samples.manifest(status=samples.rolled_back()))
    keep(world, samples.ended(Outcome.PROMOTED, id="a1-1", started_at=samples.T - 900, ended_at=samples.T - 300))
    keep(world, samples.ended(Outcome.ABORTED, id="a1-2", started_at=samples.T - 200, ended_at=samples.T - 100))
    return world


def test_history_has_the_cluster_and_the_status_newest_first(shop):
    lines = shop.grayling("history", "checkout").out.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", "k3x9", "a1-2", "a1-1"]
    assert lines[1].split()[:4] == ["k3x9", "2027-01-15T08:00:00Z", "5m", "rolled-back"]
    assert "19.9" in lines[1]
    listed = json.loads(shop.grayling("history", "checkout", "-o", "json").out)
    assert [each["outcome"] for each in listed] == ["rolled-back", "aborted", "promoted"]


def test_history_of_nothing(world):
    result = world.grayling("history", "checkout")
    assert (result.code, result.err) == (0, "checkout has no releases on record.\n")


def test_one_that_is_in_flight_is_told_but_not_taken_for_the_last(shop):
    status = samples.stepping(release=samples.release(id="now", started_at=samples.T + 900))
    shop.put(samples.manifest(status=status))
    assert "in flight" in shop.grayling("history", "checkout").out
    assert json.loads(shop.grayling("record", "checkout", "-o", "json").out)["id"] == "a1-2"
    assert json.loads(shop.grayling("record", "checkout", "now", "-o", "json").out)["outcome"] is None


def recorded(world, identity, fails, **changes):
    recorder = Recorder(samples.spec(**changes))
    for second in range(120):
        pods = {
            "s": PodLook(Arm.STABLE, 900.0, 1.0, 80),
            "c": PodLook(Arm.CANARY, 60.0, 1.0, 20, {"500": fails} if fails else {}),
        }
        recorder.note("release", [SignalLook("errors", 1000.0 + second, SourceStatus.OK, pods)])
    world.put(recording_of("checkout", "shop", identity, recorder.finished(), {"uid": "u"}))


def test_recordings_are_judged_again(shop, tmp_path):
    recorded(shop, "a1-1", 0)
    recorded(shop, "a1-2", 3)
    lines = shop.grayling("history", "checkout", "--replay").out.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", "a1-2", "a1-1"]
    assert lines[1].split()[1:4] == ["aborted", "shop/checkout:v2", "bad"]
    listed = json.loads(shop.grayling("history", "checkout", "--replay", "-o", "json").out)
    assert [each["id"] for each in listed] == ["a1-2", "a1-1"]
    assert [each["verdict"] == "bad" for each in listed] == [True, False]
    policy = tmp_path / "deaf.yaml"
    signal = {"name": "errors", "kind": "errors", "source": "pods", "floor": 0.5, "tolerance": 1000}
    policy.write_text(yaml.safe_dump({"signals": [signal]}))
    deaf = shop.grayling("history", "checkout", "--replay", "--policy", str(policy), "-o", "json")
    assert [each["verdict"] == "bad" for each in json.loads(deaf.out)] == [False, False]


def test_a_recording_is_printed(shop):
    recorded(shop, "a1-1", 0)
    printed = shop.grayling("record", "checkout", "a1-1", "--recording").out.splitlines()
    assert json.loads(printed[0])["format"] == "grayling.recording/2"
    assert len(printed) == 121
    missing = shop.grayling("record", "checkout", "a1-2", "--recording")
    assert (missing.code, "a1-2 of checkout is not on record; there are a1-1" in missing.err) == (2, True)


def test_without_recordings_it_is_said(shop):
    replayed = shop.grayling("history", "checkout", "--replay")
    assert (replayed.code, replayed.out.strip()) == (0, "")
    assert "releases are recorded with spec.recording: true" in replayed.err
    assert "spec.recording" in shop.grayling("record", "checkout", "--recording").err
    assert "add --replay" in shop.grayling("history", "checkout", "--alpha", "0.1").err


def test_a_damaged_recording_is_passed_over(shop):
    recorded(shop, "a1-1", 0)
    damaged = recording_of("checkout", "shop", "a1-2", b"nonsense", {"uid": "u"})
    shop.put(damaged)
    result = shop.grayling("history", "checkout", "--replay")
    assert "ConfigMap checkout-recording-a1-2: the recording is damaged" in result.err
    assert "a1-1" in result.out


def test_record(shop):
    assert shop.grayling("record", "checkout").out.startswith("# shop/checkout: rolled-back")
    assert yaml.safe_load(shop.grayling("record", "checkout", "a1-1", "-o", "yaml").out)["outcome"] == "promoted"


@pytest.mark.parametrize(
    ("release", "told"),
    [("a1", "is not clear; there are k3x9, a1-2, a1-1"), ("zz", "is not on record; there are k3x9, a1-2, a1-1")],
)
def test_a_record_that_cannot_be_told(shop, release, told):
    result = shop.grayling("record", "checkout", release)
    assert result.code == 2
    assert told in result.err


def test_record_of_nothing(world):
    assert world.grayling("record", "checkout").err == "Error: checkout has no releases on record\n"
    assert world.grayling("record").code == 2


def test_the_schema(world):
    assert json.loads(world.grayling("record", "--schema").out)["title"] == "grayling.record/1"


def test_a_config_map_that_is_none_is_passed_over(shop):
    meta = {"name": "odd", "namespace": "shop", "labels": {"grayling.dev/record": "checkout"}}
    shop.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    result = shop.grayling("history", "checkout")
    assert result.code == 0
    assert "ConfigMap odd holds no record" in result.err


def test_crd(world):
    everything = [each["kind"] for each in yaml.safe_load_all(world.grayling("crd").out)]
    policies = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
    assert everything == ["CustomResourceDefinition", "CustomResourceDefinition", *policies]
    one = yaml.safe_load(world.grayling("crd", "approvals").out)
    assert one["metadata"]["name"] == "approvals.grayling.dev"
    assert world.grayling("crd", "pods").code == 2


def test_plan_of_a_live_object(shop):
    result = shop.grayling("plan", "checkout", "--rps", "100")
    assert result.code == 0
    assert result.out.startswith("plan for checkout\n  image:         shop/checkout:v2\n")
    assert "refused: shop/checkout:v2 was taken back (errors)" in result.out


def test_plan_of_another_image(shop):
    made = json.loads(shop.grayling("plan", "checkout", "--image", "shop/checkout:v9", "-o", "json").out)
    assert made["image"] == "shop/checkout:v9"
    assert made["refusals"] == []


def test_plan_of_a_file_needs_no_cluster(world, tmp_path):
    world.server.down = True
    file = tmp_path / "release.yaml"
    file.write_text(yaml.safe_dump_all([{"kind": "Service"}, samples.manifest(), samples.manifest("billing")]))
    result = world.grayling("plan", "billing", "-f", str(file), "-o", "markdown")
    assert result.out.startswith("### Release plan: billing")
    unclear = world.grayling("plan", "-f", str(file))
    assert unclear.code == 2
    assert "name the GrayRelease to plan; there are checkout, billing" in unclear.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "x.yaml:2: not YAML: while parsing"),
        ("a: 1\n", "there are none"),
        ("kind: GrayRelease\nkind: Service\n", "x.yaml:2: key 'kind' stands twice; leave one out"),
        ("kind: GrayRelease\nspec: &a\n  x: *a\n", "spec.x: an alias contains itself"),
        (
            "kind: GrayRelease\nspec: {since: 2026-01-01}\n",
            "x.yaml:2: spec.since: '2026-01-01' is read as a date; quote it",
        ),
        ("kind: GrayRelease\nmetadata: [x]\n", "metadata.name: is missing, or no text; give the GrayRelease a name"),
        ("kind: GrayRelease\nmetadata: {name: 5}\n", "metadata.name: is missing, or no text"),
        ("kind: GrayRelease\nmetadata: {name: x}\nspec: []\n", "GrayRelease default/x: spec"),
    ],
)
def test_plan_of_a_file_that_is_none(world, tmp_path, text, told):
    file = tmp_path / "x.yaml"
    file.write_text(text)
    for more in ((), ("--image", "x:9")):
        result = world.grayling("plan", "-f", str(file), *more)
        assert result.code == 2
        assert told in result.err
        assert len(result.err.splitlines()) == 1


def test_plan_of_a_file_shows_the_steps_that_follow_upon_what_serves(world, tmp_path):
    file = tmp_path / "release.yaml"
    file.write_text(yaml.safe_dump(samples.manifest()))
    plan = ("plan", "-f", str(file), "-o", "json")
    unasked = world.grayling(*plan)
    made = json.loads(unasked.out)
    assert [each["weight"] for each in made["steps"]] == [5, 20, 50]
    assert not any("first version" in each for each in made["warnings"])
    assert "that a version before it serves is taken for granted; --server asks" in unasked.err
    new = json.loads(world.grayling(*plan, "--server").out)
    assert (new["steps"], new["warnings"][0][:17]) == ([], "the first version")
    world.put(samples.manifest())
    assert json.loads(world.grayling(*plan, "--server").out)["steps"] == [], "it has never served"
    world.put(samples.manifest(status=samples.promoted().model_copy(update={"stable": samples.STABLE})))
    asked = world.grayling(*plan, "--server")
    assert (json.loads(asked.out)["steps"], asked.err) == (made["steps"], "")


def test_plan_needs_a_name(world):
    assert "NAME" in world.grayling("plan").err


@pytest.mark.parametrize("option", ["--rps", "--error-rate", "--spread"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "1e300", "1e-300", "many"])
def test_plan_takes_numbers_that_can_be(shop, option, value):
    result = shop.grayling("plan", "checkout", option, value)
    if (option, value) != ("--spread", "1e-300"):
        assert (result.code, result.out) == (2, "")
        assert f"Invalid value for '{option}': " in result.err


@pytest.mark.parametrize(
    ("rps", "error_rate"), [("0.001", "1e-9"), ("1e9", "1e-9"), ("0.001", "0.99"), ("1e9", "0.99")]
)
def test_plan_at_the_bounds_of_numbers_can_be_read(shop, rps, error_rate):
    result = shop.grayling("plan", "checkout", "--rps", rps, "--error-rate", error_rate)
    assert result.code == 0
    assert not re.search(r"nan|inf\b|\d{15}", result.out)


def with_typo(name="checkout"):
    made = samples.manifest(name)
    made["metadata"] = {"name": name, "namespace": "shop"}
    made["spec"]["workload"]["template"]["spec"]["containers"][0]["readynessProbe"] = {"httpGet": {"port": 80}}
    return made


TYPO = "spec.workload.template.spec.containers[0].readynessProbe: Kubernetes has no such field; did you mean readinessP"


def test_a_typo_in_a_file_is_told_without_a_cluster(world, tmp_path):
    world.server.down = True
    file = tmp_path / "release.yaml"
    file.write_text(yaml.safe_dump(with_typo()))
    result = world.grayling("plan", "-f", str(file))
    assert (result.code, result.out) == (2, "")
    assert f"GrayRelease shop/checkout: {TYPO}" in result.err


def test_a_cluster_that_is_asked_says_it_itself(world, tmp_path):
    file = tmp_path / "release.yaml"
    file.write_text(yaml.safe_dump(with_typo()))
    result = world.grayling("plan", "-f", str(file), "--server")
    assert result.code == 13
    assert "Deployment shop/checkout-" in result.err
    assert "readynessProbe: field not declared in schema" in result.err
    world.put(with_typo())
    assert world.grayling("plan", "checkout").code == 13
    assert world.server.find("Deployment", "checkout") is None
    assert [each for each in world.server.objects.values() if each["kind"] != "GrayRelease"] == []


def test_a_plan_changes_nothing(shop):
    before = dict(shop.server.objects)
    assert shop.grayling("plan", "checkout", "--image", "x:9").code == 0
    assert shop.server.objects == before
    assert shop.server.writes == []


@pytest.mark.parametrize(
    "message", ['pods "x" is forbidden: exceeded quota: a', 'admission webhook "tags" denied the request: no latest']
)
def test_what_admission_would_refuse_is_told_before_anything_begins(shop, message):
    shop.server.fail("PATCH", "deployments/", 403, message=message)
    result = shop.grayling("plan", "checkout", "--image", "x:9")
    assert result.code == 13
    assert message in result.err


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_cluster_that_cannot_be_asked_is_no_consent(world, status):
    """Then the schema at hand is looked at, and that it was only that is told."""
    world.put(samples.manifest(status=samples.promoted()))
    world.server.fail("PATCH", "", status, times=9, message='User "ann" cannot patch resource "deployments"')
    result = world.grayling("plan", "checkout")
    assert result.code == 0
    assert "Warning: whether the cluster takes its objects is not known: apply " in result.err
    world.put(with_typo())
    result = world.grayling("plan", "checkout")
    assert result.code == 2
    assert TYPO in result.err
