from pathlib import Path

from sandbox import cgroups


def version_one(tmp_path: Path) -> Path:
    for controller in ("cpu", "cpuset", "memory"):
        (tmp_path / controller).mkdir()
        (tmp_path / controller / "cgroup.procs").touch()
    (tmp_path / "cpuset" / "cpuset.cpus").write_text("0-1\n")
    return tmp_path


def test_a_group_is_made_in_every_tree_and_removed_with_its_children(tmp_path: Path) -> None:
    mount = version_one(tmp_path)
    cgroups.create("grayling-x", mount)
    assert all((mount / name / "grayling-x").is_dir() for name in ("cpu", "cpuset", "memory"))
    (mount / "cpu" / "grayling-x" / "kubepods" / "pod").mkdir(parents=True)
    assert cgroups.remove("grayling-x", mount) == []
    assert not (mount / "cpu" / "grayling-x").exists()


def test_an_empty_processor_set_is_filled_from_its_parent(tmp_path: Path) -> None:
    mount = version_one(tmp_path)
    group = mount / "cpuset" / "grayling-x"
    group.mkdir()
    (group / "cpuset.cpus").write_text("\n")
    cgroups.create("grayling-x", mount)
    assert (group / "cpuset.cpus").read_text() == "0-1\n"


def test_a_version_two_tree_delegates_what_the_machine_offers(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "grayling-x"):
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.controllers").write_text("cpu memory io\n")
        (folder / "cgroup.subtree_control").touch()
    cgroups.create("grayling-x", tmp_path)
    assert cgroups.trees(tmp_path) == [tmp_path]
    assert (tmp_path / "cgroup.subtree_control").read_text() in {"+cpu", "+memory"}
