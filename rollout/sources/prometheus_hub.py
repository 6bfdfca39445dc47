"""One question to Prometheus for all releases at once, whatever their number.

The question is an instant query for a range (``{…}[3s]``): its answer holds the raw samples with the times at which
they were scraped. So a repeated scrape is recognised as such, an old value is never taken for a new one, and counters
become increments here, where restarts and gaps are understood, and not in ``rate()``, which smears them.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

from rollout.sources.answers import series_in_turns
from rollout.sources.counting import BIRTH
from rollout.sources.fetch import FetchError, TooMuchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rollout.sources.answers import Series
    from rollout.sources.ask import Ask
    from rollout.sources.exposition import Sample

UP = "up"
"""The series that every target has: when a pod was scraped that shows nothing else of what is wanted."""

Wanted: TypeAlias = tuple[str, frozenset[str]]
"""What one release asks for: a namespace, and names of series."""

REFUSED_SECONDS = 60.0
"""What is more than is read of anybody is asked for again after so long, apart from all others."""

_FRESH_SCRAPES = 3
_REST = 5.0
_FIRST_WINDOW, _LEAST_WINDOW, _MOST_WINDOW = 60.0, 2.0, 300.0


@dataclass(frozen=True, slots=True)
class Scrape:
    """The newest samples of one pod, all of the same scrape.

    Attributes:
        at: when it was scraped; seconds since the epoch, by Prometheus' clock.
        samples: what was asked for of it.
        gap: seconds between two scrapes; 0 while only one is known.
    """

    at: float
    samples: tuple[Sample, ...]
    gap: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What one question brought.

    Attributes:
        scrapes: by namespace and pod; pods without a fresh scrape are not there.
        problem: why there is nothing; empty when Prometheus answered.
        refused: why there is nothing of what some want, because it is more than is read of anybody.
    """

    scrapes: Mapping[tuple[str, str], Scrape] = field(default_factory=dict)
    problem: str = ""
    refused: Mapping[Wanted, str] = field(default_factory=dict)

    def problem_of(self, wanted: Wanted) -> str:
        """Why there is nothing of what is wanted; empty where there may be."""
        return self.problem or self.refused.get(wanted, "")


