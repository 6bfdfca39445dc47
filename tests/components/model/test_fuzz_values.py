"""Anything for a value: what is taken renders to objects that an API server takes, what is not is told in one line.

Texts come near to what is meant (right letters, odd ends and lengths), numbers and shapes from everywhere.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.model.mistakes import StackError
from components.model.quantities import bytes_of
from rollout.api.durations import duration_of, seconds_of
from tests.components.accepted import refusals
from tests.components.conftest import read, small

IMAGE = "registry.example.com/shop/a:1"
LINE = re.compile(r"grayling:\S.*?: \S.*", re.DOTALL)


def near(alphabet, longest=70):
    return st.text(alphabet=alphabet, max_size=longest)


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)


def right(pattern):
    return st.from_regex(pattern, fullmatch=True)


NAMES = st.one_of(right(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"), near("ab0-._A/"))
HOSTS = st.one_of(right(r"(\*\.)?[a-z0-9]{1,63}(\.[a-z]{2,63}){0,3}(:[1-9][0-9]{1,3})?"), near("ab0-.*A:/"))
AMOUNTS = st.one_of(
    right(r"[1-9][0-9]{1,3}Mi|[1-9]Gi|[1-9][0-9]{1,2}m|[1-9]|[1-9][0-9]{1,3}M"),
    st.from_regex(r"[0-9]{1,12}(\.[0-9]{1,4})?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi|E|Ei)?", fullmatch=True),
    near("0123456789.-+emiMGK ", 10),
    st.integers(),
    st.floats(),
)
DURATIONS = st.one_of(
    st.from_regex(r"([0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m|h|d)){1,3}", fullmatch=True),
    near("0123456789.-:smhd ", 10),
    st.integers(),
    st.floats(),
)
FILES = st.one_of(right(r"[-._a-zA-Z0-9]{1,253}"), near("ab0-._/ ", 260))
IMAGES = st.one_of(
    right(
        r"([a-z]{1,9}\.[a-z]{2}(:[1-9][0-9]{1,3})?/)?[a-z0-9]{1,9}(/[a-z]{1,3}[._-][a-z]{1,3})?:[0-9]{1,2}(@sha256:[0-9a-f]{64})?"
    ),
    st.from_regex(r"([a-z0-9.:-]{1,12}/)?[a-zA-Z0-9._-]{1,8}(/[a-z0-9._-]{1,8})?(:[\w.-]{1,9})?", fullmatch=True),
    near("ab0-._A/:@", 40),
)
MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "path": st.fixed_dictionaries(
            {},
            optional={
                "type": st.sampled_from(["Exact", "PathPrefix", "RegularExpression", "Prefix"]),
                "value": st.one_of(right("(/[a-z0-9._-]{1,9}){1,4}"), near("/a.%2f ", 12)),
            },
        ),
        "queryParams": st.lists(st.fixed_dictionaries({"name": near("ab", 3), "value": near("ab", 3)}), max_size=2),
        "headers": st.lists(st.fixed_dictionaries({"name": near("aB-: ", 5), "value": near("ab", 3)}), max_size=2),
        "method": st.sampled_from(["GET", "get", "POST"]),
        "pth": st.just({}),
    },
)
PORTS = st.one_of(st.integers(1, 65_535), st.integers(-1, 70_000))
ENV = st.dictionaries(
    st.one_of(right(r"[A-Za-z_.-][A-Z0-9_.-]{0,20}"), near("aB_1-. =", 8)),
    st.one_of(st.text(max_size=5), ODD),
    max_size=2,
)

SETTINGS = {
    "image": IMAGES,
    "env": ENV,
    "config": st.dictionaries(FILES, st.one_of(st.text(max_size=5), ODD), max_size=3),
    "resources": st.fixed_dictionaries(
        {"cpu": st.one_of(st.sampled_from([2, 0.5, "500m"]), AMOUNTS), "memory": st.one_of(st.just("64Mi"), AMOUNTS)}
    ),
    "strategy": st.fixed_dictionaries({"bake": DURATIONS}),
    "probes": st.fixed_dictionaries({"liveness": st.one_of(right(r"/[!-~]{0,20}"), near("/a ?", 8))}),
    "ports": st.lists(
        st.fixed_dictionaries({"name": st.one_of(right("[a-z](-?[a-z0-9]){0,14}"), near("ab0-A", 18)), "port": PORTS}),
        max_size=2,
    ),
    "volumes": st.dictionaries(NAMES, st.fixed_dictionaries({"secret": NAMES}), max_size=2),
    "traffic": st.fixed_dictionaries(
        {}, optional={"hostnames": st.lists(HOSTS, max_size=2), "matches": st.lists(MATCHES, max_size=2)}
    ),
    "drainSeconds": st.one_of(st.integers(0, 60), ODD),
    "replicas": st.one_of(st.integers(1, 20), ODD),
}
COMPONENTS = {
    "redis": {"storage": AMOUNTS, "authSecret": NAMES, "image": IMAGES, "replicas": st.integers(0, 12)},
    "rabbitmq": {"storage": AMOUNTS, "members": st.one_of(st.integers(0, 8), ODD)},
    "prometheus": {
        "storage": AMOUNTS,
        "retention": DURATIONS,
        "retentionSize": near("0123456789MGTB", 6),
        "alertmanager": HOSTS,
        "namespaces": st.lists(NAMES, max_size=2),
    },
    "gateway": {"requestTimeout": DURATIONS, "tlsSecret": NAMES, "drainSeconds": ODD},
}
PLACES = {
    "namespace": NAMES,
    "pullSecrets": st.lists(NAMES, max_size=2),
    "storageClass": NAMES,
    "gateway": st.fixed_dictionaries({"hostnameSuffix": HOSTS, "class": NAMES}),
    "images": st.dictionaries(IMAGES, IMAGES, max_size=2),
}


def told(error):
    """Mistakes are one line each, with a place of its own."""
    count = len(error.mistakes)
    assert count
    assert str(error).startswith("stacks/Pulumi.test.yaml: ")
    for mistake in error.mistakes:
        assert str(mistake) in str(error)
        assert LINE.fullmatch(str(mistake)), mistake
    paths = [mistake.path for mistake in error.mistakes]
    assert len(set(paths)) == count, paths


def holds(**sections):
    """Either every object is taken, or every mistake is told."""
    try:
        manifests = read(**sections).manifests()
    except StackError as error:
        told(error)
        return
    for item in manifests:
        assert refusals(item) == [], item["metadata"]["name"]


@pytest.mark.parametrize("key", SETTINGS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_of_a_service(key, data):
    value = data.draw(st.one_of(SETTINGS[key], SETTINGS[key], ODD))
    holds(services={"a": {"image": IMAGE, key: value}})


@pytest.mark.parametrize("kind", COMPONENTS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_of_a_component(kind, data):
    holds(components={kind: data.draw(st.fixed_dictionaries({}, optional=COMPONENTS[kind]))})


@settings(max_examples=150, deadline=None)
@given(changed=st.fixed_dictionaries({}, optional=PLACES))
def test_of_the_environment(changed):
    holds(environment={**small()["environment"], **changed}, components={"redis": {}})


@settings(max_examples=100, deadline=None)
@given(
    secrets=st.dictionaries(NAMES, st.dictionaries(FILES, st.one_of(st.text(max_size=5), ODD), max_size=2), max_size=2)
)
def test_of_secrets(secrets):
    holds(secrets=secrets)


@settings(max_examples=100, deadline=None)
@given(
    section=st.sampled_from(["components", "services", "secrets", "environment"]), value=ODD, name=st.text(max_size=50)
)
def test_of_sections_and_names(section, value, name):
    sections = {section: value} if section == "environment" else {section: {name: value}}
    holds(**sections)


@given(st.from_regex(r"[0-9]{1,6}(\.[0-9]{1,3})?(k|M|G|T|Ki|Mi|Gi|Ti)?", fullmatch=True))
def test_a_size_in_one_form_is_as_large(written):
    try:
        found = read(components={"redis": {"storage": written}}).components[1].settings.storage
    except StackError:
        return
    assert bytes_of(found) == bytes_of(written)
    assert read(components={"redis": {"storage": found}}).components[1].settings.storage == found


@given(st.integers(1, 10**9))
def test_a_duration_in_one_form_is_as_long(thousandths):
    seconds = thousandths / 1000
    assert seconds_of(duration_of(seconds)) == pytest.approx(seconds)
