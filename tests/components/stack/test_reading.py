"""The one reader: what the Pulumi CLI takes is taken as it takes it, everything else is one line with its place."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.model.keypath import keypath
from components.model.mistakes import StackError
from components.stack.nodes import plain
from components.stack.reading import LARGEST, parse, read
from components.stack.scalars import resolved


def value(text: str):
    document = parse(f"a: {text}\n".encode(), "f.yaml")
    assert not document.mistakes
    return plain(document.root)["a"]


def refused(data: bytes | str) -> str:
    with pytest.raises(StackError) as caught:
        parse(data if isinstance(data, bytes) else data.encode(), "f.yaml")
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def told(text: str) -> list[str]:
    document = parse(text.encode(), "f.yaml")
    return [f"{each.line} {each}" for each in document.mistakes]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("NO", "NO"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("190:20:30", "190:20:30"),
        ("0123", 83),
        ("0755", 493),
        ("08", 8.0),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b101", 5),
        ("-0o17", -15),
        ("+5", 5),
        ("1_000", 1000),
        ("1_000.5", 1000.5),
        ("1.10", 1.1),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("1e400", "1e400"),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", float(2**64)),
        ("-9223372036854775809", -float(2**63 + 1)),
        ("0x", "0x"),
        ("_1", "_1"),
        ("1.2.3", "1.2.3"),
        ("v1", "v1"),
        ("+", "+"),
        ("~", None),
        ("Null", None),
        ("nULL", "nULL"),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("'yes'", "yes"),
        ('"5"', "5"),
        ("!!str 5", "5"),
        ("! 5", 5),
        ("! '5'", "5"),
        (".5_0", 0.5),
        (".5__0", ".5__0"),
        ("._5", "._5"),
        (".5e1_0", 5e9),
        ("0b-10", -2),
        ("0o+7", 7),
        ("-0b-1", "-0b-1"),
        ("0x-1", "0x-1"),
        ("!!float 5", 5),
        ("=", "="),
        ("\u0661", "\u0661"),
    ],
)
def test_scalars_as_the_pulumi_cli_takes_them(written, expected):
    found = value(written)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a: b\nc: \xe4\n", "f.yaml:2: is not UTF-8: byte 8 is 0xe4; save it as UTF-8"),
        (b"\xef\xbb\xbfa: \xff", "f.yaml:1: is not UTF-8: byte 6 is 0xff"),
        ("a: b".encode("utf-16"), "f.yaml:1: is UTF-16; save it as UTF-8"),
        ("a: b".encode("utf-32"), "f.yaml:1: is UTF-32; save it as UTF-8"),
        (b"a: b\nc: x\x00y\n", "f.yaml:2: character U+0000 in column 5 is not allowed in YAML; remove it"),
        ("a: b\n".encode("utf-16-le"), "f.yaml:1: is UTF-16 without a byte order mark; save it as UTF-8"),
        ("a: b\n".encode("utf-16-be"), "f.yaml:1: is UTF-16 without a byte order mark; save it as UTF-8"),
        ("a: b\n".encode("utf-32-le"), "f.yaml:1: is UTF-32 without a byte order mark; save it as UTF-8"),
        ("a: b\n".encode("utf-32-be"), "f.yaml:1: is UTF-32 without a byte order mark; save it as UTF-8"),
        (b"a: \x1b[31m", "f.yaml:1: character U+001B in column 4"),
        ("a:\n\tb: 1\n", "f.yaml:2: not YAML: a tab; indent with blanks"),
        ("a: [", "f.yaml:2: not YAML: while parsing a flow node, did not find expected node content"),
        ("a: 'x", "not YAML: while scanning a quoted scalar, found unexpected end of stream"),
        ("a: b: c", "f.yaml:1: not YAML: mapping values are not allowed in this context"),
        ("a: @b", "cannot start any token"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2: a second document begins; keep one in a file"),
        ("a: &x\n  b: *x\n", "f.yaml:2: a.b: *x stands within &x itself; write the value out"),
        ("a: &x [1, *x]\n", "f.yaml:1: a[1]: *x stands within &x itself"),
        ("a: *x\n", "f.yaml:1: a: *x names no anchor before it"),
        ("? [a]\n: b\n", "f.yaml:1: a map or list as a key; a key is a text"),
        ("? {a: b}\n: b\n", "a map or list as a key"),
        ("x: &a b\n*a : c\n", "f.yaml:2: *a as a key; write the key out"),
        ('a: "\\ud83d\\ude00"\n', "escape code; write the character itself, or quote the text with '"),
        ("%YAML 3.0\n---\na: b\n", "not YAML: found incompatible YAML document; remove the line %YAML"),
        ("%FOO bar\n---\na: b\n", "; remove the line that begins with %"),
        ("a: b\n...\nc: d\n", "f.yaml:3: not YAML: did not find expected <document start>; remove what stands behind"),
        ("a: - 1\n", "not allowed in this context; look at this line and the one before"),
        ("a: &a [{b: c}]\nd:\n  <<: *a\n", "f.yaml:3: d.<<: << takes a map that stands under an anchor"),
        ("a: {<<: 5}\n", "f.yaml:1: a.<<: << takes a map that stands under an anchor"),
        ("[" * 200 + "]" * 200, "nested more than 100 deep"),
        ("%TAG ! tag:x\n%TAG ! tag:y\n---\na: b", "not YAML"),
    ],
)
def test_what_cannot_be_read_is_one_line(text, expected):
    assert expected in refused(text)


def test_aliases_are_refused_before_they_unfold():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 60)]
    assert "f.yaml:6: a5[3]: aliases that unfold to more than a file may hold; write the values out" in refused(
        "\n".join(lines)
    )


def test_merges_are_refused_before_they_unfold():
    lines = [f"m0: &m0 {{{', '.join(f'k{n}: v' for n in range(100))}}}"]
    lines += [f"m{n}: &m{n} {{{', '.join(f'{c}{n}: *m{n - 1}' for c in 'abcd')}, <<: *m{n - 1}}}" for n in range(1, 40)]
    assert "aliases that unfold" in refused("\n".join(lines))


def test_depth_through_aliases_is_bounded():
    lines = ["a0: &a0 x", *(f"a{n}: &a{n} [[[[*a{n - 1}]]]]" for n in range(1, 200))]
    assert "aliases that unfold" in refused("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("config:\n  a:\n    b: 1\n    b: 2\n", ["4 a.b: is given twice, in lines 3 and 4; keep one"]),
        ("5: x\n", ["1 5: the key 5 is a number to YAML; quote it: '5'"]),
        ("a: {true: x}\n", ["1 a.true: the key true is true or false to YAML; quote it: 'true'"]),
        ("a: {~: x}\n", ["1 a.~: the key ~ is empty to YAML; quote it: '~'"]),
        ("on: x\n", ["1 on: the key on is true or false to some readers; quote it: 'on'"]),
        ("2026-01-01: x\n", ["1 2026-01-01: the key 2026-01-01 is a date to YAML; quote it: '2026-01-01'"]),
        ("a:\n- 2026-01-01\n", ["2 a[0]: is a date to YAML (found 2026-01-01); quote it: '2026-01-01'"]),
        (
            "a: 2026-01-01T10:00:00Z\n",
            ["1 a: is a date to YAML (found 2026-01-01T10:00:00Z); quote it: '2026-01-01T10:00:00Z'"],
        ),
        ("a: .inf\n", ["1 a: is no number that ends (found .inf); write one that does"]),
        ("a: -.INF\n", ["1 a: is no number that ends (found -.INF); write one that does"]),
        ("a: .NaN\n", ["1 a: is no number that ends (found .NaN); write one that does"]),
        ("a: !secret x\n", ["1 a: nothing reads the tag !secret; remove it"]),
        ("a: !!python/object:os.system {}\n", ["1 a: nothing reads the tag !!python/object:os.system; remove it"]),
        ("a: !!binary aGk=\n", ["1 a: nothing reads the tag !!binary; remove it"]),
        ("a: !!int x\n", ["1 a: nothing reads the tag !!int; remove it"]),
        ("a: !!seq {b: c}\n", ["1 a: nothing reads the tag !!seq; remove it"]),
        ("a: !!map [b]\n", ["1 a: nothing reads the tag !!map; remove it"]),
        ("!!binary aGk=: x\n", ["1 aGk=: nothing reads the tag !!binary of a key; remove it"]),
        ('a: "x\\0y"\n', ["1 a: has the character U+0000, which no program takes; leave it out"]),
        ("a:\n  <<: {b: 1}\n  <<: {c: 2}\n", ["3 a.<<: is given twice, in lines 2 and 3; write <<: [*a, *b]"]),
        ("a: !!set {b}\n", ["1 a: nothing reads the tag !!set; remove it"]),
        ("config:\n  x:secrets: {a: {b: 2026-01-01}}\n", ["2 x:secrets.a.b: is a date to YAML; quote it"]),
    ],
)
def test_mistakes_that_do_not_hinder_reading_on(text, expected):
    assert told(text) == expected


def test_merge_keys_as_yaml_has_them():
    text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], x: 0}\nd: {'<<': 1}\n"
    found = plain(parse(text.encode(), "f").root)
    assert found["c"] == {"x": 0, "y": 2, "z": 4}
    assert found["d"] == {"<<": 1}


def test_a_key_that_is_a_text_by_its_tag():
    document = parse(b"!!str 5: {!!str <<: 1}\n!!merge <<: {a: b}\n", "f")
    assert document.mistakes == []
    assert plain(document.root) == {"5": {"<<": 1}, "a": "b"}


def test_a_byte_order_mark_is_taken_as_pulumi_takes_it():
    assert plain(parse(b"\xef\xbb\xbfa: b\r\n", "f").root) == {"a": "b"}


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "---\n...\n", "~\n"])
def test_a_file_that_says_nothing(text):
    root = parse(text.encode(), "f").root
    assert root is None or plain(root) is None


# ---------------------------------------------------------------------- files


def test_files_that_are_none(tmp_path):
    for name, make, expected in (
        ("folder", lambda path: path.mkdir(), "is a folder; name the file in it"),
        ("gone", lambda path: path.symlink_to("nowhere"), "is a link to nowhere, which is not there"),
        ("round", lambda path: path.symlink_to(path), "cannot be read: Too many levels of symbolic links"),
        ("pipe", os.mkfifo, "is a device or a pipe"),
        ("absent", lambda _: None, "no such file"),
        (
            "huge",
            lambda path: path.write_bytes(b"#" * (LARGEST + 1)),
            "has 4194305 bytes, and a stack file has at most",
        ),
    ):
        path = tmp_path / f"{name}.yaml"
        make(path)
        with pytest.raises(StackError, match=expected) as caught:
            read(path, path.name)
        assert str(caught.value).startswith(f"{name}.yaml: ")


# ---------------------------------------------------------------------- where things stand


def test_every_value_has_its_line_and_one_way_to_write_its_path():
    text = """config:
  grayling:environment:
    images:
      docker.io/: m/
      a."b": [1,
        2]
  services:
    a.b:
      env: {X: y}
  "x.y": 1
