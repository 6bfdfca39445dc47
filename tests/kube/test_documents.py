"""Files of manifests: each way to be read in two ways is one line with file, line and fix."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kube.documents import DEEPEST, LARGEST, documents
from kube.errors import UsageError

LAUGHS = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{x}: &{x} [{', '.join([f'*{y}'] * 10)}]\n" for y, x in zip("abcde", "bcdef", strict=True)
)
REFUSED = {
    "twice": ("a: 1\nb:\n  c: 1\n  c: 2\n", 4, "b: key 'c' stands twice; leave one out"),
    "number as key": ("a: 1\n5: x\n", 2, "key '5' is no text; quote it"),
    "word as key": ("on: x\n", 1, "key 'on' is no text; quote it"),
    "list as key": ("? [a]\n: x\n", 1, "a key is no text; quote it"),
    "date": ("spec:\n  since: 2026-11-28\n", 2, "spec.since: '2026-11-28' is read as a date; quote it"),
    "endless": ("spec:\n  hold: [.inf]\n", 2, "spec.hold[0]: .inf is no number that JSON has"),
    "not a number": ("a: .nan\n", 1, "a: .nan is no number that JSON has"),
    "sexagesimal": ("a: 1:30\n", 1, "a: '1:30' is read as a number or a time of day; quote it"),
    "sexagesimal with a point": ("a: 1:30.5\n", 1, "quote it"),
    "in itself": ("a: &x\n  b: *x\n", 1, "a.b: an alias contains itself; write the value out"),
    "laughs": (LAUGHS, 1, "aliases unfold to more than 100000 values; write them out"),
    "deep": ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), 1, f"is nested more than {DEEPEST} deep"),
    "very deep": ("[" * 100_000, 1, "is nested more than"),
    "tag": ("a: !!python/object:os.system x\n", 1, "a: has the tag 'python/object:os.system'; leave it out"),
    "binary": ("a: !!binary aGk=\n", 1, "a: has the tag 'binary'; leave it out"),
    "set": ("a: !!set {x}\n", 1, "a: has the tag 'set'; leave it out"),
    "wrong tag": ("a: !!int x\n", 1, "a: 'x' is no number; quote it"),
    "wrong bool": ("a: !!bool x\n", 1, "a: has the tag 'bool'; leave it out"),
    "long number": (f"a: {'9' * 5000}\n", 1, "is no number; quote it"),
    "merge of a text": ("a:\n  <<: x\n", 2, "a: << merges maps alone; name one"),
    "unknown alias": ("a: *x\n", 1, "not YAML: found undefined alias"),
    "not YAML": ("a: 1\nb: {\n", 3, "not YAML: while parsing"),
    "control character": ("a: \x07\n", 1, "not YAML"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_file_line_and_fix(tmp_path, case):
    text, line, told = REFUSED[case]
    file = tmp_path / "x.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as refused:
        documents(file)
    said = str(refused.value)
    assert said.startswith(f"{file}:{line}: ")
    assert told in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("a: é\n".encode("latin-1"), ":1: is not UTF-8: byte 3 is 0xe9; save it as UTF-8"),
        (b"\xef\xbb\xbfa: 1\nb: \xff\n", ":2: is not UTF-8: byte 11 is 0xff"),
        ("a: 1\n".encode("utf-16"), ":1: is UTF-16; save it as UTF-8"),
        (b"#" * (LARGEST + 1), f": has more than {LARGEST} bytes"),
    ],
)
def test_other_encodings_and_sizes(tmp_path, data, told):
    file = tmp_path / "x.yaml"
    file.write_bytes(data)
    with pytest.raises(UsageError) as refused:
        documents(file)
    assert str(refused.value).startswith(f"{file}{told}")


def test_a_file_that_may_not_be_read(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be read: Is a directory"):
        documents(tmp_path)


def test_documents_anchors_and_merges(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_bytes(
        b"\xef\xbb\xbfa: &a {x: 1, y: 2}\r\nb: {<<: *a, y: 3}\r\nc: [*a, *a]\r\n---\r\n---\r\n"
        b"- yes\r\n- 0x1f\r\n- 1.5\r\n- ~\r\n- '5'\r\n- =\r\n"
    )
    first, second = documents(file)
    assert first == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": [{"x": 1, "y": 2}] * 2}
    assert second == [True, 31, 1.5, None, "5", "="]


def test_of_two_merges_the_first_counts(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}\nd: {<<: *a, <<: *b}\n")
    found = documents(file)[0]
    assert found["c"] == {"x": 1, "y": 2}
    assert found["d"]["y"] == 2


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=9) | st.floats(-1e6, 1e6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)


@given(VALUES)
def test_what_was_written_comes_back(tmp_path_factory, value):
    file = tmp_path_factory.getbasetemp() / "given.yaml"
    file.write_text(yaml.safe_dump(value))
    assert documents(file) == ([] if value is None else [value])


@given(st.binary(max_size=200) | st.text("{}[]&*a:-?!<>|'\"#, \n\t1.", max_size=60).map(str.encode))
def test_whatever_stands_there_is_read_or_refused(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(data)
    said = ""
    try:
        documents(file)
    except UsageError as refused:
        said = str(refused)
    assert not said or said.startswith(f"{file}:")
