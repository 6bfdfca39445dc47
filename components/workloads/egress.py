"""Where a service may connect to besides the components it uses: addresses, or pods of another namespace."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from components.model.endpoints import Peer
from components.model.settings import ComponentSettings
from components.model.values import (
    LabelName,
    LabelValue,
    Namespace,
    PortNumber,
)


def _cidr(text: str) -> str:
    """A network as the API server writes it.

    Raises:
        ValueError: it is none, or has bits set that belong to a host.
    """
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        try:
            meant = f"did you mean {str(ipaddress.ip_network(text, strict=False))!r}?"
        except ValueError:
            meant = "write it like 10.20.0.0/16, or 10.20.0.7/32 for one address; names of hosts cannot be given"
        raise ValueError(f"is no network; {meant}") from None


Cidr = Annotated[str, AfterValidator(_cidr)]


class Egress(ComponentSettings):
    """One way out: to a network (``cidr``), or to pods of a namespace."""

    cidr: Cidr | None = Field(default=None, description="network, for example 10.20.0.0/16")
    namespace: Namespace | None = Field(default=None, description="of the pods; the stack's own if only pods are given")
    pods: dict[LabelName, LabelValue] = Field(
        default_factory=dict, description="labels of the pods; all of the namespace if not given"
    )
    ports: Annotated[list[PortNumber], Field(min_length=1, max_length=32)] = Field(description="TCP")
    why: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="for whoever reviews it")

    @model_validator(mode="after")
    def _one_place(self) -> Egress:
        inside = bool(self.namespace or self.pods)
        if inside == (self.cidr is not None):
            raise ValueError("give a cidr, or a namespace and the labels of pods in it, and not both")
        return self

    def peer(self) -> Peer:
        """The same, as a policy takes it."""
        pods = self.pods or None
        return Peer("out", pods, tuple(self.ports), self.why, namespace=self.namespace or "", cidr=self.cidr or "")
