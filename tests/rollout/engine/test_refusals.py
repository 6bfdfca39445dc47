"""Objects that the API server does not take: told within one look, in its own words, and ended or waited out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rollout.api.status import Phase
from rollout.client.ending import Awaited, ending_of
from terminal.exits import ExitCode
from tests.rollout.engine.plant import Plant, gray_release

if TYPE_CHECKING:
    from rollout.api.status import Status

QUOTA = 'deployments.apps "checkout" is forbidden: exceeded quota: small, requested: count/deployments.apps=1'
WEBHOOK = 'admission webhook "tags.example.com" denied the request: no tag but a digest'


def condition(status: Status, name: str) -> str:
    return next(each.reason for each in status.conditions if each.type == name)


@pytest.mark.parametrize("words", [QUOTA, WEBHOOK])
async def test_what_may_pass_is_told_at_once_and_waited_out(it: Plant, words: str) -> None:
    async with it.engine():
        it.declare("shop:v1")
        await it.served("shop:v1")
        it.server.fail("PATCH", "/deployments/", 403, times=10_000, message=words)
        it.declare("shop:v2", strategy=gray_release()["spec"]["strategy"] | {"readyDeadline": "30s"})
        await it.until(lambda: it.status.waiting is not None and it.status.waiting.refused, "told", 5.0)
        waiting = it.status.waiting
        assert waiting is not None
        assert words in waiting.reason
        assert waiting.until is not None
        assert condition(it.status, "Waiting") == "ObjectRefused"
        assert it.status.phase is Phase.PREPARING
        it.server.faults.clear()
        await it.served("shop:v2")
    assert it.status.last is not None
    assert not it.status.last.refused


async def test_a_typo_in_the_pod_template_ends_the_release_in_the_servers_words(it: Plant) -> None:
    """The fake server holds the template against the schema of Kubernetes, as the real one does."""
    async with it.engine():
        it.declare("shop:v1")
        await it.served("shop:v1")
        workload = gray_release("shop:v2")["spec"]["workload"]
        workload["template"]["spec"]["containers"][0]["readynessProbe"] = {"httpGet": {"port": 80}}
        it.declare("shop:v2", workload=workload)
        await it.phase(Phase.ROLLED_BACK)
    last = it.status.last
    assert last is not None
    assert last.refused
    assert "readynessProbe: field not declared in schema" in last.outcome_reason
    ending = ending_of(Awaited(last.to_version.revision, generation=it.release()["metadata"]["generation"]), it.status)
    assert ending is not None
    assert ending.code is ExitCode.REFUSED
