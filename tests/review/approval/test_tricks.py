"""Ways around an approval by git, by files that nobody tracks, and by folders that cannot be read."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from kube.errors import UsageError
from review.approval.repository import Repository
from review.approval.store import Store
from review.approval.volatile import volatile_of
from review.model.change import Change, Edit, ObjectRef, Op
from tests.review.approval.team import ANN
from tests.review.approval.test_statement import key_of, letter_of


def around(team) -> Repository:
    found = Repository.around(team.project)
    assert found is not None
    return found


@pytest.fixture
def elsewhere(team, tmp_path_factory):
    """Another repository, with nothing in it."""
    other = tmp_path_factory.mktemp("other")
    team.git("init", "-q", str(other))
    return other


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY"])
def test_variables_of_a_hook_do_not_lead_to_another_repository(team, elsewhere, monkeypatch, name):
    team.change()
    there = around(team)
    before = (there.commit(), there.files(), there.uncommitted())
    lead = {"GIT_DIR": ".git", "GIT_INDEX_FILE": ".git/index", "GIT_OBJECT_DIRECTORY": ".git/objects"}
    monkeypatch.setenv(name, str(elsewhere / lead.get(name, "")))
    now = around(team)
    assert (now.commit(), now.files(), now.uncommitted()) == before
    assert now.root == there.root


def test_a_graft_hides_no_author(team):
    start = team.git("rev-parse", "HEAD")
    first, last = team.change(who=ANN), team.commit("more")
    team.write("more.py", "")
    last = team.commit("more")
    assert {each.sha for each in around(team).authors(start, last)} == {first, last}
    (team.project / ".git" / "info").mkdir(exist_ok=True)
    (team.project / ".git" / "info" / "grafts").write_text(f"{last} {start}\n")
    assert {each.sha for each in around(team).authors(start, last)} == {first, last}


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_a_file_that_git_shall_not_look_at_is_looked_at(team, mark):
    team.write("more.py", "")
    team.commit()
    team.git("update-index", mark, "more.py")
    team.write("more.py", "import os")
    assert around(team).uncommitted() == ["more.py"]
    assert "not committed: more.py" in team.review("verify", live=False).err + team.review("verify", live=False).out


def hide(team, by: str) -> None:
    if by == "own file":
        team.write("yaml/.gitignore", "*\n")
    elif by == "info":
        (team.project / ".git" / "info").mkdir(exist_ok=True)
        (team.project / ".git" / "info" / "exclude").write_text("yaml\n")
    else:
        team.write("ignores", "yaml\n")
        team.git("config", "core.excludesFile", str(team.project / "ignores"))


@pytest.mark.parametrize("by", ["own file", "info", "settings"])
def test_what_a_person_hides_from_git_and_python_finds_is_seen(team, by):
    team.write("yaml/__init__.py", "")
    hide(team, by)
    assert around(team).uncommitted() == ["yaml/__init__.py"]
    assert "yaml/__init__.py" in around(team).files()


def test_what_the_project_ignores_and_environments_are_left_alone(team):
    team.write(".gitignore", "build/\nkubeconfig*\nkeys/\n!build/kept.py\n")
    team.commit()
    team.write("build/a.py", "")
    team.write("env/pyvenv.cfg", "")
    team.write("env/lib/a.py", "")
    assert around(team).uncommitted() == []


def test_a_link_out_of_the_project_is_bound_with_what_it_leads_to(team, elsewhere):
    outer = elsewhere / "outer.py"
    outer.write_text("a = 1")
    (team.project / "inner.py").symlink_to(outer)
    team.commit()
    before = around(team).files()["inner.py"]
    outer.write_text("a = 2")
    assert around(team).files()["inner.py"] != before


def test_a_folder_outside_the_project_is_refused(team, elsewhere):
    (team.project / "inner").symlink_to(elsewhere)
    team.commit()
    with pytest.raises(UsageError, match="inner: is a link to a folder outside the project"):
        around(team).files()


def test_a_submodule_that_is_told_to_be_ignored_is_not(team, elsewhere, monkeypatch):
    for name, value in (("COUNT", "1"), ("KEY_0", "protocol.file.allow"), ("VALUE_0", "always")):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    (elsewhere / "a.py").write_text("")
    team.git("-C", str(elsewhere), "add", "-A")
    team.git("-C", str(elsewhere), "commit", "-qm", "a")
    team.git("submodule", "add", "-q", str(elsewhere), "inner")
    team.git("config", "-f", ".gitmodules", "submodule.inner.ignore", "all")
    team.commit()
    team.write("inner/a.py", "import os")
    assert around(team).uncommitted() == ["inner"]


def test_approvals_that_cannot_be_listed_may_hold_a_revocation(tmp_path):
    store = Store(tmp_path, "s")
    assert list(store.letters()) == []
    store.folder.parent.mkdir(parents=True)
    store.folder.symlink_to("s")
    with pytest.raises(UsageError, match=r"\.grayling/approvals/s: .*: a revocation may be in it"):
        list(store.letters())
    store.folder.unlink()
    store.folder.write_text("")
    with pytest.raises(UsageError, match=r"\.grayling/approvals/s: Not a directory"):
        list(store.letters())
    store.folder.unlink()
    store.folder.mkdir()
    (store.folder / ("0" * 64)).symlink_to("nowhere")
    with pytest.raises(UsageError, match=r"\.grayling/approvals/s/0+: No such file"):
        list(store.letters())


def test_a_file_whose_name_is_no_text_is_named_all_the_same(tmp_path):
    letter = letter_of(key_of(tmp_path, "ann"), ANN, created=datetime.now(UTC) - timedelta(minutes=1))
    path = Store(tmp_path, "s").add(letter)
    path.rename(os.fsdecode(os.fsencode(path.parent) + b"/\xff.json"))
    ((name, found),) = Store(tmp_path, "s").letters()
    assert found == letter
    assert json.dumps(name)
    name.encode()


def test_a_name_that_nobody_can_sign_is_refused(team):
    (team.project / os.fsdecode(b"\xff.py")).write_text("")
    for call in (around(team).files, around(team).uncommitted):
        with pytest.raises(UsageError, match=r"^\\xff\.py: its name is no UTF-8"):
            call()


@pytest.mark.parametrize(
    "more", [{"problem": "owned by kubectl"}, {"others": {"spec": "kubectl"}}, {"forced_by": ("spec.selector",)}]
)
def test_a_filled_in_image_hides_nothing_else_of_its_change(more):
    config = {"grayling:services": {"checkout": {"image": "team/app:2"}}}
    path = ("spec", "containers", "[a]", "image")
    change = Change(
        ObjectRef("v1", "Pod", "shop", "a"),
        (Op.UPDATE,),
        edits=(Edit(path, "team/app:1", "team/app:2"),),
        component="checkout",
        **more,
    )
    made = volatile_of(["grayling:services.checkout.image"], config).change(change)
    assert made is not None
    assert made.edits == ()
