"""The files of approvals: whole, never lost, and none that says nothing."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from kube.errors import UsageError
from review.approval import store as place
from review.approval.store import Store, write_whole
from tests.review.approval.test_statement import key_of, letter_of, said_by

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    key = key_of(tmp_path_factory.mktemp("keys"), "ann")
    return [letter_of(key, f"p{place}@x.io", created=NOW + timedelta(seconds=place)) for place in range(8)]


def test_many_at_once_lose_nothing(letters, tmp_path):
    store = Store(tmp_path, "s")
    start = threading.Barrier(len(letters))

    def add(letter):
        start.wait()
        store.add(letter)

    threads = [threading.Thread(target=add, args=[letter]) for letter in letters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [letter for _, letter in store.letters()] == letters


def test_the_same_twice_is_one_file(letters, tmp_path):
    store = Store(tmp_path, "s")
    assert store.add(letters[0]) == store.add(letters[0])
    assert len(list(store.letters())) == 1


def test_what_was_killed_half_way_is_not_there(letters, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(place.os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        Store(tmp_path, "s").add(letters[0])
    assert list(Store(tmp_path, "s").letters()) == []


def test_an_unreadable_file_may_be_a_no_and_is_named(letters, tmp_path):
    store = Store(tmp_path, "s")
    path = store.add(letters[0])
    path.write_text(path.read_text()[:100])
    with pytest.raises(UsageError, match=r"\.grayling/approvals/s/[0-9a-f]{64}/approval-p0-x.io-[0-9a-f]+.json: "):
        list(store.letters())


@pytest.mark.parametrize("moved", ["other", "s"])
def test_a_file_in_a_foreign_folder_is_named(letters, tmp_path, moved):
    path = Store(tmp_path, "s").add(letters[0])
    digest = path.parent.name if moved == "other" else "0" * 64
    write_whole(Store(tmp_path, moved).folder / digest / path.name, path.read_text())
    with pytest.raises(UsageError, match="lies in a folder that is not of its stack and digest; put it back"):
        list(Store(tmp_path, moved).letters())


def test_a_folder_that_cannot_be_written_is_named(letters, tmp_path):
    (tmp_path / ".grayling").write_text("")
    with pytest.raises(UsageError, match=r"\.grayling/approvals/.*: (Not a directory|File exists)"):
        Store(tmp_path, "s").add(letters[0])


def test_a_name_leads_nowhere_else(letters, tmp_path):
    letter = letters[0]
    odd = said_by("../../evil@x.io")
    path = Store(tmp_path, "s").add(type(letter)(letter.digest, odd, b"{}", b"", None, ""))
    assert path.parent == Store(tmp_path, "s").folder / letter.digest
