"""`Topology`: what one system should hold, as a list of items that no schema here has to know.

What an item of a kind may say is the business of the component that declares it and of the module that makes it true;
a new system changes neither the definition nor what is here.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from rollout.api.wire import API_VERSION, FREE_FORM, Model, by_key

KIND = "Topology"
PLURAL = "topologies"
MOST_ITEMS = 2000
EVERY_SECONDS = 30
"""Between two looks at a system whose declaration does not change."""

System = Annotated[str, Field(pattern=r"^[a-z][a-z-]{0,30}$", max_length=31)]
Text = Annotated[str, Field(min_length=1, max_length=600)]


class Item(Model):
    """One thing in a system: its kind, its name, where it is, and what is said of it."""

    label: Text = Field(description="how it is called everywhere: `queue orders`, `queue orders @billing`")
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z-]{0,30}$", max_length=31)]
    name: Annotated[str, Field(max_length=600)] = ""
    within: Annotated[str, Field(max_length=255)] = Field(default="", description="virtual host, account, cluster")
    settings: dict[str, Any] = Field(default_factory=dict, json_schema_extra=FREE_FORM)


class TopologySpec(Model):
    """`spec` of a Topology."""

    system: System
    address: Annotated[str, Field(pattern=r"^[a-z]+://[^/@]+$", max_length=300)] = Field(
        description="where the system is administered"
    )
    prune: bool = Field(default=False, description="delete what was made here and is declared no more")
    allow: Annotated[list[Text], Field(max_length=MOST_ITEMS)] = Field(
        default_factory=list, description="items, by label, whose data may be lost"
    )
    items: Annotated[list[Item], Field(max_length=MOST_ITEMS)] = Field(
        default_factory=list, json_schema_extra=by_key("label")
    )


def labelled(kind: str, name: str, within: str = "") -> str:
    """How an item is called; ``within`` is left out where it goes without saying."""
    return f"{kind} {name} @{within}" if within else f"{kind} {name}"


def manifest(name: str, spec: TopologySpec) -> dict[str, Any]:
    """The object, as it is applied."""
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec.wire()}
