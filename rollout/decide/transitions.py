"""The table of the state machine: which phase may follow which, and why. `decide` obeys it, `docs/` draws it."""

from __future__ import annotations

from typing import NamedTuple

from rollout.api.status import Phase

IDLE, PREPARING, STEPPING = Phase.IDLE, Phase.PREPARING, Phase.STEPPING
PROMOTING, BAKING, BACK, ROLLED_BACK = Phase.PROMOTING, Phase.BAKING, Phase.ROLLING_BACK, Phase.ROLLED_BACK


class Transition(NamedTuple):
    """From one phase to the next, and when."""

    source: Phase
    target: Phase
    when: str


TRANSITIONS: tuple[Transition, ...] = (
    Transition(IDLE, PREPARING, "the desired revision is not the stable one"),
    Transition(ROLLED_BACK, PREPARING, "another revision is desired, or a person said retry"),
    Transition(ROLLED_BACK, IDLE, "the stable revision is desired again"),
    Transition(PREPARING, STEPPING, "the canary has the ready pods for the first step"),
    Transition(PREPARING, PROMOTING, "there is no stable version, or no traffic to share"),
    Transition(STEPPING, PROMOTING, "the last step is over, or a person said promote"),
    Transition(PROMOTING, BAKING, "all traffic is seen at the new version"),
    Transition(PROMOTING, IDLE, "the first version serves"),
    Transition(BAKING, IDLE, "the bake is over"),
    Transition(PREPARING, BACK, "not ready in time, aborted, cancelled or superseded"),
    Transition(STEPPING, BACK, "bad verdict, silence, aborted, cancelled, superseded, or a deadline passed"),
    Transition(PROMOTING, BACK, "bad verdict, silence, aborted, cancelled, superseded, or a deadline passed"),
    Transition(BAKING, BACK, "bad verdict, no ready pod, aborted, or the previous version is desired again"),
    Transition(BACK, ROLLED_BACK, "no request reaches the canary any more, or it had its time"),
    Transition(BACK, IDLE, "as before, and nobody refused the version"),
)

ALLOWED: frozenset[tuple[Phase, Phase]] = frozenset((each.source, each.target) for each in TRANSITIONS)


def mermaid() -> str:
    """The machine as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> Idle"]
    lines += [f"    {source} --> {target}: {when}" for source, target, when in TRANSITIONS]
    return "\n".join(lines)
