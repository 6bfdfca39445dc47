"""The laws of a plan with the kinds of each real system: what would lose data needs its name, whatever differs."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.topology.declared import item
from topology.plan import ACTS, Found, Op, Terms, plan
from topology.systems import kafka, nats
from topology.systems.memory import MemorySystem

FEW = st.integers(-1, 4)
SYSTEMS = {
    "kafka": (
        kafka.KINDS,
        {
            "topic": {
                "partitions": st.integers(1, 4),
                "replication": st.integers(1, 3),
                "retention.ms": FEW.map(str),
                "min.insync.replicas": st.integers(1, 2).map(str),
                "cleanup.policy": st.sampled_from(["delete", "compact"]),
                "unclean.leader.election.enable": st.sampled_from(["true", "false"]),
                "segment.bytes": FEW.map(str),
            },
            "user": {"password": st.sampled_from(["", "taken"])},
            "quota": {"consumer_byte_rate": st.none() | st.floats(1, 9)},
            "acl": {"operations": st.lists(st.sampled_from(["read", "write"]), unique=True).map(sorted)},
        },
    ),
    "nats": (
        nats.KINDS,
        {
            "stream": {
                "storage": st.sampled_from(["file", "memory"]),
                "retention": st.sampled_from(["limits", "workqueue"]),
                "discard": st.sampled_from(["old", "new"]),
                "max_age": FEW,
                "max_msgs": FEW,
                "num_replicas": st.sampled_from([1, 3]),
                "subjects": st.lists(st.sampled_from("abc"), min_size=1, unique=True).map(sorted),
            },
            "bucket": {"max_msgs_per_subject": st.integers(1, 3), "max_age": FEW, "storage": st.just("file")},
            "consumer": {"deliver_policy": st.sampled_from(["all", "new"]), "max_deliver": FEW},
        },
    ),
}


def room(value):
    """What a limit holds; 0 and below are none, and what is no number is of no limit."""
    number = float(value)
    return number if number > 0 else float("inf")


def at_zero(value):
    """As a Kafka counts, which keeps nothing at 0."""
    number = float(value)
    return number if number >= 0 else float("inf")


# What must not become less, or another, while an item was not named.
KEPT = {
    "topic": {
        "partitions": float, "replication": float, "retention.ms": at_zero, "min.insync.replicas": float,
    },
    "stream": {"max_age": room, "max_msgs": room, "num_replicas": float},
    "bucket": {"max_age": room, "max_msgs_per_subject": room},
}  # fmt: skip
SAME = {
    "topic": ("cleanup.policy",),
    "stream": ("storage", "retention"),
    "bucket": ("storage",),
    "consumer": ("deliver_policy",),
}


@st.composite
def cases(draw, system):
    kinds, known = SYSTEMS[system]
    keys = st.lists(st.tuples(st.sampled_from(sorted(known)), st.sampled_from("ab")), unique=True, max_size=6)

    def some():
        return [item(kind, name, **draw(st.fixed_dictionaries(known[kind]))) for kind, name in draw(keys)]

    wanted = some()
    there = {each.label: Found(each.kind, dict(each.settings), each.name) for each in some()}
    labels = st.frozensets(st.sampled_from([f"{kind} {name}" for kind in known for name in "ab"]))
    return kinds, wanted, there, Terms(draw(labels), draw(labels), draw(st.booleans()))


@pytest.mark.parametrize("system", SYSTEMS)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_nothing_is_lost_that_was_not_named_and_the_next_plan_is_empty(system, data):
    kinds, wanted, there, terms = data.draw(cases(system))
    world = MemorySystem(dict(there), kinds=kinds)
    first = plan(kinds, wanted, world.items, terms)
    for step in first:
        assert step.reason or step.op in {Op.CREATE, Op.DELETE}
        if step.op in ACTS:
            asyncio.run(world.act(step))
    assert [step for step in plan(kinds, wanted, world.items, terms) if step.op in ACTS] == []
    holding = {kind.name for kind in kinds if kind.holds_data}
    for label, was in there.items():
        if label not in world.items:
            assert label in terms.made
            assert terms.prune
            assert was.kind not in holding or label in terms.allow
        elif label not in terms.allow:
            now = world.items[label].settings
            for key, size in KEPT.get(was.kind, {}).items():
                assert size(now[key]) >= size(was.settings[key])
            for key in SAME.get(was.kind, ()):
                assert now[key] == was.settings[key]
