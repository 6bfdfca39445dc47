"""What the reconciler of topologies is given for one system: an account of its own there, and passwords of users."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from components.model.credentials import generated_secret
from components.model.settings import ComponentSettings
from components.model.topology import DeclaredTopology, key_file
from components.model.values import ObjectName
from components.workloads.encryption import secret_of
from topology.api.spec import MOST_ITEMS, TopologySpec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from components.model.component import Component
    from components.workloads.encryption import Tls
    from kube.kinds import Manifest
    from topology.api.spec import Item

ACCOUNT = "topology"
"""Name of the reconciler's account in every system."""

UserName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$")]


class DeclaredUser(ComponentSettings):
    """An account of somebody who is no service of the stack; services have theirs by `uses`."""

    secret: ObjectName | None = Field(
        default=None,
        description="existing Secret with the key password; `<component>-user-<name>` is generated if not given",
    )


class DeclaredItems(ComponentSettings):
    """What every topology says, whatever its system."""

    prune: bool = Field(default=False, description="delete what was made from here and is declared no more")
    allow: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list, description="items, by label (`queue orders`), whose data may be lost"
    )


def counted(items: Iterable[Item], system: str) -> None:
    """No more than an object holds.

    Raises:
        ValueError: there are more.
    """
    count = sum(1 for _ in items)
    if count > MOST_ITEMS:
        raise ValueError(f"has {count} items, and one {system} takes {MOST_ITEMS}; give some to another {system}")


@dataclass(frozen=True, slots=True)
class Administration:
    """Accounts of one system for its declared topology.

    Attributes:
        owner: the system's component.
        section: what is declared; None: nothing, and so there are no accounts.
        account: recipe of the reconciler's Secret, beside username and password.
        users: of the declaration.
        user: recipe of a user's Secret, beside username and password.
    """

    owner: Component
    section: DeclaredItems | None
    account: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, DeclaredUser] = field(default_factory=dict)
    user: Mapping[str, str] = field(default_factory=dict)

    @property
    def secret(self) -> str:
        """Name of the Secret with the reconciler's account."""
        return account_secret(self.owner)

    def _of(self, name: str) -> str:
        return self.users[name].secret or f"{self.owner.name}-user-{name}"

    @property
    def _own(self) -> Iterator[str]:
        return (name for name, user in self.users.items() if user.secret is None)

    def _recipe(self, username: str, more: Mapping[str, str]) -> dict[str, str]:
        return {"username": username, "password": "{random:32}", **more}

    def manifests(self) -> Iterable[Manifest]:
        """Secrets: the reconciler's, and those of declared users."""
        if self.section is None:
            return
        yield generated_secret(self.secret, self._recipe(ACCOUNT, self.account))
        for name in self._own:
            yield generated_secret(self._of(name), self._recipe(name, self.user))

    def made(self) -> dict[str, Collection[str]]:
        """Secrets that come with it, and their keys."""
        if self.section is None:
            return {}
        users = {self._of(name): tuple(self._recipe(name, self.user)) for name in self._own}
        return {self.secret: tuple(self._recipe(ACCOUNT, self.account)), **users}

    def needed(self) -> dict[str, tuple[str, Collection[str]]]:
        """Secrets of declared users that somebody else keeps."""
        given = ((name, user.secret) for name, user in self.users.items())
        return {f"topology.users.{name}.secret": (secret, ("password",)) for name, secret in given if secret}

    def check(self) -> None:
        """Declared users are nobody's whom the stack knows already.

        Raises:
            ValueError: one is a service's.
        """
        services = {user.name for user in self.owner.scope.users_of(self.owner.name)}
        for name in sorted(services & set(self.users)):
            raise ValueError(f"topology.users.{name}: is the account of the service {name}; take another name")

    def declared(
        self, address: str, tls: Tls | None, items: Iterable[Item], more: Iterable[Mapping[str, Any]] = ()
    ) -> DeclaredTopology | None:
        """What the reconciler is to make true, and with what; ``more`` are further files of it."""
        if self.section is None:
            return None
        files: list[Mapping[str, Any]] = [key_file(self.secret, key, key) for key in ("username", "password")]
        files += [key_file(self._of(name), "password", f"users/{name}") for name in self.users]
        files += more
        if tls is not None:
            files.append(key_file(secret_of(self.owner, tls), "ca.crt", "ca.crt"))
        spec = TopologySpec(
            system=self.owner.kind,
            address=address,
            prune=self.section.prune,
            allow=sorted(set(self.section.allow)),
            items=list(items),
        )
        return DeclaredTopology(spec, files)


def account_secret(owner: Component) -> str:
    """Name of the Secret with the reconciler's account."""
    return f"{owner.name}-topology-auth"


def service_address(owner: Component, scheme: str, port: int) -> str:
    """Of the Service of a system."""
    return f"{scheme}://{owner.name}.{owner.environment.namespace}.svc:{port}"
