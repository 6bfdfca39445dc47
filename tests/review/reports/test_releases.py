"""The releases that a change starts, who owns what changes, and who uses it."""

from __future__ import annotations

import html

import pytest

from review.model.change import Change, ChangeSet, ObjectRef, Op
from review.reports import words
from review.reports.markdown import markdown
from review.reports.people import dependants_of, owners_of
from review.reports.releases import Expected, releases_of
from review.reports.timeline import LEFT, RIGHT, WIDTH, timeline_of
from tests.review.previews import manifest, preview, read, reviewed, step
from tests.review.reading.test_recorded import recorded


def gray(image: str = "web:1", *, steps: list | None = None, **work) -> dict:
    pod = {"spec": {"containers": [{"name": "web", "image": image}]}}
    spec = {
        "workload": {"replicas": 4, "template": pod, "ports": [{"name": "http", "port": 80}], **work},
        "traffic": {"hostnames": ["web.local"], "parents": [{"name": "gateway"}]},
        "strategy": {"bake": "10m", "steps": steps or [{"weight": 10, "hold": "2m"}, {"weight": 50, "hold": "5m"}]},
        "analysis": {"signals": [{"name": "errors", "kind": "errors", "source": "pods"}]},
    }
    return manifest("GrayRelease", "web", version="grayling.dev/v1alpha1", spec=spec)


def only(tmp_path, before, after, op: str = "update", traffic: Expected | None = None):
    changes = read(tmp_path, preview(step(op, before, after)))
    found = releases_of(changes, 0.0, *([traffic] if traffic else []))
    return found[0] if found else None


def test_another_image_starts_a_release_with_its_timeline(tmp_path):
    release = only(tmp_path, gray(), gray("web:2"))
    assert (release.first, release.before, release.after) == (False, "web:1", "web:2")
    assert [(each.weight, each.starts_after_seconds) for each in release.plan.steps] == [(10, 0), (50, 120)]
    assert release.plan.earliest_end_seconds == 120 + 300 + 600
    assert release.plan.worst_case_failed_requests > 0
    assert release.plan.steps[1].smallest_ratio > 1


def test_figures_follow_the_traffic(tmp_path):
    few, many = (only(tmp_path, gray(), gray("web:2"), traffic=Expected(rps, 0.001)) for rps in (1, 1000))
    assert few.plan.steps[1].smallest_ratio > many.plan.steps[1].smallest_ratio


@pytest.mark.parametrize("key", ["config", "ports", "configMountPath"])
def test_configuration_is_a_version_too(tmp_path, key):
    other = {"config": {"a": "b"}, "ports": [{"name": "http", "port": 81}], "configMountPath": "/etc/other"}[key]
    assert only(tmp_path, gray(), gray(**{key: other})) is not None


def test_policy_and_scale_start_nothing(tmp_path):
    assert only(tmp_path, gray(), gray(steps=[{"weight": 30, "hold": "1m"}])) is None
    assert only(tmp_path, gray(), gray(replicas=9)) is None


def test_a_version_that_differs_in_a_hidden_value_alone_starts_one(tmp_path):
    one, other = gray(), gray()
    for made, secret in ((one, "hunter2-hunter2"), (other, "correct-horse")):
        made["spec"]["workload"]["template"]["spec"]["containers"][0]["env"] = [{"name": "PASSWORD", "value": secret}]
    release = only(tmp_path, one, other)
    assert release.plan.refusals == ()
    assert len(release.plan.steps) == 2


def test_a_first_version_takes_no_steps(tmp_path):
    release = only(tmp_path, None, gray(), "create")
    assert (release.first, release.plan.steps) == (True, ())


def test_a_gate_is_told(tmp_path):
    gated = [{"weight": 10, "hold": "2m"}, {"weight": 50, "hold": "5m", "gate": "manual"}]
    changes = read(tmp_path, preview(step("update", gray(steps=gated), gray("web:2", steps=gated))))
    (release,) = reviewed(changes).releases
    assert [stage.gate for stage in words.stages(release)] == ["", "manual", ""]
    assert "| step 2 | 50 % | +120 s | 5m | manual |" in markdown(reviewed(changes))


@pytest.mark.parametrize("broken", [{"template": {}}, {"replicas": "[unknown]"}, {"replicas": 0}])
def test_a_spec_that_cannot_be_read_is_told(tmp_path, broken):
    changes = read(tmp_path, preview(step("update", gray(), gray("web:2", **broken))))
    (release,) = releases_of(changes, 0.0) or [None]
    if release is None:
        assert "template" not in broken
    else:
        assert release.problem.startswith("its spec cannot be read: spec.workload.")
        assert release.problem in html.unescape(markdown(reviewed(changes)))


def test_the_recorded_change_of_an_image():
    (release,) = releases_of(recorded("update-grayrelease-image"), 0.0)
    assert (release.object, release.plan.earliest_end_seconds) == ("GrayRelease h5/checkout", 60)


def stage(lasts: float, starts: float = 0.0) -> words.Stage:
    return words.Stage("step", 20, starts, lasts, "", "", "")


@pytest.mark.parametrize("lengths", [[1, 86400], [0, 0], [60] * 12, [5]])
def test_every_stage_of_a_timeline_finds_room(lengths):
    bars = timeline_of([stage(each) for each in lengths]).bars
    assert len(bars) == len(lengths)
    assert all(bar.width > 20 for bar in bars)
    assert bars[-1].x + bars[-1].width <= WIDTH - RIGHT
    assert bars[0].x == LEFT
    assert [bar.x for bar in bars] == sorted(bar.x for bar in bars)
    assert timeline_of([]) is None


def change(name: str, component: str = "", owners: tuple = (), kind: str = "Service", **after) -> Change:
    return Change(ObjectRef("v1", kind, "shop", name), (Op.UPDATE,), {}, after, component=component, owners=owners)


def test_owners_of_the_object_then_of_its_component_then_of_the_environment():
    changes = (
        change("a", "redis", ("data",)),
        change("b", "redis"),
        change("c", "web"),
        change("d"),
    )
    config = {"grayling:environment": {"owners": ["platform"]}}
    found = {each.owner: each.objects for each in owners_of(ChangeSet("render", changes=changes, config=config))}
    assert found == {"data": ("Service shop/a", "Service shop/b"), "platform": ("Service shop/c", "Service shop/d")}
    nobody = owners_of(ChangeSet("render", changes=changes))
    assert [each.owner for each in nobody] == ["data", "nobody is named"]


def test_who_uses_what_changes():
    label = {"podSelector": {"matchLabels": {"app.kubernetes.io/instance": "redis"}}}
    policy = change("p", "billing", kind="NetworkPolicy", spec={"egress": [{"to": [label]}]})
    config = {
        "grayling:services": {"checkout": {"uses": ["redis", "rabbitmq"]}, "odd": {"uses": "x"}, "none": None},
        "grayling:components": {"adapter": {"uses": ["rabbitmq"]}},
    }
    changes = ChangeSet("render", changes=(change("r", "redis"), policy), config=config)
    assert [(each.name, each.uses, each.known_by) for each in dependants_of(changes)] == [
        ("billing", "redis", "network policy"),
        ("checkout", "redis", "uses"),
    ]


def test_the_recorded_change_of_rabbitmq_touches_those_who_use_it():
    found = {(each.name, each.uses) for each in dependants_of(recorded("update-rabbitmq-config"))}
    assert found == {("checkout", "rabbitmq"), ("billing", "rabbitmq")}
