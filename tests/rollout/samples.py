"""A release of every kind, as the engine would have written it."""

from rollout.api.spec import Spec
from rollout.api.status import (
    JournalEntry,
    Outcome,
    Phase,
    Reaction,
    Release,
    Status,
    StepRecord,
    Version,
    Waiting,
    Weight,
)

T = 1_800_000_000.0
STABLE = Version(revision="checkout-11111111", image="shop/checkout:v1", since=T - 86_400)
CANARY = Version(revision="checkout-60a9f2db", image="shop/checkout:v2", since=T)

TEMPLATE = {"spec": {"containers": [{"name": "checkout", "image": "shop/checkout:v2"}]}}


def spec(**changes) -> Spec:
    """A service behind a gateway, judged by errors and crashes, three steps."""
    wire = {
        "workload": {"replicas": 4, "template": TEMPLATE, "ports": [{"name": "http", "port": 8080}]},
        "traffic": {"parents": [{"name": "edge"}], "hostnames": ["shop.test"]},
        "strategy": {
            "steps": [
                {"weight": 5, "hold": "1m"},
                {"weight": 20, "hold": "2m"},
                {"weight": 50, "hold": "2m", "gate": "manual"},
            ],
            "bake": "5m",
        },
        "analysis": {
            "signals": [
                {"name": "errors", "kind": "errors", "source": "gateway"},
                {"name": "crashes", "kind": "crashes", "source": "kubernetes"},
            ]
        },
        "sources": {"gateway": {"namespace": "gateway", "selector": {"app": "envoy"}}},
    }
    return Spec.model_validate(wire | changes)


def manifest(name="checkout", status=None, the_spec=None, **metadata):
    """The object as the API server has it."""
    made = {
        "apiVersion": "grayling.dev/v1alpha1",
        "kind": "GrayRelease",
        "metadata": {"name": name, "namespace": "shop", "uid": "u-1", "resourceVersion": "7", "generation": 3}
        | metadata,
        "spec": (the_spec or spec()).wire(),
    }
    return made | ({"status": status.wire()} if status else {})


ANALYSIS = {
    "verdict": "undecided",
    "log_e": 0.41,
    "culprits": [],
    "excess_failed_requests": 0.4,
    "evidence_at": None,
    "reason": "no difference seen yet",
    "signals": [
        {
            "signal": "errors",
            "kind": "errors",
            "verdict": "undecided",
            "log_e": 0.41,
            "log_e_good": 1.7,
            "stable_rate": 0.0011,
            "canary_rate": 0.002,
            "ratio_low": 0.0,
            "ratio_high": 6.1,
            "canary_requests": 1500,
            "stable_requests": 6100,
            "canary_failed": 3,
            "reason": "3 of 1,500, 7 of 6,100",
        },
        {
            "signal": "crashes",
            "kind": "crashes",
            "verdict": "good",
            "log_e": -0.2,
            "log_e_good": 3.2,
            "stable_rate": 0.0,
            "canary_rate": 0.0,
            "ratio_low": 0.0,
            "ratio_high": None,
            "canary_requests": 0,
            "stable_requests": 0,
            "canary_failed": 0,
            "reason": "no crash in 74 s",
        },
    ],
}

BAD = ANALYSIS | {
    "verdict": "bad",
    "log_e": 7.1,
    "culprits": ["errors"],
    "reason": "errors: 20 of 40 failed, 0.11 % on stable",
    "signals": [ANALYSIS["signals"][0] | {"verdict": "bad", "log_e": 7.1, "canary_rate": 0.5}, ANALYSIS["signals"][1]],
}

STEPS = [
    StepRecord(
        index=0,
        weight=5,
        hold_seconds=60,
        started_at=T + 4,
        accepted_at=T + 4.1,
        verified_at=T + 5,
        ended_at=T + 65,
        observed=4.9,
        verdict="undecided",
    ),
    StepRecord(
        index=1,
        weight=20,
        hold_seconds=120,
        started_at=T + 65,
        accepted_at=T + 65.2,
        verified_at=T + 66,
        observed=19.7,
    ),
]

JOURNAL = [
    JournalEntry(at=T, what="started", text="shop/checkout:v2 by ann: faster"),
    JournalEntry(at=T + 4, what="weight-written", text="weight 5", weight=5),
    JournalEntry(at=T + 65, what="weight-written", text="weight 20", weight=20),
]


def release(**changes) -> Release:
    """In its second step."""
    made = {
        "id": "k3x9",
        "started_at": T,
        "requested_by": "ann",
        "reason": "faster",
        "from_version": STABLE,
        "to_version": CANARY,
        "steps": STEPS,
        "journal": JOURNAL,
    }
    return Release.model_validate(made | changes)


def stepping(**changes) -> Status:
    """Second step of three, verified at T + 66."""
    made = {
        "observed_generation": 3,
        "phase": Phase.STEPPING,
        "step": 1,
        "steps": 3,
        "stable": STABLE,
        "canary": CANARY,
        "desired_revision": CANARY.revision,
        "weight": Weight(desired=20, accepted=20, observed=19.7),
        "phase_since": T + 65,
        "written_at": T + 65.1,
        "verified_at": T + 66,
        "holder": "controller-1",
        "release": release(),
        "analysis": ANALYSIS,
    }
    return Status.model_validate(made | changes)


def ended(outcome: Outcome, **changes) -> Release:
    """The same release, over."""
    made = {"outcome": outcome, "outcome_reason": "because", "ended_at": T + 300, "verdict_at_end": ANALYSIS}
    return release(**(made | changes))


def promoted() -> Status:
    """Idle on the new version."""
    last = ended(Outcome.PROMOTED, outcome_reason="all steps passed")
    return Status(
        observed_generation=3,
        phase=Phase.IDLE,
        steps=3,
        stable=CANARY,
        desired_revision=CANARY.revision,
        phase_since=T + 600,
        last=last,
    )


def rolled_back() -> Status:
    """Taken back for errors; the old version serves."""
    last = ended(
        Outcome.ROLLED_BACK,
        outcome_reason="errors: 20 of 40 failed, 0.11 % on stable",
        verdict_at_end=BAD,
        steps=[STEPS[0], STEPS[1].model_copy(update={"ended_at": T + 70.2, "verdict": "bad"})],
        excess_failed_requests=19.9,
        reaction=Reaction(evidence_at=T + 70, decided_at=T + 70.2, written_at=T + 70.23, observed_at=T + 70.5),
    )
    refusal = {"revision": CANARY.revision, "image": CANARY.image, "at": T + 71, "reason": "errors"}
    return Status.model_validate(
        {
            "observed_generation": 3,
            "phase": Phase.ROLLED_BACK,
            "steps": 3,
            "stable": STABLE,
            "desired_revision": CANARY.revision,
            "phase_since": T + 71,
            "refused": [refusal],
            "last": last,
            "analysis": BAD,
        }
    )


QUOTA = "0 of 1 canary pods are ready: the API server does not take its objects: exceeded quota: pods=4"


def waiting_for_quota(revision: str = CANARY.revision, **changes) -> Status:
    """A canary that the API server takes no pods of."""
    began = release(to_version=Version(revision=revision, image="x"), steps=[])
    waiting = Waiting(reason=QUOTA, since=T, until=T + 300, refused=True)
    made = {"phase": Phase.PREPARING, "step": 0, "release": began, "waiting": waiting, "weight": Weight()}
    return stepping(**(made | {"verified_at": None, "written_at": None} | changes))
