"""The configuration of Alertmanager: whose alerts go to whom, what is one message, and what need not be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.model.observability import WATCHDOG
from rollout.api.durations import duration_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from components.monitoring.alertmanager_settings import AlertmanagerSettings

NOBODY = "nobody"
DEFAULT = "everybody else"
SIGN_OF_LIFE = "sign of life"
_LISTS = {
    "email": "email_configs",
    "webhook": "webhook_configs",
    "slack": "slack_configs",
    "pagerduty": "pagerduty_configs",
}


def configuration(settings: AlertmanagerSettings) -> dict[str, Any]:
    """As Alertmanager reads it; each owner is one receiver there, with all the ways in which somebody is told."""
    watchdog = settings.watchdog
    told = {DEFAULT: settings.default, **dict(_owners(settings))}
    if watchdog is not None:
        told[SIGN_OF_LIFE] = [watchdog.receiver]
    root = {
        "receiver": DEFAULT,
        "group_by": list(settings.group_by),
        "group_wait": duration_of(settings.group_wait),
        "group_interval": duration_of(settings.group_interval),
        "repeat_interval": duration_of(settings.repeat_interval),
        "routes": [_sign_of_life(settings), *_routes(settings)],
    }
    receivers = [{"name": name, **_ways(settings, names)} for name, names in told.items()]
    return {"route": root, "receivers": [*receivers, {"name": NOBODY}], "inhibit_rules": INHIBITED}


INHIBITED = [
    {
        "source_matchers": ['severity = "critical"'],
        "target_matchers": ['severity = "warning"'],
        "equal": ["stack", "component"],
    }
]
"""A warning about what is known to be critical says nothing more."""


def _owners(settings: AlertmanagerSettings) -> Iterator[tuple[str, list[str]]]:
    for owner, route in settings.owners.items():
        yield f"owner {owner}", route.receivers
        if route.critical is not None:
            yield f"owner {owner}, critical", route.critical


def _routes(settings: AlertmanagerSettings) -> Iterator[dict[str, Any]]:
    for owner, route in settings.owners.items():
        own = f"owner = {_quoted(owner)}"
        if route.critical is not None:
            yield {"matchers": [own, 'severity = "critical"'], "receiver": f"owner {owner}, critical"}
        yield {"matchers": [own], "receiver": f"owner {owner}"}


def _sign_of_life(settings: AlertmanagerSettings) -> dict[str, Any]:
    """Sent on and on; to nobody where nobody expects it."""
    match = {"matchers": [f"alertname = {_quoted(WATCHDOG)}"]}
    if settings.watchdog is None:
        return {**match, "receiver": NOBODY}
    every = duration_of(settings.watchdog.every)
    pace = {"group_wait": "0s", "group_interval": every, "repeat_interval": every}
    return {**match, "receiver": SIGN_OF_LIFE, "group_by": ["stack"], **pace}


def _ways(settings: AlertmanagerSettings, names: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for name in dict.fromkeys(names):
        for kind, way in settings.receivers[name].ways().items():
            found.setdefault(_LISTS[kind], []).append(way.wire())
    return found


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
