"""What a change asks for: each kind of object by its own arithmetic, and what cannot be counted is said."""

from __future__ import annotations

import pytest

from review.model.change import Change, ChangeSet, ObjectRef, Op
from review.model.prices import Prices
from review.reports.amounts import Amount, bytes_text, cores_text
from review.reports.capacity import capacity_of
from tests.review.previews import manifest, preview, read, reviewed, step

MEBI, GIBI = 2**20, 2**30
APPS = "apps/v1"


def container(name: str = "main", cpu: str | None = "100m", memory: str | None = "64Mi", **more) -> dict:
    asked = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value is not None}
    return {"name": name, "resources": {"requests": asked}, **more}


def template(*containers: dict, **more) -> dict:
    return {"spec": {"containers": list(containers) or [container()], **more}}


def workload(kind: str, replicas: int | None = None, *, version: str = APPS, pod: dict | None = None, **more) -> dict:
    spec = {"template": pod or template(), **more}
    return manifest(kind, "web", version=version, spec=spec if replicas is None else spec | {"replicas": replicas})


def changed(before: dict | None, after: dict | None, op: str = "update", *others: Change) -> ChangeSet:
    shown = after or before or {}
    ref = ObjectRef(shown["apiVersion"], shown["kind"], "shop", shown["metadata"]["name"])
    return ChangeSet("render", "", "", (Change(ref, (Op(op),), before, after), *others))


def sums(changes: ChangeSet, part: str = "always") -> tuple[Amount, Amount]:
    before, after = capacity_of(changes).sums()
    return getattr(before, part), getattr(after, part)


def test_pods_times_what_each_asks_for():
    changes = changed(workload("Deployment", 2), workload("Deployment", 3))
    assert sums(changes) == (Amount(200, 128 * MEBI), Amount(300, 192 * MEBI))


def test_one_pod_where_no_number_is_given():
    assert sums(changed(None, workload("Deployment"), "create")) == (Amount(), Amount(100, 64 * MEBI))


def test_init_containers_count_where_they_need_more_and_sidecars_always():
    init = [container("init", "500m", "32Mi"), container("proxy", "50m", "16Mi", restartPolicy="Always")]
    pod = template(container(), initContainers=init)
    assert sums(changed(None, workload("Deployment", 1, pod=pod), "create"))[1] == Amount(500, 80 * MEBI)


def test_limits_stand_for_requests_that_are_not_given():
    pod = template({"name": "main", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}})
    assert sums(changed(None, workload("Deployment", 1, pod=pod), "create"))[1] == Amount(1000, GIBI)


def test_a_stateful_set_has_volumes_for_each_pod_which_outlive_it():
    claim = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    store = workload("StatefulSet", 3, volumeClaimTemplates=[claim])
    assert sums(changed(None, store, "create"))[1] == Amount(300, 192 * MEBI, 6 * GIBI)
    gone = changed(store, None, "delete")
    assert sums(gone)[1] == Amount(storage=6 * GIBI)
    assert capacity_of(gone).rows[0].notes == ("its volumes stay, and are paid for",)
    policy = {"whenDeleted": "Delete"}
    kept = workload("StatefulSet", 3, volumeClaimTemplates=[claim], persistentVolumeClaimRetentionPolicy=policy)
    assert sums(changed(kept, None, "delete"))[1] == Amount()


def test_a_daemon_set_is_told_for_each_node_and_not_added():
    changes = changed(None, workload("DaemonSet"), "create")
    assert (sums(changes)[1], sums(changes, "node")[1]) == (Amount(), Amount(100, 64 * MEBI))


def test_jobs_are_told_apart():
    job = workload("Job", version="batch/v1", parallelism=4)
    assert sums(changed(None, job, "create"), "passing")[1] == Amount(400, 256 * MEBI)
    cron = manifest("CronJob", "web", version="batch/v1", spec={"jobTemplate": {"spec": {"template": template()}}})
    assert sums(changed(None, cron, "create"), "passing")[1] == Amount(100, 64 * MEBI)


def test_a_claim_by_itself():
    claim = manifest("PersistentVolumeClaim", "media", spec={"resources": {"requests": {"storage": "10Gi"}}})
    assert sums(changed(None, claim, "create"))[1] == Amount(storage=10 * GIBI)


