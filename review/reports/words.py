"""The words and rows that all forms for people share, so that they tell the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from review.reports.amounts import bytes_text, cores_text
from rollout.api.durations import about, duration_of
from rollout.signals.figures import rough

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from review.reports.document import Accepted, Finding, PlannedRelease, Review, Touched, Use

TRUNCATED = (
    "This report is truncated: parts are left out below. A truncated report cannot be approved; "
    "read the full one that was made with it."
)
NO_RISKS = "No rule found a risk."
NOTHING_LOUD = "No risk is above low."
ALL_KNOWN = "Nothing speaks against this preview."
_DONE = {
    "replace": "replaced",
    "delete": "deleted",
    "retain": "left behind",
    "import": "imported",
    "update": "updated",
    "create": "created",
}
MEANING = {
    "plain": "nothing above low",
    "review": "worth a look",
    "dangerous": "may lose data or service",
    "not-trustworthy": "this preview cannot be believed",
}
MARKS = {"critical": "■■■■", "high": "■■■□", "medium": "■■□□", "low": "■□□□"}
"""Severity as a bar, for eyes that see no colours and paper that has none."""


def name_of(review: Review) -> str:
    """``PROJECT/STACK``, or the part of it that is known."""
    return "/".join(part for part in (review.project, review.stack) if part) or "a stack without a name"


def counted(review: Review) -> list[tuple[str, int]]:
    """What happens to how many objects, replacements first; what happens to none is left out."""
    counts = review.counts.model_dump(by_alias=True)
    found = [(word, counts[op]) for op, word in _DONE.items() if counts[op]]
    return [*found, ("unchanged", counts["unchanged"])] if found else [("unchanged", counts["unchanged"])]


def counts_text(review: Review) -> str:
    """``1 replaced, 2 updated, 68 unchanged``."""
    return ", ".join(f"{count} {word}" for word, count in counted(review))


def ops_text(change: Touched) -> str:
    """What happens to an object."""
    return " and ".join(_DONE[op] for op in change.ops)


def loud(review: Review) -> list[Finding]:
    """Risks above low, each to be read by itself."""
    return [each for each in review.risks if each.severity != "low"]


def low(review: Review) -> dict[str, list[Finding]]:
    """The others, by their rule."""
    found: dict[str, list[Finding]] = {}
    for each in review.risks:
        if each.severity == "low":
            found.setdefault(each.id, []).append(each)
    return found


def low_text(review: Review) -> str:
    """``image-by-tag (3), network-narrowed (1)``."""
    return ", ".join(f"{rule} ({len(found)})" for rule, found in low(review).items())


class Gone(NamedTuple):
    """An object that will not be what it is: what it is, and what happens to it."""

    object: str
    text: str


def gone(review: Review) -> list[Gone]:
    """Objects that are deleted, replaced or left behind."""
    return [Gone(each.object, _gone(each)) for each in review.changes if {"delete", "replace", "retain"} & {*each.ops}]


def _gone(change: Touched) -> str:
    if "replace" in change.ops:
        text = "is deleted and made again"
        text += f", because of {', '.join(f'`{path}`' for path in change.forced_by)}" if change.forced_by else ""
    elif "retain" in change.ops:
        text = "stays on the cluster, and nothing manages it any more"
    else:
        text = "is deleted"
    return f"{text}; it is protected, so this is refused" if change.protected else text


def updates(review: Review) -> list[Touched]:
    """Objects that stand before and after, and differ."""
    return [each for each in review.changes if set(each.ops) - {"create", "delete", "retain"}]


def creations(review: Review) -> list[str]:
    """Objects that are new."""
    return [each.object for each in review.changes if each.ops == ["create"]]


class Delta(NamedTuple):
    """One line of a table of capacity."""

    what: str
    before: str
    after: str
    more: str


def capacity_rows(review: Review) -> list[Delta]:
    """CPU, memory and storage, before and after: in general, at most, on each node, in a release, in a job."""
    old, new = review.capacity.before, review.capacity.after
    rows = list(_deltas("", old, new, "always"))
    if (old.most, new.most) != (old.always, new.always):
        rows += _deltas(" at most", old, new, "most")
    rows += _deltas(" on each node", old, new, "node")
    rows += _deltas(" more during a release", old, new, "release")
    rows += _deltas(" while jobs run", old, new, "passing")
    return rows


def _deltas(when: str, before: Use, after: Use, part: str) -> Iterator[Delta]:
    kinds: dict[str, tuple[str, Callable[[int], str]]] = {
        "cpu": ("CPU", cores_text),
        "memory": ("memory", bytes_text),
        "storage": ("storage", bytes_text),
    }
    for key, (word, text) in kinds.items():
        old, new = getattr(getattr(before, part), key), getattr(getattr(after, part), key)
        if old or new:
            sign = "+" if new > old else "-"
            yield Delta(f"{word}{when}", text(old), text(new), "same" if new == old else sign + text(abs(new - old)))


def cost_text(review: Review) -> str:
    """What it costs more a month; empty without prices."""
    cost = review.capacity.cost
    return "" if cost is None else f"{cost:+.2f} {review.capacity.currency} a month"


class Stage(NamedTuple):
    """One stretch of a release's time: a step or the bake."""

    name: str
    weight: int
    starts: float
    lasts: float
    gate: str
    sees: str
    costs: str

    @property
    def hold(self) -> str:
        """How long it lasts."""
        return duration_of(self.lasts)


