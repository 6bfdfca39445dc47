"""A world in which people approve steps, and the engine sees it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rollout.api.approval import ApprovalSpec, digest_of
from rollout.api.status import Phase
from rollout.decide.context import Context
from rollout.decide.observation import ApprovalFacts, Given
from tests.rollout.decide.simulation import Simulation
from tests.rollout.decide.world import EPOCH, NAME, World, spec_of

if TYPE_CHECKING:
    from rollout.api.status import Status
    from rollout.decide.observation import Observation


@dataclass
class Office(World):
    """Approvals, and whether they can be believed."""

    problem: str = ""
    trusted_since: float = EPOCH
    given: list[Given] = field(default_factory=list)
    unreadable: int = 0
    asked_by: str = "bob"

    def observe(self, status: Status, engine_wrote_at: float | None) -> Observation:
        facts = ApprovalFacts(self.problem, self.trusted_since, tuple(self.given), self.unreadable)
        seen = super().observe(status, engine_wrote_at)
        return replace(seen, digest=digest_of(self.spec), approvals=facts, requested_by=self.asked_by)


def steps(*gates: dict[str, Any]) -> dict[str, Any]:
    """A strategy with these gates before its steps."""
    made = [{"weight": 20 * (n + 1), "hold": 5, **gate} for n, gate in enumerate(gates)]
    return {"strategy": {"steps": made}}


ONE = {"gate": "approval"}
TWO_OF_SRE = {"gate": "approval", "approvals": {"count": 2, "group": "sre"}}


@dataclass
class Released(Simulation):
    """A release of v2 while v1 serves; people approve by name."""

    world: Office

    def approve(self, approver: str = "ann", step: int | str = 1, **changes: Any) -> Given:
        """Approve what is under way now, but for what is changed."""
        release, canary = self.status.release, self.status.canary
        assert release is not None
        assert canary is not None
        made_at = changes.pop("made_at", self.world.now)
        said = {
            "release": NAME,
            "attempt": release.id,
            "revision": canary.revision,
            "digest": digest_of(self.world.spec),
            "step": step,
            "approver": approver,
            "groups": ["sre"],
        }
        given = Given(ApprovalSpec.model_validate(said | changes), made_at)
        self.world.given.append(given)
        return given

    def context(self) -> Context:
        """One look as it would be now."""
        return Context(self.world.spec, self.status, self.world.observe(self.status, None), self.world.now)

    @property
    def said(self) -> str:
        """Why it waits."""
        return self.status.waiting.reason if self.status.waiting else ""


def releasing(*gates: dict[str, Any], asked_by: str = "bob", seconds: float = 20) -> Released:
    """A release of v2, so many seconds after it was asked for."""
    changes = steps(*gates)
    made = Released(Office(spec_of("v1", **changes), asked_by=asked_by))
    made.until(Phase.IDLE).reach(lambda: made.status.stable is not None)
    made.world.want("v2", **changes)
    made.run(seconds)
    return made
