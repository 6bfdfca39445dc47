"""The shapes in which Pulumi writes what a preview would do, checked key by key.

``pulumi preview --json`` is one document of steps; with ``PULUMI_ENABLE_STREAMING_JSON_PREVIEW`` and in event logs the
same comes as one event a line. Both become :class:`Preview`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from kube.errors import UsageError
from review.reading.mistaken import first_mistake

if TYPE_CHECKING:
    from collections.abc import Iterable

    from review.reading.source import Document


_ADVICE = frozenset({"advisory", "remediate", "disabled"})
"""How far a policy may be broken; every other level stops the preview."""


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


def _or_no_items(value: Any) -> Any:
    return [] if value is None else value


Map = Annotated[dict[str, Any], BeforeValidator(_or_empty)]
Texts = Annotated[list[str], BeforeValidator(_or_no_items)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class State(_Shape):
    """A resource before or after."""

    type: str = ""
    custom: bool = False
    delete: bool = False
    inputs: Map = Field(default_factory=dict)
    outputs: Map = Field(default_factory=dict)
    protect: bool = False
    retain: bool = Field(default=False, alias="retainOnDelete")


class FieldDiff(_Shape):
    """How one field differs: ``add``, ``update``, ``delete``, each also with ``-replace``."""

    kind: str = Field(validation_alias=AliasChoices("kind", "diffKind"))
    input_diff: bool = Field(default=False, alias="inputDiff")


Diffs = Annotated[dict[str, FieldDiff], BeforeValidator(_or_empty)]


class Step(_Shape):
    """What happens to one resource."""

    op: str
    urn: str
    old: State | None = Field(default=None, alias="oldState")
    new: State | None = Field(default=None, alias="newState")
    diff_reasons: Texts = Field(default_factory=list, alias="diffReasons")
    replace_reasons: Texts = Field(default_factory=list, alias="replaceReasons")
    detailed: Diffs = Field(default_factory=dict, alias="detailedDiff")


class Diagnostic(_Shape):
    """Something that Pulumi or a provider said."""

    urn: str = ""
    message: str = ""
    severity: str = ""


Steps = Annotated[list[Step], BeforeValidator(_or_no_items)]
Diagnostics = Annotated[list[Diagnostic], BeforeValidator(_or_no_items)]
Summary = Annotated[dict[str, int], BeforeValidator(_or_empty)]


class Preview(_Shape):
    """A whole preview; ``summary`` is None where the document ends before it."""

    config: Map = Field(default_factory=dict)
    steps: Steps = Field(default_factory=list)
    diagnostics: Diagnostics = Field(default_factory=list)
    summary: Summary | None = Field(default=None, alias="changeSummary")
    ended: bool = True


class _Metadata(_Shape):
    op: str
    urn: str
    old: State | None = None
    new: State | None = None
    keys: Texts = Field(default_factory=list)
    diffs: Texts = Field(default_factory=list)
    detailed: Diffs = Field(default_factory=dict, alias="detailedDiff")
    logical: bool = True


class _Resource(_Shape):
    metadata: _Metadata


class _Prelude(_Shape):
    config: Map = Field(default_factory=dict)


class _Ending(_Shape):
    changes: Summary = Field(default_factory=dict, alias="resourceChanges")
    corrupt: bool = Field(default=False, alias="maybeCorrupt")


class _Policy(_Shape):
    message: str = ""
    name: str = Field(default="", alias="policyName")
    level: str = Field(default="", alias="enforcementLevel")


class _Failure(_Shape):
    error: str = ""


class Event(_Shape):
    """One line of an event log; what it does not hold is another kind of event."""

    before: _Resource | None = Field(default=None, alias="resourcePreEvent")
    failed: _Resource | None = Field(default=None, alias="resOpFailedEvent")
    said: Diagnostic | None = Field(default=None, alias="diagnosticEvent")
    prelude: _Prelude | None = Field(default=None, alias="preludeEvent")
    summary: _Ending | None = Field(default=None, alias="summaryEvent")
    policy: _Policy | None = Field(default=None, alias="policyEvent")
    error: _Failure | None = Field(default=None, alias="errorEvent")

    @model_validator(mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        if isinstance(value, dict) and not any(key.endswith("Event") for key in value):
            raise ValueError(f"is no event of Pulumi (found: {', '.join(sorted(value)[:5]) or '{}'})")
        return value


def preview_of(document: Document) -> Preview:
    """The preview in a document, whichever of the two forms it has.

    Raises:
        UsageError: a key has a value of another kind, or this is no preview; the message names file, key and value.
    """
    if document.lines:
        return _from_events(
            _checked(document, Event, line, f"line {number}") for number, line in enumerate(document.data, 1)
        )
    data = document.data
    if not isinstance(data, dict) or not {"steps", "changeSummary", "diagnostics"} & data.keys():
        found = ", ".join(sorted(data)[:5]) if isinstance(data, dict) else type(data).__name__
        raise UsageError(
            f"{document.name}: is no output of `pulumi preview --json`: it has no steps (found: {found or '{}'})"
        )
    preview: Preview = _checked(document, Preview, data, "")
    return preview


def _checked(document: Document, model: type[Any], data: Any, where: str) -> Any:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        place = ": ".join(part for part in (document.name, where, first_mistake(error)) if part)
        raise UsageError(f"{place}; pass the file as `pulumi preview --json` wrote it") from error


def _from_events(events: Iterable[Event]) -> Preview:
    steps: list[Step] = []
    said: list[Diagnostic] = []
    config: dict[str, Any] = {}
    summary: dict[str, int] | None = None
    for event in events:
        if event.before is not None:
            steps.append(_step(event.before.metadata))
        if event.said is not None:
            said.append(event.said)
        if event.failed is not None:
            meta = event.failed.metadata
            said.append(Diagnostic(urn=meta.urn, message=f"{meta.op} failed", severity="error"))
        if event.policy is not None:
            severity = "warning" if event.policy.level in _ADVICE else "error"
            said.append(Diagnostic(message=f"policy {event.policy.name}: {event.policy.message}", severity=severity))
        if event.error is not None:
            said.append(Diagnostic(message=event.error.error, severity="error"))
        if event.prelude is not None:
            config = event.prelude.config
        if event.summary is not None:
            summary = event.summary.changes
            if event.summary.corrupt:
                said.append(Diagnostic(message="Pulumi calls its own result corrupt", severity="error"))
    return Preview(config=config, steps=steps, diagnostics=said, changeSummary=summary, ended=summary is not None)


def _step(meta: _Metadata) -> Step:
    return Step(
        op=meta.op,
        urn=meta.urn,
        oldState=meta.old,
        newState=meta.new,
        diffReasons=meta.diffs,
        replaceReasons=meta.keys,
        detailedDiff=meta.detailed,
    )
