"""What a version is to those it serves: the same whatever it is called and wherever it runs."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.api.pair import Own, Pair, Part, canonical, digest_in, pair_of
from rollout.api.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Callable

OWN = Own("checkout", "shop")
A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,7}", fullmatch=True)
TEXTS = st.text(max_size=12)


def spec(change: Callable[[dict[str, Any]], Any] = lambda _: None) -> dict[str, Any]:
    main = {
        "name": "main",
        "image": "shop/checkout:v3",
        "args": ["serve"],
        "env": [
            {"name": "REDIS", "valueFrom": {"secretKeyRef": {"name": "redis-checkout-auth", "key": "url"}}},
            {"name": "BILLING", "value": "http://billing.shop.svc:80"},
        ],
        "volumeMounts": [{"name": "tls", "mountPath": "/tls"}, {"name": "tmp", "mountPath": "/scratch"}],
    }
    volumes = [{"name": "tls", "secret": {"secretName": "checkout-tls"}}, {"name": "tmp", "emptyDir": {}}]
    made: dict[str, Any] = {
        "workload": {
            "replicas": 2,
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [main], "volumes": volumes}},
            "config": {"app.yaml": "a: 1\n"},
        }
    }
    change(made)
    return made


def pair(change: Callable[[dict[str, Any]], Any] = lambda _: None, own: Own = OWN) -> Pair:
    return pair_of(Spec.model_validate(spec(change)), own)


@pytest.mark.parametrize("cut", range(1, 4))
def test_where_a_command_line_is_cut_makes_no_difference(cut: int) -> None:
    words = ["app", "serve", "--fast"]

    def line(command: list[str], args: list[str]) -> Pair:
        return pair(lambda it: main_of(it).update(command=command, args=args))

    assert line(words[:cut], words[cut:]).is_same(line(words, []))
    assert line(words[:cut], words[cut:]).key == line(words, []).key
    assert not line([], words).is_same(line(words, []))  # after what the image starts with
    assert not line(words[:cut], [*words[cut:], "-v"]).is_same(line(words, []))


def main_of(made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = made["workload"]["template"]["spec"]["containers"][0]
    return found


SAME: dict[str, Callable[[dict[str, Any]], Any]] = {
    "label": lambda it: it["workload"]["template"]["metadata"]["labels"].update(c="d"),
    "annotation": lambda it: it["workload"]["template"]["metadata"].update(annotations={"x": "y"}),
    "replicas": lambda it: it["workload"].update(replicas=7),
    "container's name": lambda it: main_of(it).update(name="app"),
    "resources": lambda it: main_of(it).update(resources={"limits": {"memory": "1Gi"}}),
    "probe": lambda it: main_of(it).update(readinessProbe={"httpGet": {"path": "/", "port": 1}}),
    "order of the environment": lambda it: main_of(it)["env"].reverse(),
    "order of mounts": lambda it: main_of(it)["volumeMounts"].reverse(),
    "scratch": lambda it: main_of(it)["volumeMounts"].append({"name": "tmp", "mountPath": "/var"}),
    "a null": lambda it: main_of(it).update(command=None),
    "the registry that is meant anyway": lambda it: main_of(it).update(image="docker.io/shop/checkout:v3"),
    "where it runs": lambda it: it["workload"]["template"]["spec"].update(nodeSelector={"a": "b"}),
    "how it comes in": lambda it: it.update(strategy={"bake": "1s"}),
    "what it is judged by": lambda it: it.update(analysis={"falseRollbackRate": 0.1}),
    "port": lambda it: it["workload"].update(ports=[{"name": "http", "port": 80}]),
}
OTHER: dict[str, Callable[[dict[str, Any]], Any]] = {
    "image": lambda it: main_of(it).update(image="shop/checkout:v4"),
    "file": lambda it: it["workload"]["config"].update({"app.yaml": "a: 2\n"}),
    "another file": lambda it: it["workload"]["config"].update({"b": ""}),
    "place of the files": lambda it: it["workload"].update(configMountPath="/etc/other"),
    "argument": lambda it: main_of(it).update(args=["serve", "-v"]),
    "command": lambda it: main_of(it).update(command=["x"]),
    "variable": lambda it: main_of(it)["env"].append({"name": "X", "value": "1"}),
    "value": lambda it: main_of(it)["env"][1].update(value="http://other.shop.svc:80"),
    "reference": lambda it: main_of(it)["env"][0]["valueFrom"]["secretKeyRef"].update(key="other"),
    "mounted secret": lambda it: it["workload"]["template"]["spec"]["volumes"][0].update(secret={"secretName": "x"}),
    "what a secret holds": lambda it: it["workload"]["template"]["metadata"].update(
        annotations={"grayling.dev/secrets": "0a"}
    ),
    "folder": lambda it: main_of(it).update(workingDir="/srv"),
    "sidecar": lambda it: it["workload"]["template"]["spec"]["containers"].append({"name": "s", "image": "s:1"}),
    "init": lambda it: it["workload"]["template"]["spec"].update(initContainers=[{"name": "i", "image": "i:1"}]),
}


@pytest.mark.parametrize("what", SAME)
def test_the_same(what: str) -> None:
    changed = pair(SAME[what])
    assert (changed.key, changed.configuration) == (pair().key, pair().configuration)
    assert changed.is_same(pair())


@pytest.mark.parametrize("what", OTHER)
def test_another(what: str) -> None:
    changed = pair(OTHER[what])
    assert changed.key != pair().key
    assert not changed.is_same(pair())
    assert not pair().is_same(changed)


def test_elsewhere_under_another_name() -> None:
    def moved(it: dict[str, Any]) -> None:
        main_of(it)["env"][0]["valueFrom"]["secretKeyRef"]["name"] = "redis-basket-auth"
        main_of(it)["env"][1]["value"] = "http://billing.staging.svc:80"
        it["workload"]["template"]["spec"]["volumes"][0]["secret"]["secretName"] = "basket-tls"

    assert pair(moved, Own("basket", "staging")).is_same(pair())
    assert not pair(moved).is_same(pair())
    assert pair(own=Own("copy", "staging")).is_same(pair()), "the very same, whatever it is called"


def test_only_what_bears_its_own_name_is_the_same_elsewhere() -> None:
    def other(it: dict[str, Any]) -> None:
        main_of(it)["env"][1]["value"] = "http://billing.other.svc:80"

    assert not pair(other).is_same(pair())


@given(st.dictionaries(NAMES, TEXTS, max_size=4), st.dictionaries(NAMES, TEXTS, max_size=4), st.randoms())
def test_the_key_is_of_what_is_said_and_not_of_the_order(env: dict[str, str], files: dict[str, str], dice: Any) -> None:
    def written(names: list[str]) -> Pair:
        def change(it: dict[str, Any]) -> None:
            main_of(it)["env"] = [{"name": each, "value": env[each]} for each in names]
            it["workload"]["config"] = {each: files[each] for each in sorted(files, reverse=len(names) % 2 == 0)}

        return pair(change)

    names = sorted(env)
    shuffled = list(names)
    dice.shuffle(shuffled)
    assert written(names).key == written(shuffled).key
    if names:
        assert written(names).key != written(names[1:]).key


@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=5), st.randoms())
def test_containers_in_another_order_are_the_same(containers: list[tuple[str, str]], dice: Any) -> None:
    parts = [Part(image=image, settings=settings) for image, settings in containers]
    mixed = deepcopy(parts)
    dice.shuffle(mixed)
    one, other = Pair(files="f", containers=parts), Pair(files="f", containers=mixed)
    assert one.key == other.key
    assert one.is_same(other)
    assert not one.is_same(Pair(files="f", containers=parts[1:]))


@pytest.mark.parametrize(
    ("one", "its", "other", "others", "same"),
    [
        ("a:1", A, "a:2", A, True),
        ("a:1", A, "b/a:1", A, True),
        ("a:1", A, "a:1", B, False),
        ("a:1", A, "a:1", "", True),
        ("a:1", "", "a:2", "", False),
        ("a:1", A, "a:2", "", False),
        (f"a:1@{A}", "", f"x@{A}", "", True),
        (f"a:1@{A}", "", f"a:1@{B}", "", False),
        ("a:1", f"id:{A}", f"a:1@{B}", "", True),
        ("a:1", f"id:{A}", "a:2", f"id:{A}", True),
        ("a:1", f"id:{A}", f"a:2@{A}", "", False),
    ],
)
def test_images_are_told_apart_by_digests_where_both_are_known(
    one: str,
    its: str,
    other: str,
    others: str,
    same: bool,  # noqa: FBT001 - a case
) -> None:
    mine, theirs = Part(image=one, digest=its, settings="s"), Part(image=other, digest=others, settings="s")
    assert (mine.is_same_image(theirs), theirs.is_same_image(mine)) == (same, same)


def test_what_a_reference_names_counts_more_than_what_ran() -> None:
    known = pair(lambda it: main_of(it).update(image=f"shop/checkout@{A}")).with_digests({f"shop/checkout@{A}": B})
    assert known.containers[0].pinned == A


@pytest.mark.parametrize(
    ("image", "whole"),
    [
        ("redis", "docker.io/library/redis:latest"),
        ("docker.io/redis:7", "docker.io/library/redis:7"),
        ("index.docker.io/team/app:1", "docker.io/team/app:1"),
        ("localhost:5000/app:1", "localhost:5000/app:1"),
        ("registry.example/app", "registry.example/app:latest"),
        (f"team/app@{A}", f"docker.io/team/app@{A}"),
    ],
)
def test_references_are_held_against_each_other_whole(image: str, whole: str) -> None:
    assert canonical(image) == whole


@pytest.mark.parametrize(
    ("said", "digest"),
    [(f"r.example/a@{A}", A), (f"docker-pullable://a@{A}", A), (A, f"id:{A}"), ("", ""), ("unknown", "")],
)
def test_what_a_pod_says_of_its_image(said: str, digest: str) -> None:
    assert digest_in(said) == digest