class PrometheusHub:
    """Shared by all releases that read the same Prometheus.

    Where the answer to all is more than is read, it is asked for in parts; what is too much by itself is left out, told
    to those who want it, and tried again from time to time.

    Args:
        ask: sends one query.
        interval: seconds; more often than this nothing is asked, whoever wants to know. Nor is more than a fifth of the
            time spent with asking: a question that takes long is asked less often.
        seconds: after which a question is given up.
    """

    def __init__(self, ask: Ask, *, interval: float = 0.04, seconds: float = 5.0) -> None:
        self._ask, self._interval, self._seconds = ask, interval, seconds
        self._wanted: WeakKeyDictionary[object, Wanted] = WeakKeyDictionary()
        self._parts: tuple[frozenset[Wanted], ...] = ()
        self._refused: dict[Wanted, str] = {}
        self._again_at = float("-inf")
        self._more_wanted = False
        self._window = _FIRST_WINDOW
        self._asked_at = float("-inf")
        self._took = 0.0
        self._answer: asyncio.Task[Answer] | None = None

    def subscribe(self, who: object, namespace: str, series: Iterable[str]) -> Wanted:
        """From the next question on, ask for these series in this namespace as well, for as long as ``who`` lives."""
        wanted = (namespace, frozenset(series))
        if self._wanted.get(who) != wanted:
            self._wanted[who] = wanted
            self._more_wanted = True
        return wanted

    async def read(self, now: float) -> Answer:
        """The answer to the newest question. Never raises.

        A new question is asked when the interval is over, or when something is wanted that was not asked for yet.
        """
        due = self._more_wanted or now - self._asked_at >= max(self._interval, _REST * self._took)
        if self._answer is None or (due and self._answer.done()):
            self._asked_at, self._more_wanted = now, False
            self._answer = asyncio.create_task(self._question())
        return await asyncio.shield(self._answer)

    async def _question(self) -> Answer:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            return await self._asked()
        finally:
            self._took = clock() - began

    async def _asked(self) -> Answer:
        try:
            series = await self._in_parts()
        except TimeoutError:
            return Answer(problem=f"Prometheus does not answer within {self._seconds:g} s")
        except FetchError as error:
            return Answer(problem=str(error))
        scrapes, gap = _by_pod(series), max((_gap(times) for _, times in series), default=0.0)
        if gap:
            self._window = min(max(_FRESH_SCRAPES * gap, _LEAST_WINDOW), _MOST_WINDOW)
        elif not scrapes:
            self._window = _FIRST_WINDOW
        return Answer(scrapes, refused=dict(self._refused))

    async def _in_parts(self) -> Series:
        """All series that are wanted, but of those for whom they are too many.

        Raises:
            FetchError: there is no answer, or it is an error.
            TimeoutError: there was none in time.
        """
        found: Series = []
        answered: list[frozenset[Wanted]] = []
        known, waiting = set(self._refused), deque(self._questions())
        while waiting:
            part = waiting.popleft()
            try:
                async with asyncio.timeout(self._seconds):
                    body = await self._ask(self.query(part), self._seconds)
                found += await series_in_turns(body)
                answered.append(part)
            except TooMuchError as error:
                if len(part) > 1:
                    waiting.extendleft(_halves(part))
                else:
                    self._refused[next(iter(part))] = str(error)
        self._parts = tuple(answered) if set(self._refused) <= known else ()
        return found

    def _questions(self) -> Iterable[frozenset[Wanted]]:
        """What is asked for together: all, unless that was too much; and now and then what was by itself."""
        wanted, now = frozenset(self._wanted.values()), asyncio.get_running_loop().time()
        again = [frozenset({each}) for each in self._refused if each in wanted and now >= self._again_at]
        if again or not self._refused:
            self._again_at = now + REFUSED_SECONDS
        self._refused = {each: why for each, why in self._refused.items() if each in wanted and not again}
        rest = wanted.difference(self._refused, *again)
        parts = self._parts if frozenset[Wanted]().union(*self._parts) == rest else (rest,)
        return [part for part in (*parts, *again) if part]

    async def evaluate(self, query: str, at: float) -> Any:
        """The JSON answer to a question of one release's own, as of ``at`` (seconds since the epoch).

        Raises:
            FetchError: there was none in time.
        """
        try:
            async with asyncio.timeout(self._seconds):
                return await self._ask(query, self._seconds, at)
        except TimeoutError as error:
            raise FetchError(f"Prometheus does not answer within {self._seconds:g} s") from error

    def query(self, part: Iterable[Wanted] | None = None) -> str:
        """The query for what is wanted, or a part of it: three scrapes of raw samples, once their distance is known."""
        asked = frozenset(self._wanted.values() if part is None else part)
        namespaces = {namespace for namespace, _ in asked}
        names = {BIRTH}.union(*(series for _, series in asked))
        window = f"{round(self._window * 1000)}ms"
        return f"{{__name__=~{_any(names)},namespace=~{_any(namespaces)}}}[{window}]"


def _any(values: Iterable[str]) -> str:
    return '"' + "|".join(re.escape(value).replace("\\", "\\\\") for value in sorted(values)) + '"'


def _halves(part: frozenset[Wanted]) -> tuple[frozenset[Wanted], frozenset[Wanted]]:
    ordered = sorted(part, key=lambda each: (each[0], sorted(each[1])))
    middle = len(ordered) // 2
    return frozenset(ordered[:middle]), frozenset(ordered[middle:])


def _gap(times: Sequence[tuple[float, Sequence[Sample]]]) -> float:
    """The shortest time between two scrapes of a series, so that one that failed does not stretch it."""
    return min((later - earlier for (earlier, _), (later, _) in pairwise(times)), default=0.0)


def _by_pod(
    series: Iterable[tuple[Mapping[str, str], Sequence[tuple[float, Sequence[Sample]]]]],
) -> dict[tuple[str, str], Scrape]:
    """Of each pod the samples that carry its newest time: what an older scrape had besides is gone.

    `UP` is looked at last, and only where a pod shows nothing else.
    """
    found: dict[tuple[str, str], Scrape] = {}
    for labels, times in sorted(series, key=lambda each: each[0].get("__name__") == UP):
        at, samples = times[-1]
        pod = (labels.get("namespace", ""), labels.get("pod", ""))
        known = found.get(pod)
        if known is not None and labels.get("__name__") == UP:
            continue
        if known is None or at > known.at:
            found[pod] = Scrape(at, tuple(samples), _gap(times))
        elif at == known.at:
            found[pod] = Scrape(at, (*known.samples, *samples), known.gap or _gap(times))
    return found
