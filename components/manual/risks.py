"""The risk register: what could go wrong as it is declared, by rules that are said, not by anybody's feeling.

How likely something is follows from the rule alone; how bad it is from how many members need the one that it is about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from components.manual.document import Section, prose, table, text
from components.manual.promises import masked_by, terms_of
from components.model.endpoints import GATEWAYS
from components.model.standing import Standing
from components.workloads.policy_rules import broken_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from components.manual.document import Block
    from components.manual.subject import Subject
    from components.model.component import Component


class Found(NamedTuple):
    """One entry: about which member (or object), and what."""

    about: str
    text: str


@dataclass(frozen=True, slots=True)
class RiskRule:
    """One row: what it finds, how likely it makes harm and why, and what to do."""

    id: str
    likely: str
    why: str
    fix: str
    find: Callable[[Subject], Iterator[Found]]


def _single(subject: Subject) -> Iterator[Found]:
    for name, parts in subject.pods.items():
        for part, count in parts.items():
            if name in subject.members and count == 1 and part != "prober":
                yield Found(name, f"one pod{f' of its part {part}' if part else ''}")


def _without_backup(subject: Subject) -> Iterator[Found]:
    for name in subject.members:
        sets = subject.objects_of(name, "StatefulSet")
        if any(each["spec"].get("volumeClaimTemplates") for each in sets):
            yield Found(name, "keeps data on volumes, and nothing in the stack makes copies of them")


def _unwatched(subject: Subject) -> Iterator[Found]:
    for each in subject.scope.of_kind("external"):
        if getattr(each.settings, "health", None) is None:
            yield Found(each.name, "nobody asks it whether it is well")


def _no_ear(subject: Subject) -> Iterator[Found]:
    watching: list[Any] = subject.scope.of_kind("prometheus")
    if not watching:
        yield Found("the stack", "declares no Prometheus: its alerts are evaluated by nobody here")
    for each in watching:
        if not subject.scope.of_kind("alertmanager") and not each.settings.alertmanager:
            yield Found(each.name, "tells nobody of its alerts")


def _certificates(subject: Subject) -> Iterator[Found]:
    for name, member in subject.members.items():
        tls: Any = getattr(member.settings, "tls", None)
        if given := getattr(member.settings, "tls_secret", None):
            yield Found(name, f"its certificate is in the Secret {given}, which others renew")
        elif hasattr(tls, "issuer") and tls.issuer is None:
            kept = f"is in the Secret {tls.secret}, which others renew" if tls.secret else "is made once, for ten years"
            yield Found(name, f"its certificate {kept}")


def _unmasked(subject: Subject) -> Iterator[Found]:
    if not subject.scope.of_kind("otel-collector"):
        return
    for field, members in terms_of(subject).items():
        if any(term.personal for term in members.values()) and not masked_by(subject, field):
            yield Found(", ".join(members), f"{field} is about a person, and no collector masks it")


def _never_run(subject: Subject) -> Iterator[Found]:
    for name, member in subject.members.items():
        if type(member).modes[0].standing is Standing.SERVED:
            yield Found(
                name, f"the kind {member.kind} is served: its objects were tested, its processes never ran there"
            )


def _deviations(subject: Subject) -> Iterator[Found]:
    for name, member in subject.members.items():
        broken = {rule for item in subject.objects_of(name) for rule, _ in broken_rules(item)}
        for each in (one for one in type(member).deviations if one.rule in broken):
            where = f" ({each.workload})" if each.workload else ""
            yield Found(name, f"breaks the rule {each.rule} of the baseline{where}: {each.reason}")


def _house(subject: Subject) -> Iterator[Found]:
    verdict = subject.verdict
    for each in (*verdict.refused, *verdict.advised):
        yield Found(each.object, f"{each.text} ({each.rule.id}): {each.rule.why}")


def _waived(subject: Subject) -> Iterator[Found]:
    for found, excuse in subject.verdict.waived:
        told = f"{found.text} ({found.rule.id}), accepted until {excuse.until} by {excuse.by}: {excuse.reason}"
        yield Found(found.object, told)
    for excuse in subject.verdict.expired:
        yield Found(excuse.object, f"the waiver of {excuse.rule} ended on {excuse.until}; {excuse.by} gave it")


RULES: tuple[RiskRule, ...] = (
    RiskRule(
        "single-pod",
        "certain",
        "each drain of its node takes the one pod away until another is ready",
        "more replicas or members, where the kind has them",
        _single,
    ),
    RiskRule(
        "no-backup",
        "possible",
        "a volume that fails, or a deletion by mistake, takes the only copy",
        "copy the data on a schedule of your own, as the runbook says, and try the way back",
        _without_backup,
    ),
    RiskRule(
        "not-probed",
        "likely",
        "systems of others change and fail without a word to you",
        "give it `health`",
        _unwatched,
    ),
    RiskRule("alerts-unheard", "certain", "every alert is missed", "add `prometheus` and `alertmanager`", _no_ear),
    RiskRule(
        "certificate",
        "certain",
        "every certificate ends one day, and those that nobody renews end unnoticed",
        "an `issuer` of cert-manager renews by itself; else write the day into a calendar",
        _certificates,
    ),
    RiskRule(
        "personal-field",
        "possible",
        "a program that logs the field sends it to everybody who reads logs",
        "name the field in `mask` of the collector",
        _unmasked,
    ),
    RiskRule(
        "never-run", "possible", "what was never run may not run", "try it in a cluster of yours first", _never_run
    ),
    RiskRule("deviation", "possible", "a rule of the baseline is there for a reason", "read the reason", _deviations),
    RiskRule("house", "possible", "as the rule says", "`grayling stack policy STACK` has the way out", _house),
    RiskRule(
        "waiver",
        "possible",
        "what is accepted is still so",
        "mend it before the day, or let its owner renew the waiver",
        _waived,
    ),
)
_MANY = 3
_WORST_FIRST = ("high", "medium", "low", "not rated")


def impact(subject: Subject, name: str) -> str:
    """How bad it is when a member fails, by how many need it; requests from outside count as many."""
    member = subject.members.get(name) or _of_object(subject, name)
    if member is None:
        return "not rated"
    touched = len(subject.touched(member.name))
    if touched >= _MANY or member.reads & GATEWAYS:
        return "high"
    return "medium" if touched else "low"


def _of_object(subject: Subject, label: str) -> Component | None:
    """The member that an object is of: ``StatefulSet shop/redis``; the longest name that fits."""
    called = label.rpartition("/")[2].rpartition(" ")[2]
    fits = [name for name in subject.members if called == name or called.startswith(f"{name}-")]
    return subject.members[max(fits, key=len)] if fits else None


def risks(subject: Subject) -> Section:
    """The register, and the rules that it is made by."""
    found = [(impact(subject, each.about), rule, each) for rule in RULES for each in rule.find(subject)]
    found.sort(key=lambda entry: _WORST_FIRST.index(entry[0]))
    rows = [(each.about, each.text, rule.likely, bad, prose(rule.fix), rule.id) for bad, rule, each in found]
    lead = text(
        "Made by rules, not by judgement. How likely: by the rule, below. How bad: high where the gateway fails or "
        f"at least {_MANY} members need the one that does, medium where one or two do, low where none does."
    )
    head = ("about", "what", "how likely", "how bad", "what to do", "rule")
    register = table("Risks.", head, rows, "No rule finds a risk.")
    return Section("Risk register", (lead, register, _rules()))


def _rules() -> Block:
    rows = [(rule.id, rule.likely, rule.why) for rule in RULES]
    return table("Why each rule says what it says.", ("rule", "how likely", "because"), rows, "")
