"""`stack waves` under a review policy: nothing goes to any cluster that was not approved for that cluster."""

from __future__ import annotations

import pytest

from tests.review.approval.team import ANN, POLICY, Team
from tests.review.promotion.conftest import person, project  # noqa: F401 - fixtures
from tests.review.promotion.waves.test_waves import EU, US, WAVES, Waver
from tests.rollout.taken_back import kept


@pytest.fixture
def reviewed(person, tmp_path, monkeypatch):  # noqa: F811 - the fixture
    monkeypatch.chdir(person.project)
    for name in ("GRAYLING_BASE", "GITHUB_EVENT_PATH", "CI_COMMIT_BEFORE_SHA"):
        monkeypatch.delenv(name, raising=False)
    waver = Waver(person)
    for name, text in (("eu", EU), ("us", US)):
        person.stack(name, text.replace("tier: dev", "tier: staging"))
    (tmp_path / "keys").mkdir()
    team = Team(person, tmp_path / "keys")
    team.begin(POLICY.replace("volatile: [grayling:services.checkout.image]\n", ""))
    team.write("note.txt", "a change")
    team.commit()
    return waver, team


def approve(team, stack, context):
    place = ["--kubeconfig", team.person.kubeconfig, "--context", context]
    seen = team.run("review", "verify", stack, *place)
    digest = seen.out.splitlines()[0]
    done = team.run("review", "approve", stack, *place, "--digest", digest, "--key", str(team.key(ANN)), "--as", ANN)
    assert done.code == 0, done.err


def test_without_approval_no_target_is_begun(reviewed):
    waver, _ = reviewed
    done = waver.start()
    assert (done.code, waver.writes()) == (4, [])
    assert "grayling review approve eu --digest" in done.err


def test_one_byte_after_the_approval_it_is_stale(reviewed):
    waver, team = reviewed
    approve(team, "eu", "test")
    team.person.stack("eu", EU.replace("tier: dev", "tier: staging").replace("2.0.0", "2.0.1"))
    team.commit()
    done = waver.start()
    assert (done.code, waver.writes()) == (5, [])


def test_what_was_approved_for_its_cluster_goes_in(reviewed):
    waver, team = reviewed
    approve(team, "eu", "test")
    with waver.engine():
        done = waver.start("--reason", "spring")
    assert (done.code, waver.stages()) == (4, ["baked", "applying"]), done.err
    assert "grayling review approve us --digest" in done.err
    before = waver.writes()
    anew = waver.start("--anew")
    assert (anew.code, waver.writes()) == (4, before), "the missing one is of the second wave"
    assert "wave 1" not in anew.err
    approve(team, "us", "other")
    with waver.engine():
        assert waver.resume().code == 0


def test_what_a_kept_record_took_back_goes_to_no_cluster(waver_dev):
    waver, bad = waver_dev
    kept(waver.folder / "records/a.json", bad)
    with waver.engine():
        done = waver.start()
    assert (done.code, waver.writes()) == (6, [])
    assert "was taken back on" in done.err


@pytest.fixture
def waver_dev(person, monkeypatch):  # noqa: F811 - the fixture
    from tests.review.promotion.conftest import releases

    monkeypatch.chdir(person.project)
    waver = Waver(person)
    assert WAVES
    return waver, releases(person.stack("eu", EU))["checkout"]
