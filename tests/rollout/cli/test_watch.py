"""`release watch`: an exit code and, if wanted, the record."""

import json
import sys

import click
import pytest

from rollout.api.status import Outcome, Phase, Status
from tests.rollout import samples


@pytest.fixture
def shop(world):
    world.put(samples.manifest(status=samples.stepping()))
    return world


def becomes(world, status):
    return lambda: world.server.put(samples.manifest(status=status))


def later(world, status):
    world.when_watched(becomes(world, status))


def test_promoted(shop):
    later(shop, samples.promoted())
    result = shop.grayling("watch", "checkout")
    assert (result.code, result.out) == (0, "shop/checkout promoted: all steps passed\n")
    assert "Stepping 2/3 -> Idle" in result.err


def test_taken_back_with_the_record(shop, tmp_path):
    later(shop, samples.rolled_back())
    file = tmp_path / "record.md"
    result = shop.grayling("watch", "checkout", "-o", "json", "-o", f"markdown={file}")
    assert result.code == 7
    assert json.loads(result.out)["outcome"] == "rolled-back"
    assert file.read_text().startswith("# shop/checkout: rolled-back")


def test_until_promoted(shop):
    later(shop, samples.stepping(phase=Phase.BAKING))
    result = shop.grayling("watch", "checkout", "--until", "promoted")
    assert result.code == 0
    assert "the bake goes on" in result.out


def test_out_of_time(shop):
    result = shop.grayling("watch", "checkout", "--timeout", "300ms")
    assert (result.code, result.out) == (10, "shop/checkout no outcome after 0.3 s: the phase is Stepping\n")


def test_out_of_time_before_anything_is_heard(shop, monkeypatch):
    async def silent(*_):
        import asyncio

        await asyncio.sleep(60)
        yield {}

    monkeypatch.setattr("rollout.client.watch.follow", silent)
    result = shop.grayling("watch", "checkout", "--timeout", "100ms", "-o", "json")
    assert (result.code, result.out) == (10, "")
    assert "there is no record to write" in result.err


def test_a_rollback_that_does_not_end(shop):
    shop.put(samples.manifest(status=samples.stepping(phase=Phase.ROLLING_BACK)))
    assert shop.grayling("watch", "checkout", "--timeout", "200ms").code == 8


def test_an_api_server_that_restarts_is_waited_for(shop):
    def restart():
        shop.server.down = True
        shop.then(0.6, lambda: setattr(shop.server, "down", False))
        shop.then(0.8, becomes(shop, samples.promoted()))

    shop.when_watched(restart)
    assert shop.grayling("watch", "checkout").code == 0


def test_an_api_server_that_stays_away(shop, monkeypatch):
    from rollout.client.watch import follow

    monkeypatch.setattr("rollout.client.watch.follow", lambda *given: follow(*given, patience_seconds=0.3))
    shop.when_watched(lambda: setattr(shop.server, "down", True))
    result = shop.grayling("watch", "checkout")
    assert result.code == 12
    assert "no answer from" in result.err


def test_what_may_not_be_read_is_not_waited_for(shop):
    shop.server.fail("GET", "grayreleases/checkout", 403, times=9, message="forbidden")
    assert shop.grayling("watch", "checkout").code == 1


def test_nothing_to_wait_for(shop):
    shop.put(samples.manifest(status=Status(observed_generation=9, stable=samples.CANARY)))
    result = shop.grayling("watch", "checkout")
    assert (result.code, result.out) == (0, f"{samples.CANARY.revision} serves already\n")


def test_on_a_terminal_the_view_is_live(shop, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("rollout.view.live.REFRESH_SECONDS", 0.05)
    seen = samples.stepping(weight={"desired": 20, "accepted": 20, "observed": 21.3})
    shop.when_watched(becomes(shop, seen), becomes(shop, samples.promoted()))
    result = shop.grayling("watch", "checkout")
    assert result.code == 0
    assert "21.3 observed" in result.err
    assert "shop/checkout  Idle" in click.unstyle(result.err)


def test_superseded(shop):
    ended = samples.ended(Outcome.SUPERSEDED, outcome_reason="v3 is desired now")
    later(shop, samples.promoted().model_copy(update={"last": ended}))
    result = shop.grayling("watch", "checkout")
    assert (result.code, result.out) == (9, "shop/checkout superseded: v3 is desired now\n")


def test_a_refused_object_ends_the_wait_after_its_patience(shop):
    shop.put(samples.manifest(status=samples.waiting_for_quota()))
    result = shop.grayling("watch", "checkout", "--patience", "300ms", "--timeout", "20s")
    assert result.code == 13
    assert result.out.startswith("shop/checkout refused for 0.3")
    assert samples.QUOTA in result.out
    assert "`release abort` ends it now" in result.out


def test_a_refusal_that_passes_is_waited_out(shop):
    shop.put(samples.manifest(status=samples.waiting_for_quota()))
    shop.when_watched(becomes(shop, samples.stepping()))
    result = shop.grayling("watch", "checkout", "--patience", "800ms", "--timeout", "2s")
    assert result.code == 10, "quota was raised within the patience, and the release goes on"


def test_patience_is_for_a_refusal_in_one_piece(shop):
    refused, fine = samples.waiting_for_quota(), samples.stepping()
    changes = [becomes(shop, each) for each in (fine, refused, fine, refused, fine, samples.promoted())]
    shop.put(samples.manifest(status=refused))
    shop.when_watched(*changes)
    assert shop.grayling("watch", "checkout", "--patience", "600ms", "--timeout", "30s").code == 0


def test_the_time_out_is_still_the_time_out(shop):
    shop.put(samples.manifest(status=samples.waiting_for_quota()))
    assert shop.grayling("watch", "checkout", "--patience", "1m", "--timeout", "300ms").code == 10


def test_a_rollback_is_waited_for_whatever_is_refused(shop):
    turning = samples.waiting_for_quota(phase=Phase.ROLLING_BACK)
    shop.put(samples.manifest(status=turning))
    assert shop.grayling("watch", "checkout", "--patience", "100ms", "--timeout", "600ms").code == 8


def test_a_version_whose_objects_were_not_taken_is_told_apart(shop):
    back = samples.rolled_back()
    last = back.last.model_copy(update={"refused": True, "outcome_reason": samples.QUOTA})
    later(shop, back.model_copy(update={"last": last}))
    result = shop.grayling("watch", "checkout")
    assert (result.code, result.out) == (13, f"shop/checkout rolled-back: {samples.QUOTA}\n")


def test_news_of_a_refusal_do_not_begin_its_patience_anew(shop):
    """An engine tells of each look; what it tells is that the object is refused still."""
    news = [samples.waiting_for_quota(looked_at=samples.T + second) for second in range(40)]
    shop.put(samples.manifest(status=news[0]))
    shop.when_watched(*(becomes(shop, each) for each in news))
    assert shop.grayling("watch", "checkout", "--patience", "1s", "--timeout", "5s").code == 13