def scaler(least: int, most: int) -> dict:
    aim = {"kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": aim, "minReplicas": least, "maxReplicas": most}
    return manifest("HorizontalPodAutoscaler", "web", version="autoscaling/v2", spec=spec)


def hpa(before: dict | None, after: dict | None, op: str = "update") -> Change:
    ref = ObjectRef("autoscaling/v2", "HorizontalPodAutoscaler", "shop", "web")
    return Change(ref, (Op(op),), before, after)


def test_an_autoscaler_gives_a_range():
    made = workload("Deployment", 1)
    changes = changed(made, made, "update", hpa(scaler(2, 4), scaler(2, 8)))
    assert sums(changes) == (Amount(200, 128 * MEBI), Amount(200, 128 * MEBI))
    assert sums(changes, "most") == (Amount(400, 256 * MEBI), Amount(800, 512 * MEBI))
    assert capacity_of(changes).rows[0].after.pods == "2 to 8 pods"


def test_an_autoscaler_alone_says_that_its_pods_are_not_known():
    changes = ChangeSet("render", "", "", (hpa(scaler(2, 4), scaler(2, 8)),))
    (note,) = capacity_of(changes).notes
    assert note.startswith("HorizontalPodAutoscaler shop/web: 2 to 4 pods, then 2 to 8 pods; what one pod")


def gray(image: str, replicas: int = 3) -> dict:
    pod = template(container() | {"image": image})
    spec = {"workload": {"replicas": replicas, "template": pod}}
    return manifest("GrayRelease", "web", version="grayling.dev/v1alpha1", spec=spec)


def test_a_release_holds_both_versions_for_its_time(tmp_path):
    changes = read(tmp_path, preview(step("update", gray("web:1"), gray("web:2"))))
    assert sums(changes, "release") == (Amount(), Amount(300, 192 * MEBI))
    first = read(tmp_path, preview(step("create", None, gray("web:1"))))
    assert sums(first, "release")[1] == Amount()
    scaled = read(tmp_path, preview(step("update", gray("web:1"), gray("web:1", 5))))
    assert sums(scaled, "release")[1] == Amount()


@pytest.mark.parametrize(
    ("asked", "note"),
    [
        ({"cpu": "1x", "memory": "64Mi"}, "main: cpu: '1x' cannot be read"),
        ({"cpu": "100m", "memory": "(hidden)"}, "main: memory: '(hidden)' cannot be read"),
        ({"cpu": "100m"}, "main asks for no memory"),
    ],
)
def test_what_cannot_be_counted_is_said(asked, note):
    pod = template({"name": "main", "resources": {"requests": asked}})
    assert capacity_of(changed(None, workload("Deployment", 1, pod=pod), "create")).rows[0].notes == (note,)


@pytest.mark.parametrize("value", [True, "many", -1, 1.5])
def test_a_number_of_pods_that_is_none(value):
    rows = capacity_of(changed(None, workload("Deployment", value), "create")).rows
    assert rows[0].notes == (f"replicas: {str(value)!r} is no number",)


@pytest.mark.parametrize("spec", [None, [], "x", {"template": None}, {"template": {"spec": {"containers": "x"}}}])
def test_objects_of_any_shape_are_survived(spec):
    assert sums(changed(None, manifest("Deployment", "web", version=APPS, spec=spec), "create"))[1] == Amount()


def test_an_object_that_is_left_behind_asks_for_as_much_as_before():
    changes = changed(workload("Deployment", 2), None, "retain")
    assert sums(changes) == (Amount(200, 128 * MEBI), Amount(200, 128 * MEBI))


def test_money_where_there_are_prices():
    prices = Prices(currency="CHF", cpu=20, memory=4, storage=0.1)
    changes = changed(workload("Deployment", 2), workload("Deployment", 12))
    assert capacity_of(changes, prices).cost == pytest.approx(1.0 * 20 + 0.625 * 4)
    assert reviewed(changes, prices=prices).wire()["capacity"]["currency"] == "CHF"
    assert capacity_of(changes).cost is None


def test_amounts_as_people_read_them():
    assert [cores_text(each) for each in (250, 1000, 1500, -250)] == ["250m", "1", "1.5", "-250m"]
    assert [bytes_text(each) for each in (512, 3 * MEBI, 1536 * MEBI, 2 * GIBI)] == ["512", "3Mi", "1.5Gi", "2Gi"]
