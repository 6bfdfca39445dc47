"""`release start`: the version's home is the stack file where there is one, else the object."""

from pathlib import Path

import pytest

from kube.errors import UsageError
from rollout.cli.desire import Request, image_patch, signature_patch
from rollout.cli.start import PART_OF_SET, patch
from terminal.exits import Session
from tests.rollout import samples

BY = ("--by", "ann", "--reason", "faster")


@pytest.fixture
def shop(world):
    world.put(samples.manifest(status=samples.promoted()))
    return world


def stored(world):
    found = world.server.find("GrayRelease", "checkout")
    [container] = found["spec"]["workload"]["template"]["spec"]["containers"]
    return container["image"], found["metadata"].get("annotations", {})


def test_the_object_is_patched_and_it_is_said(shop):
    result = shop.grayling("start", "checkout", "--image", "shop/checkout:v3", *BY)
    assert (result.code, result.out) == (0, "shop/checkout: shop/checkout:v3 asked for\n")
    assert "No stack was changed" in result.err
    image, annotations = stored(shop)
    assert image == "shop/checkout:v3"
    assert annotations.pop("grayling.dev/requested-revision").startswith("checkout-")
    assert annotations == {"grayling.dev/requested-by": "ann", "grayling.dev/reason": "faster"}


def test_asking_twice_changes_nothing(shop):
    result = shop.grayling("start", "checkout", "--image", "shop/checkout:v2")
    assert (result.code, result.out) == (0, "shop/checkout: shop/checkout:v2 is asked for already\n")
    assert shop.server.writes == []


def test_somebody_was_faster(shop):
    known = shop.server._fault

    def fault(request):
        if request.method == "PATCH":
            found = shop.server.find("GrayRelease", "checkout")
            found["spec"]["workload"]["template"]["spec"]["containers"][0]["image"] = "shop/checkout:theirs"
        return known(request)

    shop.server._fault = fault
    result = shop.grayling("start", "checkout", "--image", "shop/checkout:v3")
    assert result.code == 11
    assert "shop/checkout was changed by somebody else meanwhile" in result.err


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (422, 'admission policy "tags" denied request: no latest'),
        (400, 'admission webhook "tags" denied the request: no latest'),
        (403, 'admission webhook "tags" denied the request: no latest'),
        (403, 'grayreleases "checkout" is forbidden: exceeded quota: count/grayreleases=4'),
    ],
)
def test_what_admission_refuses_has_a_code_of_its_own(shop, status, message):
    shop.server.fail("PATCH", "grayreleases/checkout", status, message=message)
    result = shop.grayling("start", "checkout", "--image", "shop/checkout:v3")
    assert (result.code, result.err.splitlines()[-1]) == (13, f"Error: patch GrayRelease shop/checkout: {message}")


def test_what_the_person_may_not_do_is_another_thing(shop):
    told = 'grayreleases "checkout" is forbidden: User "ann" cannot patch resource "grayreleases" in API group'
    shop.server.fail("PATCH", "grayreleases/checkout", 403, message=told)
    assert shop.grayling("start", "checkout", "--image", "shop/checkout:v3").code == 1


def test_annotations_of_others_stay():
    kept = samples.manifest(annotations={"a/b": "c"})
    asked = Request("checkout", "x:1", "checkout", "ann", "")
    operations = [*image_patch(kept, asked), *signature_patch(kept, asked)]
    assert [each["path"] for each in operations] == [
        "/spec/workload/template/spec/containers/0/name",
        "/spec/workload/template/spec/containers/0/image",
        "/spec/workload/template/spec/containers/0/image",
        "/metadata/annotations/grayling.dev~1requested-by",
        "/metadata/annotations/grayling.dev~1reason",
        "/metadata/annotations/grayling.dev~1requested-revision",
    ]


def test_no_such_container(shop):
    result = shop.grayling("start", "checkout", "--image", "x:1", "--container", "sidecar")
    assert result.code == 2
    assert "--container sidecar: there is no such container; there are checkout" in result.err