"""
    document = parse(text.encode(), "f")
    for asked, line, path in (
        ("grayling:environment.images.docker.io/", 4, 'grayling:environment.images["docker.io/"]'),
        ('grayling:environment.images["docker.io/"]', 4, 'grayling:environment.images["docker.io/"]'),
        ('grayling:environment.images.a."b".1', 6, 'grayling:environment.images["a.\\"b\\""][1]'),
        ("grayling:services.a.b.env.X", 9, 'grayling:services["a.b"].env.X'),
        ("grayling:services.a.b.env.Z", 9, 'grayling:services["a.b"].env.Z'),
        ("grayling:services.a.b.env.X.str", 9, 'grayling:services["a.b"].env.X'),
        ("grayling:components", 1, "grayling:components"),
        ("x.y", 10, '"x.y"'),
    ):
        found = document.place(asked)
        expected = path.replace('"x.y"', 'grayling:"x.y"') if path == '"x.y"' else path
        assert found[:2] == (line, expected), asked


def test_key_paths_are_pulumis():
    assert keypath("config", "grayling:services", "a", 0, "b.c", "") == 'grayling:services.a[0]["b.c"][""]'
    assert keypath("config") == "config"


# ---------------------------------------------------------------------- laws

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc.é 1:", max_size=4), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_json_is_read_as_json(data):
    document = parse(json.dumps(data, ensure_ascii=False).encode(), "f")
    assert json.dumps(plain(document.root)) == json.dumps(data)
    assert not document.mistakes


def read_or_refused(data: bytes) -> None:
    try:
        document = parse(data, "f.yaml")
    except StackError as error:
        assert str(error).startswith("f.yaml:")  # noqa: PT017 - either is right
    else:
        json.dumps(plain(document.root) if document.root else None)


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused(data):
    read_or_refused(data)


PIECES = st.sampled_from(
    ["a", "b: ",
      "- ", "\n", "  ", "\t", "{", "}", "[", "]", ", ", "&x ", "*x", "<<: ", "? ", ": ", "!!str ", "!y ", "'",
     '"', "|", ">-", "#", "---", "...", "\r\n", "~", "2026-01-01", ".inf", "\u2028", "\x85", "%YAML 1.2\n", "\\x"]
)  # fmt: skip


@settings(max_examples=600)
@given(st.lists(PIECES, max_size=30).map("".join))
def test_anything_like_yaml_is_read_or_refused(text):
    read_or_refused(text.encode())


@given(st.text("0123456789_+-.xobeEaf:TZ ", max_size=12))
def test_a_scalar_is_something(text):
    kind, found = resolved(text)
    assert kind in {"text", "null", "int", "float", "date", "endless"}
    assert isinstance(found, str | int | float | None)
