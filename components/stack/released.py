"""What of a stack file is released with steps: its services, and components that are released like one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.releases.service_settings import ServiceSettings
from components.stack.catalogue import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SERVICES, COMPONENTS = "grayling:services", "grayling:components"
LIKE_SERVICES = {name: kind.Settings for name, kind in KINDS.items() if issubclass(kind.Settings, ServiceSettings)}
"""Kinds of components that are released as services are, each with its settings."""


def section_of(config: Mapping[str, Any], name: str) -> str:
    """Where ``name`` is declared, or would be: the key under ``config``."""
    return COMPONENTS if name in dict(_adapters(config)) else SERVICES


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """By name, what each of them says, as it stands in the file; services first."""
    services = config.get(SERVICES)
    return {**(services if isinstance(services, dict) else {}), **dict(_adapters(config))}


def model_of(config: Mapping[str, Any], name: str) -> type[ServiceSettings]:
    """The settings that it is declared with."""
    adapter = dict(_adapters(config)).get(name)
    return ServiceSettings if adapter is None else LIKE_SERVICES[_kind(name, adapter)]


def _adapters(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    found = config.get(COMPONENTS)
    for name, settings in (found if isinstance(found, dict) else {}).items():
        if _kind(name, settings) in LIKE_SERVICES:
            yield name, settings


def _kind(name: str, settings: Any) -> str:
    return str(settings.get("kind", name)) if isinstance(settings, dict) else name
