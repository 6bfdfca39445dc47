"""What CI fills in after an approval: it survives exactly that, and nothing beside it."""

from __future__ import annotations

import pytest

from kube.errors import UsageError
from review.approval.volatile import masked, volatile_of
from review.model.change import Change, Edit, ObjectRef, Op
from tests.review.approval.team import ANN

NAME = "grayling:services.checkout.image"
SERVICES = """\
config:
  grayling:environment:
    tier: staging
    namespace: shop
    owners: [a]
    images: {registry.example.com/: mirror.example.com/}
  grayling:components:
    controller: {image: 'registry.example.com/platform/grayling:0.1.0'}
    redis: {image: 'registry.example.com/redis:7.0', storage: 1Gi}
  grayling:services:
    checkout: {image: 'registry.example.com/shop/checkout:1.0', port: 8080, config: {a.txt: hello}}
    billing: {image: 'registry.example.com/shop/billing:1.0', port: 8080}
"""


def config(image, mirrors=None):
    return {
        "grayling:environment": {"images": mirrors or {}},
        "grayling:services": {"checkout": {"image": image, "port": 1}},
    }


@pytest.fixture
def shop(team):
    """A team whose stack stands on the cluster, with two services."""
    team.git("checkout", "-q", "main")
    team.write("stacks/Pulumi.shop.yaml", SERVICES)
    team.commit()
    team.git("checkout", "-q", "-b", "next")
    return team


def filled(team, old, new):
    """What CI does: edit the stack file, and commit nothing."""
    path = team.project / "stacks" / "Pulumi.shop.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_an_approval_survives_the_tag_that_ci_fills_in(shop):
    shop.change("storage: 1Gi", "storage: 2Gi")
    assert shop.approve(ANN).code == 0
    digest = shop.verdict()["digest"]
    filled(shop, "checkout:1.0", "checkout:2.0.1")
    verdict = shop.verdict()
    assert (verdict["digest"], verdict["granted"], verdict["volatile"]) == (digest, True, [NAME])
    filled(shop, "checkout:2.0.1", f"checkout@sha256:{'a' * 64}")
    assert shop.verdict()["digest"] == digest
    result = shop.apply()
    assert result.code == 0, result.err


def test_also_when_the_service_stands_already(shop):
    shop.change("storage: 1Gi", "storage: 2Gi")
    shop.approve(ANN)
    assert shop.apply().code == 0
    shop.git("branch", "-f", "main", "next")
    shop.change("redis:7.0", "redis:7.1")
    assert shop.approve(ANN).code == 0
    filled(shop, "checkout:1.0", "checkout:3.0")
    result = shop.apply()
    assert result.code == 0, result.err


def test_a_new_tag_alone_is_a_change_all_the_same(shop):
    shop.change("storage: 1Gi", "storage: 2Gi")
    shop.approve(ANN)
    assert shop.apply().code == 0
    filled(shop, "checkout:1.0", "checkout:4.0")
    assert shop.apply().code == 5
    assert shop.approve(ANN).code == 0
    filled(shop, "checkout:4.0", "checkout:4.1")
    assert shop.apply().code == 0


MOVES = [
    ("shop/checkout:1.0", "shop/other:1.0", "grayling:services.checkout.image"),
    ("registry.example.com/shop/checkout:1.0", "elsewhere.example.com/shop/checkout:1.0", "services.checkout.image"),
    ("billing:1.0", "billing:1.1", "grayling:services.billing.image"),
    ("a.txt: hello", "a.txt: bye", "grayling:services.checkout.config"),
    ("mirror.example.com/", "copy.example.com/", "grayling:environment.images"),
    ("port: 8080, config", "port: 8081, config", "grayling:services.checkout.port"),
]


@pytest.mark.parametrize(("old", "new", "named"), MOVES)
def test_nothing_else_may_move(shop, old, new, named):
    shop.change("storage: 1Gi", "storage: 2Gi")
    shop.approve(ANN)
    filled(shop, old, new)
    shop.commit()
    result = shop.review("verify")
    assert (result.code, named in result.err) == (5, True), result.err


