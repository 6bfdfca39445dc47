"""``grayling.review/1``: everything that a report tells, as data. Every other form is made of it.

Texts here are masked and visible; nothing depends on the machine or on the moment.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A part of the document: nothing is added to it, nothing changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Counts(Part):
    """Objects by what happens to them; one with two operations counts under both."""

    create: int
    update: int
    replace: int
    delete: int
    import_: int = Field(alias="import")
    retain: int
    unchanged: int


class Accepted(Part):
    """A waiver: who accepted a risk, why, and until which day."""

    reason: str
    until: str
    by: str


class Finding(Part):
    """One risk."""

    id: str = Field(description="the rule, as `grayling review risks` lists it")
    severity: Literal["low", "medium", "high", "critical"]
    object: str = Field(description="KIND NAMESPACE/NAME, or `stack`")
    text: str
    undo: str = Field(description="what taking it back would need; empty where nothing is known")
    path: str = Field(description="the field that it stands on; empty where it is the object")
    waiver: Accepted | None = Field(description="with one it counts as low")


class Difference(Part):
    """One field of an object that will be different."""

    path: str
    before: Any = Field(description="null where the field is not there")
    after: Any = Field(description="null where the field goes")
    replaces: bool = Field(description="it cannot be changed in place")
    hidden: bool = Field(description="the values are secret")
    writer: str = Field(description="another manager that wrote the field; empty where there is none")


class Touched(Part):
    """One object that changes."""

    object: str
    api_version: str
    kind: str
    namespace: str
    name: str
    ops: list[Literal["create", "update", "replace", "delete", "import", "retain"]]
    edits: list[Difference]
    forced_by: list[str] = Field(description="fields that make a replacement necessary")
    component: str
    owners: list[str]
    protected: bool
    unknown: list[str] = Field(description="fields that are known only once it is carried out")
    problem: str = Field(description="why it cannot be carried out as it stands; empty where nothing is known")
    urn: str


class Doubted(Part):
    """Why the preview cannot be believed, or what it could not know."""

    id: str
    text: str
    fatal: bool


class Asked(Part):
    """CPU in thousandths of a core, memory and storage in bytes."""

    cpu: int
    memory: int
    storage: int


class Use(Part):
    """What an object asks for on one side."""

    always: Asked = Field(description="at its least number of pods")
    most: Asked = Field(description="at the most that an autoscaler gives it")
    node: Asked = Field(description="on each node")
    passing: Asked = Field(description="while a job runs")
    release: Asked = Field(description="beside `always` while a version is brought in")
    pods: str


class CapacityRow(Part):
    """One object's."""

    object: str
    before: Use
    after: Use
    notes: list[str]


class Capacities(Part):
    """What the objects that change ask for; those that do not are in no preview."""

    before: Use
    after: Use
    rows: list[CapacityRow]
    notes: list[str]
    cost: float | None = Field(description="more a month, by the table of prices; null without one")
    currency: str


class PlannedRelease(Part):
    """A gray release that the change starts; `plan` is that of `grayling release plan -o json`."""

    object: str
    first: bool
    before: str
    after: str
    plan: dict[str, Any] | None
    problem: str


class OwnedObjects(Part):
    """An owner, and what of theirs changes."""

    owner: str
    objects: list[str]


class User(Part):
    """Somebody who uses a component that changes."""

    name: str
    uses: str
    known_by: str


class Said(Part):
    """What the source said in words."""

    severity: str
    text: str


class Review(Part):
    """A whole review."""

    schema_: Literal["grayling.review/1"] = Field(default="grayling.review/1", alias="schema")
    project: str
    stack: str
    source: Literal["pulumi-preview", "pulumi-events", "pulumi-plan", "render", "destroy", "drift"]
    cluster: str = Field(description="which cluster was asked; empty where none was")
    created: str
    commit: str
    base: str
    counts: Counts
    assessment: Literal["plain", "review", "dangerous", "not-trustworthy"]
    trust: list[str] = Field(description="every doubt as a sentence: fatal ones, and what could not be known")
    doubts: list[Doubted]
    risks: list[Finding] = Field(description="the worst first")
    changes: list[Touched] = Field(description="riskiest operation first")
    drift: list[Touched] = Field(description="what a refresh found to be other than the state said")
    digest: str = Field(description="what an approval names; empty where none can be given")
    parts: dict[str, str]
    unbound: str = Field(description="why there is no digest; empty where there is one")
    approval: str = Field(description="what is still needed, from whom, and the command")
    capacity: Capacities
    releases: list[PlannedRelease]
    owners: list[OwnedObjects]
    dependants: list[User]
    messages: list[Said]
    truncated: bool = Field(description="something was left out; a truncated report cannot be approved")

    def wire(self) -> dict[str, Any]:
        """The JSON form."""
        return self.model_dump(mode="json", by_alias=True)


def json_schema() -> dict[str, Any]:
    """The JSON schema of the document, for ``docs/reference/review.schema.json``."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Review.model_json_schema(by_alias=True)}


if __name__ == "__main__":
    import click

    click.echo(json.dumps(json_schema(), indent=2))
