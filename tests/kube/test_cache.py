from __future__ import annotations

import pytest

from kube.cache import Reflector
from kube.kinds import POD
from tests.fakes.apiserver import running

KEY = ("shop", "a")


def pod(version: str) -> dict:
    return {"metadata": {"name": "a", "namespace": "shop", "resourceVersion": version}}


@pytest.mark.parametrize(
    ("known", "written", "kept"),
    [("9", "10", "10"), ("10", "9", "10"), ("10", "10", "10"), ("some", "other", "other"), ("10", "other", "other")],
)
async def test_a_write_never_hides_what_came_after_it(known, written, kept):
    async with running() as server, server.cluster() as cluster:
        mirror = Reflector(cluster, POD, "shop")
        mirror.put(pod(known))
        mirror.put(pod(written))
        assert mirror.objects[KEY]["metadata"]["resourceVersion"] == kept


async def test_an_event_older_than_a_write_is_no_news():
    told = []
    async with running() as server, server.cluster() as cluster:
        mirror = Reflector(cluster, POD, "shop", on_change=lambda key, _: told.append(key))
        mirror.put(pod("10"))
        mirror._take("MODIFIED", pod("9"))
        assert told == []
        mirror._take("MODIFIED", pod("11"))
        assert told == [KEY]
        mirror._take("DELETED", pod("8"))
        assert told == [KEY], "that was an earlier one of this name"
        assert KEY in mirror.objects
        mirror._take("DELETED", pod("12"))
        assert mirror.objects == {}
