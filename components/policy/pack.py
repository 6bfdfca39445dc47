"""The rules of the house for a policy pack of Pulumi: its resources are our objects under another name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.model.profiles import Tier
from components.policy.evaluate import broken
from components.policy.table import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from components.policy.rule import PolicyRule

PREFIX = "kubernetes:"


def per_resource() -> list[PolicyRule]:
    """Rules that one resource breaks by itself."""
    return [rule for rule in RULES if rule.objects is not None]


def per_stack() -> list[PolicyRule]:
    """Rules that need all resources; those of stack files are not among them, since Pulumi has none."""
    return [rule for rule in RULES if rule.every is not None]


def violations(rule: PolicyRule, tier: str, resources: Iterable[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """What resources, each with its type and inputs, break of a rule; a sentence each.

    Raises:
        ValueError: there is no such tier.
    """
    objects = [plain(props) for kind, props in resources if kind.startswith(PREFIX)]
    manifests = [each for each in objects if isinstance(each.get("metadata"), dict) and "kind" in each]
    return [f"{each.object}: {each.text}; {rule.fix}" for each in broken(Tier(tier), manifests, rules=[rule])]


def plain(value: Any) -> Any:
    """As JSON has it: the engine hands over proxies, and whole numbers as floats."""
    if hasattr(value, "items"):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
