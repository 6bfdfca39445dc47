"""Where in its journals a release has been told to: a place counts the entries of one release, dropped ones too."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout.api.status import JournalEntry, Release, Status


class Place(NamedTuple):
    """A place between two entries.

    Attributes:
        release: id of the release whose journal it is in; empty before the first.
        entries: of that journal so many are before it.
    """

    release: str = ""
    entries: int = 0


def end_of(status: Status) -> Place:
    """The place after everything that a status tells."""
    newest = status.release or status.last
    return Place(newest.id, newest.journal_dropped + len(newest.journal)) if newest else Place()


def place_of(status: Status, channel: str) -> Place:
    """Up to where a channel has told; the end for one that has never told anything: the past is not told anew."""
    found = next((each for each in status.told if each.channel == channel), None)
    return Place(found.release, found.entries) if found else end_of(status)


def entries_after(status: Status, place: Place) -> Iterator[tuple[Place, JournalEntry, Release]]:
    """What was not told yet, the oldest first: each entry, whose it is, and the place after it."""
    kept = [release for release in (status.last, status.release) if release is not None]
    first = next((at for at, release in enumerate(kept) if release.id == place.release), 0)
    for release in kept[first:]:
        told = place.entries if release.id == place.release else 0
        for number, entry in _numbered(release):
            if number > told:
                yield Place(release.id, number), entry, release


def _numbered(release: Release) -> Iterator[tuple[int, JournalEntry]]:
    """Entries by their number from 1; those that were dropped came after the first."""
    for at, entry in enumerate(release.journal):
        yield at + 1 + (release.journal_dropped if at else 0), entry
