"""What was proven goes on as one change, and nothing else does: with records from the cluster and from files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from rollout.api.revision import labels_of
from rollout.api.status import Outcome, Phase, Version
from rollout.api.taken_back import config_map_of
from tests.review.promotion.conftest import PROD, STAGING, T, ended, record, releases, settle
from tests.rollout.taken_back import entry
from tests.rollout.taken_back import kept as kept_record

BOTH = ("checkout", "billing")
DIGEST = f"sha256:{'a' * 64}"


def proven(promoter, *services, **changes):
    found = releases(promoter.staging)
    for name in services or BOTH:
        settle(promoter.person.server, found[name], ended(found[name], **changes))
    return found


def services(text):
    return yaml.safe_load(text)["config"]["grayling:services"]


def test_the_version_goes_and_the_environment_stays(promoter):
    proven(promoter)
    done = promoter.asking("--by", "ann", "--reason", "spring")
    assert (done.code, done.err) == (0, "trial: prod declares no such service, and is left as it is\n")
    after = services(promoter.prod_text())
    assert after["checkout"] == {
        "image": "r.example.com/shop/checkout:2.0.0",
        "args": ["checkout", "--fast"],
        "env": {"LEVEL": "info", "MODE": "new"},
        "config": {"app.yaml": "workers: 8\n"},
        "replicas": 12,
    }
    assert after["billing"] == {"image": "r.example.com/shop/billing:2.0.0", "port": None, "replicas": 6}
    for kept in ("# production: mind", "# asked for by finance", "2.0.0   # by promotion", "LEVEL: info   # quiet"):
        assert kept in promoter.prod_text()
    assert "by tag: no digest is known" in done.out
    assert "env.LEVEL" in done.out
    (note,) = promoter.notes()
    assert (note["from"], note["to"], note["by"], note["reason"]) == ("staging", "prod", "ann", "spring")
    assert [each["service"] for each in note["services"]] == ["checkout", "billing"]
    assert note["services"][0]["proof"]["outcome"] == "promoted"
    assert note["services"][0]["own"] == ["env.LEVEL"]
    assert note["still_runs"] is True


def test_done_twice_there_is_nothing_to_do(promoter):
    proven(promoter)
    promoter.asking()
    before = promoter.prod_text()
    again = promoter.asking()
    assert (again.code, again.out) == (0, "nothing to do: prod has everything that staging has\n")
    assert promoter.prod_text() == before
    assert len(promoter.notes()) == 1


def test_a_dry_run_writes_nothing(promoter):
    proven(promoter)
    done = promoter.asking("--dry-run")
    assert done.code == 0
    assert "-        MODE: old\n+        MODE: new\n" in done.out
    assert promoter.prod_text() == PROD
    assert promoter.notes() == []
    told = json.loads(promoter.asking("--dry-run", "-o", "json").out)
    assert told["written"] is False
    assert told["promotion"]["schema"] == "grayling.promotion/1"
    assert "+        MODE: new" in told["diff"]


def test_the_digest_that_the_pods_run_goes_along(promoter):
    found = proven(promoter)
    pod(promoter, found["checkout"], "a", f"r.example.com/shop/checkout@{DIGEST}")
    pod(promoter, found["billing"], "b", f"elsewhere.example.com/billing@{DIGEST}")
    done = promoter.asking()
    after = services(promoter.prod_text())
    assert after["checkout"]["image"] == f"r.example.com/shop/checkout:2.0.0@{DIGEST}"
    assert after["billing"]["image"] == "r.example.com/shop/billing:2.0.0"
    assert [each["digest"] for each in promoter.notes()[0]["services"]] == [DIGEST, ""]
    assert done.out.count("by tag") == 1
    assert promoter.asking().out.startswith("nothing to do")


def pod(promoter, manifest, name, image_id):
    release = ended(manifest)
    labels = labels_of(manifest["metadata"]["name"], release.to_version.revision)
    meta = {"name": name, "namespace": manifest["metadata"]["namespace"], "labels": labels}
    statuses = [{"name": manifest["metadata"]["name"], "imageID": image_id}]
    promoter.person.server.put(
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": {"containerStatuses": statuses}}
    )


def refused(promoter, *told, arguments=()):
    done = promoter.asking(*arguments)
    assert done.code == 13, done
    for text in told:
        assert text in done.err
    assert promoter.prod_text() == PROD
    assert promoter.notes() == []


def test_a_tag_that_was_moved(promoter):
    found = proven(promoter)
    for name, digit in (("a", "a"), ("b", "b")):
        pod(promoter, found["checkout"], name, f"r.example.com/shop/checkout@sha256:{digit * 64}")
    refused(promoter, "its tag was moved")


def test_without_a_record_or_the_service(promoter):
    refused(promoter, "shop/checkout: is not on the cluster", "shop/billing: is not on the cluster")
    found = proven(promoter)
    promoter.person.server.objects.pop(next(key for key in promoter.person.server.objects if "release" in str(key)))
    settle(promoter.person.server, found["billing"], ended(found["billing"], Outcome.ROLLED_BACK))
    refused(promoter, "ended rolled-back: told by the judge")


@pytest.mark.parametrize("outcome", [Outcome.ROLLED_BACK, Outcome.ABORTED, Outcome.SUPERSEDED, Outcome.CANCELLED])
def test_what_ended_otherwise(promoter, outcome):
    found = proven(promoter, "billing")
    settle(
        promoter.person.server, found["checkout"], ended(found["checkout"]), ended(found["checkout"], outcome, T + 9)
    )
    refused(promoter, f"shop/checkout: its release checkout-{outcome.value}", "told by the judge")


@pytest.mark.parametrize("phase", [Phase.STEPPING, Phase.BAKING, Phase.ROLLING_BACK])
def test_what_still_runs(promoter, phase):
    found = proven(promoter, "billing")
    settle(promoter.person.server, found["checkout"], ended(found["checkout"]), phase=phase)
    refused(promoter, f"a release of it is under way ({phase.value})")


def test_what_was_changed_since(promoter):
    proven(promoter)
    promoter.person.stack("staging", STAGING.replace("workers: 8", "workers: 9"))
    refused(promoter, "shop/checkout: checkout-", "runs there, and the stack file declares checkout-")


def test_what_was_taken_back_by_hand_since(promoter):
    found = proven(promoter, "billing")
    old = Version(revision="checkout-0ld0ld00", image="x")
    settle(promoter.person.server, found["checkout"], ended(found["checkout"]), stable=old)
    refused(promoter, "checkout-0ld0ld00 runs there")


def test_a_first_version_was_compared_with_nothing(promoter):
    proven(promoter, from_version=None)
    refused(promoter, "shop/checkout: its release checkout-promoted", "was promoted, not proven")
    assert promoter.asking("--allow-unproven", "it is new").code == 0
    assert promoter.notes()[0]["allowed_unproven"] == "it is new"


def test_promoted_and_not_proven_needs_a_reason(promoter):
    proven(promoter, outcome=Outcome.PROMOTED_NOT_PROVEN)
    refused(promoter, "was promoted, not proven (told by the judge): --allow-unproven REASON")
    done = promoter.asking("--allow-unproven", "no traffic at night")
    assert done.code == 0
    assert "promoted, not proven, by release" in done.out
    assert promoter.notes()[0]["allowed_unproven"] == "no traffic at night"


def test_a_record_that_was_tampered_with(promoter):
    found = proven(promoter)
    server = promoter.person.server
    item = next(each for each in server.all("ConfigMap") if each["metadata"]["name"].startswith("checkout-release"))
    text = item["data"]["record.json"]
    for wrong, told in (
        ("{", "not JSON"),
        (text.replace("grayling.record/1", "grayling.record/9"), "schema"),
        (text.replace('"proven": true', '"proven": false'), "outcome is promoted, and proven is false"),
        (text.replace("checkout:2.0.0", "checkout:6.6.6"), "names the image r.example.com/shop/checkout:6.6.6"),
        (text.replace('"outcome": "promoted"', '"outcome": "promoted", "outcome": "promoted"'), "stands there twice"),
    ):
        assert wrong != text
        server.put({**item, "data": {"record.json": wrong}})
        refused(promoter, told)
    server.put({**item, "data": {}})
    refused(promoter, "has no key record.json")
    assert found


def test_the_newest_release_is_known_from_the_status_where_no_record_is_kept_yet(promoter):
    found = proven(promoter)
    server = promoter.person.server
    for key in [key for key, item in server.objects.items() if item["kind"] == "ConfigMap"]:
        del server.objects[key]
    assert promoter.asking().code == 0
    assert promoter.notes()[0]["services"][0]["proof"]["place"] == "status of shop/checkout"
    assert found


def test_one_service_alone(promoter):
    proven(promoter, "billing")
    assert promoter.asking("--only", "billing").code == 0
    assert services(promoter.prod_text())["checkout"]["image"].endswith("1.9.0")
    wrong = promoter.asking("--only", "biling")
    assert (wrong.code, "did you mean 'billing'?" in wrong.err) == (2, True)


def test_one_that_is_refused_holds_all(promoter):
    proven(promoter, "billing")
    refused(promoter, "shop/checkout: is not on the cluster")


# ---------------------------------------------------------------------- from files


def kept(promoter, folder=".grayling/records", **changes):
    found = releases(promoter.staging)
    place = promoter.person.project / folder
    place.mkdir(parents=True, exist_ok=True)
    for name in BOTH:
        (place / f"{name}.json").write_text(record(found[name], ended(found[name], **changes)).json_text())
    return place


def test_from_the_records_that_ci_keeps(promoter):
    place = kept(promoter)
    done = promoter.promote("--records")
    assert done.code == 0
    assert "whether these versions still run there was not asked" in done.out
    assert promoter.notes()[0]["still_runs"] is False
    promoter.person.stack("prod", PROD)
    assert promoter.promote(*(f"--record={place / name}.json" for name in BOTH)).code == 0


def test_files_of_which_none_fits(promoter):
    done = promoter.promote("--records")
    assert (done.code, "shop/checkout: there is no record of a release of it" in done.err) == (13, True)
    place = kept(promoter)
    promoter.person.stack("staging", STAGING.replace("2.0.0", "2.0.1"))
    done = promoter.promote("--records")
    assert (done.code, "it was changed since, or never released" in done.err) == (13, True)
    (place / "checkout.json").write_bytes(b"\xff")
    assert "checkout.json: is no record that can be believed: it is no text" in promoter.promote("--records").err
    gone = promoter.promote(f"--record={place / 'gone.json'}")
    assert (gone.code, "gone.json: No such file" in gone.err) == (2, True)
    assert promoter.prod_text() == PROD


def test_a_later_promotion_of_another_version_speaks_against_it(promoter):
    place = kept(promoter)
    found = releases(promoter.staging)
    other = Version(revision="checkout-99999999", image="x")
    later = record(found["checkout"], ended(found["checkout"], at=T + 99, to_version=other))
    (place / "later.json").write_text(later.json_text())
    done = promoter.promote("--records")
    assert (done.code, "checkout-99999999 was promoted there since" in done.err) == (13, True)
    going = record(found["checkout"], ended(found["checkout"], None, at=T + 200))
    (place / "later.json").write_text(going.json_text())
    assert "still runs or bakes" in promoter.promote("--records").err


def test_files_and_a_cluster_are_two_ways(promoter):
    done = promoter.promote("--records", "--context", "x")
    assert (done.code, "give one kind" in done.err) == (2, True)


# ---------------------------------------------------------------------- what is wrong


def test_one_stack_is_not_two(promoter):
    done = promoter.grayling("promote", "--from", promoter.prod, "--to", promoter.prod, "--records")
    assert (done.code, "are one stack; name two" in done.err) == (2, True)


def test_a_target_that_would_not_be_valid_stays_as_it_is(promoter):
    proven(promoter)
    more = "replicas: 2\n      volumes: {cache: {scratch: {size: 1Gi}}}\n      mounts: {/cache: cache}"
    promoter.person.stack("staging", STAGING.replace("replicas: 2", more))
    proven(promoter)
    done = promoter.asking()
    assert (done.code, "/cache is of volume 'cache', which is not declared" in done.err) == (2, True), done.err
    assert promoter.prod_text() == PROD
    assert promoter.notes() == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("own: {checkout: [replicas]}\n", ".grayling/promotion.yaml:1: own: 'replicas' is no key that travels"),
        ("own: {checkout: [image.x]}\n", "only env and config have entries of their own; write 'image'"),
        ("owns: {}\n", ".grayling/promotion.yaml:1: owns: no such key (found {}); did you mean 'own'?"),
        ("- a\n", ".grayling/promotion.yaml:1: is no map; it has the keys own and waves"),
        ("own: {a: [env.X]\n", ".grayling/promotion.yaml:2: not YAML"),
    ],
)
def test_settings_that_cannot_be_meant(promoter, settings, told):
    proven(promoter)
    promoter.settings(settings)
    done = promoter.asking()
    assert (done.code, told in done.err) == (2, True), done.err
    assert promoter.prod_text() == PROD


def test_a_note_that_cannot_be_kept_leaves_the_target_as_it_is(promoter):
    proven(promoter)
    (promoter.folder / "promotions").write_text("in the way")
    done = promoter.asking()
    assert (done.code, "cannot be written" in done.err) == (2, True)
    assert promoter.prod_text() == PROD


def test_somebody_who_edits_the_target_meanwhile_loses_nothing(promoter):
    proven(promoter)
    theirs = PROD + "# theirs\n"
    promoter.person.server.meanwhile = (
        "GET /api/v1/namespaces/shop/pods",
        lambda: Path(promoter.prod).write_text(theirs),
    )
    done = promoter.asking()
    assert (done.code, "was changed by somebody else meanwhile; run it again" in done.err) == (2, True)
    assert promoter.prod_text() == theirs
    assert promoter.notes() == []


@pytest.mark.parametrize("where", ["cluster", "records"])
def test_what_was_taken_back_stays_out(promoter, where):
    proven(promoter)
    (carried,) = [item for item in released_in_prod(promoter) if item["metadata"]["name"] == "checkout"]
    if where == "cluster":
        promoter.person.server.put(config_map_of(entry(carried)))
    else:
        kept_record(promoter.folder / "records/a.json", carried)
    done = promoter.asking()
    assert (done.code, promoter.prod_text()) == (13, PROD)
    assert "GrayRelease integration/checkout: " in done.err
    assert "was taken back on" in done.err
    assert "grayling release forgive" in done.err


def released_in_prod(promoter):
    """The releases as prod would declare them after the promotion."""
    assert promoter.asking().code == 0
    found = list(releases(promoter.prod).values())
    Path(promoter.prod).write_text(PROD)
    return found
