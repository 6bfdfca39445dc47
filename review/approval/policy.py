"""What a tier demands before a change goes in: ``.grayling/review.yaml``, read as strictly as a stack file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from components.model.mistakes import Mistake, StackError, mistakes_of
from components.model.profiles import Tier
from components.policy.project import House
from components.stack.nodes import Map, plain
from components.stack.reading import parse
from components.stack.stackfile import placed
from review.approval.volatile import FORM
from review.model.prices import Prices
from review.risks.waivers import WaiverEntry
from rollout.api.durations import Seconds, seconds_of
from rollout.api.wire import Model

if TYPE_CHECKING:
    from collections.abc import Iterable

POLICY_FILE = ".grayling/review.yaml"
SIGNERS_FILE = ".grayling/allowed_signers"
REVIEWERS = "reviewers"
WEB = "noreply@github.com"
"""Who GitHub names as committer of what is merged on its pages."""

_PRINCIPAL = re.compile(r"[^\s,*?!\"'<>]+@[^\s,*?!\"'<>@]+")


def principal(text: str) -> str:
    """One person, as ``allowed_signers`` names it; case does not count.

    Raises:
        ValueError: it is no address, or a pattern.
    """
    if not _PRINCIPAL.fullmatch(text):
        raise ValueError("is no e-mail address; write the one that .grayling/allowed_signers has, like ann@example.com")
    return text.lower()


def _volatile(text: str) -> str:
    if not FORM.fullmatch(text):
        raise ValueError("is no image of a service or component; write it like grayling:services.checkout.image")
    return text


def _inside(text: str) -> str:
    if text.startswith("/") or ".." in text.split("/"):
        raise ValueError("leads out of the project; name a file in it")
    return text


Principal = Annotated[str, AfterValidator(principal)]
Count = Annotated[int, Field(ge=0, le=20)]


class TierRule(Model):
    """What one tier demands.

    Attributes:
        approvals: of how many people; 0 for none.
        group: who they are of.
        by_rule: a change with no risk above low needs nobody.
        high_needs: of how many people where a risk is high or critical, or the rules themselves change.
        expires: how long an approval counts.
        offline: whether one counts that was given without asking the cluster.
    """

    approvals: Count = 0
    group: str = REVIEWERS
    by_rule: bool = False
    high_needs: Count = 2
    expires: Seconds = seconds_of("72h")
    offline: bool = False


class EmergencyRule(Model):
    """The lane for when waiting costs more: who, how many of them, and for how long it counts."""

    group: str
    people: Annotated[int, Field(ge=2, le=20)] = 2
    limit: Seconds = seconds_of("4h")


class Identities(Model):
    """Who people are elsewhere: logins of GitHub and GitLab, other addresses in commits."""

    github: dict[str, Principal] = Field(default_factory=dict)
    gitlab: dict[str, Principal] = Field(default_factory=dict)
    email: dict[str, Principal] = Field(default_factory=dict)


class Policy(Model):
    """The whole file.

    Attributes:
        form: version of this form.
        groups: people by group.
        tiers: rules by tier; a tier that is not named has its default.
        volatile: images that CI fills in after the approval.
        emergency: the emergency lane; without it there is none.
        identities: who people are elsewhere.
        machines: addresses of committers that are no people.
        signers: the file of keys, in OpenSSH's form.
        waivers: accepted risks.
        policy: rules of the house that are mandatory here.
        prices: for a CPU, a GiB of memory, a GiB of storage; None where there is no table.
    """

    form: Literal["grayling.policy/1"] = Field(alias="schema")
    groups: dict[str, tuple[Principal, ...]] = Field(default_factory=dict)
    tiers: dict[Tier, TierRule] = Field(default_factory=dict)
    volatile: tuple[Annotated[str, AfterValidator(_volatile)], ...] = ()
    emergency: EmergencyRule | None = None
    identities: Identities = Field(default_factory=Identities)
    machines: tuple[Principal, ...] = (WEB,)
    signers: Annotated[str, AfterValidator(_inside)] = SIGNERS_FILE
    waivers: tuple[WaiverEntry, ...] = ()
    prices: Prices | None = None
    policy: House = Field(default_factory=House)

    @model_validator(mode="after")
    def _groups_are_there(self) -> Policy:
        for tier in Tier:
            rule = self.rule(tier.value)
            if rule.approvals:
                self._check(f"tiers.{tier.value}", rule.group, max(rule.approvals, rule.high_needs))
        if self.emergency is not None:
            self._check("emergency", self.emergency.group, self.emergency.people)
        return self

    def _check(self, where: str, group: str, needed: int) -> None:
        people = self.people(group)
        if group not in self.groups:
            raise ValueError(
                f"{where}: asks for group {group!r}, which is not there; add groups.{group} (or {where}.approvals: 0)"
            )
        if len(people) < needed:
            raise ValueError(f"{where}: needs {needed} people of groups.{group}, which has {len(people)}; add some")

    def rule(self, tier: str) -> TierRule:
        """What a tier demands; what the file does not say of it has the tier's default."""
        said = self.tiers.get(Tier(tier), TierRule())
        return DEFAULTS[tier].model_copy(update={name: getattr(said, name) for name in said.model_fields_set})

    def people(self, group: str) -> frozenset[str]:
        """Who is in a group."""
        return frozenset(self.groups.get(group, ()))

    @property
    def everybody(self) -> frozenset[str]:
        """Everybody who is named."""
        named = (*self.identities.github.values(), *self.identities.gitlab.values(), *self.identities.email.values())
        return frozenset({*named, *(one for people in self.groups.values() for one in people)})


DEFAULTS = {
    "local": TierRule(),
    "dev": TierRule(),
    "staging": TierRule(approvals=1, by_rule=True),
    "prod": TierRule(approvals=1),
}
"""What a tier demands of which the file says nothing."""


def read_policy(data: bytes, source: str = POLICY_FILE) -> Policy:
    """The policy in a file's bytes.

    Raises:
        StackError: with every mistake in it: file, line, key, value and fix.
    """
    document = parse(data, source)
    if document.mistakes:
        raise StackError(source, document.mistakes)
    if not isinstance(document.root, Map):
        fix = "start with `schema: grayling.policy/1`"
        raise StackError(source, [Mistake("", "", "is no map", fix, 1)])
    try:
        return Policy.model_validate(plain(document.root))
    except ValidationError as error:
        raise StackError(source, placed(tuple(_told(error)), document)) from None


def _told(error: ValidationError) -> Iterable[Mistake]:
    for each in mistakes_of(error, Policy, ""):
        path = each.path.removeprefix(".")
        if not path and ": " in each.problem:
            path, _, problem = each.problem.partition(": ")
            yield Mistake(path, "", problem, each.fix)
        else:
            yield Mistake(path, each.value, each.problem, each.fix)
