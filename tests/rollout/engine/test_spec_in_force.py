"""The newest valid spec is in force, even after a restart in the middle of a mistake."""

from __future__ import annotations

from typing import Any

from rollout.api.revision import image_of, manifests_of, revision_of
from rollout.api.spec import Spec
from rollout.api.status import Status, Version
from rollout.engine.spec_in_force import SpecReader, unknown_spec
from tests.rollout.engine.plant import gray_release

NAME = "checkout"
VALID = gray_release("shop:v1")["spec"]
BROKEN = {**VALID, "strategy": {"steps": []}, "deletion": "Orphan"}


def manifest(spec: Any, generation: int) -> dict[str, Any]:
    return {"metadata": {"name": NAME, "namespace": "shop", "generation": generation}, "spec": spec}


def serving() -> Status:
    revision = revision_of(NAME, Spec.model_validate(VALID))
    return Status(stable=Version(revision=revision, image="shop:v1"), spec_generation=4)


def deployment(*, noted: bool) -> dict[str, dict[str, Any]]:
    spec = Spec.model_validate(VALID)
    made = manifests_of(NAME, "shop", "uid", spec, replicas=7)[-1]
    if not noted:
        made["metadata"]["annotations"] = {}
    return {made["metadata"]["name"]: made}


def test_a_spec_that_is_not_valid_is_told_and_the_last_valid_one_stays():
    reader = SpecReader(NAME)
    assert reader.read(manifest(VALID, 1), Status(), {})
    assert not reader.read(manifest(BROKEN, 2), Status(), {})
    assert reader.in_force is not None
    assert (reader.in_force.generation, reader.in_force.image, reader.newest) == (1, "shop:v1", 2)
    assert reader.mistake.startswith("spec.strategy.steps: ")
    assert reader.mistake.endswith("the last valid spec stays in force")
    assert reader.read(manifest(VALID, 3), Status(), {})
    assert reader.mistake == ""


def test_the_same_generation_is_read_once():
    reader = SpecReader(NAME)
    assert reader.read(manifest(VALID, 1), Status(), {})
    assert not reader.read(manifest(BROKEN, 1), Status(), {})
    assert reader.mistake == ""


def test_after_a_restart_the_last_valid_spec_is_found_on_the_revision():
    reader = SpecReader(NAME)
    assert reader.read(manifest(BROKEN, 5), serving(), deployment(noted=True))
    known = reader.in_force
    assert known is not None
    assert reader.mistake.endswith("; the last valid spec stays in force")
    assert (known.revision, known.image, known.generation) == (serving().stable.revision, "shop:v1", 4)  # type: ignore[union-attr]
    assert known.spec.strategy == Spec.model_validate(VALID).strategy
    assert known.spec.analysis == Spec.model_validate(VALID).analysis
    assert not known.complete, "its pods and the route's shape cannot be made from it"


def test_where_nobody_noted_a_spec_what_serves_stays_as_it_is():
    reader = SpecReader(NAME)
    status = serving().model_copy(update={"canary": Version(revision="checkout-00000000")})
    assert reader.read(manifest(BROKEN, 5), status, deployment(noted=False))
    known = reader.in_force
    assert known is not None
    assert status.stable is not None
    assert known.revision == status.stable.revision, "so the canary is taken back"
    assert reader.mistake.endswith("; no valid spec is known: what serves stays as it is, and nothing new begins")
    assert not reader.read(manifest(BROKEN, 6), status, deployment(noted=True)), "and so it stays"
    assert reader.mistake.endswith("what serves stays as it is, and nothing new begins")
    assert known.spec.workload.replicas == 7
    assert known.spec.deletion == "Orphan", "what can be read of the spec is heeded"


def test_a_release_that_never_had_a_valid_spec_has_none():
    reader = SpecReader(NAME)
    for spec in (BROKEN, None, [], "x"):
        reader.newest = -1
        assert not reader.read(manifest(spec, 1), Status(), {})
        assert reader.in_force is None
        assert reader.mistake.endswith("; there is no valid spec yet, and nothing begins before one")
        assert "last valid" not in reader.mistake


def test_where_nothing_runs_one_pod_of_what_served_is_wanted_and_nothing_can_be_made_of_it():
    reader, status = SpecReader(NAME), serving()
    assert reader.read(manifest({**BROKEN, "deletion": "Delete"}, 5), status, {})
    known = reader.in_force
    assert known is not None
    assert (known.spec.workload.replicas, known.generation, known.complete) == (1, 0, False)
    assert known.image == image_of(known.spec) == "shop:v1"
    assert known.spec.deletion == "Delete"
    assert known.spec.traffic is not None, "what serves keeps its route"


def test_an_unknown_spec_says_so_wherever_it_is_shown():
    spec = unknown_spec()
    assert image_of(spec) == "unknown"
    assert spec.traffic is not None
    assert spec.traffic.parents[0].name == "unknown"
    assert (spec.workload.replicas, spec.deletion, spec.analysis.signals) == (1, "Delete", [])
    assert unknown_spec(orphan=True).deletion == "Orphan"


def test_every_mistake_is_counted_and_the_first_is_told():
    one, two = SpecReader(NAME), SpecReader(NAME)
    one.read(manifest(BROKEN, 1), Status(), {})
    said = "spec.strategy.steps: List should have at least 1 item after validation, not 0"
    assert one.mistake == f"{said}; there is no valid spec yet, and nothing begins before one"
    two.read(manifest({**BROKEN, "history": -1, "deletion": "Never"}, 1), Status(), {})
    assert "(and 2 more); there is no valid spec yet" in two.mistake
