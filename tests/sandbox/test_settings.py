import json
from pathlib import Path

import pytest
import yaml

from sandbox import catalogue, settings
from sandbox.api import Api
from sandbox.archive import Layer
from sandbox.bootstrap import Bootstrap, has_served, is_available, is_node_ready, path_of
from sandbox.errors import StartError
from sandbox.layout import State
from sandbox.record import Record

BOX = Record("x", 1, "k")


def test_the_kubelet_stays_in_the_control_group_of_its_box() -> None:
    kubelet = yaml.safe_load(settings.render("kubelet.yaml.j2", BOX, State(Path("/s"))))
    assert kubelet["cgroupRoot"] == "/grayling-x"
    assert kubelet["cgroupDriver"] == "cgroupfs"
    assert kubelet["clusterDNS"] == ["10.96.0.10"]


def test_every_daemon_has_its_file_and_none_is_malformed(tmp_path: Path) -> None:
    state = State(tmp_path)
    settings.write(BOX, state)
    yaml.safe_load((state.etc / "kube-proxy.yaml").read_text())
    json.loads((state.etc / "cni/10-sandbox.conflist").read_text())
    assert f'root = "{state.containerd}"' in (state.etc / "containerd.toml").read_text()


def test_system_objects_have_paths_and_use_local_images() -> None:
    manifests = settings.system_manifests(BOX, State(Path("/s")))
    paths = [path_of(manifest) for manifest in manifests]
    assert "/api/v1/namespaces/kube-system/services/kube-dns" in paths
    assert "/apis/apps/v1/namespaces/kube-system/deployments/coredns" in paths
    assert "/apis/storage.k8s.io/v1/storageclasses/sandbox-hostpath" in paths
    deployment = next(one for one in manifests if one["kind"] == "Deployment")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == catalogue.coredns_name()


def test_readiness_is_read_from_conditions() -> None:
    ready = [{"type": "Ready", "status": "True"}]
    assert is_node_ready({"status": {"conditions": ready}})
    assert not is_node_ready({"status": {}})
    assert not is_node_ready({"status": {"conditions": ready}}, "2026-01-01T00:00:00Z")
    heard = [{**ready[0], "lastHeartbeatTime": "2026-01-01T00:00:00Z"}]
    assert is_node_ready({"status": {"conditions": heard}}, "2026-01-01T00:00:00Z")
    running = [{"state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]
    assert has_served({"status": {"conditions": ready, "containerStatuses": running}}, "2025-12-31T23:59:59Z")
    assert not has_served({"status": {"conditions": ready, "containerStatuses": running}}, "2026-01-01T00:00:01Z")
    assert not has_served({"status": {"conditions": ready, "containerStatuses": [{"state": {}}]}})
    available = [{"type": "Available", "status": "True"}]
    status = {"observedGeneration": 1, "conditions": available}
    assert is_available({"metadata": {"generation": 1}, "status": status})
    assert not is_available({"metadata": {"generation": 2}, "status": status})


@pytest.fixture
def layers() -> list[Layer]:
    return [Layer(Path(f"/l{number}"), f"sha256:{number}", 1) for number in range(8)]


def test_the_catalogue_has_what_stacks_name(layers: list[Layer]) -> None:
    base = catalogue.base_images(catalogue.BaseLayers(*layers[:5]))
    names = {image.name.removeprefix(catalogue.PREFIX).partition(":")[0] for image in base}
    assert names == {
        *("pause", "coredns", "contour", "envoy", "redis", "redis-exporter", "rabbitmq"),
        *("prometheus", "alertmanager", "python"),
    }
    assert all(image.user == "65532:65532" for image in base)
    rabbitmq = next(image for image in base if "rabbitmq" in image.name)
    assert rabbitmq.env["PATH"].startswith("/usr/lib/rabbitmq/bin:")


def test_shop_versions_share_every_layer_and_differ_in_one_variable(layers: list[Layer]) -> None:
    shops = catalogue.shop_images(*layers[:4])
    assert {image.layers for image in shops} == {tuple(layers[:4])}
    assert [image.env["SHOP_VERSION"] for image in shops] == ["v1", "v2", "v3", "v4", "v5"]
    assert len({image.digest() for image in shops}) == 5


def test_waiting_ends_when_a_daemon_keeps_dying() -> None:
    silent = Api("127.0.0.1", 1, Path("/nowhere"), timeout_s=0.1)
    with pytest.raises(StartError, match="kubelet died 6 times"):
        Bootstrap(silent, "n", "", 60.0, lambda: "kubelet died 6 times").wait_for_node()
    with pytest.raises(StartError, match=r"not ready within 0 s.*grayling sandbox logs kubelet"):
        Bootstrap(silent, "n", "", 0.2).wait_for_node()
