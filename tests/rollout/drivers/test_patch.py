from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.errors import StaleHolderError
from rollout.drivers import RouteTakenError
from rollout.drivers.httproute.patch import epoch_on, patch_for
from rollout.drivers.httproute.route import (
    backend,
    backends_of,
    keeper_rule,
    own_rule,
    rules_of,
    shape_of,
    shape_on,
    weights_on,
)
from tests.fakes.patches import json_patch
from tests.rollout.drivers.routes import A, B, C, route, traffic, wanted


def patched(made, want):
    return json_patch(deepcopy(made), patch_for(made, want))


def test_nothing_to_do_is_no_patch():
    assert patch_for(route({A: 80, B: 20}), wanted({A: 80, B: 20})) == []
    assert patch_for(route({B: 20, A: 80}), wanted({A: 80, B: 20})) == []


def test_a_change_of_weights_is_tested_against_epoch_and_places():
    assert patch_for(route({A: 80, B: 20}), wanted({A: 100, B: 0})) == [
        {"op": "test", "path": "/metadata/annotations/grayling.dev~1epoch", "value": "3"},
        {"op": "test", "path": "/spec/rules/0/backendRefs/0/name", "value": A},
        {"op": "test", "path": "/spec/rules/0/backendRefs/1/name", "value": B},
        {"op": "add", "path": "/spec/rules/0/backendRefs/0/weight", "value": 100},
        {"op": "add", "path": "/spec/rules/0/backendRefs/1/weight", "value": 0},
    ]


def test_revisions_come_and_go_and_strangers_stay():
    made = route({"debug": 7, A: 80, B: 20})
    after = patched(made, wanted({A: 95, C: 5}))
    assert [(each["name"], each["weight"]) for each in after["spec"]["rules"][0]["backendRefs"]] == [
        ("debug", 7),
        (A, 95),
        (C, 5),
    ]


def test_a_revision_that_is_listed_twice_is_listed_once_again():
    made = route({A: 80, B: 20})
    made["spec"]["rules"][0]["backendRefs"].append(backend(B, 8080, 50))
    assert weights_on(patched(made, wanted({A: 80, B: 20}))) == {A: 80, B: 20}


def test_other_peoples_rules_filters_and_annotations_stay():
    made = route({A: 100})
    made["metadata"]["annotations"]["other"] = "x"
    rule = made["spec"]["rules"][0]
    rule |= {"filters": [{"type": "RequestMirror"}], "timeouts": {"backendRequest": "1s"}}
    rule["backendRefs"][0]["filters"] = [{"type": "RequestHeaderModifier"}]
    foreign = {"matches": [{"path": {"type": "Exact", "value": "/x"}}], "backendRefs": [backend("debug", 1, 1)]}
    made["spec"]["rules"].insert(0, foreign)
    after = patched(made, wanted({A: 90, B: 10}, epoch=4, requestTimeout="5s"))
    assert after["spec"]["rules"][0] == foreign
    mine = after["spec"]["rules"][1]
    assert mine["filters"] == rule["filters"]
    assert mine["timeouts"] == {"backendRequest": "1s", "request": "5s"}
    assert mine["backendRefs"][0]["filters"] == [{"type": "RequestHeaderModifier"}]
    assert after["metadata"]["annotations"] == {"other": "x", "grayling.dev/epoch": "4"}


def test_the_shape_follows_the_spec():
    made = route({A: 100})
    want = wanted({A: 100}, hostnames=[], parents=[{"name": "inner"}], matches=[{"method": "GET"}], requestTimeout="2s")
    after = patched(made, want)
    assert shape_on(after) == want.shape
    assert patch_for(after, want) == []
    assert shape_on(patched(after, wanted({A: 100}))) == shape_of(traffic())


def test_a_late_holder_is_told_so():
    with pytest.raises(StaleHolderError, match="epoch 3, ours is 2"):
        patch_for(route({A: 100}), wanted({A: 100}, epoch=2))


def test_a_new_holder_raises_the_epoch_even_where_nothing_else_changes():
    after = patched(route({A: 100}), wanted({A: 100}, epoch=9))
    assert epoch_on(after) == 9


