from __future__ import annotations

from rollout.api.revision import MANAGER
from rollout.drivers.httproute.acceptance import foreign_writer, refusal_of
from rollout.drivers.httproute.route import (
    backend,
    new_route,
    own_rule,
    shape_of,
    shape_on,
    weights_on,
)
from tests.rollout.drivers.routes import UID, A, B, route, traffic


def test_defaults_of_the_schema_are_filled_in():
    shape = shape_of(
        traffic(
            parents=[{"name": "edge", "sectionName": "https"}],
            matches=[
                {
                    "headers": [{"name": "x", "value": "1"}],
                    "queryParams": [{"name": "q", "value": "1", "type": "Exact"}],
                },
                {"path": {"value": "/api"}, "method": "GET"},
            ],
            requestTimeout="90s",
        )
    )
    gateway = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}
    anywhere = {"type": "PathPrefix", "value": "/"}
    assert shape.parents == [{**gateway, "name": "edge", "sectionName": "https"}]
    assert shape.matches == [
        {
            "path": anywhere,
            "headers": [{"type": "Exact", "name": "x", "value": "1"}],
            "queryParams": [{"type": "Exact", "name": "q", "value": "1"}],
        },
        {"path": {"type": "PathPrefix", "value": "/api"}, "method": "GET"},
    ]
    assert shape.request_timeout == "1m30s"
    assert shape_of(traffic()).matches == [{"path": anywhere}]
    assert shape_of(traffic()).request_timeout == ""


def test_a_route_for_any_host_names_none():
    made = new_route("checkout", "shop", UID, shape_of(traffic(hostnames=[])), [], 1)
    assert "hostnames" not in made["spec"]
    assert shape_on(made) == shape_of(traffic(hostnames=[]))


def test_a_route_made_by_the_engine_has_the_shape_it_was_made_with():
    assert shape_on(route({A: 100})) == shape_of(traffic())
    assert shape_on({"metadata": {"name": "x"}}).parents == []


def test_percentages_as_the_route_says():
    assert weights_on(route({A: 80, B: 20})) == {A: 80, B: 20}
    assert weights_on(route({A: 3, B: 1})) == {A: 75, B: 25}
    assert weights_on(route({A: 0, B: 0})) == {A: 0, B: 0}
    assert weights_on(route({})) == {}


def test_strangers_count_where_they_take_a_share():
    assert weights_on(route({A: 50, B: 0, "debug": 50})) == {A: 50, B: 0, "debug": 50}
    assert weights_on(route({A: 100, "debug": 0})) == {A: 100}


def test_a_missing_weight_is_one():
    made = route({A: 1, B: 1})
    for each in made["spec"]["rules"][0]["backendRefs"]:
        del each["weight"]
    assert weights_on(made) == {A: 50, B: 50}


def test_which_rule_is_the_engines():
    made = route({A: 100})
    [own] = made["spec"]["rules"]
    stranger = {"backendRefs": [backend("debug", 80, 1)]}
    abroad = {"backendRefs": [backend(A, 80, 1) | {"namespace": "other"}]}
    other_kind = {"backendRefs": [backend(A, 80, 1) | {"kind": "Backend", "group": "x"}]}
    made["spec"]["rules"] = [stranger, abroad, other_kind, own]
    assert own_rule(made) == 3
    made["spec"]["rules"] = [{"filters": []}, stranger]
    assert own_rule(made) == 0
    made["spec"]["rules"] = []
    assert own_rule(made) is None


def answer(generation: int = 1, parent: str = "edge", **conditions: str) -> dict:
    said = {"Accepted": "True", "ResolvedRefs": "True"} | conditions
    return {
        "parentRef": {"name": parent},
        "conditions": [
            {"type": kind, "status": status, "reason": "NoMatch", "message": "why", "observedGeneration": generation}
            for kind, status in said.items()
        ],
    }


def test_accepted_means_by_every_parent_for_this_generation():
    made = route({A: 100})
    made["spec"]["parentRefs"].append({"name": "inner", "namespace": "infra", "kind": "Service", "group": ""})
    inner = answer() | {"parentRef": {"name": "inner", "namespace": "infra", "kind": "Service", "group": ""}}
    made["metadata"]["generation"] = 1
    assert refusal_of(made) == ""
    made["status"] = {"parents": [answer()]}
    assert refusal_of(made) == ""
    made["status"] = {"parents": [inner, answer()]}
    assert refusal_of(made) is None
    made["metadata"]["generation"] = 2
    assert refusal_of(made) == ""


def test_why_it_is_refused():
    made = route({A: 100})
    made["status"] = {"parents": [answer(ResolvedRefs="False")]}
    assert refusal_of(made) == "Gateway edge: NoMatch: why"
    made["status"] = {"parents": [answer(Accepted="False", ResolvedRefs="False")]}
    made["status"]["parents"][0]["conditions"][0].pop("message")
    assert refusal_of(made) == "Gateway edge: NoMatch"
    made["status"]["parents"][0]["conditions"] = []
    assert refusal_of(made) == ""


def wrote(manager: str, time: str, field: str = "f:rules", **rest: str) -> dict:
    return {"manager": manager, "time": time, "fieldsV1": {"f:spec": {field: {}}}, **rest}


def test_who_wrote_the_rules_last():
    made = route({A: 100})
    ours, theirs = wrote(MANAGER, "2026-01-01T00:00:05Z"), wrote("kubectl-edit", "2026-01-01T00:00:07Z")
    for entries, expected in (
        ([], ""),
        ([ours], ""),
        ([ours, theirs], "kubectl-edit"),
        ([theirs, wrote(MANAGER, "2026-01-01T00:00:08Z")], ""),
        ([ours, wrote("contour", "2026-01-01T00:00:09Z", subresource="status")], ""),
        ([ours, wrote("labeller", "2026-01-01T00:00:09Z", "f:hostnames")], ""),
        ([ours, theirs, wrote("argo", "2026-01-01T00:00:08Z")], "argo"),
        ([ours, {"manager": "odd"}], ""),
    ):
        made["metadata"]["managedFields"] = entries
        assert foreign_writer(made) == expected
