"""Where everything goes: the part of a stack file that all its components share (``grayling:environment``)."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from components.images import exact, resolve, split
from components.profiles import PROFILES, Profile, Tier
from rollout.spec import Model, ParentRef

DnsLabel = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]


class GatewayPlace(Model):
    """The Gateway that services are reached through, whoever runs it."""

    class_name: DnsLabel = Field(default="contour", alias="class", description="GatewayClass")
    parent: ParentRef = Field(default=ParentRef(name="gateway"), description="the Gateway, and its listener")
    hostname_suffix: str = Field(
        default="local",
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        description="a service without hostnames gets <name>.<suffix>",
    )


class EnginePlace(Model):
    """The engine of another environment that serves this one."""

    namespace: DnsLabel = Field(description="where its controller runs; that stack lists this one in `namespaces`")


class Environment(Model):
    """One environment: a tier, a namespace, and what holds for everything in it."""

    tier: Tier
    namespace: DnsLabel
    create_namespace: bool = Field(default=True, description="off where somebody else owns the namespace")
    gateway: GatewayPlace = GatewayPlace()
    images: dict[str, str] = Field(
        default_factory=dict, description="upstream image, repository or `registry/` prefix: what is pulled instead"
    )
    pull_secrets: list[DnsLabel] = Field(default_factory=list, description="Secrets with registry credentials")
    owners: Annotated[list[str], Field(min_length=1)] = Field(description="teams that answer for it")
    cluster: str | None = Field(
        default=None, min_length=1, description="the one it belongs to: a context, or the API server's address"
    )
    engine: EnginePlace | None = Field(default=None, description="where the stack has services and no controller")
    storage_class: str | None = Field(default=None, description="of every volume; the cluster's default if not given")
    profile: Profile

    @model_validator(mode="before")
    @classmethod
    def _tier_fills_profile(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("tier") not in list(Tier):
            return {"profile": PROFILES[Tier.LOCAL], **data} if isinstance(data, dict) else data
        base = PROFILES[Tier(data["tier"])].model_dump(by_alias=True)
        own = data.get("profile", {})
        return {**data, "profile": {**base, **own} if isinstance(own, dict) else own}

    @field_validator("images")
    @classmethod
    def _targets_are_images(cls, images: dict[str, str]) -> dict[str, str]:
        for key, target in images.items():
            if key.endswith("/") != target.endswith("/"):
                raise ValueError(f"{key!r} and {target!r} must both end in / (prefix) or both not (image)")
            if not key.endswith("/") and any(split(target)[1:]):
                exact(target)
        return images

    @model_validator(mode="after")
    def _owners_are_said(self) -> Self:
        if any(not owner.strip() for owner in self.owners):
            raise ValueError("owners: an owner is empty; name a team, for example platform")
        return self

    def image(self, upstream: str) -> str:
        """The reference that pods of this environment name for ``upstream``."""
        return resolve(upstream, self.images)
