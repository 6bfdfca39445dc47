"""A real API server takes the definition, and refuses what the models refuse, with the same words."""

import asyncio
import contextlib
import copy

import pytest

from kube.cluster import Cluster
from kube.errors import ConflictError, InvalidError, KubeError
from kube.kinds import GRAY_RELEASE
from kube.kinds import NAMESPACE as NAMESPACES
from rollout.api.crd import definition
from rollout.api.status import Status
from tests.rollout import samples
from tests.rollout.spec_cases import REFUSED as TABLE
from tests.rollout.spec_cases import TAKEN

NAMESPACE = "crd-test"


@pytest.fixture(scope="module")
def prepared(cluster_kubeconfig):
    asyncio.run(prepare(cluster_kubeconfig))
    yield cluster_kubeconfig
    asyncio.run(clear(cluster_kubeconfig))


async def prepare(kubeconfig):
    async with await Cluster.open(kubeconfig=kubeconfig) as it:
        await it.apply(definition(), manager="grayling-stack", force=True)
        with contextlib.suppress(ConflictError):
            await it.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        await established(it)


async def clear(kubeconfig):
    async with await Cluster.open(kubeconfig=kubeconfig) as it:
        await it.delete(NAMESPACES, NAMESPACE)


@pytest.fixture
async def cluster(prepared):
    async with await Cluster.open(kubeconfig=prepared) as it:
        yield it


async def established(cluster):
    for _ in range(50):
        try:
            await cluster.list(GRAY_RELEASE, NAMESPACE)
        except KubeError:
            await asyncio.sleep(0.1)
        else:
            return


def declared(change=lambda _: None, name="checkout"):
    made = {
        "apiVersion": "grayling.dev/v1alpha1",
        "kind": "GrayRelease",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": copy.deepcopy(samples.spec().wire()),
    }
    change(made["spec"])
    return made


REFUSED = [
    (lambda s: s["strategy"].update(steps=[{"weight": 20}, {"weight": 5}]), "weights must rise from step to step"),
    (lambda s: s["strategy"].update(steps=[{"weight": 20}, {"weight": 20}]), "weights must rise from step to step"),
    (lambda s: s["strategy"].update(bake="5 minutes"), "spec.strategy.bake in body should match"),
    (lambda s: s["strategy"].update(steps=[{"weight": 0}]), "should be greater than or equal to 1"),
    (lambda s: s["workload"].pop("ports"), "traffic needs a port to go to"),
    (lambda s: s["traffic"].update(port="grpc"), "there is no workload port of that name"),
    (lambda s: s.pop("sources"), "sources.gateway: a signal reads gateway"),
    (lambda s: s["analysis"]["signals"].append({"name": "p", "kind": "errors", "source": "prometheus"}), "its URL"),
    (
        lambda s: s["analysis"]["signals"].append({"name": "p", "kind": "crashes", "source": "pods"}),
        "crashes can be read from kubernetes",
    ),
    (
        lambda s: s["analysis"]["signals"].append({"name": "p", "kind": "gauge", "source": "pods"}),
        "events and gauge have no usual metric",
    ),
    (
        lambda s: s["analysis"]["signals"].append({"name": "p", "kind": "gauge", "source": "pods", "query": "x"}),
        "query: for source prometheus, instead of a metric",
    ),
    (
        lambda s: s["analysis"]["signals"].append({"name": "p", "kind": "events", "source": "logs"}),
        "source logs needs one",
    ),
    (lambda s: s["workload"].update(template={"spec": {}}), "containers"),
]


@pytest.mark.parametrize(("change", "told"), REFUSED)
async def test_what_the_models_refuse_is_refused(cluster, change, told):
    with pytest.raises(InvalidError, match=told):
        await cluster.apply(declared(change, "refused"), manager="test", dry_run=True)


@pytest.mark.parametrize("case", TABLE)
async def test_what_the_table_says_is_refused(cluster, case):
    with pytest.raises(KubeError):
        await cluster.apply(declared(TABLE[case], "refused"), manager="test", dry_run=True)


@pytest.mark.parametrize("case", TAKEN)
async def test_what_the_table_says_is_taken(cluster, case):
    await cluster.apply(declared(TAKEN[case], "taken"), manager="test", dry_run=True)


async def test_two_signals_of_one_name_and_unknown_keys(cluster):
    twice = declared(lambda s: s["analysis"]["signals"].append(s["analysis"]["signals"][0]), "refused")
    with pytest.raises(KubeError, match="duplicate entries for key"):
        await cluster.apply(twice, manager="test", dry_run=True)
    with pytest.raises(KubeError, match="field not declared in schema"):
        await cluster.apply(declared(lambda s: s.update(foo=1), "refused"), manager="test", dry_run=True)


@pytest.mark.parametrize("name", ["a" * 43, "1abc"])
async def test_names_that_services_cannot_have(cluster, name):
    with pytest.raises(InvalidError, match="at most 42 lower-case letters"):
        await cluster.apply(declared(name=name), manager="test", dry_run=True)


async def test_any_counter_gauge_or_line_can_be_a_signal(cluster):
    signals = [
        {"name": "letters", "kind": "events", "source": "pods", "metric": "dead_letters_total"},
        {"name": "memory", "kind": "gauge", "source": "pods", "metric": "process_resident_memory_bytes"},
        {"name": "lines", "kind": "events", "source": "logs", "pattern": "ERROR|panic", "container": "app"},
        {"name": "lost", "kind": "events", "source": "prometheus", "query": "sum by (pod) (lost_total)"},
    ]
    prometheus = {"prometheus": "http://prometheus.monitoring:9090"}
    found = declared(lambda s: [s["analysis"].update(signals=signals), s["sources"].update(prometheus)], "any")
    await cluster.apply(found, manager="test", dry_run=True)


async def test_a_minimal_object_is_enough(cluster):
    await cluster.apply(declared(lambda s: [s.pop(key) for key in list(s) if key != "workload"], "least"), manager="t")


async def test_applying_twice_changes_nothing_and_images_have_an_owner(cluster):
    first = await cluster.apply(declared(), manager="grayling-stack", force=True)
    again = await cluster.apply(declared(), manager="grayling-stack", force=True)
    assert first["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]
    owned = again["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:workload"]["f:template"]
    assert 'k:{"name":"checkout"}' in owned["f:spec"]["f:containers"]


@pytest.mark.parametrize("status", [samples.stepping(), samples.rolled_back(), samples.promoted()])
async def test_no_part_of_a_status_is_lost(cluster, status):
    await cluster.apply(declared(), manager="grayling-stack", force=True)
    found = await cluster.get(GRAY_RELEASE, "checkout", NAMESPACE)
    kept = await cluster.replace({**found, "status": status.wire()}, manager="test", subresource="status")
    assert Status.model_validate(kept["status"]) == status
