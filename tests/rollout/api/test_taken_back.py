"""What is remembered of what was taken back, and whether something is in it."""

from __future__ import annotations

import pytest

from kube.errors import ClusterUnreachableError, ForbiddenError
from kube.kinds import ObjectList
from rollout.api.remembered import remembered
from rollout.api.taken_back import (
    KEY,
    LABEL,
    Memory,
    config_map_of,
    entry_in,
    entry_of,
    memory_in,
    pair_in,
    surplus,
)
from tests.rollout import samples
from tests.rollout.taken_back import AT, FORGIVEN, ended, entry

BAD = samples.manifest()
PAIR = pair_in(BAD)
assert PAIR is not None


def named(name, namespace="shop"):
    return samples.manifest(name=name, namespace=namespace)


def test_it_is_kept_and_read_back():
    known = entry(BAD)
    kept = config_map_of(known)
    assert entry_in(kept) == known
    assert kept["metadata"]["labels"][LABEL] == "checkout"
    assert kept["metadata"]["name"] == f"grayling-taken-back-{PAIR.key}"


def test_what_was_not_taken_back_on_evidence_leaves_nothing():
    assert entry_of("checkout", "shop", ended(BAD, evidence="")) is None
    assert entry_of("checkout", "shop", ended(BAD, pair=None)) is None


@pytest.mark.parametrize("name", ["checkout", "copy"])
@pytest.mark.parametrize("namespace", ["shop", "staging"])
def test_the_same_pair_is_found_under_any_name_and_in_any_namespace(name, namespace):
    memory = memory_in([config_map_of(entry(BAD))])
    assert memory.against(pair_in(named(name, namespace))) is not None


def test_what_a_person_forgave_is_forgiven_wherever_that_release_is_remembered():
    memory = Memory((entry(BAD), entry(BAD, forgiven=FORGIVEN)))
    assert memory.against(PAIR) is None
    assert memory.joined(Memory((entry(BAD, release="newer"),))).against(PAIR).release == "newer"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "Invalid JSON"),
        ({}, "Invalid JSON"),
        ({KEY: "{"}, "Invalid JSON"),
        ({KEY: '{"schema": "grayling.taken-back/2"}'}, "schema: Input should be 'grayling.taken-back/1'"),
        ({KEY: entry(BAD).model_copy(update={"pair": None}).wire_text()}, "pair is missing"),
    ],
)
def test_what_cannot_be_read_is_named_with_the_way_out(data, said):
    found = memory_in([{**config_map_of(entry(BAD)), "data": data}])
    assert found.entries == ()
    [told] = found.unreadable
    assert said in told
    assert told.startswith(f"ConfigMap shop/grayling-taken-back-{PAIR.key} remembers what was taken back")
    assert "put it back from a backup, or delete it" in told


def test_the_forgiven_go_first_then_the_oldest_and_never_what_cannot_be_read():
    def at(seconds, forgiven=None):
        return config_map_of(
            entry(BAD, release=str(seconds), forgiven=forgiven).model_copy(update={"at": AT + seconds})
        )

    torn = {**at(0), "data": {}}
    kept = [at(3), at(1), torn, at(9, FORGIVEN), at(2)]
    gone = [entry_in(each).release for each in surplus(kept, most=3)]
    assert gone == ["9", "1"]
    assert surplus(kept, most=5) == []


class Cluster:
    """Lists what a person may list."""

    def __init__(self, everywhere, places):
        self.everywhere, self.places = everywhere, places

    async def list(self, _kind, namespace=None, *, labels=""):
        assert labels == LABEL
        found = self.everywhere if namespace is None else self.places.get(namespace, [])
        if isinstance(found, Exception):
            raise found
        return ObjectList(found, "1")


FORBIDDEN = ForbiddenError("list ConfigMap: forbidden", status=403)


async def test_all_namespaces_are_asked_where_that_is_allowed():
    notes = []
    memory = await remembered(Cluster([config_map_of(entry(BAD))], {}), ["elsewhere"], notes)
    assert (len(memory.entries), memory.unreadable, notes) == (1, (), [])


async def test_where_it_is_not_the_own_ones_are_and_that_is_said():
    notes = []
    memory = await remembered(Cluster(FORBIDDEN, {"shop": [config_map_of(entry(BAD))]}), ["shop"], notes)
    assert len(memory.entries) == 1
    assert notes == [
        "what other namespaces took back was not asked: these credentials may list ConfigMaps in shop at most"
    ]


async def test_what_may_not_be_read_at_all_is_no_consent():
    memory = await remembered(Cluster(FORBIDDEN, {"shop": FORBIDDEN}), ["shop"], [])
    [told] = memory.unreadable
    assert told.startswith("what was taken back in shop is not known: ")
    assert told.endswith("let these credentials list ConfigMaps in shop")


async def test_a_cluster_that_does_not_answer_is_no_consent():
    with pytest.raises(ClusterUnreachableError):
        await remembered(Cluster(ClusterUnreachableError("no answer"), {}), ["shop"], [])
