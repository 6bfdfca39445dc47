"""Everything a service is told from outside, read from the environment once."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Mapping


class SettingsError(ValueError):
    """An environment variable holds what it must not; the message names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One field per environment variable of the same name.

    Without ``redis_url`` orders live in this process's memory, without ``amqp_url`` nothing is published: so the shop
    also runs alone. ``crash_after_seconds`` is when version v5 exits.
    """

    version: str = "v1"
    pod: str = "local"
    http_port: int = 8080
    admin_port: int = 9000
    drain_seconds: float = 5.0
    crash_after_seconds: float = 60.0
    redis_url: str = ""
    amqp_url: str = ""

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> Settings:
        """Read them.

        Raises:
            SettingsError: a number or a URL that is none.
        """
        return cls(
            version=env.get("SHOP_VERSION") or "v1",
            pod=env.get("POD_NAME") or socket.gethostname(),
            http_port=int(_number(env, "HTTP_PORT", 8080)),
            admin_port=int(_number(env, "ADMIN_PORT", 9000)),
            drain_seconds=_number(env, "DRAIN_SECONDS", 5.0),
            crash_after_seconds=_number(env, "CRASH_AFTER_SECONDS", 60.0),
            redis_url=_url(env, "REDIS", {"redis", "rediss"}),
            amqp_url=_url(env, "AMQP", {"amqp", "amqps"}),
        )


def _number(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 65535:  # noqa: PLR2004 - ports, and more seconds than anybody needs
        raise SettingsError(f"{name}={text}: give a number from 0 to 65535")
    return value


def _url(env: Mapping[str, str], prefix: str, schemes: set[str]) -> str:
    """``<prefix>_URL``, with ``<prefix>_USERNAME`` and ``<prefix>_PASSWORD`` put in where they are given."""
    text = env.get(f"{prefix}_URL", "")
    if not text:
        return ""
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if url.scheme not in schemes or not url.host:
        raise SettingsError(f"{prefix}_URL: want {'|'.join(sorted(schemes))}://host:port/…")  # it may hold a password
    if user := env.get(f"{prefix}_USERNAME"):
        url = url.with_user(user).with_password(url.password)
    if password := env.get(f"{prefix}_PASSWORD"):
        url = url.with_password(password)
    return str(url)
