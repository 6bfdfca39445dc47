"""The record says what happened, the same in JSON and Markdown, and its schema is written down."""

import json
from pathlib import Path

import pytest

from rollout.api.revision import owner_of
from rollout.api.status import Outcome, Reaction
from rollout.records.record import (
    KEY,
    SCHEMA,
    config_map_of,
    record_in,
    record_of,
    schema,
)
from rollout.view.page import markdown
from tests.rollout import samples

DOCUMENTED = Path(__file__).parents[3] / "docs" / "reference" / "record.schema.json"


@pytest.fixture
def taken_back():
    return record_of("checkout", "shop", samples.spec(), samples.rolled_back().last)


def test_reaction_in_milliseconds(taken_back):
    reaction = taken_back.reaction
    assert reaction.evidence_to_decided_ms == 200.0
    assert reaction.decided_to_written_ms == 30.0
    assert reaction.written_to_observed_ms == 270.0
    assert reaction.evidence_to_observed_ms == 500.0


def test_a_reaction_without_evidence_has_no_length():
    aborted = samples.ended(Outcome.ABORTED, reaction=Reaction(decided_at=samples.T + 1, written_at=samples.T + 1.05))
    reaction = record_of("checkout", "shop", samples.spec(), aborted).reaction
    assert reaction.evidence_to_decided_ms is None
    assert reaction.evidence_to_observed_ms is None
    assert reaction.decided_to_written_ms == 50.0


def test_steps_tell_desired_accepted_and_observed(taken_back):
    wire = taken_back.wire()
    assert [step["weight"] for step in wire["steps"]] == [
        {"desired": 5, "accepted": 5, "observed": 4.9},
        {"desired": 20, "accepted": 20, "observed": 19.7},
    ]
    assert wire["steps"][0]["verified_at"] == "2027-01-15T08:00:05.000000Z"


def test_a_step_no_parent_accepted_has_no_accepted_weight():
    step = samples.STEPS[0].model_copy(update={"accepted_at": None})
    made = record_of("checkout", "shop", samples.spec(), samples.release(steps=[step]))
    assert made.steps[0].weight.accepted is None


def test_who_and_what(taken_back):
    wire = taken_back.wire()
    assert wire["schema"] == SCHEMA
    assert wire["outcome"] == "rolled-back"
    assert (wire["requested_by"], wire["reason"]) == ("ann", "faster")
    assert wire["from"]["image"] == "shop/checkout:v1"
    assert wire["to"]["image"] == "shop/checkout:v2"
    assert wire["culprits"] == ["errors"]
    assert wire["excess_failed_requests"] == 19.9
    assert wire["duration_seconds"] == 300.0


def test_a_release_in_flight_and_a_first_one():
    made = record_of("checkout", "shop", samples.spec(), samples.release(from_version=None))
    assert made.outcome is None
    assert made.wire()["from"] is None
    assert "in flight" in markdown(made)
    assert "a first release" in markdown(made)


def test_infinity_is_null_not_a_word_json_does_not_know():
    signal = samples.BAD["signals"][0] | {"log_e": float("inf")}
    said = samples.BAD | {"signals": [signal], "log_e": float("inf")}
    made = record_of("checkout", "shop", samples.spec(), samples.ended(Outcome.ROLLED_BACK, verdict_at_end=said))
    assert json.loads(made.json_text())["log_e"] is None
    assert record_in(config_map_of(made, {})).log_e is None


def test_kept_in_the_cluster_and_read_back(taken_back):
    kept = config_map_of(taken_back, owner_of("checkout", "u-1"))
    assert kept["metadata"]["name"] == "checkout-release-k3x9"
    assert kept["metadata"]["labels"]["grayling.dev/record"] == "checkout"
    assert kept["metadata"]["labels"]["grayling.dev/outcome"] == "rolled-back"
    assert kept["metadata"]["ownerReferences"][0]["uid"] == "u-1"
    assert record_in(kept) == taken_back


def test_a_record_of_a_later_program_is_still_read(taken_back):
    kept = config_map_of(taken_back, {})
    kept["data"][KEY] = json.dumps(json.loads(kept["data"][KEY]) | {"invented_later": 1})
    assert record_in(kept) == taken_back


def test_a_config_map_that_keeps_none():
    with pytest.raises(ValueError, match=r"x has no key record\.json"):
        record_in({"metadata": {"name": "x"}})
    with pytest.raises(ValueError, match="schema"):
        record_in({"metadata": {"name": "x"}, "data": {KEY: '{"schema": "other/1"}'}})


def test_markdown_has_every_part_and_safe_tables(taken_back):
    page = markdown(taken_back.model_copy(update={"reason": "a | b <script>\nc"}))
    for part in ("# shop/checkout: rolled-back", "## Reaction", "200 ms", "## Verdict: bad", "## Steps", "## Journal"):
        assert part in page
    assert r"| reason | a \| b &lt;script> c |" in page
    assert "| errors | bad | 0.11% | 50% | 0 to 6.1 | 1,500 | 7.1 |" in page


def test_markdown_of_a_release_without_steps_or_verdict():
    page = markdown(record_of("checkout", "shop", samples.spec(), samples.release(steps=[], journal=[])))
    assert "None was begun." in page
    assert "## Reaction" not in page
    assert "Empty." in page


def test_the_documented_schema_is_the_models_own():
    assert json.loads(DOCUMENTED.read_text()) == schema(), "run: python -m rollout record --schema"


def test_every_record_fits_the_schema(taken_back):
    required = set(schema()["required"])
    assert required <= set(taken_back.wire())


def test_a_gauge_below_one_is_no_percentage_and_crashes_are_per_pod_hour_on_the_page(taken_back):
    errors, crashes = taken_back.verdicts
    gauge = errors.model_copy(update={"signal": "fill", "kind": "gauge", "stable_rate": 0.25, "canary_rate": 0.8})
    falls = crashes.model_copy(update={"canary_rate": 1 / 1800})
    page = markdown(taken_back.model_copy(update={"verdicts": [errors, falls, gauge]}))
    assert "| fill | bad | 0.25 | 0.8 |" in page
    assert "| crashes | good | 0 crashes per pod-hour | 2 crashes per pod-hour |" in page
    assert "| errors | bad | 0.11% | 50% |" in page
