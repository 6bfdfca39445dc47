from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import ApiError
from sandbox.provisioner import STORAGE_CLASS, Provisioner, grows, is_released, wants_volume


def claim(**spec: Any) -> dict[str, Any]:
    wanted = {
        "storageClassName": STORAGE_CLASS,
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    return {"metadata": {"name": "data", "namespace": "shop", "uid": "u1"}, "spec": {**wanted, **spec}}


class Memory:
    """An API server with claims and volumes alone."""

    def __init__(self) -> None:
        self.claims: list[dict[str, Any]] = []
        self.volumes: dict[str, dict[str, Any]] = {}

    def get(self, path: str) -> dict[str, Any]:
        return {"items": self.claims if "claims" in path else list(self.volumes.values())}

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, content_type: str = "application/json"
    ) -> dict[str, Any]:
        if method == "PATCH":
            assert content_type == "application/merge-patch+json"
            assert body is not None
            self._patch(path, body)
        elif method == "DELETE":
            self.volumes.pop(path.rpartition("/")[2])
        elif body is not None and body["metadata"]["name"] in self.volumes:
            raise ApiError(409, "exists")
        elif body is not None:
            self.volumes[body["metadata"]["name"]] = body
        return {}

    def _patch(self, path: str, body: dict[str, Any]) -> None:
        if path.endswith("/namespaces/shop/persistentvolumeclaims/data/status"):
            self.claims[0]["status"].update(body["status"])
        else:
            self.volumes[path.rpartition("/")[2]]["spec"].update(body["spec"])


def test_a_pending_claim_gets_a_folder_open_to_all_and_a_volume_bound_to_it(tmp_path: Path) -> None:
    api = Memory()
    api.claims.append(claim())
    Provisioner(api, tmp_path).look()  # type: ignore[arg-type]
    Provisioner(api, tmp_path).look()  # type: ignore[arg-type]
    volume = api.volumes["pvc-u1"]
    assert volume["spec"]["claimRef"]["uid"] == "u1"
    assert volume["spec"]["hostPath"]["path"] == str(tmp_path / "pvc-u1")
    assert (tmp_path / "pvc-u1").stat().st_mode & 0o777 == 0o777


def test_claims_of_others_bound_ones_and_dying_ones_are_left_alone() -> None:
    assert not wants_volume(claim(storageClassName="fast"))
    assert not wants_volume(claim(volumeName="pv"))
    dying = claim()
    dying["metadata"]["deletionTimestamp"] = "now"
    assert not wants_volume(dying)


def test_a_released_volume_goes_with_its_folder(tmp_path: Path) -> None:
    api = Memory()
    api.claims.append(claim())
    provisioner = Provisioner(api, tmp_path)  # type: ignore[arg-type]
    provisioner.look()
    api.claims.clear()
    api.volumes["pvc-u1"]["status"] = {"phase": "Released"}
    provisioner.look()
    assert api.volumes == {}
    assert not (tmp_path / "pvc-u1").exists()
    assert not is_released({"spec": {"storageClassName": "fast"}, "status": {"phase": "Released"}})


def test_a_claim_that_asks_for_more_gets_it_and_keeps_its_folder(tmp_path: Path) -> None:
    api = Memory()
    api.claims.append(claim())
    provisioner = Provisioner(api, tmp_path)  # type: ignore[arg-type]
    provisioner.look()
    (tmp_path / "pvc-u1" / "log").write_text("data")
    api.claims[0] = {**claim(volumeName="pvc-u1"), "status": {"capacity": {"storage": "1Gi"}}}
    assert not grows(api.claims[0])
    api.claims[0]["spec"]["resources"]["requests"]["storage"] = "2Gi"
    provisioner.look()
    assert api.volumes["pvc-u1"]["spec"]["capacity"] == {"storage": "2Gi"}
    assert api.claims[0]["status"]["capacity"] == {"storage": "2Gi"}
    assert not grows(api.claims[0])
    assert (tmp_path / "pvc-u1" / "log").read_text() == "data"


def test_claims_of_others_and_claims_that_are_not_bound_do_not_grow() -> None:
    status = {"capacity": {"storage": "512Mi"}}
    assert not grows({**claim(volumeName="pv", storageClassName="fast"), "status": status})
    assert not grows({**claim(volumeName="pv"), "status": {"phase": "Lost"}})
    assert not grows({**claim(), "status": status})


class Failing(Memory):
    """It refuses the volume of one claim, with an error that nobody thought of."""

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, content_type: str = "application/json"
    ) -> dict[str, Any]:
        if body is not None and body["metadata"]["name"] == "pvc-u0":
            raise KeyError("spec")
        return super().call(method, path, body, content_type)


def test_a_claim_that_fails_keeps_no_other_waiting_and_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api = Failing()
    broken = claim()
    broken["metadata"] = {"name": "broken", "namespace": "shop", "uid": "u0"}
    api.claims += [broken, claim()]
    Provisioner(api, tmp_path).look()  # type: ignore[arg-type]
    assert list(api.volumes) == ["pvc-u1"]
    assert capsys.readouterr().err == "provisioner: shop/broken: KeyError: 'spec'; trying again\n"
