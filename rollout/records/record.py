"""What a release leaves behind: one record, in a documented and versioned schema.

The record is a function of what the engine persisted, so it can be made again from the same facts at any time, and it
says the same whether the engine, the command line or a page asks for it. `docs/reference/record.md` describes it; its
JSON Schema is generated from :class:`Record`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rollout.api.journal import What
from rollout.api.pair import Pair
from rollout.api.spec import GROUP, Spec
from rollout.api.status import (
    JournalEntry,
    Outcome,
    Reaction,
    Release,
    StepRecord,
    Time,
    Version,
)
from rollout.api.taken_back import Forgiven
from rollout.signals.kinds import SIGNAL_KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kube.kinds import Manifest
    from rollout.api.status import Approved

SCHEMA: Literal["grayling.record/1"] = "grayling.record/1"
RECORD_LABEL = f"{GROUP}/record"
OUTCOME_LABEL = f"{GROUP}/outcome"
KEY = "record.json"
MILLISECONDS = 1000.0


class Part(BaseModel):
    """Frozen, snake_case on the wire: the record is read by scripts, not by Kubernetes."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True, serialize_by_alias=True)


class RecordedVersion(Part):
    """A revision and its image."""

    revision: str
    image: str


class RecordedReaction(Part):
    """When a fault showed, and when each thing done about it was done; None where nothing had to be done."""

    evidence_at: Time | None = Field(default=None, description="the look that began the run-up which convicted")
    decided_at: Time | None = Field(default=None, description="the engine resolved to take the version back")
    written_at: Time | None = Field(default=None, description="weight 0 was on the route")
    observed_at: Time | None = Field(default=None, description="weight 0 was verified")
    evidence_to_decided_ms: float | None = None
    decided_to_written_ms: float | None = None
    written_to_observed_ms: float | None = None
    evidence_to_observed_ms: float | None = Field(default=None, description="the whole way")


class RecordedSignal(Part):
    """The judge's last word on one signal.

    Rates are per request, per pod-second for crashes and events, or the value of a gauge.
    """

    signal: str
    kind: str = Field(default="", description=f"how its rates are to be read: {', '.join(SIGNAL_KINDS)}")
    verdict: str
    log_e: float | None = Field(default=None, description="ln of the evidence against the canary; 0 is none")
    log_e_good: float | None = Field(default=None, description="ln of the evidence that it is no worse than allowed")
    stable_rate: float | None = None
    canary_rate: float | None = None
    ratio_low: float | None = Field(default=None, description="canary rate over stable rate: lower confidence bound")
    ratio_high: float | None = Field(default=None, description="upper confidence bound; none while unbounded")
    stable_requests: int | None = None
    canary_requests: int | None = None
    canary_failed: int | None = None
    reason: str = ""


class RecordedWeight(Part):
    """Percent of requests to the canary."""

    desired: int
    accepted: int | None = Field(description="the same once every parent of the route accepted it")
    observed: float | None = Field(description="as counted at the gateway or the pods")


class RecordedStep(Part):
    """A step as it really was."""

    index: int
    weight: RecordedWeight
    hold_seconds: float
    started_at: Time
    accepted_at: Time | None = None
    verified_at: Time | None = Field(default=None, description="when its clock began")
    ended_at: Time | None = None
    verdict: str = ""


class RecordedEntry(Part):
    """One thing that happened."""

    at: Time
    what: What
    text: str
    weight: int | None = None


class RecordedApproval(Part):
    """Who let a step begin, as the API server knows them."""

    step: int = Field(description="number of the step, the first is 1")
    approver: str
    group: str = ""
    reason: str = ""
    at: Time


class RecordedPolicy(Part):
    """What the judge had promised."""

    false_rollback_rate: float
    missed_rate: float
    promotion_margin: float
    blast_budget: int | None = None


