"""Whatever is given to the judge as a recording: it is judged, or refused with the line and the reason."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rollout.judge.replay import replay
from rollout.records.recording import RecordingError, header_line, parse
from tests.rollout.anything import anything, damaged

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")
HEADER = header_line(15.0, (0.1, 1.0), 0.1)
POD = {
    "age_seconds": 900.0,
    "requests": 300,
    "errors": {"5xx": 2},
    "latency_counts": [290, 8, 2],
    "crashes": 0,
    "gauges": {"cpu": 0.5},
}
LOOKS = [
    {
        "t": 15.0 * number,
        "phase": "history" if number < 4 else "release",
        "pods": {"s": {"arm": "stable", **POD}, "c": {"arm": "canary", **POD}},
    }
    for number in range(1, 12)
]


def judged(lines):
    """How many looks were judged; None where the recording is refused."""
    try:
        found = parse(lines)
    except RecordingError as error:
        found, why = None, str(error)
    if found is None:
        assert why.startswith("line ")
        assert len(why) < 500
        return None
    said = replay(found)
    json.dumps(dataclasses.asdict(said), allow_nan=False)
    assert said.looks <= len(lines)
    return said.looks


impossible = st.sampled_from(
    [
        ("requests", -1),
        ("requests", 1.5),
        ("requests", 1e308),
        ("requests", math.nan),
        ("requests", "300"),
        ("requests", True),
        ("errors", {"5xx": 301}),
        ("errors", {"5xx": -7}),
        ("errors", {"5xx": math.inf}),
        ("errors", []),
        ("latency_counts", [1, -1, 0]),
        ("latency_counts", [290, 298, 300]),
        ("latency_counts", {"0.1": 3}),
        ("crashes", math.inf),
        ("crashes", None),
        ("gauges", {"cpu": math.nan}),
        ("gauges", {"cpu": -1e308}),
        ("age_seconds", -1.0),
        ("exposure_seconds", math.inf),
        ("arm", "left"),
    ]
)


@given(st.integers(0, len(LOOKS) - 1), st.sampled_from("sc"), impossible)
def test_what_no_pod_can_have_shown_is_refused_with_line_key_and_value(number, pod, wrong):
    key, value = wrong
    looks = [json.loads(json.dumps(look)) for look in LOOKS]
    looks[number]["pods"][pod][key] = value
    with pytest.raises(RecordingError) as refused:
        parse([HEADER, *map(json.dumps, looks)])
    said = str(refused.value)
    deepest = next(iter(value.values()), value) if isinstance(value, dict) else value
    assert said.startswith(f"line {number + 2}: pods.{pod}.{key}")
    assert str(deepest) in said or json.dumps(deepest) in said or isinstance(deepest, list)
    assert said.endswith("; correct it or leave the line out")
    assert "\n" not in said


@given(damaged([json.loads(HEADER), *LOOKS]))
@settings(max_examples=150)
@example([json.loads(HEADER), *LOOKS])
def test_a_damaged_recording(lines):
    judged([json.dumps(line) for line in lines])


@given(st.lists(st.text(max_size=30) | anything.map(json.dumps), max_size=5), st.booleans())
def test_any_lines(lines, headed):
    judged([HEADER, *lines] if headed else lines)


def bare(pod):
    """The pod without its requests, where its buckets hold more."""
    return {key: value for key, value in pod.items() if key != "requests" or value >= sum(pod["latency_counts"])}


@given(
    st.lists(
        st.builds(
            lambda number, extreme: {
                **LOOKS[-1],
                "t": float(number),
                "pods": {"c": {"arm": "canary", **bare(extreme)}},
            },
            st.integers(0, 10**9),
            st.fixed_dictionaries(
                {
                    "requests": st.sampled_from([0, 1, 2**53]),
                    "gauges": st.dictionaries(st.sampled_from(["cpu"]), st.floats(-1e21, 1e21)),
                    "latency_counts": st.lists(st.sampled_from([0, 1, 2**53]), max_size=4),
                    "crashes": st.sampled_from([0, 2**53]),
                    "exposure_seconds": st.sampled_from([0.0, 1e-9, 1e11]),
                }
            ),
        ),
        max_size=8,
    ).map(lambda looks: sorted(looks, key=lambda look: look["t"]))
)
@settings(max_examples=100)
def test_the_largest_numbers_that_are_read_can_be_judged(looks):
    assert (
        judged(
            [HEADER, *(json.dumps(look) for look in [*LOOKS[:4], *({**look, "t": look["t"] + 60} for look in looks)])]
        )
        is not None
    )


def test_the_right_one_is_judged():
    assert judged([HEADER, *map(json.dumps, LOOKS)]) == 8
