"""Documents that are none: malformed, huge, cyclic, of another kind; each has one clear error with file and key."""

from __future__ import annotations

import pytest

from components.contracts.dictionary import dictionary_in, unknown_fields
from components.contracts.document import contract_in
from components.contracts.reading import MOST_BYTES, ContractError, document_in, text_of
from tests.components.contracts.cases import OPENAPI, contract

HEAD = "openapi: 3.1.0\ninfo: {title: x, version: '1'}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "c.yaml: is no map; a contract starts with"),
        ("[1]", "c.yaml: is no map"),
        ("a: b", "c.yaml: says neither openapi nor asyncapi at its top; add"),
        ("swagger: '2.0'", "this is Swagger 2; convert it to OpenAPI 3"),
        ("openapi: 3.1", "c.yaml: openapi: 3.1 is no version that is read; use 3.0 or 3.1, in quotes"),
        ("asyncapi: 1.2.0", "c.yaml: asyncapi: '1.2.0' is no version that is read"),
        ("openapi: 3.1.0\npaths: {}", "c.yaml: info: is no map"),
        (f"{HEAD}paths: [1]", "c.yaml: paths: is no map"),
        (f"{HEAD}paths: {{orders: {{}}}}", "c.yaml: paths.orders: is no path; it begins with /"),
        (f"{HEAD}paths: {{/orders: 7}}", "c.yaml: paths./orders: is no map"),
        (f"{HEAD}paths: {{/orders: {{get: 7}}}}", "c.yaml: paths./orders.get: is no map"),
        (f"{HEAD}paths: {{/o: {{get: {{responses: [1]}}}}}}", "paths./o.get.responses: is no map of statuses"),
        (f"{HEAD}paths: {{/o: {{$ref: other.yaml#/x}}}}", "'other.yaml#/x' leads to another document; bundle them"),
        (f"{HEAD}paths: {{/o: {{$ref: '#/x/y'}}}}", "c.yaml: paths./o.$ref: '#/x/y' leads nowhere"),
        (f"{HEAD}x: {{a: {{$ref: '#/x/b'}}, b: {{$ref: '#/x/a'}}}}", "leads in a circle, to nothing"),
        (f"{HEAD}paths: {{}}\npaths: {{}}", "c.yaml:4: the key 'paths' is given twice; keep one"),
        (f"{HEAD}a: &x {{}}\nb: *x", "c.yaml:4: b: *x is an alias; write the value out"),
        ("a: &x [*x]", "c.yaml:1: a[0]: *x is an alias"),
        ("? [a]\n: b", "a map or list stands as a key"),
        ("a: 1\n---\nb: 2", "c.yaml:2: a second document begins"),
        ("a: [", "c.yaml:2: is no YAML"),
        ("a: !!python/object:os.system x", "is no YAML: could not determine a constructor"),
        ("[" * 5000, "is nested more than 60 deep"),
    ],
)
def test_what_is_no_contract_is_told_with_file_and_key(text, said):
    with pytest.raises(ContractError) as error:
        contract_in(text, "c.yaml")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "c.json:1: is no JSON"),
        ('{"a": 1, "a": 2}', "c.json: the key 'a' is given twice"),
        ('{"a": NaN}', "NaN is no number"),
        ("[" * 200_000, "c.json: is nested too deeply"),
    ],
)
def test_json_is_held_to_the_same(text, said):
    with pytest.raises(ContractError) as error:
        contract_in(text, "c.json")
    assert said in str(error.value)


def test_what_other_readers_take_is_taken():
    read = document_in("200: {a: 2026-01-01, b: yes, c: 1e3, d: 0x10, e: !!binary aGk=}", "c.yaml")
    assert read == {"200": {"a": "2026-01-01", "b": True, "c": "1e3", "d": 16, "e": "aGk="}}
    assert contract(OPENAPI).version == "1.2.0"


def test_the_digest_is_of_what_is_said_and_not_of_how():
    from tests.components.contracts.cases import changed

    assert contract(OPENAPI).digest == contract(changed(OPENAPI, ("info", "version"), "1.2.0")).digest
    assert contract(OPENAPI).digest != contract(changed(OPENAPI, ("info", "version"), "1.2.1")).digest


def test_files_stay_in_the_project_and_are_of_a_size(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "secret.yaml").write_text("x")
    (tmp_path / "p" / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (tmp_path / "p" / "long.yaml").write_bytes(b"x" * (MOST_BYTES + 1))
    (tmp_path / "p" / "bytes.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "p" / "folder.yaml").mkdir()
    for name, said in {
        "link.yaml": "link.yaml: leads out of the project",
        "long.yaml": f"long.yaml: is longer than {MOST_BYTES} bytes",
        "bytes.yaml": "bytes.yaml: is no text in UTF-8 (byte 0)",
        "folder.yaml": "folder.yaml: there is no such file",
        "none.yaml": "none.yaml: there is no such file",
    }.items():
        with pytest.raises(ContractError) as error:
            text_of(tmp_path / "p", name)
        assert said in str(error.value)


WORDS = """
terms:
  id: {meaning: the order, type: string}
  item: {meaning: what is ordered, type: string}
  quantity: {meaning: how many}
  wanted: {meaning: day of delivery, type: integer}
  channel: {meaning: where it came from}
  address: {meaning: where it goes, personal: true, owner: sales, retention: 90d}
  city: {meaning: a town, type: string}
  state: {meaning: how far it is, type: string}
  parent: {meaning: the order before, type: object}
"""


def test_fields_are_held_against_the_dictionary():
    told = unknown_fields(dictionary_in(WORDS, "words.yaml"), contract(OPENAPI))
    assert told == [
        "contract.yaml: 'wanted' is string, and integer in the dictionary; mend one",
        "contract.yaml: the field 'paid' is not in the dictionary; add terms.paid",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("terms: {a: {meaning: x, personal: true}}", "words.yaml: terms.a.personal: a field about a person has"),
        ("terms: {a: {}}", "words.yaml: terms.a.meaning: is required"),
        ("terms: {a: {meaning: x, type: text}}", "words.yaml: terms.a.type: is none of string, number"),
        ("terms: {a: {meaning: x, kept: 3}}", "words.yaml: terms.a.kept: no such key"),
        ("terms: {a: {meaning: x, retention: long}}", "is no duration"),
        ("[]", "words.yaml: is no map of keys and values"),
    ],
)
def test_a_dictionary_that_is_none_is_told(text, said):
    with pytest.raises(ContractError) as error:
        dictionary_in(text, "words.yaml")
    assert said in str(error.value)
