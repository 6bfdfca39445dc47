"""What decides for the whole cluster what may be written, and what may be deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from review.model.change import Op
from review.risks.rule import HIGH, LOW, MEDIUM, Finding, Rule, kinds
from review.risks.shapes import Json, items, listed, maps, said, text, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change
    from review.risks.scene import Scene

_HOOKS = kinds("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
_POLICIES = kinds(
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
)
_OTHER_POLICIES = kinds("ClusterPolicy", "Policy", "ConstraintTemplate", "ClusterImagePolicy")


def _hooks(manifest: Any) -> dict[str, Json]:
    return {text(each, "name"): each for each in maps(manifest, "webhooks")}


def _fails(hook: Json) -> bool:
    """Fail is what holds where nothing is said."""
    return (text(hook, "failurePolicy") or "Fail") == "Fail"


def _blocks(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every rule is asked alike
    before = _hooks(change.before)
    for name, hook in _hooks(change.after).items():
        old = before.get(name)
        wider = old is not None and any(
            old.get(key) != hook.get(key) for key in ("rules", "namespaceSelector", "objectSelector", "clientConfig")
        )
        if _fails(hook) and (old is None or not _fails(old) or wider):
            yield Finding(
                f"{said(name)}: while it does not answer, what it looks at cannot be written", None, f"webhooks[{name}]"
            )


def _opens(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if change.goes:
        yield Finding("goes: what it refused is taken" if Op.DELETE in change.ops else "is away while it is made again")
        return
    after = _hooks(change.after)
    for name, old in _hooks(change.before).items():
        if name not in after:
            yield Finding(f"{said(name)} goes: what it refused is taken", None, f"webhooks[{name}]")
        elif _fails(old) and not _fails(after[name]):
            yield Finding(f"{said(name)}: what it cannot look at is taken", MEDIUM, f"webhooks[{name}].failurePolicy")


def _policy(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if change.goes:
        yield Finding("goes: what it refused is taken")
        return
    if not change.before or not change.after:
        return
    if "Deny" in texts(change.before, "spec", "validationActions") and "Deny" not in texts(
        change.after, "spec", "validationActions"
    ):
        yield Finding("no longer refuses, it only tells", None, "spec.validationActions")
    if text(change.after, "spec", "failurePolicy") == "Ignore" != text(change.before, "spec", "failurePolicy"):
        yield Finding("what it cannot decide is taken", MEDIUM, "spec.failurePolicy")
    gone = [rule for rule in _expressions(change.before) if rule not in _expressions(change.after)]
    if gone:
        yield Finding(f"{len(gone)} of its rules go or change: {said(gone[0])}", MEDIUM, "spec.validations")
    if any(
        change.edited("spec", key)
        for key in ("matchConstraints", "matchConditions", "matchResources", "paramRef", "policyName")
    ):
        yield Finding("looks at other objects", MEDIUM, "spec")


def _expressions(manifest: Any) -> list[str]:
    return [text(each, "expression") for each in maps(manifest, "spec", "validations")]


def _other_policy(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if change.goes:
        yield Finding("goes: what it refused is taken")
    elif change.before and change.edited("spec"):
        yield Finding("decides otherwise", MEDIUM, "spec")


def _finalizers(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = (items(side, "metadata", "finalizers") for side in (change.before, change.after))
    if after:
        added = [each for each in after if each not in before]
        if added:
            yield Finding(f"waits for {listed(added)} before it can be deleted", None, "metadata.finalizers")
    elif before and change.after and not change.goes:
        yield Finding(
            f"no longer waits for {listed(before)}: what that cleaned up or kept is not", LOW, "metadata.finalizers"
        )


def _api(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if change.goes or (change.before and change.edited("spec")):
        yield Finding("serves a whole group of the API: without it nobody reads or writes its objects")


_BACK = "apply it again as it was; look for what was written meanwhile"

RULES = (
    Rule(
        "webhook-blocks",
        "a webhook that fails closed is added or looks at more",
        "while it is away nothing can be written, its own repair too",
        HIGH,
        "delete the webhook's configuration",
        _blocks,
        kinds=_HOOKS,
    ),
    Rule(
        "webhook-removed",
        "a webhook goes, or fails open",
        "what it refused is taken",
        HIGH,
        _BACK,
        _opens,
        kinds=_HOOKS,
    ),
    Rule(
        "admission-policy-weakened",
        "an admission policy goes, or refuses less",
        "what it refused is taken: forged approvals too",
        HIGH,
        _BACK,
        _policy,
        kinds=_POLICIES,
    ),
    Rule(
        "cluster-policy-changed",
        "a policy of another engine changes or goes",
        "what it refused may be taken",
        HIGH,
        _BACK,
        _other_policy,
        kinds=_OTHER_POLICIES,
    ),
    Rule(
        "finalizer-added",
        "an object gets a finalizer",
        "it cannot be deleted while nobody takes it away",
        MEDIUM,
        "take the finalizer away",
        _finalizers,
    ),
    Rule(
        "api-changed",
        "an API service changes or goes",
        "a group of the API may not answer",
        HIGH,
        _BACK,
        _api,
        kinds=kinds("APIService"),
    ),
)