@pytest.mark.parametrize("annotations", [None, {}, {"grayling.dev/epoch": "soon"}, {"other": "x"}])
def test_an_epoch_that_was_removed_or_spoilt_is_put_back_if_nobody_wrote_since(annotations):
    made = route({A: 100}, version="77")
    made["metadata"]["annotations"] = annotations
    if annotations is None:
        del made["metadata"]["annotations"]
    assert epoch_on(made) is None
    ops = patch_for(made, wanted({A: 100}))
    assert ops[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": "77"}
    assert epoch_on(json_patch(made, ops)) == 3


def test_rules_that_somebody_took_away_are_made_again():
    made = route({A: 80, B: 20})
    for rules in ([], [{}], [{"backendRefs": []}]):
        made["spec"]["rules"] = rules
        ops = patch_for(made, wanted({A: 80, B: 20}))
        assert {"op": "test", "path": "/metadata/resourceVersion", "value": "1"} in ops
        assert weights_on(json_patch(deepcopy(made), ops)) == {A: 80, B: 20}


def test_backends_that_somebody_exchanged_come_back_beside_the_strangers():
    after = patched(route({"debug": 100}), wanted({A: 100}))
    assert weights_on(after) == {"debug": 50, A: 50}


def test_no_revision_at_all_empties_the_rule():
    made = route({A: 100})
    assert weights_on(patched(made, wanted({}))) == {}
    made["spec"]["rules"] = [{"matches": shape_of(traffic()).matches}]
    assert patch_for(made, wanted({})) == []


def test_a_route_left_behind_is_adopted():
    made = route({A: 100}, uid="uid-of-one-that-is-gone")
    made["metadata"]["ownerReferences"][0]["controller"] = False
    ops = patch_for(made, wanted({A: 100}))
    assert {"op": "test", "path": "/metadata/resourceVersion", "value": "1"} in ops
    owners = json_patch(deepcopy(made), ops)["metadata"]["ownerReferences"]
    assert [owner["uid"] for owner in owners] == ["uid-of-one-that-is-gone", "uid-checkout"]
    del made["metadata"]["ownerReferences"]
    assert len(patched(made, wanted({A: 100}))["metadata"]["ownerReferences"]) == 1


def test_a_route_of_somebody_else_is_left_alone():
    taken = route({A: 100}, uid="another")
    taken["metadata"]["ownerReferences"][0] |= {"kind": "Team", "name": "red"}
    with pytest.raises(RouteTakenError, match=r"HTTPRoute shop/checkout exists and belongs to Team red"):
        patch_for(taken, wanted({A: 100}))
    made = route({A: 100})
    del made["metadata"]["ownerReferences"], made["metadata"]["labels"]
    with pytest.raises(RouteTakenError, match=r"belongs to no GrayRelease: .* label it grayling.dev/release=checkout"):
        patch_for(made, wanted({A: 100}))


def test_a_route_that_an_earlier_grayrelease_of_this_name_left_is_taken_over():
    left = route({A: 100}, uid="another")
    ops = patch_for(left, wanted({A: 100}))
    (owners,) = [op["value"] for op in ops if op["path"] == "/metadata/ownerReferences"]
    assert [owner["uid"] for owner in owners] == ["uid-checkout"]


def kept(made):
    """The revisions and weights of the rule that keeps them known; None where there is no such rule."""
    index = keeper_rule(made)
    return None if index is None else {each["name"]: each["weight"] for each in backends_of(rules_of(made)[index])}


def test_where_proxies_forget_a_rule_without_requests_names_every_revision():
    made = route({A: 100}, keeper=True)
    assert kept(made) == {A: 1}
    listed = patched(made, wanted({A: 100, B: 0}, keeper=True))
    assert (weights_on(listed), kept(listed)) == ({A: 100, B: 0}, {A: 1, B: 1})
    moved = patch_for(listed, wanted({A: 80, B: 20}, keeper=True))
    assert [op["path"] for op in moved if op["op"] != "test"] == [
        "/spec/rules/0/backendRefs/0/weight",
        "/spec/rules/0/backendRefs/1/weight",
    ]
    left = patched(listed, wanted({B: 100}, keeper=True))
    assert (weights_on(left), kept(left)) == ({B: 100}, {B: 1})


def test_the_rule_that_keeps_comes_and_goes_with_the_control_plane_and_is_never_the_one_that_is_moved():
    came = patched(route({A: 80, B: 20}), wanted({A: 80, B: 20}, keeper=True))
    assert kept(came) == {A: 1, B: 1}
    first = deepcopy(came)
    first["spec"]["rules"].reverse()
    assert (own_rule(first), weights_on(first)) == (1, {A: 80, B: 20})
    assert kept(patched(first, wanted({A: 80, B: 20}))) is None
    del first["spec"]["rules"][1]
    assert own_rule(first) is None
    made = patched(first, wanted({A: 100}, keeper=True))
    assert (weights_on(made), kept(made)) == ({A: 100}, {A: 1})


def test_a_rule_that_keeps_less_than_it_should_is_seen_and_mended():
    made = route({A: 80, B: 20}, keeper=True)
    del made["spec"]["rules"][1]["backendRefs"][1]
    assert not shape_on(made).keeper
    assert kept(patched(made, wanted({A: 80, B: 20}, keeper=True))) == {A: 1, B: 1}


names = st.sampled_from([A, B, C])
shares = st.dictionaries(names, st.integers(0, 100), min_size=1)


@given(
    st.lists(st.tuples(st.sampled_from([A, B, C, "debug", "mirror"]), st.integers(0, 100)), max_size=6),
    shares,
    st.integers(0, 3),
    st.booleans(),
    st.booleans(),
)
def test_whatever_is_on_the_route_one_patch_makes_it_right(listed, weights, epoch, keeps, keeper):
    made = route({}, epoch=epoch, keeper=keeps)
    made["spec"]["rules"][0]["backendRefs"] = [backend(name, 8080, weight) for name, weight in listed]
    want = wanted(weights, keeper=keeper)
    after = patched(made, want)
    backends = after["spec"]["rules"][own_rule(after) or 0]["backendRefs"]
    ours = {each["name"]: each["weight"] for each in backends if each["name"] in {A, B, C}}
    assert ours == weights
    strangers = [pair for pair in listed if pair[0] not in {A, B, C}]
    assert [(each["name"], each["weight"]) for each in backends if each["name"] not in ours] == strangers
    assert len(backends) == len(ours) + len(strangers)
    assert kept(after) == (dict.fromkeys(weights, 1) if keeper else None)
    assert epoch_on(after) == 3
    assert patch_for(after, want) == []
