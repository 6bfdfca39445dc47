"""What stack diff says of a topology: what is old or unseen is unknown, never well."""

from __future__ import annotations

import time

import pytest

from components.deploy.object_readiness import readiness
from components.deploy.topology_drift import drift_of, put_right
from rollout.api.status import Condition, timestamp
from topology.api.status import ItemStatus, State, TopologyStatus

NOW = 1_800_000_000.0


def live(reason="Reconciled", message="", *, age=10.0, generation=1, items=(), **more):
    said = "True" if reason == "Reconciled" else "False"
    condition = Condition(type="Ready", status=said, reason=reason, message=message, last_transition_time=NOW)
    status = TopologyStatus(
        observed_generation=1,
        observed_at=None if age is None else NOW - age,
        items=list(items),
        conditions=[condition],
        **more,
    )
    return {
        "kind": "Topology",
        "metadata": {"name": "rabbitmq", "generation": generation},
        "spec": {},
        "status": status.wire(),
    }


REFUSED = ItemStatus(label="queue a", state=State.REFUSED, reason="it loses data", fix="allow it")
LEFT = ItemStatus(label="queue b", state=State.LEFT, reason="declared no more", fix="prune")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (live(items=[ItemStatus(label="queue a", state=State.READY)]), []),
        ({"kind": "ConfigMap", "metadata": {}}, []),
        ({"kind": "Topology", "metadata": {"name": "x"}}, ["unknown: no reconciler has said anything yet"]),
        (
            {"kind": "Topology", "metadata": {"name": "x"}, "status": {"conditions": 7}},
            ["unknown: no reconciler has said anything yet"],
        ),
        (live(age=121), ["unknown: the reconciler is silent (seen last: 2m1s ago)"]),
        (live(age=None), ["unknown: the reconciler is silent (seen last: never)"]),
        (live(generation=2), ["unknown: the reconciler has not looked at this declaration yet (seen last: 10s ago)"]),
        (
            live("Unauthorized", "broker says no", age=60),
            ["unknown: Unauthorized: broker says no (seen last: 1m ago)"],
        ),
        (live("Anything", "new"), ["unknown: Anything: new (seen last: 10s ago)"]),
        (
            live("Refused", "x", items=[REFUSED, LEFT]),
            ["queue a: Refused: it loses data; allow it", "queue b: Left: declared no more; prune"],
        ),
    ],
)
def test_what_is_told(found, told):
    assert list(drift_of(found, NOW)) == told


def test_what_others_changed_is_told_with_its_age():
    found = live(drifted=["binding x", "policy y"], drifted_at=NOW - 180)
    assert list(put_right(found, NOW)) == ["rabbitmq: put right 3m ago: binding x, policy y"]
    assert list(put_right(live(), NOW)) == []


@pytest.mark.parametrize(
    ("found", "ready", "failed", "reason"),
    [
        (live(), True, False, ""),
        (live(generation=2), False, False, "not looked at yet"),
        (live("Unauthorized", "no", generation=2), False, False, "not looked at yet: Unauthorized: no"),
        (live("Refused", "of before", generation=2), False, False, "not looked at yet"),
        ({"kind": "Topology", "metadata": {"generation": 1}}, False, False, "not looked at yet"),
        (live("Refused", "queue a: it loses data"), False, True, "Refused: queue a: it loses data"),
        (live("Invalid", "too new"), False, True, "Invalid: too new"),
        (live("Unreachable", "no answer"), False, False, "Unreachable: no answer"),
        (live("Failed", "no"), False, False, "Failed: no"),
    ],
)
def test_an_apply_waits_for_it_and_ends_where_waiting_cannot_help(found, ready, failed, reason):
    told = readiness(found)
    assert (told.ready, told.failed, told.reason) == (ready, failed, reason)


TEXT = """config:
  grayling:environment: {tier: local, namespace: shop, owners: [a]}
  grayling:components:
    rabbitmq: {topology: {queues: {billing: {}}}}
    topology: {image: 'registry.example.com/grayling:1'}
"""


def test_diff_tells_what_is_not_as_declared_and_what_nobody_has_seen(person):
    stack = person.stack("shop", TEXT)
    assert person.apply(stack).code == 0
    told = person.on("diff", stack, "--detailed-exitcode")
    assert "drift Topology shop/rabbitmq\n  unknown: no reconciler has said anything yet" in told.out
    assert "1 topologies are not as declared or not known" in told.err
    assert told.code == 3

    (item,) = [each for each in person.server.objects.values() if each["kind"] == "Topology"]
    now = time.time()
    found = live("Refused", "x", items=[REFUSED], drifted=["policy y"], drifted_at=now - 60)["status"]
    seen = TopologyStatus.model_validate({**found, "observedAt": timestamp(now)}).wire()
    person.done(lambda: person.server.put({**item, "status": seen}))
    told = person.on("diff", stack)
    assert "drift Topology shop/rabbitmq\n  queue a: Refused: it loses data; allow it\n" in told.out
    assert "rabbitmq: put right 1m" in told.err
    assert told.code == 0
