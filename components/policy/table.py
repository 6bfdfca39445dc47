"""The table of all rules of the house: render, tests, the policy pack and reviews ask these rows and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from components.policy import of_objects
from components.policy.rule import EVERYWHERE, LAST, SERIOUS, Entry, PolicyRule

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAIN = frozenset({"http", "amqp", "ldap", "mllp"})


def _tls_off(entry: Entry) -> Iterator[str]:
    """A kind that can encrypt and was not told to, or a system of others that is reached in plain text."""
    if entry.settings is not None and "tls" in entry.settings.model_fields and entry.said.get("tls") is None:
        yield "is not encrypted"
    url = entry.said.get("url")
    if entry.kind == "external" and isinstance(url, str) and urlsplit(url).scheme in _PLAIN:
        yield f"is reached by {urlsplit(url).scheme}, which is not encrypted"


RULES: tuple[PolicyRule, ...] = (
    PolicyRule(
        "house-image-moves",
        "an image without a tag, or with one that moves",
        "nobody can say what runs, and a restart may run something else",
        "name an exact tag or a digest",
        EVERYWHERE,
        mandatory=True,
        objects=of_objects.moving_image,
    ),
    PolicyRule(
        "house-image-digest",
        "an image by its tag alone",
        "whoever may push to the registry changes what runs",
        "name it by its digest",
        LAST,
        objects=of_objects.no_digest,
    ),
    PolicyRule(
        "house-single-replica",
        "a workload of one pod",
        "it is gone while its node is drained",
        "give it replicas, or a waiver that says why one is enough",
        LAST,
        objects=of_objects.single_replica,
    ),
    PolicyRule(
        "house-limits",
        "a container without requests and a memory limit",
        "it takes what its neighbours were promised",
        "give it requests, and a memory limit equal to its request",
        SERIOUS,
        mandatory=True,
        objects=of_objects.no_limits,
    ),
    PolicyRule(
        "house-restricted",
        "a pod that may be root, gain rights or keep capabilities",
        "who gets into it gets further",
        "runAsNonRoot, seccompProfile RuntimeDefault, no privilege escalation, drop all capabilities",
        SERIOUS,
        mandatory=True,
        objects=of_objects.unrestricted,
    ),
    PolicyRule(
        "house-plain-secret",
        "a secret as a text in a variable",
        "everybody who may read the object reads it",
        "name a Secret: {secret: name, key: of-it}",
        EVERYWHERE,
        mandatory=True,
        objects=of_objects.plain_secret,
    ),
    PolicyRule(
        "house-owner",
        "nobody answers for it",
        "an alert finds nobody",
        "name owners in grayling:environment, and an owner of each external system",
        SERIOUS,
        mandatory=True,
        objects=of_objects.no_owner,
    ),
    PolicyRule(
        "house-external-contract",
        "a system of others without a contract",
        "its next version breaks you, and nobody broke a promise",
        "name the document in `contract`: a file of the project, or a URL",
        SERIOUS,
        mandatory=True,
        objects=of_objects.external_without_contract,
    ),
    PolicyRule(
        "house-external-open",
        "egress to every address",
        "who gets into the service gets out with its data",
        "give the external system its `networks`",
        SERIOUS,
        objects=of_objects.open_egress,
    ),
    PolicyRule(
        "house-tls-off",
        "traffic that is not encrypted",
        "who is on the network reads it, passwords too",
        "tls: {}, or a URL whose scheme is encrypted",
        SERIOUS,
        entries=_tls_off,
    ),
    PolicyRule(
        "house-alerts",
        "a workload that no alert is about",
        "its fault is told by customers",
        "add prometheus to the stack, and alerts of the component",
        LAST,
        every=of_objects.unwatched,
    ),
    PolicyRule(
        "house-dashboard",
        "a workload that no dashboard shows",
        "whoever is called at night looks at nothing",
        "add prometheus to the stack, and a dashboard of the component",
        LAST,
        every=of_objects.undrawn,
    ),
)
BY_ID = {rule.id: rule for rule in RULES}
