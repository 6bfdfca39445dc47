"""Issuers of tokens that are in the stack: a gateway has their name, keys and authority from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from components.gateways.envoy_settings import EnvoyGatewaySettings
    from components.model.component import Component
    from kube.kinds import Manifest

ISSUER = "keycloak"
API = "gateway.networking.k8s.io/v1"


def used(owner: Component[EnvoyGatewaySettings]) -> tuple[str, ...]:
    """Their names, as far as they are there."""
    known = {each.name for each in owner.scope.of_kind(ISSUER)}
    return tuple(
        dict.fromkeys(each.keycloak for each in owner.settings.jwt if each.keycloak in known and each.keycloak)
    )


def check(owner: Component[EnvoyGatewaySettings]) -> None:
    """They are there, and show their keys by TLS.

    Raises:
        ValueError: one does not.
    """
    for index, each in enumerate(owner.settings.jwt):
        if each.keycloak is None:
            continue
        if each.keycloak not in used(owner):
            raise ValueError(f"jwt.{index}.keycloak: {each.keycloak!r} is no component of kind keycloak; declare one")
        if owner.scope.members[each.keycloak].authority() is None:
            raise ValueError(f"jwt.{index}.keycloak: {each.keycloak} shows its keys in the clear; give it tls: {{}}")


def providers(owner: Component[EnvoyGatewaySettings]) -> Mapping[str, dict[str, Any]]:
    """By name of the component: what a rule for tokens says of it."""
    found = {}
    for name in used(owner):
        bound = {key: str(value) for key, value in owner.scope.members[name].binding(owner.name).items()}
        where = urlsplit(bound["OIDC_JWKS_URL"])
        keys = {"uri": bound["OIDC_JWKS_URL"], "backendRefs": [{"name": name, "port": where.port}]}
        found[name] = {"issuer": bound["OIDC_ISSUER"], "remoteJWKS": keys}
    return found


def trusted(owner: Component[EnvoyGatewaySettings]) -> Iterable[Manifest]:
    """Whom to trust for their certificates: one policy for each."""
    for name in used(owner):
        member = owner.scope.members[name]
        if (authority := member.authority()) is None:
            continue
        host = f"{name}.{owner.environment.namespace}.svc"
        whom = [{"group": "", "kind": "Secret", "name": authority.secret}]
        target = {"group": "", "kind": "Service", "name": name}
        spec = {"targetRefs": [target], "validation": {"caCertificateRefs": whom, "hostname": host}}
        meta = {"name": f"{owner.name}-{name}"}
        yield {"apiVersion": API, "kind": "BackendTLSPolicy", "metadata": meta, "spec": spec}