def test_what_is_filled_in_elsewhere_must_be_committed(shop):
    shop.change("storage: 1Gi", "storage: 2Gi")
    shop.approve(ANN)
    filled(shop, "billing:1.0", "billing:1.1")
    result = shop.review("verify")
    assert result.code == 6
    assert "not committed" in result.err
    assert "name the image under volatile" in result.err


def update(*edits, component="checkout"):
    return Change(
        ObjectRef("g/v1", "GrayRelease", "shop", "checkout"), (Op.UPDATE,), {}, {}, edits, component=component
    )


IMAGE = ("spec", "workload", "template", "spec", "containers", "[checkout]", "image")
VERSION = ("metadata", "labels", "app.kubernetes.io/version")
CHECKSUM = ("spec", "workload", "template", "metadata", "annotations", "grayling.dev/config")


def kept(*edits, image="r.example.com/a:2", mirrors=None, component="checkout"):
    made = volatile_of([NAME], config(image, mirrors)).change(update(*edits, component=component))
    return None if made is None else [(each.before, each.after) for each in made.edits]


def test_a_change_of_nothing_but_the_image_and_what_follows_is_none():
    edits = Edit(IMAGE, "r.example.com/a:1", "r.example.com/a:2"), Edit(VERSION, "1", "2"), Edit(CHECKSUM, "x", "y")
    assert kept(*edits) is None


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (Edit(IMAGE, "r.example.com/b:1", "r.example.com/a:2"), ("r.example.com/b:1", "r.example.com/a:(volatile)")),
        (Edit(IMAGE, "r.example.com/a:1", "r.example.com/a:3"), ("r.example.com/a:1", "r.example.com/a:3")),
        (Edit(IMAGE, "r.example.com/a:1", None), ("r.example.com/a:1", None)),
        (Edit(VERSION, "1", "3"), ("1", "3")),
        (Edit(("spec", "args"), "r.example.com/a:1", "r.example.com/a:2"), ("r.example.com/a:1", "r.example.com/a:2")),
        (Edit(("data", "app.kubernetes.io/version"), "1", "2"), ("1", "2")),
        (Edit(CHECKSUM, None, "y"), (None, "(volatile)")),
    ],
)
def test_what_is_not_exactly_what_was_filled_in_stays(edit, words):
    assert kept(edit) == [words]


def test_another_part_of_the_stack_is_left_alone():
    assert kept(Edit(IMAGE, "r.example.com/a:1", "r.example.com/a:2"), component="billing") is not None


def test_a_mirror_that_leads_elsewhere_for_one_tag_is_seen():
    mirrors = {"r.example.com/a:2": "evil.example.com/x:9"}
    edits = Edit(IMAGE, "r.example.com/a:1", "evil.example.com/x:9")
    assert kept(edits, mirrors=mirrors) == [("r.example.com/a:(volatile)", "evil.example.com/x:(volatile)")]


def test_a_new_object_has_placeholders_where_the_image_stands():
    after = {"spec": {"containers": [{"image": "r.example.com/a:2"}, {"image": "r.example.com/side:2"}]}}
    change = Change(ObjectRef("apps/v1", "Deployment", "s", "c"), (Op.CREATE,), None, after, component="checkout")
    made = volatile_of([NAME], config("r.example.com/a:2")).change(change)
    assert [each["image"] for each in made.after["spec"]["containers"]] == [
        "r.example.com/a:(volatile)",
        "r.example.com/side:2",
    ]


@pytest.mark.parametrize("name", ["grayling:services.checkout.port", "grayling:environment.tier", "image", "a.b.image"])
def test_only_images_are_volatile(name):
    with pytest.raises(UsageError, match="is no image of a service or component; write"):
        volatile_of([name], config("a:1"))


def test_a_value_that_is_no_image_is_named():
    with pytest.raises(UsageError, match=r"grayling:services.checkout.image: 'a b' is no image reference"):
        volatile_of([NAME], config("a b"))


def test_what_the_stack_does_not_have_is_left_out():
    assert volatile_of(["grayling:services.other.image"], config("a:1")).names == ()


def test_masked():
    assert masked(f"r.example.com:5000/a:1@sha256:{'0' * 64}") == "r.example.com:5000/a:(volatile)"