def managed(manager):
    fields = [
        {"manager": "other", "fieldsV1": {"f:spec": {"f:workload": {}}}},
        {"manager": manager, "fieldsV1": {"f:spec": {"f:workload": {}}}},
    ]
    return samples.manifest(status=samples.promoted(), managedFields=fields)


@pytest.mark.parametrize("manager", ["grayling-stack", "pulumi-kubernetes-1a2b"])
def test_what_a_stack_declares_is_not_patched_behind_its_back(world, manager):
    world.put(managed(manager))
    result = world.grayling("start", "checkout", "--image", "x:1")
    assert result.code == 2
    assert f"field manager {manager}" in result.err
    assert "--stack, or insist with --patch-object" in result.err
    assert world.grayling("start", "checkout", "--image", "x:1", "--patch-object").code == 0


def test_waiting_for_the_outcome(shop):
    def take_back():
        found = shop.server.find("GrayRelease", "checkout")
        from rollout.api.revision import revision_of
        from rollout.api.spec import Spec
        from rollout.api.status import Status, Version

        revision = revision_of("checkout", Spec.model_validate(found["spec"]))
        back = samples.rolled_back()
        last = back.last.model_copy(update={"to_version": Version(revision=revision, image="x:1")})
        refused = [back.refused[0].model_copy(update={"revision": revision})]
        status = Status.model_validate(
            back.model_dump()
            | {"last": last, "refused": refused, "observed_generation": found["metadata"]["generation"]}
        )
        shop.server.put({**found, "status": status.wire()})

    shop.when_watched(take_back)
    result = shop.grayling("start", "checkout", "--image", "x:1", "--wait")
    assert result.code == 7
    assert "taken back before" in result.out


def test_a_quota_ends_the_wait_by_itself(shop):
    def over_quota():
        from rollout.cli.watch import awaited_of

        found = shop.server.find("GrayRelease", "checkout")
        awaited = awaited_of(found, baked=True)
        status = samples.waiting_for_quota(awaited.revision, observed_generation=awaited.generation)
        shop.server.put({**found, "status": status.wire()})

    shop.when_watched(over_quota)
    result = shop.grayling("start", "checkout", "--image", "x:1", "--wait", "--patience", "300ms")
    assert result.code == 13
    assert "exceeded quota: pods=4" in result.out


class Stacks:
    """The declaring half in memory."""

    def __init__(self, *, changed=True, rendered=None):
        self.asked, self.changed = [], changed
        self.rendered = [samples.manifest(managedFields=[])] if rendered is None else rendered
        for each in self.rendered:
            for key in ("uid", "resourceVersion", "generation", "managedFields"):
                each["metadata"].pop(key, None)

    def set_image(self, stack_file: Path, service: str, image: str) -> bool:
        self.asked.append((stack_file.name, service, image))
        return self.changed

    def render_service(self, stack_file: Path, service: str, image: str = ""):
        self.asked.append((stack_file.name, service, *(["as if", image] if image else ())))
        return self.rendered


@pytest.fixture
def stacks(tmp_path):
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    return tmp_path


def in_stack(world, directory, editor, *more):
    place = ("--stack", "dev", "--stack-dir", str(directory))
    return world.grayling("start", "checkout", "--image", "x:2", *place, *BY, *more, session=Session(stack=editor))


def of_set(name):
    made = samples.manifest(managedFields=[])
    made["metadata"]["labels"] = {PART_OF_SET: name}
    return made


def test_an_object_of_another_stack_is_left_alone_and_so_is_the_file(world, stacks):
    world.put(of_set("theirs"))
    before = world.server.find("GrayRelease", "checkout")
    editor = Stacks(rendered=[of_set("ours")])
    result = in_stack(world, stacks, editor)
    assert result.code == 2
    assert "is declared by another stack, or by this one under an overlay, and nothing was changed" in result.err
    assert "leave --stack out and pass --patch-object" in result.err
    assert ("Pulumi.dev.yaml", "checkout", "x:2") not in editor.asked
    assert world.server.find("GrayRelease", "checkout") == before


