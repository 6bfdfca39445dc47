"""Where everything goes: the part of a stack file that all its components share (``grayling:environment``)."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from components.model.images import (
    canonical,
    exact,
    resolve,
    split,
)
from components.model.profiles import PROFILES, Profile, Tier
from components.model.values import (
    HostnameSuffix,
    Namespace,
    ObjectName,
    choice,
    said,
)
from rollout.api.spec import Model, ParentRef

SYSTEM = ("kube-", "default")
"""How namespaces begin that the cluster itself needs."""

LONGEST_OWNER = 200
Owner = Annotated[
    str,
    said(
        lambda text: text.strip() and text.isprintable() and len(text) <= LONGEST_OWNER,
        "is no owner",
        f"name a team on one line of at most {LONGEST_OWNER} characters, for example platform",
    ),
]
_PREFIX = re.compile(r"[A-Za-z0-9\[][-A-Za-z0-9.:_\]]*(/[a-z0-9][-a-z0-9._]*)*/")


def mirrors(images: dict[str, str]) -> dict[str, str]:
    """The same map, if every entry says what is pulled instead of what.

    Raises:
        ValueError: an entry does not.
    """
    names = [key if key.endswith("/") else canonical(key) for key in images]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{min(twice)!r} is there twice, once by its short name; leave one out")
    for key, target in images.items():
        if key.endswith("/") != target.endswith("/"):
            raise ValueError(f"{key!r} and {target!r} must both end in / (prefix) or both not (image)")
        if not key.endswith("/"):
            _image(key)
            if "/" not in key and "." in split(key)[0]:
                raise ValueError(f"{key!r} is no image but a registry; end it and its mirror in /")
            _image(target)
        elif not _PREFIX.fullmatch(key) or not _PREFIX.fullmatch(target):
            raise ValueError(f"{key!r}: {target!r} is no registry and folder; write it like mirror.example.com/hub/")
    return images


def _image(reference: str) -> None:
    """Nothing, if it is an image, and of one build where it names any.

    Raises:
        ValueError: it is not.
    """
    try:
        if any(split(reference)[1:]):
            exact(reference)
    except ValueError as error:
        raise ValueError(f"{reference[:99]!r} {error}") from None


class GatewayPlace(Model):
    """The Gateway that services are reached through, whoever runs it."""

    class_name: ObjectName = Field(default="contour", alias="class", description="GatewayClass")
    parent: ParentRef = Field(default=ParentRef(name="gateway"), description="the Gateway, and its listener")
    hostname_suffix: HostnameSuffix = Field(
        default="local", description="a service without hostnames gets <name>.<suffix>"
    )


class EnginePlace(Model):
    """The engine of another environment that serves this one."""

    namespace: Namespace = Field(description="where its controller runs; that stack lists this one in `namespaces`")


class Environment(Model):
    """One environment: a tier, a namespace, and what holds for everything in it."""

    tier: Annotated[Tier, choice([each.value for each in Tier], "tier")]
    in_system_namespace: bool = Field(
        default=False, description="a word of consent where the namespace is one of the cluster's own"
    )
    namespace: Namespace
    create_namespace: bool = Field(default=True, description="off where somebody else owns the namespace")
    gateway: GatewayPlace = GatewayPlace()
    images: dict[str, str] = Field(
        default_factory=dict, description="upstream image, repository or `registry/` prefix: what is pulled instead"
    )
    pull_secrets: list[ObjectName] = Field(default_factory=list, description="Secrets with registry credentials")
    owners: Annotated[list[Owner], Field(min_length=1, max_length=50)] = Field(description="teams that answer for it")
    cluster: str | None = Field(
        default=None, min_length=1, description="the one it belongs to: a context, or the API server's address"
    )
    engine: EnginePlace | None = Field(default=None, description="where the stack has services and no controller")
    storage_class: ObjectName | None = Field(
        default=None, description="of every volume; the cluster's default if not given"
    )
    profile: Profile

    @model_validator(mode="before")
    @classmethod
    def _tier_fills_profile(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        tier = data.get("tier")  # of one that there is not, nothing follows
        base = PROFILES[Tier(tier) if tier in list(Tier) else Tier.LOCAL].model_dump(by_alias=True)
        own = data.get("profile", {})
        return {**data, "profile": {**base, **own} if isinstance(own, dict) else own}

    _mirrors = field_validator("images")(mirrors)

    @field_validator("namespace")
    @classmethod
    def _system_is_meant(cls, namespace: str, info: ValidationInfo) -> str:
        if (namespace.startswith(SYSTEM[0]) or namespace in SYSTEM) and not info.data.get("in_system_namespace"):
            raise ValueError("is the cluster's own; use another, or say inSystemNamespace: true")
        return namespace

    def image(self, upstream: str) -> str:
        """The reference that pods of this environment name for ``upstream``."""
        return resolve(upstream, self.images)
