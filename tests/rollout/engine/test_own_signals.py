"""Each arm by its own note, in the engine: a version that moves its metrics, and a correction that both arms get."""

from __future__ import annotations

from typing import Any

from rollout.api.revision import SPEC_ANNOTATION, policy_of
from rollout.api.spec import Signal, SignalKind, SourceName
from rollout.api.status import Phase
from rollout.engine.own_signals import OwnSignals
from tests.rollout.engine.plant import Plant, gray_release

SLOW = {**gray_release()["spec"]["strategy"], "steps": [{"weight": 50, "hold": "60s"}]}


def judged(**rest: Any) -> dict[str, Any]:
    signal = {"name": "errors", "kind": "errors", "source": "pods", "weight": 1.0, **rest}
    return {**gray_release()["spec"]["analysis"], "signals": [signal]}


def noted(it: Plant, revision: str) -> tuple[str | int, str]:
    found = it.server.find("Deployment", revision)
    assert found is not None
    spec = policy_of(found)
    assert spec is not None
    return spec.analysis.signals[0].port, spec.analysis.signals[0].path


async def test_a_version_that_moves_its_metrics_and_a_correction_in_flight(it: Plant) -> None:
    async with it.engine() as engine:
        it.declare("shop:v1", strategy=SLOW, analysis=judged(port=9000, path="/metrcs"))
        await it.served("shop:v1")
        it.declare("shop:v2", strategy=SLOW, analysis=judged(port=9100, path="/metrcs"))
        await it.until(lambda: it.status.verified_at is not None and it.status.phase is Phase.STEPPING, "verified")
        status = it.status
        assert status.stable is not None
        assert status.canary is not None
        stable, canary = status.stable.revision, status.canary.revision
        assert (noted(it, stable), noted(it, canary)) == ((9000, "/metrcs"), (9100, "/metrcs"))
        it.declare("shop:v2", strategy=SLOW, analysis=judged(port=9100, path="/metrics"))
        await it.until(lambda: noted(it, stable) == (9000, "/metrics"), "corrected")
        await it.until(lambda: noted(it, canary) == (9100, "/metrics"), "noted")
        own = OwnSignals(lambda: engine.mirror.deployments(("shop", "checkout")), canary)
        [given] = policy_of(it.server.find("Deployment", canary)).analysis.signals  # type: ignore[union-attr,arg-type]
        await it.until(lambda: (own(stable, given).port, own(stable, given).path) == (9000, "/metrics"), "read")
        assert own(canary, given) is given
        assert own("gone", given) is given


async def test_a_correction_that_could_not_be_noted_everywhere_is_noted_by_the_next_look(it: Plant) -> None:
    async with it.engine():
        it.declare("shop:v1", strategy=SLOW, analysis=judged(path="/metrcs"))
        await it.served("shop:v1")
        it.declare("shop:v2", strategy=SLOW, analysis=judged(path="/metrcs"))
        await it.until(lambda: it.status.verified_at is not None and it.status.phase is Phase.STEPPING, "verified")
        assert it.status.stable is not None
        assert it.status.canary is not None
        stable, canary = it.status.stable.revision, it.status.canary.revision
        it.server.fail("PATCH", f"/deployments/{canary}$", 500, times=2)
        it.declare("shop:v2", strategy=SLOW, analysis=judged(path="/metrics"))
        await it.until(lambda: noted(it, canary)[1] == "/metrics", "noted")
        assert noted(it, stable)[1] == "/metrics"


def test_a_note_that_cannot_be_read_is_none() -> None:
    given = Signal(name="errors", kind=SignalKind.ERRORS, source=SourceName.PODS)
    spoilt = {"metadata": {"annotations": {SPEC_ANNOTATION: "{"}}}
    assert OwnSignals(lambda: {"a": spoilt, "b": {"metadata": {}}}, "c")("a", given) is given
    assert OwnSignals(lambda: {"b": {"metadata": {}}}, "c")("b", given) is given