def test_an_object_of_the_same_stack_is_changed(world, stacks):
    world.put(of_set("ours"))
    assert in_stack(world, stacks, Stacks(rendered=[of_set("ours")])).code == 0


def test_the_stack_file_is_changed_and_that_service_applied(shop, stacks):
    editor = Stacks()
    result = in_stack(shop, stacks, editor)
    assert (result.code, result.out) == (0, "shop/checkout: x:2 asked for, declared by stack dev\n")
    assert "Pulumi.dev.yaml: checkout now says x:2" in result.err
    rendered = ("Pulumi.dev.yaml", "checkout")
    assert editor.asked == [rendered, (*rendered, "as if", "x:2"), ("Pulumi.dev.yaml", "checkout", "x:2"), rendered]
    first, second = [body for _, path, body in shop.server.writes if path.endswith("/checkout")]
    assert first["metadata"]["annotations"]["grayling.dev/requested-by"] == "ann"
    assert "spec" in second


def test_a_service_that_is_new_to_the_cluster(world, stacks):
    result = in_stack(world, stacks, Stacks(changed=False))
    assert result.code == 0
    assert "said x:2 already" in result.err
    assert world.server.find("GrayRelease", "checkout")["metadata"]["annotations"]["grayling.dev/reason"] == "faster"


def test_a_stack_that_does_not_know_the_service(shop, stacks):
    result = in_stack(shop, stacks, Stacks(rendered=[]))
    assert (result.code, result.err.splitlines()[-1]) == (2, "Error: stack dev renders no GrayRelease checkout")


def test_a_stack_file_with_mistakes_is_not_changed(shop, stacks):
    class Wrong(Stacks):
        def render_service(self, stack_file: Path, service: str, image: str = ""):
            raise UsageError(f"{stack_file.name}:3: {service} {image}: no such key")

    editor = Wrong()
    result = in_stack(shop, stacks, editor)
    assert (result.code, editor.asked) == (2, [])


def test_no_such_stack(shop, tmp_path):
    result = in_stack(shop, tmp_path, Stacks())
    assert result.code == 2
    assert "say where it is with --stack-dir" in result.err


def test_without_the_declaring_half(shop, stacks):
    result = in_stack(shop, stacks, None)
    assert result.code == 2
    assert "the declaring half is not installed here" in result.err


def test_an_image_is_needed(shop):
    assert shop.grayling("start", "checkout").code == 2


async def test_patch_needs_an_object():
    from kube.errors import NotFoundError
    from tests.fakes.apiserver import running

    async with running() as server, server.cluster() as cluster:
        with pytest.raises(NotFoundError):
            await patch(cluster, "shop", Request("nope", "x", None, "", ""))


NOT_BUILT = "spec.strategy.driver: ordinal is not built in this version; write gateway"


def test_what_its_driver_cannot_do_is_not_started(world, stacks):
    ordinal = samples.manifest(status=samples.promoted())
    ordinal["spec"]["strategy"] = {**ordinal["spec"].get("strategy", {}), "driver": "ordinal"}
    world.put(ordinal)
    result = world.grayling("start", "checkout", "--image", "shop/checkout:v3", *BY)
    assert (result.code, result.err) == (2, f"Error: GrayRelease shop/checkout: {NOT_BUILT}\n")
    editor = Stacks(rendered=[ordinal])
    declared = in_stack(world, stacks, editor)
    assert (declared.code, declared.err) == (2, f"Error: GrayRelease shop/checkout: {NOT_BUILT}\n")
    assert ("Pulumi.dev.yaml", "checkout", "x:2") not in editor.asked, "nor is the stack file changed"
    assert world.server.writes == []
    planned = world.grayling("plan", "checkout")
    assert (planned.code, planned.err) == (2, f"Error: GrayRelease shop/checkout: {NOT_BUILT}\n")
