"""The files of a Kong: routes, services and plugins in its declarative form, and what it writes of each request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from components.gateways.kong_keys import checking
from manifests.render import text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.gateways.envoy_settings import Cors, RateLimit
    from components.gateways.kong_settings import KongJwt, KongRoute, KongSettings
    from kube.kinds import Manifest

FORMAT = "3.0"


def declarative(settings: KongSettings, addresses: Mapping[str, tuple[str, int]], suffix: str) -> str:
    """``kong.yml``: ``addresses`` are hosts and ports of services by name, ``suffix`` ends hosts of routes."""
    routes = sorted(settings.routes.items())
    timeout = round(settings.request_timeout * 1000)
    services = [_service(name, each, addresses, timeout, suffix) for name, each in routes]
    split = [_upstream(name, each, addresses) for name, each in routes if len(each.to) > 1]
    made: Manifest = {
        "_format_version": FORMAT,
        "_transform": True,
        "services": services,
        **({"upstreams": split} if split else {}),
        "plugins": list(_plugins(settings)),
    }
    if settings.jwt:
        made["consumers"] = [_issuer(each) for each in settings.jwt]
    return yaml.safe_dump(made, sort_keys=False, width=1000)


def log_format(settings: KongSettings) -> str:
    """The form of a line of the access log, included by nginx."""
    return text("kong-log.conf.j2", fields=settings.logged_query)


def _service(
    name: str, route: KongRoute, addresses: Mapping[str, tuple[str, int]], timeout: int, suffix: str
) -> Manifest:
    host, port = addresses[next(iter(route.to))] if len(route.to) == 1 else (name, 80)
    way: Manifest = {
        "name": name,
        "hosts": list(route.hosts) or [f"{name}.{suffix}"],
        "paths": list(route.paths),
        "strip_path": False,
        "preserve_host": False,
    }
    if route.methods:
        way["methods"] = list(route.methods)
    return {
        "name": name,
        "protocol": "http",
        "host": host,
        "port": port,
        "retries": 0,
        "connect_timeout": min(timeout, 5000),
        "read_timeout": timeout,
        "write_timeout": timeout,
        "routes": [way],
    }


def _upstream(name: str, route: KongRoute, addresses: Mapping[str, tuple[str, int]]) -> Manifest:
    """Several services by weight."""
    places = {service: "{}:{}".format(*addresses[service]) for service in sorted(route.to)}
    return {"name": name, "targets": [{"target": at, "weight": route.to[each]} for each, at in places.items()]}


def _plugins(settings: KongSettings) -> list[Manifest]:
    told = {"status_code_metrics": True, "latency_metrics": True, "bandwidth_metrics": True}
    made: list[Manifest] = [{"name": "prometheus", "config": told}]
    if settings.jwt:
        checked = {
            "key_claim_name": "iss",
            "claims_to_verify": ["exp", "nbf"],
            "uri_param_names": [],  # a token in a URL would be in everybody's log
            "run_on_preflight": False,
        }
        made.append({"name": "jwt", "config": checked})
    if settings.rate_limits:
        made.append({"name": "rate-limiting", "config": _limits(settings.rate_limits)})
    if settings.cors:
        made.append({"name": "cors", "config": _cors(settings.cors)})
    return made


def _limits(limits: list[RateLimit]) -> dict[str, Any]:
    header = limits[0].header
    how = {"limit_by": "header", "header_name": header} if header else {"limit_by": "service"}
    return {**{each.per: each.requests for each in limits}, **how, "policy": "local", "fault_tolerant": True}


def _cors(cors: Cors) -> dict[str, Any]:
    made = {
        "origins": [_origin(each) for each in cors.origins],
        "methods": list(cors.methods),
        "headers": list(cors.headers),
        "exposed_headers": list(cors.exposed),
        "max_age": round(cors.max_age),
        "credentials": cors.credentials,
    }
    return {key: value for key, value in made.items() if value != []}


def _origin(origin: str) -> str:
    """Kong reads what has more than letters, digits and ``.:/-`` as a regular expression."""
    scheme, _, host = origin.partition("://*.")
    return rf"{scheme}://[A-Za-z0-9.-]+\.{re.escape(host)}" if host else origin


def _issuer(jwt: KongJwt) -> Manifest:
    algorithm, pem = checking(jwt.jwks)
    secret = {"key": jwt.issuer, "algorithm": algorithm, "rsa_public_key": pem}
    return {"username": jwt.name, "jwt_secrets": [secret]}
