"""Which answers are errors: statuses by number, by class, and by name.

``5xx`` is a class of HTTP statuses, ``404`` and ``Unavailable`` are single ones, and ``!`` takes out: ``4xx`` with
``!404`` are all of 400 to 499 but one, ``!OK`` alone is everything that is not OK, as gRPC has it.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from rollout.api.spec import USUAL_ERRORS
from rollout.api.texts import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_CLASSES = 32
"""Told apart in one look; all further ones are told as one."""

OTHERS = "others"
_CLASS = re.compile(r"[1-9]xx")
_LONGEST = 40


class Errors:
    """The statuses that count as errors.

    Args:
        wanted: as in a spec's signal.
    """

    def __init__(self, wanted: Sequence[str] = USUAL_ERRORS) -> None:
        self._these = [_expression(each) for each in wanted if not each.startswith("!")]
        self._not_those = [_expression(each[1:]) for each in wanted if each.startswith("!")]
        self.firsts = _firsts(wanted)

    def __contains__(self, status: str) -> bool:
        """Whether a status is an error."""
        if any(each.fullmatch(status) for each in self._not_those):
            return False
        return not self._these or any(each.fullmatch(status) for each in self._these)

    def of(self, counts: Mapping[str, int]) -> dict[str, int]:
        """The errors among the counts by status, with names that are fit to be shown."""
        found: Counter[str] = Counter()
        for status, count in counts.items():
            if status in self:
                name = clean(status, _LONGEST)
                found[name if name in found or len(found) < MOST_CLASSES else OTHERS] += count
        return dict(found)


def _expression(wanted: str) -> re.Pattern[str]:
    return re.compile(rf"{wanted[0]}(\d\d|xx|XX)" if _CLASS.fullmatch(wanted) else re.escape(wanted))


def _firsts(wanted: Iterable[str]) -> str:
    """First digits of the HTTP statuses that may be errors."""
    these = {each[0] for each in wanted if not each.startswith("!")}
    return "".join(sorted(these)) if these else "12345"
