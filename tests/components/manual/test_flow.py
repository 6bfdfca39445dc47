"""The picture says what the declarations say: who uses whom, which way data goes, who watches."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.manual.drawing import HIGH, WIDE, drawing, mermaid
from components.manual.flow import Edge, Flow, Node, Role, flow_of
from components.manual.layering import layered
from tests.components.manual.subjects import SHOP, project_in, subject_of

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    project = project_in(tmp_path_factory.mktemp("flow") / "project")
    return flow_of(subject_of(project, "shop", SHOP))


def test_data_goes_the_way_that_the_declarations_say(flow):
    assert {(each.source, each.target, each.label) for each in flow.edges} >= {
        ("requests", "gateway", "HTTP"),
        ("gateway", "checkout", "HTTP"),
        ("checkout", "redis", "redis"),
        ("kafka", "adapter", "orders"),
        ("adapter", "kafka", "orders.dead"),
        ("adapter", "rabbitmq", "billing"),
        ("mqtt", "sensors", "commands/+"),
        ("sensors", "mqtt", "plant/#"),
        ("adapter", "erp", "https"),
        ("billing", "rabbitmq", "amqp"),
    }


def test_each_box_says_what_it_is(flow):
    found = {each.name: (each.kind, each.role) for each in flow.nodes}
    assert found["erp"] == ("external: erp", Role.EXTERNAL)
    assert found["adapter"] == ("camel", Role.SERVICE)
    assert found["gateway"][1] is Role.GATEWAY
    assert {name for name, (_, role) in found.items() if role is Role.OPERATIONS} == {
        "controller",
        "prometheus",
        "topology",
    }
    assert next(each.note for each in flow.nodes if each.name == "checkout") == "2 pods"


def test_no_label_stands_on_another(flow):
    """Of ways there and back between two boxes, each label can be read."""
    crowd = [Edge(one, other, f"{topic} of {one}") for one, other in (("a", "b"), ("b", "a")) for topic in ("x", "y")]
    crowded = Flow("crowd", tuple(Node(name, "service", Role.SERVICE) for name in "ab"), tuple(crowd))
    for each in (flow, crowded):
        root = ET.fromstring(drawing(each, alone=True))  # noqa: S314 - our own
        labels = [label for label in root.iter(f"{SVG}text") if label.get("class") == "label"]
        assert len(labels) == len([edge for edge in each.edges if edge.label])
        for one, other in itertools.combinations(labels, 2):
            wide = (len(one.text) + len(other.text)) * 3
            beside = abs(float(one.get("x")) - float(other.get("x"))) >= wide
            assert beside or abs(float(one.get("y")) - float(other.get("y"))) >= 12, (one.text, other.text)


def test_every_box_and_way_is_drawn_and_none_over_another(flow):
    root = ET.fromstring(drawing(flow, alone=True))  # noqa: S314 - our own
    boxes = [each for each in root.iter(f"{SVG}rect") if each.get("class") == "box"]
    assert len(boxes) == len(flow.nodes)
    placed = [(float(each.get("x")), float(each.get("y"))) for each in boxes]
    for index, (x, y) in enumerate(placed):
        assert 0 <= x <= float(root.get("width")) - WIDE
        assert 0 <= y <= float(root.get("height")) - HIGH
        assert all(abs(x - other[0]) >= WIDE or abs(y - other[1]) >= HIGH for other in placed[index + 1 :])
    drawn = [*flow.part(operations=False).edges, *flow.part(operations=True).edges]
    assert len([each for each in root.iter(f"{SVG}path") if each.get("class") == "way"]) == len(drawn)


def test_the_picture_is_told_in_words(flow):
    root = ET.fromstring(drawing(flow, alone=True))  # noqa: S314
    assert root.get("role") == "img"
    told = root.find(f"{SVG}desc").text
    assert "checkout to redis (redis)" in told
    assert root.find(f"{SVG}title").text == "The landscape of shop"
    assert root.get("aria-labelledby") == "landscape-title landscape-told"


def test_the_flowchart_names_every_box_once(flow):
    text = mermaid(flow)
    for each in flow.nodes:
        assert len(re.findall(rf'\["{each.name}<br>', text)) == 1
    assert text.count("-->") == len(flow.part(operations=False).edges) + len(flow.part(operations=True).edges)


NAMES = st.lists(st.sampled_from("abcdefghij"), unique=True, min_size=1)


@settings(deadline=None)
@given(st.data())
def test_whatever_uses_whatever_no_box_stands_on_another(data):
    names = data.draw(NAMES)
    ends = st.sampled_from(names)
    ways = data.draw(st.lists(st.tuples(ends, ends).filter(lambda way: way[0] != way[1]), unique=True, max_size=25))
    last = frozenset(data.draw(st.lists(ends, unique=True)))
    made = layered(names, ways, last)
    assert made == layered(names, ways, last)
    places = sorted((made.column[name], made.row[name]) for name in names)
    for one, other in itertools.pairwise(places):
        assert one[0] != other[0] or other[1] - one[1] >= 1 - 1e-9
    for (source, target), path in zip(ways, made.paths, strict=True):
        assert (path[0], path[-1]) == (source, target)
        assert all(abs(made.column[a] - made.column[b]) <= 1 for a, b in itertools.pairwise(path))


@settings(deadline=None)
@given(st.text(min_size=1, max_size=30), st.text(max_size=30))
def test_no_name_breaks_the_picture(name, label):
    flow = Flow(
        "x", (Node(name, label, Role.SERVICE), Node("\0other", "", Role.SYSTEM)), (Edge(name, "\0other", label),)
    )
    if name == "\0other":
        return
    ET.fromstring(drawing(flow, alone=True))  # noqa: S314


def test_a_stack_without_members_has_a_picture(tmp_path):
    flow = flow_of(subject_of(project_in(tmp_path / "p"), "empty", {"environment": SHOP["environment"]}))
    assert flow.nodes == ()
    ET.fromstring(drawing(flow, alone=True))  # noqa: S314
