"""What became of each object of a stack, and the error that names the one which failed and what was done before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from kube.errors import GraylingError, KubeError

if TYPE_CHECKING:
    from collections.abc import Iterable

Action = Literal["created", "changed", "unchanged", "deleted", "kept", "shared"]
_COUNTED: tuple[Action, ...] = ("created", "changed", "deleted", "unchanged")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One object and what was done to it."""

    action: Action
    label: str


@dataclass(slots=True)
class Report:
    """Everything one run did, in order."""

    outcomes: list[Outcome] = field(default_factory=list)

    def count(self, action: Action) -> int:
        """How often it was done."""
        return sum(outcome.action == action for outcome in self.outcomes)

    def labels(self, *actions: Action) -> list[str]:
        """Objects to which one of ``actions`` was done."""
        return [outcome.label for outcome in self.outcomes if outcome.action in actions]

    @property
    def touched(self) -> int:
        """Objects that are not as they were."""
        return self.count("created") + self.count("changed") + self.count("deleted")

    def summary(self) -> str:
        """``2 created, 1 changed, 0 deleted, 40 unchanged``; where nothing was done, that comes first."""
        text = ", ".join(f"{self.count(action)} {action}" for action in _COUNTED)
        return text if self.touched else f"nothing to do: {text}"


class ApplyError(GraylingError):
    """An object could not be brought to the cluster; what was applied before it stays, and a rerun goes on from there.

    Attributes:
        report: what was done until then.
    """

    def __init__(self, problems: Iterable[str], report: Report, cause: BaseException | None = None) -> None:
        self.report = report
        lines = list(problems)
        done, word = report.labels("created", "changed", "unchanged"), "applied"
        if report.count("deleted") and not done:
            done, word = report.labels("deleted"), "deleted"
        before = f"{word} before: {len(done)} objects" + (f", the last {done[-1]}" if done else "")
        super().__init__("\n".join([*lines, f"{before}; run it again to go on from there"]))
        if isinstance(cause, KubeError):
            self.exit_code = type(cause).exit_code  # type: ignore[misc] # the shell learns what the server said


class NotReadyError(ApplyError):
    """An object was applied and did not become ready in time."""

    exit_code = 10
