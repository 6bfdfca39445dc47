"""Accounts of their own for the services that use a store, so that none of them is its administrator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.credentials import generated_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from components.component import Component
    from kube.kinds import Manifest


def account_of(store: Component, user: str) -> str:
    """Name of the Secret with the account of the service ``user``."""
    return f"{store.name}-{user}-auth"


def accounts(store: Component, recipe: Mapping[str, str]) -> Iterable[Manifest]:
    """A Secret for each user of ``store``; ``{username}`` in the recipe is the service's name."""
    for user in store.scope.users_of(store.name):
        yield generated_secret(store, account_of(store, user.name), {"username": user.name, **recipe})


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
