"""Versions that are odd and not bad, and bad ones that look well: in a real cluster, under real traffic.

The service misbehaves as it is told (``crooked_server``); tests share a release where its first version is as usual.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from kube.errors import KubeError
from kube.kinds import GRAY_RELEASE, HTTP_ROUTE
from rollout.api.crd import definition
from tests.rollout.crooked import AT_PODS, CRASHES, NAMESPACE, release
from tests.rollout.on_cluster import (
    STEADY,
    condition,
    eventually,
    grayling,
    reason,
    said,
    serving,
    status_of_one,
    steady,
    traffic,
    verified,
    waits_for,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kube.kinds import Manifest
    from sandbox.box import Sandbox

FREE_FORM = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
pytestmark = pytest.mark.timeout(240)


def container_of(spec: Manifest) -> Manifest:
    found: Manifest = spec["workload"]["template"]["spec"]["containers"][0]
    return found


# ---------------------------------------------------------------------- odd, and good


async def test_another_service_port_is_no_fault(shop: Sandbox, tmp_path: Path) -> None:
    def moved(spec: Manifest) -> None:
        spec["workload"]["ports"][0]["port"] = 8080

    async with steady(shop) as it, traffic(it.place, tmp_path) as flow:
        await it.bring({}, moved)
        await it.promoted()
        flow.poll()
    assert [answer for answer in flow.answers if answer.bad] == []


async def test_long_answers_fail_no_promotion(shop: Sandbox, tmp_path: Path) -> None:
    """Requests begun before a weight was written end after it: they say nothing of it."""
    slow = {"SECONDS": "4"}
    async with serving(shop, "long", slow) as it, traffic(it.place, tmp_path, rate=20) as flow:
        await it.bring(slow)
        await it.promoted(120)
        flow.poll()
        answers = list(flow.answers)
    assert [answer for answer in answers if answer.bad] == []


async def test_the_request_timeout_is_the_time_to_the_answer(shop: Sandbox) -> None:
    """Envoy ends requests after 15 s by itself where a route says nothing."""
    slow = {"SECONDS": "16"}

    def waits(limit: str) -> Callable[[Manifest], None]:
        return lambda spec: spec["traffic"].update(requestTimeout=limit)

    async with serving(shop, "patient", slow, waits("0s")) as it, serving(shop, "hasty", slow, waits("1s")) as other:
        answers = await asyncio.gather(status_of_one(it.place), status_of_one(other.place))
    assert list(answers) == [200, 504]


async def test_init_containers_and_sidecars_find_the_configuration(shop: Sandbox) -> None:
    def prepared(spec: Manifest) -> None:
        pod = spec["workload"]["template"]["spec"]
        once = {**container_of(spec), "name": "once", "command": ["cat", "/etc/service/server.py"]}
        beside = {**once, "name": "beside", "restartPolicy": "Always", "command": ["sleep", "3600"]}
        for each in (once, beside):
            for key in ("ports", "readinessProbe", "lifecycle"):
                each.pop(key, None)
        pod["initContainers"] = [once, beside]
        spec.pop("traffic")
        spec["analysis"]["signals"] = [CRASHES]

    async with serving(shop, "prepared", {}, prepared) as it:
        pods = await it.place.pods((await it.place.release())["status"]["stable"]["revision"])
    assert len(pods) == 1


# ---------------------------------------------------------------------- bad, and well-looking


async def test_a_canary_that_never_answers_is_not_raised(shop: Sandbox, tmp_path: Path) -> None:
    """Its readiness is good: only the requests that do not come back speak against it."""
    async with steady(shop) as it, traffic(it.place, tmp_path):
        await it.bring({"HANGING": "1"})
        status = await it.taken_back(60)
    assert [step["weight"] for step in status["last"]["steps"]] == [30]


async def test_a_canary_that_stops_answering_is_taken_back(shop: Sandbox, tmp_path: Path) -> None:
    def patient(spec: Manifest) -> None:
        spec["strategy"]["steps"][0]["hold"] = "60s"

    async with steady(shop) as it, traffic(it.place, tmp_path):
        await it.bring({}, patient)
        status = await it.until("at 30 %", verified(30), 60)
        await it.tell(status["canary"]["revision"], {"HANGING": "1"})
        status = await it.taken_back(60)
    assert [step["weight"] for step in status["last"]["steps"]] == [30]


async def test_answers_of_4xx_are_errors_where_the_spec_says_so(shop: Sandbox, tmp_path: Path) -> None:
    def strict(spec: Manifest) -> None:
        spec["analysis"]["signals"][0]["errors"] = ["4xx", "5xx"]

    async with steady(shop) as it, traffic(it.place, tmp_path):
        await it.bring({"STATUS": "404"}, strict)
        status = await it.taken_back()
    assert "errors" in reason(status)


async def test_a_metric_without_the_status_is_no_data(shop: Sandbox, tmp_path: Path) -> None:
    def at_pods(spec: Manifest) -> None:
        no_data = {"action": "hold", "deadline": "6s", "then": "roll-back"}
        spec["analysis"] |= {"signals": [AT_PODS, CRASHES], "noData": no_data}

    async with serving(shop, "unlabelled", {"LABEL": "status"}, at_pods) as it, traffic(it.place, tmp_path):
        await it.bring({"LABEL": "status", "FAILING": "0.5"}, at_pods)
        held = await it.until("held", lambda status: status.get("doubt") in {"no-data", "source-down"}, 60)
        status = await it.taken_back()
    assert "code" in said(held), said(held)
    assert held["weight"]["desired"] == 30
    assert [step["weight"] for step in status["last"]["steps"]] == [30]


# ---------------------------------------------------------------------- told, while it waits


async def test_a_refused_template_is_told_with_the_servers_words(shop: Sandbox) -> None:
    def typo(spec: Manifest) -> None:
        found = container_of(spec)
        found["readynessProbe"] = found.pop("readinessProbe")

    async with steady(shop) as it:
        await it.bring({}, typo)
        status = await it.taken_back(15)
        grayling(shop, "release", "watch", STEADY, "-n", NAMESPACE, expect=13)
        grayling(shop, "release", "plan", STEADY, "-n", NAMESPACE, expect=13)
    assert "readynessProbe" in reason(status)


async def test_a_canary_over_the_quota_is_told_while_it_waits(shop: Sandbox) -> None:
    def huge(spec: Manifest) -> None:
        container_of(spec)["resources"] = {"requests": {"cpu": "900", "memory": "48Mi"}, "limits": {"memory": "48Mi"}}

    async with steady(shop) as it:
        await it.bring({}, huge)
        await it.until("told", waits_for("Insufficient cpu"), 30)


async def test_a_canary_that_ends_at_once_is_told_while_it_waits(shop: Sandbox) -> None:
    async with steady(shop) as it:
        await it.bring({"EXIT": "3"})
        await it.until("told", waits_for("exit code 3"), 30)


async def test_a_strangers_backend_is_named(shop: Sandbox, tmp_path: Path) -> None:
    async with steady(shop) as it, traffic(it.place, tmp_path):
        await it.bring({})
        await it.until("at 30 %", verified(30), 60)
        stranger = {"group": "", "kind": "Service", "name": "prometheus", "port": 9090, "weight": 5}
        ops = [{"op": "add", "path": "/spec/rules/0/backendRefs/-", "value": stranger}]
        await it.place.cluster.json_patch(HTTP_ROUTE, STEADY, NAMESPACE, ops, manager="somebody")
        await it.until("named", waits_for("prometheus"), 60)
        ops = [{"op": "remove", "path": "/spec/rules/0/backendRefs/2"}]
        await it.place.cluster.json_patch(HTTP_ROUTE, STEADY, NAMESPACE, ops, manager="somebody")
        await it.promoted()


async def test_a_selected_pod_without_statistics_is_left_out(shop: Sandbox, tmp_path: Path) -> None:
    """The control plane is selected too, and is no proxy."""

    def wide(spec: Manifest) -> None:
        spec["sources"]["gateway"]["selector"].pop("app.kubernetes.io/component")

    async with steady(shop) as it, traffic(it.place, tmp_path):
        await it.bring({}, wide)
        await it.promoted()


# ---------------------------------------------------------------------- what cannot be


async def test_what_the_model_refuses_cannot_be_created(shop: Sandbox) -> None:
    def impossible(spec: Manifest) -> None:
        lines = {"name": "lines", "kind": "events", "source": "logs", "pattern": "*panic*"}
        spec["analysis"]["signals"].append(lines)

    async with steady(shop) as it:
        with pytest.raises(KubeError, match="pattern"):
            await it.place.cluster.apply(release("impossible", {}, impossible), manager="test")


async def test_a_release_that_an_older_definition_let_in_can_be_deleted(shop: Sandbox) -> None:
    """What the model refuses by now does not keep its release for ever."""

    def slipped_in(spec: Manifest) -> None:
        spec["analysis"]["signals"].append({"name": "odd", "kind": "errors", "source": "logs"})

    async with steady(shop) as it:
        older = definition()
        older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = FREE_FORM
        await it.place.cluster.apply(older, manager="grayling-stack", force=True)
        try:
            await eventually(lambda: it.accepted(slipped_in), 20)
        finally:
            await it.place.cluster.apply(definition(), manager="grayling-stack", force=True)
        await it.until("told", lambda found: "signal odd" in condition(found, "SpecValid"), 30)
        await it.place.cluster.delete(GRAY_RELEASE, STEADY, NAMESPACE)

        async def gone() -> bool:
            return await it.place.cluster.find(GRAY_RELEASE, STEADY, NAMESPACE) is None

        await eventually(gone, 30)
