"""Where a Grafana finds the data of a stack: one data source for each store, with its login and its authority."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from components.model.pods import SecretKey
from components.monitoring.grafana_settings import DASHBOARDS, LOGS_PLUGIN
from components.monitoring.jaeger import Jaeger
from components.monitoring.jaeger_settings import QUERY_PORT
from components.monitoring.loki import Loki
from components.monitoring.prometheus import Prometheus
from components.monitoring.victorialogs import VictoriaLogs
from components.workloads.encryption import TRUSTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.model.component import Component

SHOWN: tuple[type[Component], ...] = (Prometheus, Jaeger, Loki, VictoriaLogs)
"""Kinds whose data can be shown, in the order of the list of sources."""


PLACES = [
    {"key": "grafana.ini", "path": "grafana.ini"},
    {"key": "sources.yaml", "path": "provisioning/datasources/sources.yaml"},
    {"key": "dashboards.yaml", "path": "provisioning/dashboards/dashboards.yaml"},
]
"""Files of the configuration, and where Grafana looks for them."""


class Source(NamedTuple):
    """A data source as Grafana's provisioning writes it, and the variables that it names."""

    written: dict[str, Any]
    variables: Mapping[str, SecretKey] = {}


def provisioning(sources: Sequence[Mapping[str, Any]], folder: str) -> dict[str, str]:
    """Its files of sources and of dashboards; one source is what dashboards begin with."""
    first, *rest = sources or [{}]
    found = [first, *({key: value for key, value in each.items() if key != "isDefault"} for each in rest)]
    provider = {
        "name": "stack",
        "folder": folder,
        "type": "file",
        "options": {"path": DASHBOARDS, "foldersFromFilesStructure": False},
        "disableDeletion": True,
        "allowUiUpdates": False,
        "updateIntervalSeconds": 30,
    }
    made = {
        "sources.yaml": {"apiVersion": 1, "prune": True, "datasources": [each for each in found if each]},
        "dashboards.yaml": {"apiVersion": 1, "providers": [provider]},
    }
    return {name: yaml.safe_dump(each, sort_keys=False, width=1000) for name, each in made.items()}


def source(store: Component) -> Source:
    """Of one member of the stack.

    Raises:
        TypeError: nobody can show that kind; a stack is refused before.
    """
    common = {"name": store.name, "uid": store.name, "access": "proxy", "editable": False}
    if isinstance(store, Prometheus):
        every = {"httpMethod": "POST", "timeInterval": f"{store.settings.scrape_interval:g}s"}
        return Source({**common, "type": "prometheus", "url": store.address, "isDefault": True, "jsonData": every})
    if isinstance(store, Loki):
        tenant = {"httpHeaderName1": "X-Scope-OrgID"}, {"httpHeaderValue1": store.settings.tenant}
        return Source({**common, "type": "loki", "url": store.address, **_trust(store, *tenant)})
    if isinstance(store, Jaeger):
        scheme = "https" if store.settings.tls else "http"
        url = f"{scheme}://{store.name}.{store.environment.namespace}.svc:{QUERY_PORT}"
        return _locked(store, store.secret, {**common, "type": "jaeger", "url": url})
    if isinstance(store, VictoriaLogs):
        return _locked(store, store.secret, {**common, "type": LOGS_PLUGIN, "url": store.address})
    raise TypeError(f"{store.kind}: no data source of Grafana shows it")


def _locked(store: Component, secret: str, written: dict[str, Any]) -> Source:
    """With a login, whose values are in variables: a file in a ConfigMap must not have them."""
    names = {key: f"SOURCE_{store.name}_{key}".upper().replace("-", "_") for key in ("username", "password")}
    login = {"basicAuth": True, "basicAuthUser": f"${names['username']}"}
    made = {**written, **login, **_trust(store, {}, {"basicAuthPassword": f"${names['password']}"})}
    return Source(made, {name: SecretKey(secret, key) for key, name in names.items()})


def _trust(store: Component, plain: dict[str, Any], secret: dict[str, str]) -> dict[str, Any]:
    """Settings of a source, with the authority that it has to be checked against where it is encrypted."""
    if store.authority() is None:
        return {"jsonData": plain, "secureJsonData": secret}
    authority = {"tlsCACert": f"$__file{{{TRUSTED}/{store.name}/ca.crt}}"}
    return {"jsonData": {**plain, "tlsAuthWithCACert": True}, "secureJsonData": {**secret, **authority}}
