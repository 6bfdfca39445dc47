"""What a revision has of its own, and how a correction reaches the others."""

from __future__ import annotations

from typing import Any

from rollout.api.own_signals import as_noted, corrected
from rollout.api.spec import Signal, Spec
from tests.rollout.engine.plant import gray_release

ERRORS: dict[str, Any] = {"name": "errors", "kind": "errors", "source": "pods"}
QUERY = {"name": "errors", "kind": "errors", "source": "prometheus", "query": "sum by (pod, code) (x_total)"}


def signal(**rest: Any) -> Signal:
    return Signal.model_validate(ERRORS | rest)


def spec(*signals: dict[str, Any]) -> Spec:
    prometheus = {"prometheus": "http://prometheus.monitoring:9090"}
    return Spec.model_validate(gray_release(analysis={"signals": list(signals)}, sources=prometheus)["spec"])


def test_a_revision_has_its_own_port_path_metric_and_label_and_nothing_else():
    noted = signal(port=9000, path="/old", metric="old_total", label="status", errors=["404"], tolerance=3, floor=0.5)
    read = as_noted(signal(port=9100, errors=["5xx"]), noted)
    assert (read.port, read.path, read.metric, read.label) == (9000, "/old", "old_total", "status")
    assert (read.errors, read.tolerance, read.floor) == (["5xx"], 1, None)


def test_what_was_something_else_is_read_as_the_spec_in_force_says():
    given = signal(port=9100)
    elsewhere = Signal.model_validate({**ERRORS, "source": "prometheus", "port": 9000})
    other = Signal.model_validate({**ERRORS, "kind": "latency", "port": 9000})
    written = Signal.model_validate(QUERY)
    for noted in (None, elsewhere, other, written):
        assert as_noted(given, noted) is given
    assert as_noted(written, elsewhere) is written


def test_a_correction_reaches_what_was_corrected_and_leaves_the_rest_its_own():
    stable = spec({**ERRORS, "port": 9000, "path": "/metrcs"})
    mended = corrected(stable, spec({**ERRORS, "path": "/metrcs"}), spec(ERRORS))
    assert mended is not None
    [found] = mended.analysis.signals
    assert (found.port, found.path) == (9000, "/metrics")
    assert mended.workload == stable.workload


def test_what_is_no_correction_changes_no_note():
    stable, before = spec({**ERRORS, "port": 9000}), spec(ERRORS)
    assert corrected(stable, before, before) is None
    assert corrected(stable, before, spec({**ERRORS, "tolerance": 2})) is None
    assert corrected(stable, before, spec({**ERRORS, "name": "more", "port": 1})) is None
    assert corrected(stable, before, spec(QUERY)) is None
    assert corrected(stable, spec({**ERRORS, "port": 8000}), spec({**ERRORS, "port": 9000})) is None
