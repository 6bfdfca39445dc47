"""Routes as the engine makes them, and what they are made from."""

from __future__ import annotations

from typing import Any

from rollout.api.spec import Spec, Traffic
from rollout.drivers.httproute.patch import Wanted
from rollout.drivers.httproute.route import backend, new_route, shape_of
from tests.rollout.samples import spec as sample_spec

A, B, C = "checkout-11111111", "checkout-22222222", "checkout-33333333"
UID = "uid-checkout"


def traffic(**changes: Any) -> Traffic:
    return Traffic.model_validate({"parents": [{"name": "edge"}], "hostnames": ["shop.test"]} | changes)


def spec(**changes: Any) -> Spec:
    return sample_spec(traffic=traffic(**changes).wire())


def route(
    weights: dict[str, int], *, epoch: int = 3, uid: str = UID, version: str = "1", keeper: bool = False
) -> dict[str, Any]:
    backends = [backend(name, 8080, weight) for name, weight in weights.items()]
    made = new_route("checkout", "shop", uid, shape_of(traffic(), keeper=keeper), backends, epoch)
    made["metadata"] |= {"resourceVersion": version, "generation": 1, "uid": "uid-route"}
    return made


def wanted(weights: dict[str, int], *, epoch: int = 3, uid: str = UID, keeper: bool = False, **changes: Any) -> Wanted:
    shape = shape_of(traffic(**changes), keeper=keeper)
    return Wanted(weights, dict.fromkeys(weights, 8080), shape, epoch, uid)
