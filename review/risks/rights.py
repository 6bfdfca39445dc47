"""Rights: who may do what with the cluster after this change, and could not before."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from review.model.change import Op
from review.risks.rule import HIGH, LOW, MEDIUM, Finding, Rule, kinds
from review.risks.shapes import Json, listed, mapping, maps, said, text, texts
from review.risks.templates import POD_MAKERS, in_pod, pods

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review.model.change import Change
    from review.risks.scene import Scene

_ROLES, _BINDINGS = kinds("Role", "ClusterRole"), kinds("RoleBinding", "ClusterRoleBinding")
_ALL = "*"
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection", _ALL})
_POWERFUL_VERBS = frozenset({"escalate", "bind", "impersonate", "approve", "sign"})
_DOORS = frozenset(
    {
        *("pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers", "nodes/proxy", "services/proxy"),
        *("pods/proxy", "serviceaccounts/token", "certificatesigningrequests/approval"),
        *("roles", "rolebindings", "clusterroles", "clusterrolebindings"),
        *("mutatingwebhookconfigurations", "validatingwebhookconfigurations", "validatingadmissionpolicies"),
    }
)
"""Resources by which whoever may write them gets everything else."""

_ADMINS = frozenset({"cluster-admin", "admin", "edit", "system:masters", "system:node"})
_EVERYONE = frozenset(
    {"system:authenticated", "system:unauthenticated", "system:anonymous", "system:serviceaccounts", "system:masters"}
)


class Grant(NamedTuple):
    """One right, as a role gives it."""

    group: str
    resource: str
    verb: str
    name: str

    def __str__(self) -> str:
        """``get secrets (payment)``."""
        return f"{self.verb} {self.resource}" + (f" ({self.name})" if self.name != _ALL else "")


def grants(role: Any) -> frozenset[Grant]:
    """All rights of a role."""
    found: set[Grant] = set()
    for rule in maps(role, "rules"):
        verbs, names = texts(rule, "verbs"), texts(rule, "resourceNames") or [_ALL]
        found.update(
            Grant(*each) for each in product(texts(rule, "apiGroups") or [""], texts(rule, "resources"), verbs, names)
        )
        found.update(Grant("", url, verb, _ALL) for url in texts(rule, "nonResourceURLs") for verb in verbs)
    return frozenset(found)


def _given(grant: Grant, before: frozenset[Grant]) -> bool:
    """Whether a right was there before, maybe by a wildcard."""
    return any(Grant(*each) in before for each in product(*((part, _ALL) for part in grant)))


def _added(change: Change) -> list[Grant]:
    before = grants(change.before)
    return sorted(grant for grant in grants(change.after) if not _given(grant, before))


def _is_all(grant: Grant) -> bool:
    return _ALL in {grant.verb, grant.resource}


def _is_powerful(grant: Grant) -> bool:
    return grant.verb in _POWERFUL_VERBS or (
        grant.resource in _DOORS and grant.verb in (_WRITES | {"get"}) and _opens(grant)
    )


def _opens(grant: Grant) -> bool:
    return "/" in grant.resource or grant.verb in _WRITES


def _reads_secrets(grant: Grant) -> bool:
    return grant.resource == "secrets" and grant.group in {"", _ALL}


def _wildcards(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every rule is asked alike
    found = [grant for grant in _added(change) if _is_all(grant)]
    if found:
        yield Finding(f"may do everything there is: {listed(found)}", None, "rules")


def _powers(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    found = [grant for grant in _added(change) if not _is_all(grant) and _is_powerful(grant)]
    if found:
        yield Finding(f"may give itself any right: {listed(found)}", None, "rules")


def _secrets(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    found = [grant for grant in _added(change) if not _is_all(grant) and _reads_secrets(grant)]
    if found:
        new_and_narrow = change.ops == (Op.CREATE,) and change.ref.kind == "Role"
        yield Finding(f"reaches secrets: {listed(found)}", MEDIUM if new_and_narrow else None, "rules")


def _widened(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    found = [grant for grant in _added(change) if not (_is_all(grant) or _is_powerful(grant) or _reads_secrets(grant))]
    if found:
        yield Finding(f"may do more: {listed(found)}", None, "rules")
    if change.after and mapping(change.after, "aggregationRule") != mapping(change.before, "aggregationRule"):
        yield Finding("takes in the rights of other roles by their labels", None, "aggregationRule")


def _narrowed(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    after = grants(change.after)
    gone = sorted(grant for grant in grants(change.before) if not _given(grant, after)) if change.after else []
    if gone:
        yield Finding(f"may no longer: {listed(gone)}", None, "rules")


def _who(subject: Json) -> str:
    place = text(subject, "namespace")
    return f"{text(subject, 'kind')} {place + '/' if place else ''}{text(subject, 'name')}"


def _new_subjects(change: Change) -> list[Json]:
    old = {_who(subject) for subject in maps(change.before, "subjects")}
    moved = mapping(change.before, "roleRef") != mapping(change.after, "roleRef")
    return [subject for subject in maps(change.after, "subjects") if moved or _who(subject) not in old]


def _admins(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    role, new = text(change.after, "roleRef", "name"), _new_subjects(change)
    if role in _ADMINS and new:
        mild = role in {"admin", "edit"} and change.ref.kind == "RoleBinding"
        yield Finding(f"{listed(map(_who, new))} gets {role}", MEDIUM if mild else None, "roleRef")


def _everyone(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    found = [_who(subject) for subject in _new_subjects(change) if _is_everyone(text(subject, "name"))]
    if found:
        yield Finding(f"{listed(found)} gets {said(text(change.after, 'roleRef', 'name'))}", None, "subjects")


def _is_everyone(name: str) -> bool:
    return name in _EVERYONE or name.startswith("system:serviceaccounts:")


def _subjects(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    new = [_who(each) for each in _new_subjects(change) if not _is_everyone(text(each, "name"))]
    if new and text(change.after, "roleRef", "name") not in _ADMINS:
        role = text(change.after, "roleRef", "name")
        created = change.ops == (Op.CREATE,)
        yield Finding(f"{listed(new)} gets {said(role)}", LOW if created else None, "subjects")


def _token(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    if change.ref.kind == "ServiceAccount":
        before, after, path = change.before or {}, change.after or {}, "automountServiceAccountToken"
    else:
        (before, after), path = pods(change), in_pod(change, "automountServiceAccountToken")
    key = "automountServiceAccountToken"
    if before and after and before.get(key) is False and after.get(key) is not False:
        yield Finding("every pod gets a token of the API server again", None, path)


def _account(change: Change, scene: Scene) -> Iterator[Finding]:  # noqa: ARG001
    before, after = pods(change)
    was, will = text(before, "serviceAccountName"), text(after, "serviceAccountName")
    if before and after and was != will:
        yield Finding(
            f"runs as account {said(will or 'default')} instead of {said(was or 'default')}: its rights are others"
        )


_BACK = "apply the old rights again; look in the audit log for what was done with them"

RULES = (
    Rule(
        "rights-to-everything",
        "a role gets wildcards",
        "whoever has it may do everything",
        HIGH,
        _BACK,
        _wildcards,
        kinds=_ROLES,
    ),
    Rule(
        "rights-to-more-rights",
        "a role may escalate, bind, impersonate, enter pods or write roles and webhooks",
        "whoever has it can get every other right",
        HIGH,
        _BACK,
        _powers,
        kinds=_ROLES,
    ),
    Rule(
        "rights-to-secrets",
        "a role reaches secrets",
        "they are read by more",
        HIGH,
        f"{_BACK}; rotate the secrets",
        _secrets,
        kinds=_ROLES,
    ),
    Rule(
        "rights-widened",
        "a role may do more than before",
        "a stolen token can do more",
        MEDIUM,
        _BACK,
        _widened,
        kinds=_ROLES,
    ),
    Rule(
        "rights-narrowed",
        "a role may do less than before",
        "what uses it may stop",
        LOW,
        "apply the old rights again",
        _narrowed,
        kinds=_ROLES,
    ),
    Rule(
        "bound-to-admin",
        "somebody becomes an administrator",
        "they may do everything",
        HIGH,
        _BACK,
        _admins,
        kinds=_BINDINGS,
    ),
    Rule(
        "bound-to-everyone",
        "everyone, or every account, gets a role",
        "anybody may do it",
        HIGH,
        _BACK,
        _everyone,
        kinds=_BINDINGS,
    ),
    Rule("bound-to-more", "somebody gets a role", "they may do more", MEDIUM, _BACK, _subjects, kinds=_BINDINGS),
    Rule(
        "token-mounted",
        "pods get a token of the API server",
        "whoever breaks in has it",
        MEDIUM,
        "set automountServiceAccountToken to false again",
        _token,
        kinds=POD_MAKERS | {"ServiceAccount"},
    ),
    Rule(
        "account-changed",
        "pods run as another account",
        "they may do more, or too little",
        MEDIUM,
        "name the old account again",
        _account,
        kinds=POD_MAKERS,
    ),
)
