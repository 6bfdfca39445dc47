"""A canary in a slow zone is held against what stable does there, and places that are alike cost nothing."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rollout.judge import Judge, JudgePolicy, SignalKind, SignalPolicy, Verdict
from rollout.judge.baseline.place_shift import WINDOWS
from rollout.judge.checkpoint_format import decode, encode
from rollout.judge.data.places import MOST_PLACES, STRANGE, UNPLACED, place_slots, places_of
from rollout.signals.looks import Arm, PodLook, SignalLook, SourceStatus
from tests.rollout.judge.traffic import EDGES, EPOCH, histogram

POLICY = JudgePolicy(signals=(SignalPolicy("errors", SignalKind.ERRORS), SignalPolicy("latency", SignalKind.LATENCY)))
EVERY, HISTORY, RELEASE = 15.0, 80, 24
ZONES = ("a", "b", "c") * 3


@dataclasses.dataclass(frozen=True)
class World:
    """Nine pods of stable in three zones, 60 requests each a look, and a canary in one.

    Attributes:
        canary: zone of the canary's pod.
        slow: factor of the latency in zone a.
        failing: factor of the errors there.
        since: look from which on that is so.
        fault: factors of the canary's errors and latency.
    """

    canary: str = "a"
    slow: float = 1.0
    failing: float = 1.0
    since: int = -HISTORY
    fault: tuple[float, float] = (1.0, 1.0)

    def looks(self, seed: int) -> Iterator[tuple[bool, list[SignalLook]]]:
        """Whether each is of the history, and the looks at both signals."""
        rng = np.random.default_rng(seed)
        for number in range(1 - HISTORY, RELEASE + 1):
            zones = ZONES if number <= 0 else (*ZONES, self.canary)
            pods = {f"p{at}": self._pod(rng, zone, number, canary=at == len(ZONES)) for at, zone in enumerate(zones)}
            at = EPOCH + EVERY * number
            yield (
                number <= 0,
                [
                    SignalLook(each.name, at, SourceStatus.OK, pods, EDGES if each.kind is SignalKind.LATENCY else ())
                    for each in POLICY.signals
                ],
            )

    def _pod(self, rng: np.random.Generator, zone: str, number: int, *, canary: bool) -> PodLook:
        here = zone == "a" and number >= self.since
        errors, latency = (self.failing, self.slow) if here else (1.0, 1.0)
        if canary:
            errors, latency = errors * self.fault[0], latency * self.fault[1]
        counts = histogram(rng, 60, median=0.05 * latency)
        failed = int(rng.binomial(60, 0.02 * errors))
        arm = Arm.CANARY if canary else Arm.STABLE
        return PodLook(arm, 9000.0, EVERY, 60, {"5xx": failed}, counts, node=f"n{zone}", zone=zone)


def placed(looks: Sequence[SignalLook], **where: str) -> list[SignalLook]:
    """The same with pods elsewhere."""
    return [
        dataclasses.replace(look, pods={name: dataclasses.replace(pod, **where) for name, pod in look.pods.items()})
        for look in looks
    ]


def renamed(looks: Sequence[SignalLook], names: dict[str, str]) -> list[SignalLook]:
    """The same with zones of other names."""
    return [
        dataclasses.replace(
            look, pods={name: dataclasses.replace(pod, zone=names[pod.zone]) for name, pod in look.pods.items()}
        )
        for look in looks
    ]


def course(world: World, seed: int, change=lambda looks: looks, judge: Judge | None = None) -> list[tuple[str, float]]:
    """The verdict and the evidence after each look of the release."""
    found, judge = [], judge or Judge(POLICY)
    for is_history, looks in world.looks(seed):
        if is_history:
            judge.learn(change(looks))
            continue
        said = judge.look(looks[0].at, change(looks))
        found.append((said.verdict, judge._case.log_e))
    return found


def nowhere(looks: Sequence[SignalLook]) -> list[SignalLook]:
    return placed(looks, node="", zone="")


def convicted_after(said: Sequence[tuple[str, float]]) -> int:
    """Looks until it was; one more than there are where it never was."""
    return next((at for at, (verdict, _) in enumerate(said, start=1) if verdict == Verdict.BAD), len(said) + 1)


WORLDS = st.builds(
    World,
    canary=st.sampled_from("abcd"),
    slow=st.sampled_from([1.0, 1.3]),
    failing=st.sampled_from([1.0, 2.0]),
    fault=st.sampled_from([(1.0, 1.0), (5.0, 1.0), (1.0, 1.5)]),
)


@settings(max_examples=2, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(WORLDS, st.integers(0, 99), st.sampled_from([{"zone": "a", "node": "n"}, {"zone": "", "node": "n"}]))
def test_one_place_is_as_none(world, seed, where):
    assert course(world, seed, lambda looks: placed(looks, **where)) == course(world, seed, nowhere)


@settings(max_examples=2, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(WORLDS, st.integers(0, 99), st.permutations(["x", "a", "zone b", "d"]))
def test_names_of_places_change_nothing(world, seed, names):
    named = dict(zip("abcd", names, strict=True))
    assert course(world, seed, lambda looks: renamed(looks, named)) == course(world, seed)


@pytest.mark.parametrize("fault", [(4.0, 1.0), (1.0, 1.4)])
def test_places_that_are_alike_delay_nothing(fault):
    """Within 5 %, of six releases together."""
    known, unknown = (
        sum(convicted_after(course(World(fault=fault), seed, change)) for seed in range(6))
        for change in (list, nowhere)
    )
    assert known <= 1.05 * unknown
    assert unknown < 6 * RELEASE / 2, "it is a fault that is seen"


def test_a_zone_that_becomes_slow_makes_no_canary_in_it_guilty():
    world = World(slow=2.0, failing=8.0, since=5)
    assert convicted_after(course(world, 1)) > RELEASE
    assert convicted_after(course(world, 1, nowhere)) <= RELEASE, "it would have been"


@pytest.mark.parametrize("seed", [1, 3, 4, 5])
def test_a_zone_that_begins_to_fail_is_no_evidence_against_a_canary_in_it(seed):
    evidence = [log_e for _, log_e in course(World(failing=4.0, since=5), seed)]
    assert max(evidence) < 2.0
    assert np.mean(evidence[10:]) < 0.5


@pytest.mark.parametrize("factor", [4.0, 15.0])
def test_what_is_healthy_in_a_zone_that_fails_are_the_odds_there_over_those_of_all(factor):
    judge, offsets = Judge(POLICY), []
    for is_history, looks in World(failing=factor, since=5).looks(1):
        if is_history:
            judge.learn(looks)
        else:
            judge.look(looks[0].at, looks)
            offsets.append(judge._panel.evidence.places.offset[0])
    there, all_of_it = 0.02 * factor, 0.02 * (factor + 2) / 3
    wanted = np.log(there / (1 - there)) - np.log(all_of_it / (1 - all_of_it))
    assert np.mean(offsets[10:]) == pytest.approx(wanted, abs=0.1)


def test_a_fault_in_a_slow_zone_is_seen_beside_the_pods_there():
    world = World(slow=1.5, failing=2.0, fault=(1.0, 1.7))
    known, unknown = (convicted_after(course(world, 2, change)) for change in (list, nowhere))
    assert known <= RELEASE / 2
    assert known < unknown


def test_a_restored_judge_goes_on_as_if_it_had_never_stopped():
    world, judge = World(slow=1.3, failing=2.0, since=3), Judge(POLICY)
    whole, said = course(world, 3), []
    for number, (is_history, looks) in enumerate(world.looks(3)):
        if number % 7 == 3:
            judge = Judge.restore(POLICY, judge.save())
        if is_history:
            judge.learn(looks)
        else:
            said.append((judge.look(looks[0].at, looks).verdict, judge._case.log_e))
    assert [verdict for verdict, _ in said] == [verdict for verdict, _ in whole]
    assert [log_e for _, log_e in said] == pytest.approx([log_e for _, log_e in whole], rel=1e-9, abs=1e-9)


def test_a_judge_that_was_saved_with_fewer_windows_goes_on():
    judge = Judge(POLICY)
    looks = list(World(slow=2.0, since=-5).looks(3))
    for _, each in looks[:HISTORY]:
        judge.learn(each)
    state = decode(judge.save())
    for signal in state["signals"].values():
        places = signal["evidence"]["places"]
        places["lately"] = places["lately"][:, :3]
        del places["usual"]
    restored = Judge.restore(POLICY, encode(state))
    said = [restored.look(each[0].at, each).verdict for _, each in looks[HISTORY:]]
    assert Verdict.BAD not in said
    assert restored._panel.evidence.places.lately.shape[1] == WINDOWS.size - 1


def test_where_stable_has_no_pod_nobody_can_tell_and_it_is_said_what_helps():
    world, judge = World(canary="d", slow=2.0, failing=4.0), Judge(POLICY)
    said = course(world, 4, judge=judge)
    assert convicted_after(said) > RELEASE
    assert judge._panel.evidence.places.strange[0] == 1
    errors = judge.signals()[0].reason
    assert "not to be told yet: the canary runs in a zone where stable has no pod, and zones differ by" in errors
    assert "for each one there, spread over a, b and c)" in errors


def test_a_canary_beside_stable_is_told_what_is_usual_there_and_nothing_else():
    judge = Judge(POLICY)
    course(World(slow=1.5, failing=4.0), 5, judge=judge)
    errors = judge.signals()[0].reason
    assert "times that is usual)" in errors
    assert "where stable has no pod" not in errors
    calm = Judge(POLICY)
    course(World(), 5, judge=calm)
    assert "usual" not in calm.signals()[0].reason


def pod(arm: Arm = Arm.STABLE, node: str = "", zone: str = "") -> PodLook:
    return PodLook(arm, 900.0, 1.0, node=node, zone=zone)


@pytest.mark.parametrize(
    ("pods", "places"),
    [
        ([pod(zone="a"), pod(zone="b"), pod()], ["zone a", "zone b", ""]),
        ([pod(node="n1", zone="a"), pod(node="n2", zone="a")], ["node n1", "node n2"]),
        ([pod(node="n1", zone="a"), pod(node="n1", zone="a")], []),
        (
            [pod(node="n1"), pod(node="n1"), pod(node="n2"), pod(Arm.CANARY, "n1")],
            ["node n1", "node n1", "node n2", "node n1"],
        ),
        ([pod(node="n1"), pod(node="n1"), pod(node="n2"), pod(Arm.CANARY, "n2")], []),
        ([pod(node="n1"), pod(node="n1"), pod(node="n2"), pod(Arm.CANARY, "n3")], []),
        ([pod(), pod(Arm.CANARY)], []),
    ],
)
def test_zones_are_places_and_else_nodes_that_the_canary_shares_with_two_pods(pods, places):
    assert places_of(pods) == places


def test_so_many_places_are_told_apart():
    slots: dict[str, int] = {}
    first = [f"zone {at}" for at in range(MOST_PLACES - 1)]
    found = place_slots(slots, [*first, "zone far", ""], [False] * len(first) + [True, True])
    assert found == (*range(MOST_PLACES - 1), STRANGE, UNPLACED)
    more = place_slots(slots, ["zone x", "zone y", "zone far"], [False, False, True])
    assert more == (MOST_PLACES - 1, UNPLACED, UNPLACED), "that may be in any, so nothing is said of it"
    assert place_slots(slots, [], [False]) == ()