class Record(Part):
    """Everything a release leaves behind. Fields may be added under the same schema name; none changes its meaning."""

    schema_name: Literal["grayling.record/1"] = Field(default=SCHEMA, alias="schema")
    id: str
    name: str = Field(description="of the GrayRelease")
    namespace: str
    outcome: Outcome | None = Field(description="none while the release is in flight")
    outcome_reason: str = ""
    proven: bool = Field(description="the judge found it good at the end of a step or of the bake")
    requested_by: str = ""
    reason: str = ""
    from_version: RecordedVersion | None = Field(alias="from", description="none for a first release")
    to_version: RecordedVersion = Field(alias="to")
    started_at: Time
    ended_at: Time | None = None
    duration_seconds: float | None = None
    pair: Pair | None = Field(
        default=None,
        description="images with the digests that ran, and configuration; none in records of older engines",
    )
    evidence: str = Field(
        default="", description="what took it back: signals, `silence` or `crashes`; empty where nothing was found bad"
    )
    forgiven: Forgiven | None = Field(
        default=None, description="a person's word that this pair may come in again, with the reason"
    )
    reaction: RecordedReaction
    verdict: str = Field(default="", description="the judge's last word on the release")
    verdict_reason: str = ""
    culprits: list[str] = Field(default_factory=list, description="signals that convicted it, the worst first")
    log_e: float | None = None
    verdicts: list[RecordedSignal] = Field(default_factory=list)
    excess_failed_requests: float = Field(description="failed requests above what the stable version would have had")
    policy: RecordedPolicy
    steps: list[RecordedStep] = Field(default_factory=list)
    approvals: list[RecordedApproval] = Field(default_factory=list, description="of the steps that began")
    journal: list[RecordedEntry] = Field(default_factory=list)

    def wire(self) -> dict[str, Any]:
        """The JSON form."""
        found: dict[str, Any] = json.loads(self.model_dump_json(by_alias=True))
        return found

    def json_text(self) -> str:
        """The JSON form, as a file."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def record_of(name: str, namespace: str, spec: Spec, release: Release) -> Record:
    """The record of a release, finished or not."""
    said = release.verdict_at_end
    duration = None if release.ended_at is None else round(release.ended_at - release.started_at, 3)
    return Record.model_validate(
        {
            "id": release.id,
            "name": name,
            "namespace": namespace,
            "outcome": release.outcome,
            "outcome_reason": release.outcome_reason,
            "proven": release.proven,
            "requested_by": release.requested_by,
            "reason": release.reason,
            "from": _version(release.from_version),
            "to": _version(release.to_version),
            "started_at": release.started_at,
            "ended_at": release.ended_at,
            "duration_seconds": duration,
            "pair": release.pair,
            "evidence": release.evidence,
            "reaction": _reaction(release.reaction),
            "verdict": said.get("verdict", ""),
            "verdict_reason": said.get("reason", ""),
            "culprits": said.get("culprits", []),
            "log_e": said.get("log_e"),
            "verdicts": said.get("signals", []),
            "excess_failed_requests": round(release.excess_failed_requests, 3),
            "policy": spec.analysis.model_dump(),
            "steps": [_step(step) for step in release.steps],
            "approvals": [_approved(each) for each in release.approvals],
            "journal": [_entry(entry) for entry in release.journal],
        }
    )


def _version(version: Version | None) -> Mapping[str, str] | None:
    return None if version is None else {"revision": version.revision, "image": version.image}


def _reaction(reaction: Reaction) -> dict[str, float | None]:
    found: dict[str, float | None] = {
        key: getattr(reaction, key) for key in ("evidence_at", "decided_at", "written_at", "observed_at")
    }
    for start, end in (
        ("evidence", "decided"),
        ("decided", "written"),
        ("written", "observed"),
        ("evidence", "observed"),
    ):
        first, last = found[f"{start}_at"], found[f"{end}_at"]
        known = first is not None and last is not None
        found[f"{start}_to_{end}_ms"] = round((last - first) * MILLISECONDS, 1) if known else None  # type: ignore[operator]
    return found


def _step(step: StepRecord) -> dict[str, Any]:
    accepted = step.weight if step.accepted_at is not None else None
    kept = {"index", "hold_seconds", "started_at", "accepted_at", "verified_at", "ended_at", "verdict"}
    shown = {key: getattr(step, key) for key in kept}
    return shown | {"weight": {"desired": step.weight, "accepted": accepted, "observed": step.observed}}


def _approved(approved: Approved) -> dict[str, Any]:
    return {key: getattr(approved, key) for key in RecordedApproval.model_fields}


def _entry(entry: JournalEntry) -> dict[str, Any]:
    return {"at": entry.at, "what": entry.what, "text": entry.text, "weight": entry.weight}


def config_map_name(name: str, release_id: str) -> str:
    """Where the cluster keeps the record."""
    return f"{name}-release-{release_id}"


def config_map_of(record: Record, owner: Manifest) -> Manifest:
    """The ConfigMap that keeps a record; it goes with the GrayRelease that `owner` refers to."""
    labels = {RECORD_LABEL: record.name, "app.kubernetes.io/managed-by": "grayling"}
    if record.outcome:
        labels[OUTCOME_LABEL] = record.outcome.value
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": config_map_name(record.name, record.id),
            "namespace": record.namespace,
            "labels": labels,
            "ownerReferences": [owner],
        },
        "data": {KEY: record.json_text()},
    }


def record_in(config_map: Manifest) -> Record:
    """The record that a ConfigMap keeps.

    Raises:
        ValueError: it keeps none, or one of another schema.
    """
    name = config_map["metadata"]["name"]
    try:
        return Record.model_validate_json((config_map.get("data") or {})[KEY])
    except KeyError as error:
        raise ValueError(f"ConfigMap {name} has no key {KEY}") from error


def schema() -> dict[str, Any]:
    """The JSON Schema of the record."""
    made = Record.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": SCHEMA}
