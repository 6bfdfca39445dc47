from __future__ import annotations

from rollout.signals.looks import SourceStatus
from rollout.sources.kubernetes import KubernetesSource
from tests.rollout.sources.builders import T, info, roster, signal


class Watch:
    """A source and its clock: one second a look."""

    def __init__(self) -> None:
        self.source = KubernetesSource([signal("crashes", "kubernetes")])
        self.now = T

    async def see(self, *pods):
        [look] = await self.source.sample(roster(*pods), self.now)
        assert look.status is SourceStatus.OK
        self.now += 1
        return {name: (pod.crashes, dict(pod.errors)) for name, pod in look.pods.items()}


NOTHING = (0, {})


async def test_what_happened_before_is_not_counted():
    watch = Watch()
    assert await watch.see(info("c", deaths=5, ready=False)) == {}
    assert await watch.see(info("c", deaths=5, ready=False)) == {"c": NOTHING}


async def test_exposure_is_the_time_a_pod_was_watched():
    source = KubernetesSource([signal("crashes", "kubernetes"), signal("crashes", "kubernetes", name="again")])
    await source.sample(roster(info("c")), T)
    first, second = await source.sample(roster(info("c")), T + 2.5)
    assert first.pods["c"].exposure_seconds == 2.5
    assert first.pods == second.pods
    assert (await source.sample(roster(info("c")), T + 1))[0].pods == {}


async def test_ends_of_containers():
    watch = Watch()
    await watch.see(info("c"))
    assert await watch.see(info("c", deaths=1, ready=False)) == {"c": (1, {"exited": 1})}
    assert await watch.see(info("c", deaths=1)) == {"c": NOTHING}
    assert await watch.see(info("c", deaths=3, oom_killed=True)) == {"c": (2, {"OOMKilled": 2})}
    assert await watch.see(info("c", deaths=2)) == {"c": NOTHING}
    assert await watch.see(info("c", deaths=3)) == {"c": NOTHING}


async def test_lost_readiness_and_the_death_it_leads_to_are_one_incident():
    watch = Watch()
    await watch.see(info("c"))
    assert await watch.see(info("c", ready=False)) == {"c": (1, {"unready": 1})}
    assert await watch.see(info("c", ready=False)) == {"c": NOTHING}
    assert await watch.see(info("c", ready=False, deaths=1)) == {"c": NOTHING}
    assert await watch.see(info("c", ready=False, deaths=2)) == {"c": (1, {"exited": 1})}


async def test_after_it_came_back_a_death_is_a_new_incident():
    watch = Watch()
    await watch.see(info("c"))
    await watch.see(info("c", ready=False))
    await watch.see(info("c"))
    assert await watch.see(info("c", deaths=1)) == {"c": (1, {"exited": 1})}
    assert await watch.see(info("c", deaths=1, ready=False)) == {"c": (1, {"unready": 1})}


async def test_pods_that_never_were_ready_lose_nothing():
    watch = Watch()
    await watch.see(info("c", ready=False))
    assert await watch.see(info("c", ready=False)) == {"c": NOTHING}


async def test_what_somebody_asked_for_is_no_incident():
    watch = Watch()
    await watch.see(info("c"))
    going = info("c", ready=False, terminating=True, deaths=1)
    assert await watch.see(going) == {"c": NOTHING}
    assert await watch.see(going) == {"c": NOTHING}


async def test_evicted_pods_count_once():
    watch = Watch()
    await watch.see(info("c"))
    evicted = info("c", ready=False, failed="Evicted", deaths=1)
    assert await watch.see(evicted) == {"c": (1, {"Evicted": 1})}
    assert await watch.see(evicted) == {"c": NOTHING}


async def test_the_whole_life_of_a_pod_that_came_later_counts():
    watch = Watch()
    await watch.see(info("s"))
    assert await watch.see(info("s"), info("c", started=T, deaths=2, ready=False)) == {
        "s": NOTHING,
        "c": (2, {"exited": 2}),
    }


async def test_pods_are_remembered_through_a_moment_of_absence_and_then_forgotten():
    watch = Watch()
    await watch.see(info("c", deaths=1))
    await watch.see()
    assert await watch.see(info("c", deaths=2)) == {"c": (1, {"exited": 1})}
    watch.now += 1000
    await watch.see()
    assert await watch.see(info("c", deaths=9)) == {}
