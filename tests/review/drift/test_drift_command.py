"""`grayling review drift`, as a person and a schedule use it, on a cluster that keeps who wrote which field."""

from __future__ import annotations

import json

import pytest

import grayling
from components.deploy.applied import KEY, UnreadableError, packed, record_in, renewed, unpacked
from terminal.exits import Session, run
from tests.components.person import Result

STACK = (
    "config:\n  grayling:environment: {tier: dev, namespace: shop, owners: [a]}\n"
    "  grayling:components:\n    redis: {image: 'registry.example.com/redis:7.0'}\n"
)
PARENT = ("ConfigMap", "grayling-stack-shop")


@pytest.fixture
def shop(person):
    path = person.stack("shop", STACK)
    result = person.apply(path)
    assert result.code == 0, result.err
    return path


def drift(person, stack, *more) -> Result:
    try:
        command = ["review", "drift", stack, "--kubeconfig", person.kubeconfig, *more]
        code = run(grayling.cli, command, prog_name="grayling", session=Session())
    except SystemExit as end:
        code = end.code or 0
    said = person.capsys.readouterr()
    return Result(int(code), said.out, said.err)


def edit(person, kind, name, change):
    """What somebody does by hand."""

    def work():
        live = person.server.find(kind, name)
        change(live)
        person.server.put(live)

    person.done(work)


def test_right_after_an_apply_nothing_is_drift(person, shop):
    result = drift(person, shop, "--detailed-exitcode")
    assert (result.code, result.out.splitlines()[-1]) == (0, "all as applied"), result


def test_a_hand_edit_is_told_with_where_and_how_to_put_it_back(person, shop):
    edit(person, "StatefulSet", "redis", lambda live: live["spec"].update(replicas=7))
    result = drift(person, shop, "--detailed-exitcode")
    assert result.code == 3
    assert "StatefulSet shop/redis: changed" in result.out
    assert "spec.replicas: 7 instead of 1" in result.out
    assert "grayling stack apply shop --force-conflicts" in result.out
    assert drift(person, shop).code == 0, "without --detailed-exitcode drift is no failure"


def test_it_is_held_against_what_was_applied_and_not_against_the_file(person, shop):
    person.stack("shop", STACK.replace("redis:7.0", "redis:7.2"))
    assert drift(person, shop, "--detailed-exitcode").code == 0


def test_what_is_gone_is_drift(person, shop):
    live = person.server.find("Service", "redis")
    person.done(
        lambda: person.server.remove(person.server.key("/api/v1", "services", "shop", live["metadata"]["name"]))
    )
    data = json.loads(drift(person, shop, "-o", "json").out)
    assert [(each["object"], each["is"]) for each in data["objects"]] == [("Service shop/redis", "gone")]
    assert data["schema"] == "grayling.drift/1"


def test_nothing_is_written(person, shop):
    edit(person, "StatefulSet", "redis", lambda live: live["spec"].update(replicas=7))
    before = json.dumps(sorted(person.server.objects.items()), default=str)
    drift(person, shop)
    assert json.dumps(sorted(person.server.objects.items()), default=str) == before


def test_a_record_that_cannot_be_read_is_an_error_with_a_fix(person, shop):
    edit(person, *PARENT, lambda live: live.update(binaryData={KEY: "bm9uc2Vuc2U="}))
    result = drift(person, shop)
    assert result.code == 1
    assert "apply the stack once" in result.err


def test_without_a_record_it_says_what_it_was_held_against(person, shop):
    edit(person, *PARENT, lambda live: live.pop("binaryData"))
    result = drift(person, shop)
    assert "held against the stack file as it stands here" in result.out


def test_a_cluster_that_is_away_is_no_clean_bill(person, shop):
    person.server.fail("GET", "/api/v1", 503, times=50)
    result = drift(person, shop, "--detailed-exitcode")
    assert result.code not in {0, 3}


def test_an_apply_of_a_part_keeps_the_rest_of_the_record(person, shop):
    before = unpacked(record_in(person.server.find(*PARENT)))
    person.stack("shop", STACK.replace("redis:7.0", "redis:7.2"))
    assert person.apply(shop, "--only", "StatefulSet/redis").code == 0
    after = unpacked(record_in(person.server.find(*PARENT)))
    assert before.keys() == after.keys()
    assert [key[1] for key in before if before[key] != after[key]] == ["StatefulSet"]


def test_the_record_holds_no_secret():
    item = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a", "namespace": "b"},
        "data": {"token": "aHVudGVyMjI="},
        "stringData": {"plain": "hunter22"},
    }
    (kept,) = unpacked(packed([item])).values()
    assert kept["data"] == {"token": ""}
    assert kept["stringData"] == {"plain": ""}


@pytest.mark.parametrize("record", ["", "####", "aGVsbG8=", packed([])[:-8]])
def test_a_record_that_was_cut_or_edited_is_refused(record):
    with pytest.raises(UnreadableError, match="cannot be read"):
        unpacked(record)


def test_a_part_is_not_recorded_as_if_it_were_the_whole():
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b"}}
    assert renewed("", [item], whole=False) == ""
    assert unpacked(renewed("", [item], whole=True)).keys() == {("v1", "ConfigMap", "b", "a")}
    assert renewed("nonsense", [item], whole=False) == ""


def test_drift_is_told_in_the_forms_of_a_report(person, shop, tmp_path):
    edit(person, "StatefulSet", "redis", lambda live: live["spec"].update(replicas=7))
    wanted = {form: tmp_path / form for form in ("markdown", "html", "sarif", "junit")}
    flags = [part for form, path in wanted.items() for part in ("-o", f"{form}={path}")]
    result = drift(person, shop, "-o", "json", "--detailed-exitcode", *flags)
    assert result.code == 3, result.err
    assert json.loads(result.out)["schema"] == "grayling.drift/1"
    markdown = wanted["markdown"].read_text()
    assert "spec.replicas" in markdown
    assert "No digest: a look at drift tries nothing on the cluster" in markdown
    assert "gives the digest of exactly that" in markdown
    assert wanted["html"].read_text().startswith("<!DOCTYPE html>")
    assert "StatefulSet shop/redis" in wanted["html"].read_text()
    assert json.loads(wanted["sarif"].read_text())["version"] == "2.1.0"
    assert "redis" in wanted["junit"].read_text()


def test_a_report_without_drift_says_that_there_is_nothing_to_approve(person, shop):
    result = drift(person, shop, "-o", "markdown")
    assert result.code == 0, result.err
    assert "everything is as applied: there is nothing to approve" in result.out
