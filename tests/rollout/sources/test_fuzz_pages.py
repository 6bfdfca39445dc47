"""Whatever a pod, a proxy or a Prometheus answers: samples, or a refusal that names the budget; never more work."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from rollout.sources.answers import series_in
from rollout.sources.budget import MOST_SERIES, OverBudgetError
from rollout.sources.envoy import statistics_on
from rollout.sources.exposition import samples
from rollout.sources.fetch import FetchError
from tests.rollout.anything import anything, damaged

NAME = "http_requests_total"
PIECES = st.sampled_from(
    [
        NAME,
        "{",
        "}",
        'code="200"',
        'code="5',
        ",",
        "=",
        '"',
        "\\",
        "\\n",
        " ",
        "1",
        "NaN",
        "-Inf",
        "1e999",
        "\n",
        "\r",
        "#",
    ]
    + [" # {trace_id=", "TYPE", "\x00", "\ud800", "é", "{}" * 50, "\\" * 500, "a=" * 300]
)
ANSWER = {
    "status": "success",
    "data": {
        "resultType": "matrix",
        "result": [
            {"metric": {"__name__": NAME, "pod": "a"}, "values": [[1.0, "1"], [2.0, "2"]]},
            {"metric": {"pod": "b"}, "value": [1.0, "3"]},
            {
                "metric": {"__name__": NAME, "pod": "c"},
                "histograms": [[1.0, {"count": "3", "sum": "1", "buckets": [[0, "0.1", "0.2", "3"]]}]],
            },
        ],
    },
}
PAGE = "cluster.httproute/shop/checkout/rule/0_8080.upstream_rq_200: 5\nserver.uptime: 9\n"
CLUSTERS = {"httproute/shop/checkout/rule/0": "checkout-1"}


@given(st.text(max_size=200) | st.lists(PIECES, max_size=40).map("".join))
@example(NAME + '{code="500"} 3 # {trace_id="a"} 1 2\n')
@example(NAME + "{" + 'a="' * 20_000)
def test_a_page_of_metrics_is_read_or_refused(page):
    try:
        found = samples(page, (NAME,))
    except OverBudgetError:
        return
    assert len(found) <= page.count("\n") + 1 <= MOST_SERIES
    assert all(sample.name == NAME for sample in found)


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from([*PAGE.split(" "), ": ", "\n", "9" * 5_000, "²", "_8080", "."])).map("".join)
)
@example(PAGE)
def test_a_page_of_a_proxy_is_read(page):
    found = statistics_on(page, CLUSTERS)
    assert set(found.backends) == {"checkout-1"}
    assert all(count >= 0 for count in found.backends["checkout-1"].counts.values())


@given(anything | damaged(ANSWER))
@example(ANSWER)
def test_an_answer_of_a_prometheus_is_read_or_refused(body):
    try:
        found = series_in(body, NAME)
    except FetchError as error:
        found, said = [], str(error)
    else:
        said = ""
    assert len(said) < 500
    assert sum(len(times) for _, times in found) <= len(json.dumps(body))


def test_the_right_ones_are_read():
    assert samples(f'{NAME}{{code="500"}} 3\n', (NAME,))[0].value == 3
    assert statistics_on(PAGE, CLUSTERS).uptime == 9
    assert [len(times) for _, times in series_in(ANSWER, NAME)] == [2, 1, 1]
