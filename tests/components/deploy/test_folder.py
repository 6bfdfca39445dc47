"""A render as files: one an object, read back complete, and nobody else's file is ever touched."""

from __future__ import annotations

import json

import pytest
import yaml

from components.deploy.folder import LIST, write_folder
from kube.errors import UsageError


def item(kind, name, namespace="shop", **more):
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **place}, **more}


OBJECTS = [
    item("Namespace", "shop", None),
    item("ConfigMap", "a"),
    item("ConfigMap", "a", "other"),
    item("Service", "a.b"),
]


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_one_file_an_object_that_reads_back_complete(tmp_path):
    written = write_folder(OBJECTS, tmp_path, "shop")
    assert len(set(written)) == len(OBJECTS)
    assert [yaml.safe_load(path.read_text()) for path in written] == OBJECTS


def test_files_of_objects_that_are_gone_go(tmp_path):
    write_folder(OBJECTS, tmp_path, "shop")
    write_folder(OBJECTS[:2], tmp_path, "shop")
    assert files(tmp_path) == {LIST, "20-instances/_cluster/namespace-shop.yaml", "20-instances/shop/configmap-a.yaml"}


def test_files_of_others_stay(tmp_path):
    mine = [tmp_path / "20-instances" / "shop" / "patch.yaml", tmp_path / "kustomization.yaml"]
    write_folder(OBJECTS, tmp_path, "shop")
    for path in mine:
        path.write_text("mine")
    write_folder([], tmp_path, "shop")
    assert files(tmp_path) == {LIST, *(str(path.relative_to(tmp_path)) for path in mine)}


def test_a_file_of_somebody_else_is_not_overwritten(tmp_path):
    theirs = tmp_path / "20-instances" / "shop" / "configmap-a.yaml"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    with pytest.raises(UsageError, match=r"configmap-a\.yaml: is there already and no render wrote it"):
        write_folder(OBJECTS, tmp_path, "shop")
    assert files(tmp_path) == {"20-instances/shop/configmap-a.yaml"}
    assert theirs.read_text() == "theirs"


def test_one_folder_a_stack(tmp_path):
    write_folder(OBJECTS, tmp_path, "shop")
    with pytest.raises(UsageError, match="holds the render of stack shop: give stack dev a folder of its own"):
        write_folder([], tmp_path, "dev")


@pytest.mark.parametrize("bad", ["../x.yaml", "/etc/x.yaml", "x.txt", 3])
def test_a_list_that_names_other_files_is_not_followed(tmp_path, bad):
    (tmp_path / LIST).write_text(json.dumps({"stack": "shop", "files": [bad]}))
    with pytest.raises(UsageError, match="names files that no render writes"):
        write_folder([], tmp_path, "shop")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"stack": "shop"}', "\x00"])
def test_a_list_that_is_none(tmp_path, text):
    (tmp_path / LIST).write_text(text)
    with pytest.raises(UsageError, match="mend the list"):
        write_folder(OBJECTS, tmp_path, "shop")


def test_no_link_leads_out(tmp_path):
    folder, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "20-instances").symlink_to(elsewhere)
    with pytest.raises(UsageError, match="leads out of"):
        write_folder(OBJECTS, folder, "shop")
    assert files(elsewhere) == set()


def test_killed_half_way_the_next_one_finishes(tmp_path, monkeypatch):
    write_folder(OBJECTS, tmp_path, "shop")
    later = [item("ConfigMap", "new"), item("ConfigMap", "newer")]
    from components.deploy import folder

    real, done = folder._write, []

    def dies(path, text, mode):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(path)
        real(path, text, mode)

    monkeypatch.setattr(folder, "_write", dies)
    with pytest.raises(KeyboardInterrupt):
        write_folder(later, tmp_path, "shop")
    monkeypatch.undo()
    write_folder(later, tmp_path, "shop")
    assert files(tmp_path) == {LIST, "20-instances/shop/configmap-new.yaml", "20-instances/shop/configmap-newer.yaml"}


def test_secrets_are_for_their_owner_alone(tmp_path):
    sealed = item("Secret", "token", data={"a": "Yg=="})
    [path] = write_folder([sealed], tmp_path, "shop")
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    [path] = write_folder([sealed], tmp_path, "shop")
    assert path.stat().st_mode & 0o777 == 0o600
