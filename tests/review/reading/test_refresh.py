"""What a refresh found: its own step says the state file twice, and the step after it says what is live."""

from __future__ import annotations

from tests.review.risks.building import real


def test_what_a_refresh_found_is_read_from_the_step_after_it():
    drift = {str(change.ref): change for change in real("drift-refresh").drift}
    assert set(drift) == {"Deployment h5/gateway-envoy", "GrayRelease h5/checkout"}
    [scaled] = drift["Deployment h5/gateway-envoy"].edits
    assert (scaled.text, scaled.before, scaled.after) == ("spec.replicas", 1, 2)
    found = {edit.text: (edit.before, edit.after) for edit in drift["GrayRelease h5/checkout"].edits}
    assert found["spec.workload.replicas"] == (3, 2)
