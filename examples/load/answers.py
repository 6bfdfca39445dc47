"""What came back: one record per request, and the few numbers a person asks for."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """Times are seconds since the epoch; ``status`` is 0 where none came, and ``error`` says why.

    ``retried`` marks a request that was sent again because the server had closed the idle connection it went out on.
    """

    scheduled: float
    sent: float
    done: float
    status: int
    error: str = ""
    version: str = ""
    pod: str = ""
    retried: bool = False

    @property
    def bad(self) -> bool:
        """No answer, or one that blames the server."""
        return self.status == 0 or self.status >= SERVER_ERROR

    @property
    def seconds(self) -> float:
        """From when it should have been sent: a late sender must not make a slow server look fast."""
        return self.done - self.scheduled

    def to_json(self) -> str:
        """One line of an output file."""
        return json.dumps(asdict(self), separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Group:
    """One version's share: ``p50`` and ``p99`` in seconds."""

    answers: int
    failed: int
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Summary:
    """``versions`` has an empty name for answers that no pod signed (the gateway's own, or none at all).

    ``late_p99`` is by how many seconds this generator itself missed its schedule.
    """

    requests: int
    failed: int
    p50: float
    p99: float
    late_p99: float
    versions: dict[str, Group] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        numbers = f"p50 {_ms(self.p50)}, p99 {_ms(self.p99)}, schedule missed by {_ms(self.late_p99)} at p99"
        lines = [f"{self.requests} requests, {self.failed} failed, {numbers}"]
        lines += [
            f"  {name or '(no version)':14} {group.answers:7} answers, {group.failed} failed, "
            f"p50 {_ms(group.p50)}, p99 {_ms(group.p99)}"
            for name, group in sorted(self.versions.items())
        ]
        lines += [f"  {count:7} x {why}" for why, count in self.failures.items()]
        return "\n".join(lines)


def summarise(answers: Iterable[Answer]) -> Summary:
    """Count them."""
    found = list(answers)
    by_version: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in found:
        by_version[answer.version].append(answer)
    seconds = [answer.seconds for answer in found]
    return Summary(
        requests=len(found),
        failed=sum(answer.bad for answer in found),
        p50=quantile(seconds, 0.5),
        p99=quantile(seconds, 0.99),
        late_p99=quantile([answer.sent - answer.scheduled for answer in found], 0.99),
        versions={version: _group(members) for version, members in by_version.items()},
        failures=dict(Counter(answer.error or str(answer.status) for answer in found if answer.bad).most_common()),
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of the values do not exceed; NaN of none."""
    ordered = sorted(values)
    if not ordered:
        return float("nan")
    rank = max(0, -int(-share * len(ordered) // 1) - 1)
    return ordered[min(rank, len(ordered) - 1)]


def read_answers(path: Path) -> list[Answer]:
    """Answers from a file, as far as it is written: a last line that is not whole yet is left out."""
    lines = path.read_text().split("\n")[:-1]
    return [Answer(**json.loads(line)) for line in lines]


def _group(answers: Sequence[Answer]) -> Group:
    seconds = [answer.seconds for answer in answers]
    failed = sum(answer.bad for answer in answers)
    return Group(len(answers), failed, quantile(seconds, 0.5), quantile(seconds, 0.99))


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
