"""Our own previews: two renders, a render at a commit, a dry run against a cluster, and the probe beside Pulumi's."""

from __future__ import annotations

import asyncio
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from components.deploy.session import inventory_of, served
from components.deploy.survey import take_survey
from components.stack.stackfile import find
from kube.cluster import Cluster
from kube.errors import ClusterUnreachableError, UsageError
from review.model.change import Change, ChangeSet, ObjectRef, Op
from review.reading.at_commit import commit_of, render_at
from review.reading.doubts import NOT_PROBED
from review.reading.probe import Probe, beside, probe, read_probe
from review.reading.render import between, read_live
from review.reading.source import Document
from review.reading.standing import ABSENT

STACK = (
    "config:\n  grayling:environment: {tier: dev, namespace: shop, owners: [a]}\n"
    "  grayling:components:\n    redis: {image: 'registry.example.com/redis:7.0'}\n"
)


def manifest(name, kind="ConfigMap", **rest):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}, **rest}


def test_two_renders():
    kept = manifest("k")
    kept["metadata"]["annotations"] = {"grayling.dev/on-destroy": "keep"}
    made = between(
        [manifest("a", data={"x": "1"}), manifest("b"), kept, manifest("s")],
        [manifest("a", data={"x": "2"}), manifest("c"), manifest("s")],
        stack="shop",
    )
    assert [(change.ops[0].value, change.ref.name) for change in made.changes] == [
        ("delete", "b"),
        ("retain", "k"),
        ("update", "a"),
        ("create", "c"),
    ]
    assert made.unchanged == 1
    assert [doubt.id for doubt in made.doubts] == ["not-asked"]


def test_a_secret_that_changes_is_told_without_its_value():
    made = between(
        [manifest("s", "Secret", data={"k": "aHVudGVyMjI="})],
        [manifest("s", "Secret", data={"k": "b3RoZXItb25l"})],
        stack="s",
    )
    (change,) = made.changes
    assert [edit.text for edit in change.edits] == ["data.k"]
    assert "aHVudGVyMjI=" not in repr(made)
    assert "b3RoZXItb25l" not in repr(made)


def live(person, path, server=None):
    async def work():
        file = find(path).as_it_is()
        async with await Cluster.open(kubeconfig=person.kubeconfig) as cluster:
            survey = await take_survey(cluster, inventory_of(file), served(file))
            return await read_live(cluster, survey, stack=file.stack, name="test")

    return asyncio.run(work())


def test_a_new_stack_is_all_new_and_the_same_again_is_nothing(person):
    path = person.stack("shop", STACK)
    first = live(person, path)
    assert {change.ops for change in first.changes} == {(Op.CREATE,)}
    assert set(first.live.values()) == {ABSENT}
    assert person.apply(path).code == 0
    again = live(person, path)
    assert again.changes == ()
    assert again.unchanged == len(first.changes)


def test_a_change_is_told_field_by_field_with_where_the_object_stands(person):
    path = person.stack("shop", STACK)
    assert person.apply(path).code == 0
    person.stack("shop", STACK.replace("redis:7.0", "redis:7.2"))
    made = live(person, path)
    told = {edit.text: (edit.before, edit.after) for change in made.changes for edit in change.edits}
    assert "registry.example.com/redis:7.2" in {str(after) for _, after in told.values()} | {
        str(item.get("image")) for _, after in told.values() if isinstance(after, list) for item in after
    }
    assert all("@" in standing for standing in made.live.values())


def test_a_field_that_somebody_else_wrote_is_told_with_the_writer(person):
    path = person.stack("shop", STACK)
    assert person.apply(path).code == 0

    async def by_hand():
        async with await Cluster.open(kubeconfig=person.kubeconfig) as cluster:
            kind = await cluster.resolve({"apiVersion": "apps/v1", "kind": "StatefulSet"})
            await cluster.merge_patch(kind, "redis", "shop", {"spec": {"replicas": 7}}, manager="kubectl-edit")

    asyncio.run(by_hand())
    (change,) = live(person, path).changes
    assert change.others == {"spec.replicas": "kubectl-edit"}
    assert "kubectl-edit" in change.problem