def stages(release: PlannedRelease) -> list[Stage]:
    """Steps and bake, in order."""
    plan = release.plan
    if plan is None:
        return []
    made = [_stage(step) for step in plan["steps"]]
    if not release.first and plan["bake_seconds"]:
        start = plan["earliest_end_seconds"] - plan["bake_seconds"]
        made.append(Stage("bake", 100, start, plan["bake_seconds"], "", "", ""))
    return made


def _stage(step: dict[str, Any]) -> Stage:
    ratio, failed = step["smallest_ratio"], step["full_failure_requests"]
    return Stage(
        name=f"step {step['number']}",
        weight=step["weight"],
        starts=step["starts_after_seconds"],
        lasts=step["hold_seconds"],
        gate="" if step["gate"] == "none" else step["gate"],
        sees="nothing" if ratio is None else f"{rough(ratio)} times stable's failures",
        costs="" if failed is None else rough(failed),
    )


def release_text(release: PlannedRelease) -> str:
    """What a release does, in one sentence."""
    versions = f"`{release.after or 'a version'}`" + (f" after `{release.before}`" if release.before else "")
    if release.plan is None:
        return f"{versions}: {release.problem}"
    if release.first:
        return f"{versions}: the first version takes all traffic once its pods are ready"
    end = about(release.plan["earliest_end_seconds"])
    worst = release.plan["worst_case_failed_requests"]
    cost = "" if worst is None else f"; if every second answer of it fails, about {worst:.3g} requests fail at worst"
    return f"{versions}: proven after {end} at the earliest{cost}"


def assumed(release: PlannedRelease) -> str:
    """On which traffic the figures rest; empty where there are none."""
    traffic = release.plan and release.plan.get("traffic")
    if not traffic or release.first:
        return ""
    failing = f"{traffic['error_rate'] * 100:.3g} %"
    return f"for {traffic['rps']:g} requests a second of which {failing} fail anyway (`--rps`, `--error-rate`)"


def hints(release: PlannedRelease) -> list[str]:
    """Why it would not start, and what to think about."""
    plan = release.plan
    return [] if plan is None else [*(f"refused: {each}" for each in plan["refusals"]), *plan["warnings"]]


def rollup(objects: list[str], most: int = 12) -> str:
    """Names in one line; how many are left."""
    more = f" and {len(objects) - most} more" if len(objects) > most else ""
    return ", ".join(objects[:most]) + more


def waived(waiver: Accepted) -> str:
    """Who accepted a risk, until when and why."""
    return f"accepted by {waiver.by} until {waiver.until}: {waiver.reason}"
