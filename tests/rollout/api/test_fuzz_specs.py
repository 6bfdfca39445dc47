"""Whatever stands in a spec: it is refused, or can be planned and carried out."""

from __future__ import annotations

import json

from hypothesis import example, given
from pydantic import ValidationError

from rollout.api.revision import manifests_of, revision_of
from rollout.api.spec import Spec
from rollout.forecast.plan import Traffic, plan_of
from tests.rollout.anything import anything, damaged
from tests.rollout.api.test_fuzz_objects import FULL


@given(anything | damaged(FULL))
@example(FULL)
@example({**FULL, "workload": {**FULL["workload"], "template": {"spec": {"containers": [{"image": 5}]}}}})
def test_a_spec_is_refused_or_can_be_carried_out(written):
    try:
        spec = Spec.model_validate(written)
    except ValidationError:
        return
    made = manifests_of("checkout", "shop", "u-1", spec, replicas=2)
    json.dumps(made)
    assert made[-1]["metadata"]["name"] == revision_of("checkout", spec)
    json.dumps(plan_of("checkout", spec, traffic=Traffic(100.0, 0.01)).wire())
    assert Spec.model_validate(spec.wire()) == spec