@pytest.fixture
def repository(project):
    def git(*arguments):
        done = subprocess.run(
            ["git", "-C", str(project), "-c", "user.email=a@example.com", "-c", "user.name=a", *arguments],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    git("init", "-q", "-b", "main")
    (project / "stacks" / "Pulumi.shop.yaml").write_text(STACK)
    git("add", "-A")
    git("commit", "-qm", "first")
    return project, git


def test_a_stack_as_another_commit_declares_it(repository):
    project, git = repository
    file = project / "stacks" / "Pulumi.shop.yaml"
    file.write_text(STACK.replace("redis:7.0", "redis:7.2"))
    before = render_at("HEAD", project=project, stack_file=file)
    made = between(before, served(find(str(file))), stack="shop")
    images = [edit for change in made.changes for edit in change.edits if edit.text.endswith(".image")]
    assert {(edit.before.rpartition(":")[2], edit.after.rpartition(":")[2]) for edit in images} == {("7.0", "7.2")}
    assert commit_of("HEAD", project) == git("rev-parse", "HEAD")


def test_a_stack_that_was_not_there_yet_has_no_objects(repository):
    project, _ = repository
    assert render_at("HEAD", project=project, stack_file=project / "stacks" / "Pulumi.new.yaml") == []


def test_no_attribute_and_no_link_of_a_commit_leaves_anything_out(repository, monkeypatch, tmp_path_factory):
    project, git = repository
    file = project / "stacks" / "Pulumi.shop.yaml"
    (project / ".gitattributes").write_text("stacks export-ignore\n")
    (project / "outer").symlink_to(tmp_path_factory.mktemp("outer"))
    git("add", "-A")
    git("commit", "-qm", "second")
    monkeypatch.setenv("GIT_INDEX_FILE", str(project / "nothing"))
    assert {each["kind"] for each in render_at("HEAD", project=project, stack_file=file)} >= {
        "Namespace",
        "StatefulSet",
    }


@pytest.mark.parametrize("commit", ["no-such-branch", "--upload-pack=x", ""])
def test_a_commit_that_is_not_there_is_named(repository, commit):
    project, _ = repository
    with pytest.raises(UsageError, match="--base"):
        render_at(commit, project=project, stack_file=project / "stacks" / "Pulumi.shop.yaml")


def test_without_a_repository_it_is_said(project):
    with pytest.raises(UsageError, match="not a git repository"):
        commit_of("HEAD", project)


REF = ObjectRef("v1", "ConfigMap", "shop", "a")
DOCUMENT = Document("preview.json", {"steps": []}, lines=False, sha256="f" * 64)


def previewed(ops=(Op.UPDATE,), stood="u1@3"):
    return ChangeSet("pulumi-preview", changes=(Change(REF, ops, stood=stood),), doubts=(NOT_PROBED,))


def looked(standing):
    return Probe(
        preview=DOCUMENT.sha256, cluster="context test", made="2026-01-01T00:00:00Z", objects={str(REF): standing}
    )


@pytest.mark.parametrize(
    ("changes", "standing", "expected"),
    [
        (previewed(), "u1@3", []),
        (previewed(), "u1@4", ["stale-state"]),
        (previewed(), "u2@3", ["another-cluster"]),
        (previewed(), ABSENT, ["another-cluster"]),
        (previewed((Op.CREATE,), ""), ABSENT, ["nothing-to-hold"]),
        (previewed((Op.CREATE,), ""), "u1@1", ["exists", "nothing-to-hold"]),
        (ChangeSet("pulumi-preview", doubts=(NOT_PROBED,)), ABSENT, ["nothing-to-hold"]),
    ],
)
def test_a_probe_proves_a_preview_or_contradicts_it(changes, standing, expected):
    made = beside(changes, looked(standing))
    assert [doubt.id for doubt in made.doubts] == expected
    assert made.cluster == "context test"


def test_an_object_that_the_probe_did_not_see_is_a_doubt():
    made = beside(previewed(), replace_objects(looked("u1@3")))
    assert [doubt.id for doubt in made.doubts if doubt.fatal] == ["not-probed-object"]


def replace_objects(made):
    return made.model_copy(update={"objects": {}})


def test_a_probe_of_another_preview_is_refused():
    text = looked("u1@3").model_dump_json(by_alias=True)
    assert read_probe(text, "probe.json", DOCUMENT).objects == {str(REF): "u1@3"}
    with pytest.raises(UsageError, match=r"probe.json: preview: is of another file"):
        read_probe(text, "probe.json", replace(DOCUMENT, sha256="0" * 64))
    for broken in ("{}", "[]", "nonsense", json.dumps({**json.loads(text), "schema": "grayling.probe/9"})):
        with pytest.raises(UsageError, match=r"probe.json: .*grayling review probe"):
            read_probe(broken, "probe.json", DOCUMENT)


def test_a_probe_looks_at_the_cluster_and_says_when_it_cannot(person):
    path = person.stack("shop", STACK)
    assert person.apply(path).code == 0
    changes = ChangeSet(
        "pulumi-preview",
        changes=(
            Change(ObjectRef("apps/v1", "StatefulSet", "shop", "redis"), (Op.UPDATE,)),
            Change(ObjectRef("apps/v1", "StatefulSet", "shop", "nobody"), (Op.CREATE,)),
            Change(ObjectRef("no.such/v1", "Thing", "shop", "x"), (Op.CREATE,)),
            Change(ObjectRef("", "grayling:middleware:Redis", "", "redis"), (Op.CREATE,)),
        ),
    )

    async def work():
        async with await Cluster.open(kubeconfig=person.kubeconfig) as cluster:
            return await probe(cluster, changes, DOCUMENT, "test")

    objects = asyncio.run(work()).objects
    assert "@" in objects.pop("StatefulSet shop/redis")
    assert objects == {"StatefulSet shop/nobody": ABSENT, "Thing shop/x": ABSENT}
    Path(person.kubeconfig).write_text(Path(person.kubeconfig).read_text().replace(str(person.server.port), "1"))
    with pytest.raises(ClusterUnreachableError):
        asyncio.run(work())
