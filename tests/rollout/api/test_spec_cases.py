"""The models' side of the table that holds them and the API server together."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rollout.api.spec import Spec
from rollout.api.traffic import A_MILLISECOND
from tests.rollout.spec_cases import REFUSED, TAKEN, both, changed, container, pods, signal, traffic, workload


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str):
    with pytest.raises(ValidationError):
        Spec.model_validate(changed(REFUSED[case]))


@pytest.mark.parametrize("case", TAKEN)
def test_what_is_taken_is_read_back(case: str):
    spec = Spec.model_validate(changed(TAKEN[case]))
    assert Spec.model_validate(spec.wire()) == spec


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (REFUSED["file with a folder"], "workload.config: 'a/b' is no name of a file"),
        (REFUSED["files that are too long together"], "workload.config: 1250000 bytes; at most 1000000 fit"),
        (REFUSED["volume that the files need"], "the volume name grayling-config is taken for workload.config"),
        (REFUSED["mount where the files go"], "container checkout mounts something at /etc/service, where"),
        (REFUSED["no pod may go"], "maxUnavailable: 0 would block the drain of every node with a pod; write 1 or more"),
        (REFUSED["time-out of less than a millisecond"], "less than a millisecond; write 1ms or more, or 0s"),
        (REFUSED["gateway with a key that is none"], "selector: '-app' is no key of a label; write app.kubernetes.io"),
        (
            REFUSED["target port that is another's"],
            "no container has a port called web (there are wab); name it in workload.template, or write its number",
        ),
        (REFUSED["ports of one number"], "workload.ports: port: 80 is there twice"),
        (REFUSED["target port as a text of digits"], "targetPort: '80' is neither a number from 1 to 65535 nor"),
        (REFUSED["parent twice"], "traffic.parents: edge is there twice; give each a sectionName of its own"),
        (REFUSED["path with two slashes"], "value: '/a//b' is no path; it begins with /"),
        (REFUSED["header twice"], "headers: x-a is there twice"),
        (REFUSED["containers of one name"], "template.spec.containers: a is there twice"),
    ],
)
def test_a_refusal_says_what_is_wrong(change, says: str):
    with pytest.raises(ValidationError) as caught:
        Spec.model_validate(changed(change))
    assert says in str(caught.value)


def test_nulls_of_the_template_are_not_there_for_any_rule():
    nulls = both(
        workload(config={"a": "b"}),
        pods(volumes=None, initContainers=None),
        container(volumeMounts=None),
        signal(name="more"),
    )
    spec = Spec.model_validate(changed(nulls))
    assert spec.workload.template["spec"]["volumes"] is None, "and it is kept as it was written"


@given(
    st.lists(st.tuples(st.decimals(0, 999, places=7), st.sampled_from(["ms", "s", "m", "h"])), min_size=1, max_size=3)
)
def test_the_api_server_refuses_every_time_out_that_the_model_refuses(parts):
    text = "".join(f"{number}{unit}" for number, unit in parts)
    try:
        Spec.model_validate(changed(traffic(requestTimeout=text)))
    except ValidationError:
        assert "1" in text.translate(str.maketrans("23456789", "11111111")), "none is taken"
        assert not re.search(A_MILLISECOND, text)
