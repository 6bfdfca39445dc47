"""Every row of the table is found where it is, and nothing is found where nothing breaks."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contracts.breaking import BY_ID, TABLE, breaches, unmet
from components.contracts.reading import ContractError
from tests.components.contracts.cases import (
    ASYNC_2,
    ASYNC_3,
    ASYNC_CASES,
    GONE,
    HTTP_CASES,
    OPENAPI,
    changed,
    contract,
)

CASES = [
    *((name, OPENAPI, *case) for name, case in HTTP_CASES.items()),
    *((name, ASYNC_2, *case) for name, case in ASYNC_CASES.items()),
]


@pytest.mark.parametrize(("row", "text", "path", "value"), CASES, ids=[case[0] for case in CASES])
def test_each_row_is_found_and_nothing_but_it(row, text, path, value):
    found = breaches(contract(text), contract(changed(text, path, value)))
    assert {each.id for each in found} == {row} | BESIDE.get(row, set())
    assert all(each.where and each.text for each in found)


BESIDE = {
    # One schema is what goes in and what comes out.
    "request-type-narrowed": set(),
    "request-format-changed": {"response-format-changed"},
    "response-format-changed": set(),
    "request-property-refused": set(),
}


def test_every_row_has_a_case():
    shown = {*HTTP_CASES, *ASYNC_CASES, "contract-removed", "contract-form-changed"}
    assert shown == {row.id for row in TABLE} == BY_ID.keys()


@pytest.mark.parametrize("text", [OPENAPI, ASYNC_2, ASYNC_3])
def test_a_document_breaks_nothing_of_itself(text):
    assert breaches(contract(text), contract(text)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("info", "version"), "2.0.0"),
        (("paths", "/new"), {"get": {"responses": {}}}),
        (("components", "schemas", "NewOrder", "properties", "note"), {"type": "string"}),
        (("components", "schemas", "NewOrder", "required"), []),
        (("paths", "/orders", "get", "parameters", 0, "schema"), {"type": "number"}),
        (("security",), [{"oauth": ["orders.read"]}, {"key": []}, {"basic": []}]),
    ],
)
def test_what_gives_more_or_asks_less_breaks_nobody(path, value):
    found = breaches(contract(OPENAPI), contract(changed(OPENAPI, path, value)))
    assert {each.id for each in found} <= {"response-property-optional"}
    if path[-1] != "required":
        assert found == []


@pytest.mark.parametrize("key", ["not", "if", "prefixItems", "patternProperties", "pattern"])
def test_a_limit_that_is_not_weighed_counts_as_tighter(key):
    path = ("components", "schemas", "NewOrder", "properties", "item", key)
    found = breaches(contract(OPENAPI), contract(changed(OPENAPI, path, {"type": "number"})))
    assert {each.id for each in found} == {"request-limit-narrowed"}
    back = breaches(contract(changed(OPENAPI, path, {"type": "number"})), contract(OPENAPI))
    assert {each.id for each in back} == {"response-limit-widened"}


def test_a_parameter_of_a_path_may_have_another_name():
    assert breaches(contract(OPENAPI), contract(OPENAPI.replace("/orders/{id}", "/orders/{order}"))) == []


def test_version_3_is_read_from_the_same_side_as_version_2():
    gone = changed(
        ASYNC_3, ("channels", "created", "messages", "created", "payload", "schema", "properties"), {"no": {}}
    )
    (found,) = breaches(contract(ASYNC_3), contract(gone))
    assert (found.id, found.where) == ("response-property-removed", "sends orders.created created .id")
    asked = changed(ASYNC_3, ("channels", "wanted", "messages", "wanted", "payload", "required"), ["item"])
    assert [each.id for each in breaches(contract(ASYNC_3), contract(asked))] == ["request-property-required"]
    moved = changed(ASYNC_3, ("channels", "created", "address"), "orders.new")
    assert [each.id for each in breaches(contract(ASYNC_3), contract(moved))] == ["channel-removed"]


def test_another_form_cannot_be_compared():
    assert [each.id for each in breaches(contract(OPENAPI), contract(ASYNC_2))] == ["contract-form-changed"]


PART = """
openapi: 3.1.0
info: {title: what billing uses, version: '1'}
paths:
  /orders:
    get:
      responses:
        200:
          content: {application/json: {schema: {type: array, items: {properties: {id: {type: string}}}}}}
"""


def test_a_consumer_needs_its_part_and_nothing_else():
    needs = contract(PART)
    assert unmet(needs, [contract(OPENAPI)]) == []
    assert unmet(needs, [contract(ASYNC_2), contract(OPENAPI)]) == []
    without = contract(changed(OPENAPI, ("components", "schemas", "Order", "allOf", 1, "properties", "id"), GONE))
    (left,) = unmet(needs, [without])
    assert (left.id, left.where) == ("response-property-removed", "GET /orders response 200 [].id")
    assert [each.id for each in unmet(needs, [contract(ASYNC_2)])] == ["contract-removed"]
    assert unmet(needs, [without, contract(OPENAPI)]) == []


def test_a_new_log_in_breaks_a_document_that_needs_none_and_no_part_that_is_silent():
    free = contract(changed(OPENAPI, ("security",), GONE))
    assert {each.id for each in breaches(free, contract(OPENAPI))} == {"security-changed"}
    assert breaches(contract(OPENAPI), free) == []


def test_schemas_that_hold_themselves_come_to_an_end():
    loop = {
        "type": "object",
        "properties": {"next": {"$ref": "#/components/schemas/Node"}, "value": {"type": "string"}},
    }
    media = {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}
    data = {
        "openapi": "3.0.3",
        "info": {},
        "paths": {"/x": {"get": {"responses": {"200": {"content": media}}}}},
        "components": {"schemas": {"Node": loop}},
    }
    other = copy.deepcopy(data)
    other["components"]["schemas"]["Node"]["properties"]["value"] = {"type": "integer"}
    found = breaches(contract(data), contract(other))
    assert {each.id for each in found} == {"response-type-widened"}


def test_schemas_that_are_too_entangled_are_refused():
    names = [f"S{number}" for number in range(12)]
    all_of_them = {name: {"$ref": f"#/components/schemas/{name}"} for name in names}
    schemas = {name: {"type": "object", "properties": all_of_them} for name in names}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}}}
    data = {
        "openapi": "3.0.3",
        "info": {},
        "paths": {"/x": {"post": {"requestBody": body}}},
        "components": {"schemas": schemas},
    }
    with pytest.raises(ContractError, match="refer to one another too often"):
        breaches(contract(data), contract(data))


KEYS = st.sampled_from(
    ["get", "post", "responses", "200", "content", "application/json", "schema", "type", "properties", "required",
     "items", "allOf", "oneOf", "enum", "parameters", "requestBody", "security", "name", "in", "subscribe", "message",
     "payload", "a", "format", "maximum", "nullable", "additionalProperties", "headers"]
)  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(ANYTHING, ANYTHING, st.sampled_from(["openapi", "asyncapi"]))
def test_nonsense_inside_a_document_is_never_a_traceback(one, other, form):
    sides = []
    for value in (one, other):
        outer = {"openapi": "paths", "asyncapi": "channels"}[form]
        data = {form: "3.0.0" if form == "openapi" else "2.0.0", "info": {}, outer: {"/x": value}}
        try:
            sides.append(contract(data))
        except ContractError:
            return
    breaches(*sides)
