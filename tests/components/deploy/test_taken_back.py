"""What was taken back on evidence and is declared again: `stack apply` and `diff` and the Pulumi program refuse it."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from types import SimpleNamespace

import pulumi
import pytest

from components.deploy import preflight
from components.deploy.preflight import look, looked_at
from components.deploy.session import rendered
from components.deploy.taken_back import NOT_ASKED, refusals
from components.stack.platform import Platform
from components.stack.stackfile import find
from kube.kinds import GRAY_RELEASE
from rollout.api.kept_records import records_of
from rollout.api.revision import revision_of
from rollout.api.spec import Spec
from rollout.api.taken_back import KEY, Memory, config_map_of
from tests.rollout.taken_back import FORGIVEN, entry, kept

TEXT = """config:
  grayling:environment: {tier: dev, namespace: shop, owners: [a]}
  grayling:components: {controller: {image: 'registry.example.com/grayling:1'}}
  grayling:services:
    checkout: {image: 'registry.example.com/checkout:3', env: {LEVEL: info}}
"""


@pytest.fixture
def path(person):
    return person.stack("shop", TEXT)


def bad(path):
    return next(item for item in rendered(find(path)) if item["kind"] == GRAY_RELEASE.kind)


def remember(person, item):
    person.done(lambda: person.server.put(item))


def written(person):
    return [path for how, path, _ in person.server.writes if how != "GET"]


def ways(person, path):
    """Apply, and what diff says of it."""
    return person.apply(path), person.on("diff", path)


def test_apply_refuses_before_its_first_write_and_diff_says_why(person, path):
    remember(person, config_map_of(entry(bad(path))))
    applied, compared = ways(person, path)
    assert (applied.code, compared.code, written(person)) == (6, 1, [])
    told = "GrayRelease shop/checkout: registry.example.com/checkout:3 with this configuration was taken back on "
    assert told in applied.err
    assert f"refused {told}" in compared.out
    assert "grayling release forgive checkout -n shop --release 0a1b-77 --reason …" in applied.err


@pytest.mark.parametrize(
    "other",
    [
        TEXT.replace("checkout:3", "checkout:4"),
        TEXT.replace("info", "debug"),
        TEXT.replace("env:", "config: {a.yaml: 'b'}, env:"),
    ],
)
def test_what_was_corrected_comes_in(person, path, other):
    remember(person, config_map_of(entry(bad(path))))
    person.stack("shop", other)
    assert person.apply(path).code == 0


@pytest.mark.parametrize(
    "other",
    [
        TEXT.replace("namespace: shop", "namespace: staging"),
        TEXT.replace("    checkout:", "    basket:"),
        TEXT.replace("env:", "replicas: 5, env:"),
        TEXT.replace("env:", "drainSeconds: 9, env:"),
        TEXT.replace("checkout:3", f"checkout:other@sha256:{'0' * 64}"),
    ],
)
def test_the_same_under_another_name_or_elsewhere_stays_out(person, path, other):
    known = entry(bad(path))
    digest = {f"registry.example.com/checkout:{tag}": f"sha256:{'0' * 64}" for tag in ("3",)}
    remember(person, config_map_of(known.model_copy(update={"pair": known.pair.with_digests(digest)})))
    person.stack("shop", other)
    applied = person.apply(path)
    assert (applied.code, written(person)) == (6, []), applied.err
    assert "was taken back on" in applied.err


def test_a_person_lets_it_in(person, path):
    remember(person, config_map_of(entry(bad(path), forgiven=FORGIVEN)))
    assert person.apply(path).code == 0


def test_the_version_that_serves_is_nothing_new(person, path):
    assert person.apply(path).code == 0
    live = deepcopy(person.server.find("GrayRelease", "checkout"))
    revision = revision_of("checkout", Spec.model_validate(live["spec"]))
    remember(person, {**live, "status": {"stable": {"revision": revision, "image": "x"}}})
    remember(person, config_map_of(entry(bad(path))))
    assert person.apply(path).code == 0


def test_memory_that_cannot_be_read_is_no_consent(person, path):
    torn = config_map_of(entry(bad(path)))
    remember(person, {**torn, "data": {KEY: "{"}})
    person.stack("shop", TEXT.replace("checkout:3", "checkout:4"))
    applied, compared = ways(person, path)
    assert (applied.code, compared.code, written(person)) == (6, 1, [])
    assert "remembers what was taken back, and cannot be read (taken-back.json: Invalid JSON" in applied.err


def test_memory_that_may_not_be_read_is_no_consent(person, path):
    told = 'configmaps is forbidden: User "ann" cannot list resource "configmaps" in API group'
    person.server.fail("GET", r"/api/v1(/namespaces/shop)?/configmaps$", 403, 10**6, message=told)
    applied = person.apply(path)
    assert (applied.code, written(person)) == (6, [])
    assert "let these credentials list ConfigMaps in shop" in applied.err


def test_a_stack_without_services_asks_nobody(person):
    path = person.stack("shop", TEXT.partition("  grayling:services")[0])
    torn = config_map_of(entry(bad(person.stack("other", TEXT))))
    remember(person, {**torn, "data": {}})
    assert person.apply(path).code == 0


# ---------------------------------------------------------------------- records


def test_the_records_of_a_project_keep_out_what_they_took_back(person, path):
    kept(person.project / ".grayling/records/a.json", bad(path))
    applied = person.apply(path)
    assert (applied.code, written(person)) == (6, [])
    assert "was taken back on" in applied.err


def test_so_does_one_that_is_named(person, path, tmp_path):
    record = kept(tmp_path / "elsewhere/a.json", bad(path))
    assert person.apply(path, "--record", str(record)).code == 6
    assert person.on("diff", path, "--record", str(record)).code == 1
    assert person.apply(path).code == 0


def test_what_the_cluster_says_was_forgiven_is_so_for_the_record_too(person, path):
    kept(person.project / ".grayling/records/a.json", bad(path))
    remember(person, config_map_of(entry(bad(path), forgiven=FORGIVEN)))
    assert person.apply(path).code == 0


def test_a_record_that_cannot_be_read_is_no_consent(person, path):
    folder = person.project / ".grayling/records"
    folder.mkdir(parents=True)
    (folder / "torn.json").write_text("{")
    applied = person.apply(path)
    assert (applied.code, written(person)) == (6, [])
    assert "torn.json: no record that can be read" in applied.err


def test_without_a_cluster_records_speak_for_themselves(person, path):
    kept(person.project / ".grayling/records/a.json", bad(path))
    [told] = refusals(Memory(), records_of(person.project), rendered(find(path)))
    assert told.startswith("GrayRelease shop/checkout: ")


# ---------------------------------------------------------------------- offline, and with Pulumi


@pytest.mark.parametrize("command", ["render", "validate"])
def test_without_a_cluster_it_is_said_once_that_none_was_asked(person, path, command):
    assert person.grayling(command, path).err.count(NOT_ASKED) == 1
    bare = person.stack("bare", TEXT.partition("  grayling:services")[0])
    assert NOT_ASKED not in person.grayling(command, bare).err


def of(path):
    config, _ = find(path).config()
    sections = {key.removeprefix("grayling:"): value for key, value in config.items()}
    return Platform.read(sections, stack="shop", source="stacks/Pulumi.shop.yaml")


def test_the_pulumi_program_refuses_it(person, path):
    remember(person, config_map_of(entry(bad(path))))
    platform = of(path)

    async def reasons():
        async with person.server.cluster() as cluster:
            return (await looked_at(cluster, platform, platform.manifests()))[1]

    [told] = asyncio.run(reasons())
    assert "was taken back on" in told


@pytest.fixture
def preview(monkeypatch, tmp_path):
    """A preview that reaches no cluster; what it warns of."""
    warned = []
    monkeypatch.setattr(preflight, "get_monitor", SimpleNamespace)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "away"))
    (tmp_path / "away").write_text(AWAY)
    return warned


AWAY = """apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: 'http://127.0.0.1:9'}}]
users: [{name: a, user: {}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
current-context: a
"""


def test_a_preview_without_a_cluster_says_that_it_did_not_ask(person, path, preview):
    platform = of(path)
    assert look(platform, platform.manifests(), person.project) == {}
    assert preview[-1] == NOT_ASKED


def test_a_preview_without_a_cluster_still_asks_the_records(person, path, preview):
    kept(person.project / ".grayling/records/a.json", bad(path))
    platform = of(path)
    with pytest.raises(pulumi.RunError, match="was taken back on"):
        look(platform, platform.manifests(), person.project)
    assert preview
