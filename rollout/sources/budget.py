"""How much a pod may say: what its pages may cost is bounded here, before anything is made of them.

A pod's page is written by whoever wrote the pod. All releases are looked at by one thread, so a page that is large,
deep or endless must end as "this target tells nothing, and why", never as a look that takes seconds. Work is counted in
bytes, lines and series, because times depend on the machine.
"""

from __future__ import annotations

from kube.errors import GraylingError

MOST_BYTES = 8 * 2**20
"""Of one page; a page of 60,000 series has about so many."""

MOST_ANSWERED = 32 * 2**20
"""Bytes of one answer of Prometheus, which is of all releases that read it."""

MOST_SERIES_ANSWERED = 100_000
"""Of one answer of Prometheus; native histograms count each of their edges."""

MOST_LINES = 200_000
"""Of one page, wanted or not."""

MOST_SERIES = 5_000
"""That signals are read from, of one page."""

LONGEST_LINE = 8_192
"""Characters of a wanted line."""

MOST_LABELS = 64
"""Of one series."""

MOST_LABELS_IN_ALL = 40_000
"""Of all series of one page: eight a series where there are as many as may be, some 7 MB in memory."""

FEW_SERIES = MOST_LABELS_IN_ALL // MOST_LABELS
"""So many cannot have too many labels."""

SLICE = 64 * 2**10
"""Characters that are read between two turns of the event loop."""


class OverBudgetError(GraylingError):
    """A page, or an answer, is more than is read of anybody: ``what was found; what is the most``."""


def over(what: str, found: int, most: int) -> OverBudgetError:
    """The error for ``found`` of something of which ``most`` are read."""
    return OverBudgetError(f"{found:,} {what}; at most {most:,} are read")
