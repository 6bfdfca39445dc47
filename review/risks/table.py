"""The table of all rules: what `grayling review risks` lists and every review asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review.risks import (
    admission,
    alerts,
    availability,
    capacity,
    contracts,
    data,
    definitions,
    exposure,
    house,
    images,
    immutable,
    judging,
    network,
    operators,
    outside,
    policy,
    releases,
    rights,
    secrets,
    security,
    storage,
    taken_back,
    trust,
)

if TYPE_CHECKING:
    from review.risks.rule import Rule

TOPICS: dict[str, tuple[Rule, ...]] = {
    "data": data.RULES,
    "storage": storage.RULES,
    "stores of operators": operators.RULES,
    "definitions": definitions.RULES,
    "replacement and refusal": immutable.RULES,
    "rights": rights.RULES,
    "network": network.RULES,
    "exposure": exposure.RULES,
    "pod security": security.RULES,
    "images": images.RULES,
    "capacity": capacity.RULES,
    "availability": availability.RULES,
    "secrets": secrets.RULES,
    "releases": (*releases.RULES, *taken_back.RULES),
    "contracts": contracts.RULES,
    "judging": judging.RULES,
    "outside a release": outside.RULES,
    "admission": admission.RULES,
    "alerts": alerts.RULES,
    "trust and ownership": trust.RULES,
    "rules of the house": house.RULES,
    "rules of reviewing": policy.RULES,
}
"""Rules by what they are about."""

RULES: tuple[Rule, ...] = tuple(rule for rules in TOPICS.values() for rule in rules)
BY_ID: dict[str, Rule] = {rule.id: rule for rule in RULES}
