"""Small worlds in which a release waits, each with the time at which its wait began."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rollout.api.status import Phase
from rollout.decide.decide import Decision, decide
from tests.rollout.decide.evictions import evict
from tests.rollout.decide.simulation import Simulation, serving, stepping_at
from tests.rollout.decide.test_rollbacks import baking, promoting_in_full
from tests.rollout.decide.world import revision

MOMENT = 1 / 64
READY, VERIFY, BAKE, DRAIN, HOLD = 60.0, 30.0, 20.0, 5.0, 5.0
"""Seconds, as the spec of the simulation has them."""


Wait = tuple[Simulation, "float | None"]


def at(made: Simulation, now: float, **share: Any) -> Decision:
    """What is decided if the next look is at ``now``; ``share`` is seen of the route. Nothing of it is done."""
    made.world.now = now
    seen = made.world.observe(made.status, made._wrote_at)
    return decide(made.world.spec, made.status, replace(seen, share=replace(seen.share, **share)), now)


def with_clocks(made: Simulation, **clocks: Any) -> Simulation:
    made.status = made.status.model_copy(update=clocks)
    return made


def evicted() -> Wait:
    made = stepping_at(20)
    evict(made)
    made.look()
    return made, made.status.withdrawn_at


def outage() -> Wait:
    made = stepping_at(20)
    for image in ("v1", "v2"):
        made.world.image(image).ready = False
    made.look()
    return made, made.status.doubt_since


def never_ready() -> Wait:
    made = serving()
    made.world.image("v2").ready = False
    made.world.want("v2")
    made.reach(lambda: made.status.doubt == "not-ready")
    return made, made.status.doubt_since


def never_routed() -> Wait:
    made = serving()
    made.world.want("v2")
    made.world.accepts = False
    made.reach(lambda: made.status.doubt == "not-routed")
    return made, made.status.doubt_since


def returning_without_traffic() -> Wait:
    made = serving(traffic=None)
    made.world.want("v2", traffic=None)
    made.until(Phase.BAKING)
    made.world.image("v1").ready = False
    made.world.image("v2").verdict = "bad"
    made.until(Phase.ROLLING_BACK)
    return made, made.status.phase_since


def not_accepted() -> Wait:
    made = stepping_at(5)
    made.world.accepts = False
    made.reach(lambda: made.status.weight.desired == 20 and made.status.written_at is not None)
    return made, made.status.written_at


def contradicted() -> Wait:
    made = stepping_at(5)
    made.world.plane_follows = False
    made.reach(lambda: made.status.weight.accepted == 20)
    made.run(8)
    assert made.status.verified_at is None
    return made, made.status.written_at


def nobody_comes() -> Wait:
    made = promoting_in_full()
    made.world.accepts, made.world.rate, made.world.verdict = True, 0.0, "no-traffic"
    made.world._answered = {}
    made.reach(lambda: made.status.weight.accepted == 100)
    return made, made.status.written_at


def rollback_that_is_not_seen() -> Wait:
    made = stepping_at(20)
    made.world.plane_follows = False
    made.world.image("v2").verdict = "bad"
    made.until(Phase.ROLLING_BACK)
    made.world._last_at[revision("v2")] = made.world.now + 1000  # requests go on reaching it
    return made, made.status.phase_since


def rollback_that_nobody_counts() -> Wait:
    made = stepping_at(20)
    made.world.countable = False
    made.world.image("v2").verdict = "bad"
    made.until(Phase.ROLLING_BACK)
    made.run(1)
    return made, made.status.written_at


def held() -> Wait:
    made = stepping_at(20)
    return made, made.status.verified_at


def doubted() -> Wait:
    made = stepping_at(20, analysis={"undecided": {"action": "hold", "deadline": 40}})
    made.world.verdict = "undecided"
    made.reach(lambda: made.status.doubt == "undecided")
    return made, made.status.doubt_since


def baked() -> Wait:
    made = baking()
    return made, made.status.phase_since


def baked_and_unwell() -> Wait:
    made = baking()
    made.world.image("v1").ready = made.world.image("v2").ready = False
    made.look()
    return made, made.status.phase_since
