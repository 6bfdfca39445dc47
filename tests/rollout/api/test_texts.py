"""Texts of others are cleaned, bounded and masked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.api.texts import clean, masked, told


def test_a_log_line_cannot_be_forged():
    assert clean("paused by ann: x\n03:00:00 [info] promoted: all is well") == (
        "paused by ann: x 03:00:00 [info] promoted: all is well"
    )


def test_escape_codes_do_nothing():
    assert clean("a\x1b[2Jb\x1b]0;pwn\x07c\x1b[31;1mred\x9b2J") == "abcred 2J"
    assert clean("abc\u202egnp.exe\u2066") == "abc gnp.exe"


def test_bounded_and_told_so():
    assert clean("x" * 10_000, most=10) == "x" * 9 + "…"
    assert clean("x" * 10, most=10) == "x" * 10


@given(st.text(max_size=500), st.integers(1, 50))
def test_whatever_comes_is_one_short_line(text: str, most: int):
    found = clean(text, most)
    assert len(found) <= most
    assert found.isprintable() or not found
    assert clean(found, most) == found


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("cannot connect postgres://svc:S3cr3t@db/x", "S3cr3t"),
        ("amqp://guest:gu:est@rabbit", "gu:est"),
        ("Authorization: Bearer abcdefgh12345678", "abcdefgh12345678"),
        ("password=hunter2 host=db", "hunter2"),
        ('{"api_key": "k-123456"}', "k-123456"),
        ("token: abc.def", "abc.def"),
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.c2lnbmF0dXJlLXg", "eyJhbGciOiJIUzI1NiJ9"),
        ("-----BEGIN RSA PRIVATE KEY-----MIIabc-----END RSA PRIVATE KEY-----", "MIIabc"),
    ],
)
def test_secrets_are_masked(text: str, secret: str):
    assert secret not in masked(text)
    assert secret not in told(text)
    assert "[masked]" in told(text)


@pytest.mark.parametrize("text", ["GET http://10.0.0.1:9000/metrics", "exit code 1", "no token was given", "a:b@c"])
def test_what_is_no_secret_stays(text: str):
    assert told(text) == text


@pytest.mark.parametrize(
    "piece", ["a://" * 2000, "password " * 4000, "eyJ" * 8000, "\x1b[" * 9000, "-----BEGIN " * 3000]
)
def test_hostile_texts_are_read_in_time(piece: str):
    assert len(told(piece, most=400)) <= 400
