"""Accounts of their own for the services that use a store, so that none of them is its administrator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.model.credentials import generated_secret
from components.workloads.encryption import CERTIFICATE_KEYS, made_for

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from components.model.component import Component
    from components.workloads.encryption import Tls
    from kube.kinds import Manifest


def account_of(store: Component, user: str) -> str:
    """Name of the Secret with the account of the service ``user``."""
    return f"{store.name}-{user}-auth"


def accounts(store: Component, recipe: Mapping[str, str]) -> Iterable[Manifest]:
    """A Secret for each user of ``store``; ``{username}`` in the recipe is the service's name."""
    for user in store.scope.users_of(store.name):
        yield generated_secret(account_of(store, user.name), {"username": user.name, **recipe})


def made_secrets(
    store: Component,
    own: Mapping[str, Collection[str]],
    tls: Tls | None,
    keys: Collection[str] = ("username", "password", "url"),
) -> dict[str, Collection[str]]:
    """Secrets that come with a store, and their keys: ``own``, one for each user (``keys``), and its certificate."""
    users = {account_of(store, user.name): keys for user in store.scope.users_of(store.name)}
    return {**own, **users, **made_for(store, tls)}


def needed_secrets(
    auth_secret: str | None, keys: Collection[str], tls: Tls | None
) -> dict[str, tuple[str, Collection[str]]]:
    """Secrets that a store is given, by setting: its name, and the keys read there."""
    found: dict[str, tuple[str, Collection[str]]] = {"authSecret": (auth_secret, keys)} if auth_secret else {}
    if tls is not None and tls.secret is not None and tls.issuer is None:
        found["tls.secret"] = (tls.secret, CERTIFICATE_KEYS)
    return found


def account_files(store: Component, key: str, prefix: str = "") -> list[dict[str, Any]]:
    """Sources of a projected volume: ``key`` of each account, in a file named after the service."""
    end = key.rpartition(".")[2]
    return [
        {
            "secret": {
                "name": account_of(store, user.name),
                "items": [{"key": key, "path": f"{prefix}{user.name}.{end}"}],
            }
        }
        for user in store.scope.users_of(store.name)
    ]
