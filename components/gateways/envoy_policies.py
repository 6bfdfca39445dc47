"""Whom an Envoy Gateway lets in and how: settings as the policies of its own API, each for the whole Gateway.

None of them is for a single route: routes that differ in what their backends are asked like do not share clusters, and
the statistics of a release need those (see :mod:`rollout.sources.clusters`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.gateways.envoy_settings import IDEMPOTENT
from manifests.render import text
from rollout.api.durations import duration_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from components.gateways.envoy_settings import Cors, EnvoyGatewaySettings, Jwt, Oidc, RateLimit
    from kube.kinds import Manifest

API = "gateway.envoyproxy.io/v1alpha1"
GATEWAY_GROUP = "gateway.networking.k8s.io"
LOGGED = {
    "time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    "path": "%REQ_WITHOUT_QUERY(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "received": "%BYTES_RECEIVED%",
    "sent": "%BYTES_SENT%",
    "ms": "%DURATION%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "backend": "%UPSTREAM_CLUSTER%",
    "pod": "%UPSTREAM_HOST%",
}
"""What the log has of a request: no query, no Authorization, no cookie, nothing of its body."""


def policies(
    name: str, gateway: str, settings: EnvoyGatewaySettings, issuers: Mapping[str, Manifest]
) -> Iterable[Manifest]:
    """One object for each sort of rule that is asked for, all named ``name``; ``issuers`` are those of the stack."""
    specs = {
        "SecurityPolicy": _security(settings, issuers),
        "BackendTrafficPolicy": _traffic(settings),
        "ClientTrafficPolicy": _clients(settings),
        "EnvoyExtensionPolicy": _retries(settings),
    }
    target = {"group": GATEWAY_GROUP, "kind": "Gateway", "name": gateway}
    for kind, spec in specs.items():
        if spec:
            made = {"targetRefs": [target], **spec}
            yield {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": made}


def access_log(settings: EnvoyGatewaySettings) -> dict[str, Any]:
    """Where and what the proxies write of each request."""
    if not settings.access_log:
        return {"disable": True}
    fields = {**LOGGED, **{f"query_{name}": f"%QUERY_PARAM({name})%" for name in settings.logged_query}}
    sink = {"type": "File", "file": {"path": "/dev/stdout"}}
    return {"settings": [{"format": {"type": "JSON", "json": fields}, "sinks": [sink]}]}


def _security(settings: EnvoyGatewaySettings, issuers: Mapping[str, Manifest]) -> Manifest:
    made: Manifest = {}
    if settings.jwt:
        made["jwt"] = {"providers": [_issuer(each, issuers) for each in settings.jwt]}
    if settings.oidc:
        made["oidc"] = _login(settings.oidc)
    if settings.cors:
        made["cors"] = _cors(settings.cors)
    return made


def _issuer(jwt: Jwt, issuers: Mapping[str, Manifest]) -> Manifest:
    made: Manifest = {"name": jwt.name, "issuer": jwt.issuer, "audiences": list(jwt.audiences)}
    if jwt.keycloak is not None:
        made |= issuers[jwt.keycloak]
    elif jwt.jwks is not None:
        made["localJWKS"] = {"type": "Inline", "inline": jwt.jwks}
    else:
        made["remoteJWKS"] = {"uri": jwt.jwks_uri}
    if jwt.claims:
        made["claimToHeaders"] = [{"header": header, "claim": claim} for header, claim in sorted(jwt.claims.items())]
    return made


def _login(oidc: Oidc) -> Manifest:
    made: Manifest = {
        "provider": {"issuer": oidc.issuer},
        "clientID": oidc.client_id,
        "clientSecret": {"group": "", "kind": "Secret", "name": oidc.client_secret},
        "redirectURL": oidc.redirect_url,
        "logoutPath": oidc.logout_path,
    }
    return {**made, "scopes": list(oidc.scopes)} if oidc.scopes else made


def _cors(cors: Cors) -> Manifest:
    made = {
        "allowOrigins": list(cors.origins),
        "allowMethods": list(cors.methods),
        "allowHeaders": list(cors.headers),
        "exposeHeaders": list(cors.exposed),
        "maxAge": duration_of(cors.max_age),
        "allowCredentials": cors.credentials,
    }
    return {key: value for key, value in made.items() if value not in ([], False)}


def _traffic(settings: EnvoyGatewaySettings) -> Manifest:
    made: Manifest = {}
    if settings.rate_limits:
        made["rateLimit"] = {"type": "Local", "local": {"rules": [_rate(each) for each in settings.rate_limits]}}
    if settings.max_request:
        made["requestBuffer"] = {"limit": settings.max_request}
    return made


def _rate(limit: RateLimit) -> Manifest:
    made: Manifest = {"limit": {"requests": limit.requests, "unit": limit.per.capitalize()}}
    if limit.header:
        made["clientSelectors"] = [{"headers": [{"type": "Distinct", "name": limit.header}]}]
    return made


def _clients(settings: EnvoyGatewaySettings) -> Manifest:
    made: Manifest = {}
    if settings.tls_secret:
        made["tls"] = {"minVersion": settings.tls_min_version}
    if settings.trusted_hops:
        made["clientIPDetection"] = {"xForwardedFor": {"numTrustedHops": settings.trusted_hops}}
    return made


def _retries(settings: EnvoyGatewaySettings) -> Manifest:
    """A few lines in the proxies that allow a retry by the request: policies of routes know no methods."""
    if settings.retries is None:
        return {}
    script = text(
        "retries.lua.j2",
        methods=IDEMPOTENT,
        header=settings.retries.idempotency_header.lower(),
        attempts=settings.retries.attempts,
    )
    return {"lua": [{"type": "Inline", "inline": script}]}
