"""The rules of the house as a policy pack: `pulumi preview --policy-pack policy`.

It needs Grayling and `pulumi-policy` in an environment of its own (docs/how-to/policy.md). The tier is the pack's
configuration (`tier`), prod if nothing is said.
"""

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyPack,
    ResourceValidationPolicy,
    StackValidationPolicy,
)

from components.model.profiles import Tier
from components.policy.pack import per_resource, per_stack, violations

TIERS = PolicyConfigSchema(properties={"tier": {"type": "string", "enum": [each.value for each in Tier]}})


def _of_resource(rule):
    def check(args, report):
        for said in violations(rule, args.get_config().get("tier", "prod"), [(args.resource_type, args.props)]):
            report(said)

    return ResourceValidationPolicy(rule.id, f"{rule.what}: {rule.why}", check, _level(rule), TIERS)


def _of_stack(rule):
    def check(args, report):
        resources = [(each.resource_type, each.props) for each in args.resources]
        for said in violations(rule, args.get_config().get("tier", "prod"), resources):
            report(said)

    return StackValidationPolicy(rule.id, f"{rule.what}: {rule.why}", check, _level(rule), TIERS)


def _level(rule):
    return EnforcementLevel.MANDATORY if rule.mandatory else EnforcementLevel.ADVISORY


PolicyPack(
    name="grayling-house",
    policies=[*(_of_resource(rule) for rule in per_resource()), *(_of_stack(rule) for rule in per_stack())],
)
