"""Whatever stands in a GrayRelease: it is read, or refused with a word that says where; nothing else happens."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from rollout.api.bounds import JOURNAL_BYTES
from rollout.api.persisted import read_status
from rollout.api.revision import SPEC_ANNOTATION, policy_of
from rollout.api.spec import COMMAND_ANNOTATION, Spec
from rollout.api.status import (
    Release,
    Status,
    Version,
    Weight,
)
from rollout.client.commands import unanswered
from rollout.engine.spec_in_force import SpecReader
from rollout.records.record import record_of
from tests.rollout import samples
from tests.rollout.anything import anything, damaged

LISTENS = {**samples.TEMPLATE["spec"]["containers"][0], "ports": [{"name": "web", "containerPort": 8080}]}
FULL = samples.spec(
    workload={
        "replicas": 4,
        "template": {"metadata": {"labels": {"team": "a"}, "annotations": None}, "spec": {"containers": [LISTENS]}},
        "ports": [{"name": "http", "port": 8080, "targetPort": "web", "appProtocol": "http"}],
        "config": {"app.yaml": "a: 1"},
        "configMountPath": "/etc/app",
    },
    analysis={
        "signals": [
            {"name": "errors", "kind": "errors", "source": "pods", "metric": "http_requests_total"},
            {"name": "lines", "kind": "events", "source": "logs", "pattern": "panic"},
        ],
        "falseRollbackRate": 0.001,
    },
).wire()
STATUS = Status(
    stable=samples.STABLE,
    canary=samples.CANARY,
    weight=Weight(desired=5),
    release=Release(id="r1", started_at=samples.T, to_version=samples.CANARY, journal=[]),
).wire()
COMMAND = {"id": "c-1", "verb": "abort", "by": "ann", "reason": "no"}


@given(anything | damaged(FULL))
def test_a_spec_reader_always_has_a_spec_while_something_serves(written):
    reader = SpecReader("checkout")
    reader.read({"metadata": {"generation": 1}, "spec": written}, Status(stable=samples.STABLE), {})
    assert reader.in_force is not None
    assert len(reader.mistake) <= 400


@given(anything | damaged(STATUS))
@example(STATUS)
def test_a_status_is_always_read_and_can_be_written_again(written):
    status, notes = read_status(written)
    assert len(json.dumps(status.wire(), allow_nan=False).encode()) <= len(json.dumps(written)) + 20_000
    assert all(len(note) < 1_000 for note in notes)
    assert read_status(status.wire())[1] == ()
    if status.release is not None:
        json.dumps(record_of("checkout", "shop", Spec.model_validate(FULL), status.release).wire())


@given(damaged(STATUS))
def test_nothing_unreadable_of_a_status_raises_a_weight(written):
    status, _ = read_status(written)
    assert status.weight.desired in {0, 5} or status.weight.desired == (written["weight"] or {}).get("desired")


@given(st.text(max_size=60) | damaged(COMMAND).map(json.dumps) | anything.map(json.dumps))
@example(json.dumps(COMMAND))
@example("[" * 100_000)
def test_an_annotation_is_a_command_or_none(written):
    found = unanswered({"metadata": {"annotations": {COMMAND_ANNOTATION: written}}})
    assert found is None or (found.id and found.wire())


@given(st.text(max_size=60) | damaged(FULL).map(json.dumps) | anything.map(json.dumps))
@example(json.dumps(FULL))
@example("[" * 100_000)
def test_a_noted_spec_is_a_spec_or_none(written):
    found = policy_of({"metadata": {"annotations": {SPEC_ANNOTATION: written}}})
    assert found is None or isinstance(found, Spec)


def test_the_right_ones_are_read():
    assert Spec.model_validate(FULL).workload.replicas == 4
    assert read_status(STATUS) == (Status.model_validate(STATUS), ())
    assert unanswered({"metadata": {"annotations": {COMMAND_ANNOTATION: json.dumps(COMMAND)}}}).id == "c-1"
    with pytest.raises(ValidationError):
        Version.model_validate({})
    assert JOURNAL_BYTES < 1_500_000
