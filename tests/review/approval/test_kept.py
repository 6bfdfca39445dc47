"""What the cluster keeps of reviews, what git keeps of a project, and what is said where neither can be read."""

from __future__ import annotations

import subprocess

import pytest

from kube.errors import UsageError
from review.approval.errors import PolicyError
from review.approval.kept import MOST_RECORDS
from review.approval.repository import Repository
from review.approval.signing import plain_is_good, public_key_in
from review.approval.volatile import volatile_of
from review.model.change import Change, Edit, ObjectRef, Op
from tests.review.approval.team import ANN, BOB, DAN

REVOCATIONS = "grayling-revocations-shop"


def test_two_who_revoke_at_once_lose_nothing(team):
    team.change()
    team.approve(ANN)
    digest = team.verdict()["digest"]
    server = team.person.server
    other = {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": REVOCATIONS, "namespace": "shop"},
        "data": {},
    }
    server.meanwhile = ("POST /api/v1/namespaces/shop/configmaps", lambda: server.put(other))
    assert team.revoke(BOB, digest, live=True).code == 0
    assert team.revoke(DAN, digest, live=True).code == 0
    kept = team.person.done(lambda: server.find("ConfigMap", REVOCATIONS))
    assert len(kept["data"]) == 2


def test_a_cluster_keeps_the_newest_records_alone(team):
    team.change()
    team.approve(ANN)
    labels = {"grayling.dev/review-stack": "shop", "grayling.dev/review": "change"}

    def fill():
        for place in range(MOST_RECORDS):
            meta = {"name": f"grayling-change-shop-2020{place:04}", "namespace": "shop", "labels": labels}
            team.person.server.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})

    team.person.done(fill)
    assert team.apply().code == 0
    kept = sorted(each for each in team.person.labels() if "grayling-change-shop" in each)
    assert len(kept) == MOST_RECORDS
    assert "ConfigMap/shop/grayling-change-shop-20200000" not in kept


def test_a_record_that_cannot_be_kept_hides_no_result(team):
    team.change()
    team.approve(ANN)
    (team.project / ".grayling" / "records").write_text("")
    result = team.apply()
    assert (result.code, "the change record could not be kept" in result.err) == (0, True), result.err


def test_links_and_repositories_inside_are_part_of_the_program(team):
    (team.project / "link.py").symlink_to("elsewhere.py")
    inner = team.project / "inner"
    subprocess.run(["git", "init", "-q", inner], check=True)
    team.write("inner/x.py", "")
    for arguments in (["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x@x.io", "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", inner, *arguments], check=True)
    team.git("add", "link.py", "inner")
    files = Repository.around(team.project).files()
    head = subprocess.run(["git", "-C", inner, "rev-parse", "HEAD"], check=True, capture_output=True).stdout.strip()
    assert (files["link.py"], files["inner"]) == (b"-> elsewhere.py", head)


def test_a_tracked_file_that_is_gone_is_not_committed(team):
    team.change()
    (team.project / "__main__.py").rename(team.keys / "gone")
    found = Repository.around(team.project)
    assert "__main__.py" not in found.files()
    assert found.uncommitted() == ["__main__.py"]


def test_the_branch_that_the_origin_names_is_the_protected_one(team):
    start = team.git("rev-parse", "main")
    team.git("update-ref", "refs/remotes/origin/trunk", start)
    team.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
    team.change()
    team.git("branch", "-f", "main", "change")
    assert Repository.around(team.project).base("", {}) == start


def test_a_broken_repository_is_named(team):
    (team.project / ".git" / "config").write_text("[core\n")
    with pytest.raises(UsageError, match="git: "):
        Repository.around(team.project)


def test_a_policy_that_cannot_be_read_is_named(team):
    path = team.project / ".grayling" / "review.yaml"
    path.unlink()
    path.mkdir()
    result = team.review("verify")
    assert (result.code, "review.yaml: Is a directory" in result.err) == (2, True), result.err


@pytest.mark.parametrize("text", [b"", b"x", b"-----BEGIN SSH SIGNATURE-----\n!!\n-----END SSH SIGNATURE-----"])
def test_what_is_no_signature_of_openssh_is_refused(text):
    with pytest.raises(PolicyError, match="a signature that is not OpenSSH's"):
        public_key_in(text)


def test_a_plain_signature_beside_another_kind_of_key_is_none(team):
    key = team.key(ANN, "rsa")
    made = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-q", "-n", "x", "-f", str(key)], input=b"m", capture_output=True, check=True
    )
    assert not plain_is_good(b"m", b"0" * 64, made.stdout)


def test_whole_lists_have_placeholders_too():
    config = {"grayling:services": {"web": {"image": "r.example.com/a:2"}}}
    before, after = ([{"image": f"r.example.com/a:{tag}", "args": ["x"]}, {"image": 7}] for tag in (1, 2))
    edit = Edit(("spec", "containers"), before, after)
    change = Change(ObjectRef("v1", "Pod", "s", "web"), (Op.UPDATE,), {}, {}, (edit,), component="web")
    assert volatile_of(["grayling:services.web.image"], config).change(change) is None
    odd = Edit(("spec", "image"), "a b c", "r.example.com/a:2")
    (kept,) = (
        volatile_of(["grayling:services.web.image"], config)
        .change(Change(change.ref, change.ops, {}, {}, (odd,), component="web"))
        .edits
    )
    assert (kept.before, kept.after) == ("a b c", "r.example.com/a:(volatile)")
