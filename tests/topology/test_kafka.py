"""What a Kafka says, as items; and what does not speak as a Kafka is never taken for an empty one."""

from __future__ import annotations

import asyncio
import json
import struct
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.protocol.admin import CreateTopicsResponse, DescribeAclsResponse, DescribeConfigsResponse
from kafka.protocol.metadata import ApiVersionsResponse, MetadataResponse
from kafka.protocol.sasl import SaslAuthenticateResponse, SaslHandshakeResponse

from tests.topology.declared import item
from topology.systems.kafka import KafkaSystem, lower
from topology.systems.kafka_seen import _rights, _topic, placed
from topology.systems.kafka_wire import checked, connected
from topology.systems.system import Credentials, StepError, UnauthorizedError, UnreachableError


@pytest.fixture
def credentials(tmp_path):
    (tmp_path / "username").write_text("topology\n")
    (tmp_path / "password").write_text("secret")
    return Credentials(tmp_path)


@asynccontextmanager
async def answering(*answers):
    """Something that answers each question with the next of these, and then hangs up."""

    async def serve(reader, writer):
        for answer in answers:
            size = int.from_bytes(await reader.readexactly(4), "big")
            number = struct.unpack(">i", (await reader.readexactly(size))[4:8])[0]
            writer.write(answer(number) if callable(answer) else answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"kafka://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def said(answer, version):
    """An answer as a broker writes it."""

    def framed(number):
        answer._header = None
        answer.API_VERSION = version
        answer.with_header(correlation_id=number)
        return answer.encode(header=True, framed=True)

    return framed


def knowing(*keys):
    own = ApiVersionsResponse.ApiVersion
    known = [own(api_key=key, min_version=low, max_version=high) for key, low, high in keys]
    return said(ApiVersionsResponse(error_code=0, api_keys=known, throttle_time_ms=0), 3)


SASL = knowing((17, 0, 1), (36, 0, 2))
TAKEN = said(SaslHandshakeResponse(error_code=0, mechanisms=["SCRAM-SHA-512"]), 1)


@pytest.mark.parametrize(
    ("answers", "error", "told"),
    [
        ((), UnreachableError, "127.0.0.1"),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), UnreachableError, "answers what no Kafka says"),
        ((b"\0\0\0\0",), UnreachableError, "answers what no Kafka says: 0 bytes"),
        ((b"\0\0\0\x05\0\0\0\x01\x7f",), UnreachableError, "answers what no Kafka says"),
        ((knowing(),), UnreachableError, "this version of Kafka knows no SaslHandshakeRequest"),
        ((lambda number: SASL(number + 1),), UnreachableError, "answers another question"),
        (
            (SASL, said(SaslHandshakeResponse(error_code=33, mechanisms=["PLAIN"]), 1)),
            UnauthorizedError,
            "takes no SCRAM-SHA-512, but PLAIN",
        ),
        (
            (
                SASL,
                TAKEN,
                said(
                    SaslAuthenticateResponse(
                        error_code=58, error_message="bad\nlogin", auth_bytes=b"", session_lifetime_ms=0
                    ),
                    2,
                ),
            ),
            UnauthorizedError,
            "does not take the account topology: bad login",
        ),
        (
            (
                SASL,
                TAKEN,
                said(
                    SaslAuthenticateResponse(
                        error_code=0, error_message=None, auth_bytes=b"r=mine,s=AAAA,i=1", session_lifetime_ms=0
                    ),
                    2,
                ),
            ),
            UnreachableError,
            "does not prove who it is",
        ),
    ],
)
async def test_what_cannot_be_seen_whole_is_not_taken_for_empty(answers, error, told, credentials):
    async with answering(*answers) as address:
        with pytest.raises(error, match=told):
            await KafkaSystem(address, credentials).observe()


async def test_nobody_there_is_told(credentials):
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:9"):
        await KafkaSystem("kafka://127.0.0.1:9", credentials).observe()


async def test_an_authority_that_cannot_be_read_is_told(credentials):
    (credentials.folder / "ca.crt").write_text("nothing")
    with pytest.raises(UnauthorizedError, match=r"ca\.crt cannot be read"):
        await KafkaSystem("kafkas://127.0.0.1:9", credentials).observe()


async def test_who_is_not_encrypted_gets_no_password(credentials):
    heard = []

    async def listen(reader, writer):
        heard.append(await reader.read(65536))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    address = f"kafkas://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with pytest.raises(UnreachableError):
        async with connected(address, credentials.trust(address), "topology", "secret"):
            pass
    server.close()
    assert b"topology" not in b"".join(heard)


async def test_a_user_without_a_password_is_told(credentials):
    with pytest.raises(UnauthorizedError, match="users/reports"):
        KafkaSystem("kafka://127.0.0.1:9", credentials).prepared([item("user", "reports")], {})


@pytest.mark.parametrize(
    ("code", "error", "kind"),
    [
        (29, UnauthorizedError, StepError),
        (58, UnauthorizedError, UnreachableError),
        (41, UnreachableError, StepError),
        (40, StepError, StepError),
        (40, UnreachableError, UnreachableError),
        (-1, UnreachableError, UnreachableError),
        (31_000, UnreachableError, UnreachableError),
    ],
)
def test_an_answer_that_says_no_is_told_as_what_it_is(code, error, kind):
    answer = CreateTopicsResponse.CreatableTopicResult(error_code=code, error_message=None)
    with pytest.raises(error):
        checked(answer, "topic a", kind)


def test_what_a_broker_prints_of_itself_is_left_out():
    told = "Request Request(processor=0, envelope=Some(Request(processor=1))) needs ALTER permission."
    answer = CreateTopicsResponse.CreatableTopicResult(error_code=31, error_message=told)
    with pytest.raises(UnauthorizedError, match=r"^user a: needs ALTER permission\.$"):
        checked(answer, "user a", StepError)


# ---------------------------------------------------------------------- what is seen


def config(name, value, source, *synonyms):
    own = DescribeConfigsResponse.DescribeConfigsResult.DescribeConfigsResourceResult
    usual = [own.DescribeConfigsSynonym(name, told, number) for told, number in synonyms]
    return own(name=name, value=value, config_source=source, synonyms=usual)


def topic(*copies):
    own = MetadataResponse.MetadataResponseTopic
    parts = [
        own.MetadataResponsePartition(partition_index=number, replica_nodes=list(each), isr_nodes=list(each))
        for number, each in enumerate(copies)
    ]
    return own(name="orders", partitions=parts)


def test_a_topic_is_what_is_in_effect_and_what_it_was_given_has_its_usual_value():
    configs = [
        config("retention.ms", "1000", 1, ("1000", 1), ("6000", 4), ("7000", 5)),
        config("preallocate", "true", 1, ("true", 1)),
        config("cleanup.policy", "delete", 5, ("delete", 5)),
        config("leader.replication.throttled.replicas", "0:1", 1, ("0:1", 1)),
    ]
    found = _topic(topic((1, 2, 3), (2, 3)), configs)
    assert found.settings["partitions"] == 2
    assert found.settings["replication"] == 2
    assert found.settings["cleanup.policy"] == "delete"
    assert json.loads(found.handle) == {"retention.ms": "6000", "preallocate": None}


def test_what_a_topic_was_given_by_hand_goes_back_to_the_usual(credentials):
    system = KafkaSystem("kafka://127.0.0.1:9", credentials)
    found = _topic(topic((1,)), [config("retention.ms", "1000", 1, ("1000", 1), ("6000", 4))])
    declared = item("topic", "orders", partitions=1, replication=1)
    (told,) = system.prepared([declared], {"topic orders": found})
    assert told.settings == {"retention.ms": "6000", "partitions": 1, "replication": 1}


def test_rights_that_no_declaration_can_say_are_told_as_they_are():
    own = DescribeAclsResponse.DescribeAclsResource
    acls = [
        own.AclDescription("User:a", "*", 3, 3),
        own.AclDescription("User:a", "10.0.0.1", 4, 3),
        own.AclDescription("User:a", "*", 4, 2),
        own.AclDescription("User:b", "*", 99, 3),
        own.AclDescription("Group:c", "*", 3, 3),
    ]
    resources = [
        own(resource_type=2, resource_name="in-", pattern_type=4, acls=acls),
        own(resource_type=2, resource_name="in-*", pattern_type=3, acls=acls),
        own(resource_type=7, resource_name="a", pattern_type=3, acls=acls),
    ]
    found = dict(_rights(resources))
    assert found["acl a topic in-*"].settings["operations"] == ["no write", "read", "write from 10.0.0.1"]
    assert found["acl b topic in-*"].settings["operations"] == ["operation 99"]
    assert len(found) == 2


# ---------------------------------------------------------------------- laws

NUMBERS = st.integers(-2, 9)


@given(NUMBERS, NUMBERS)
def test_less_is_kept_where_a_limit_is_lower_or_new(was, now):
    def room(number):
        return float("inf") if number < 0 else number

    assert lower(str(was), str(now)) == (room(now) < room(was))


@given(st.none() | st.text(), st.text())
def test_what_is_no_number_may_lose_data(was, now):
    def number(text):
        try:
            return float(text)
        except (TypeError, ValueError):
            return None

    if number(was) is None or number(now) is None:
        assert lower(was, now)


@st.composite
def clusters(draw):
    brokers = draw(st.lists(st.integers(0, 20), unique=True, min_size=1, max_size=6))
    copies = st.lists(st.sampled_from(brokers), unique=True, min_size=1, max_size=len(brokers))
    now = draw(st.lists(copies, min_size=1, max_size=6))
    in_step = [draw(st.frozensets(st.sampled_from(each))) for each in now]
    return brokers, now, in_step, draw(st.integers(1, len(brokers)))


@given(clusters())
def test_copies_are_placed_on_other_brokers_each_and_who_is_in_step_stays(cluster):
    brokers, now, in_step, copies = cluster
    made = placed(now, in_step, brokers, copies)
    for was, well, to in zip(now, in_step, made, strict=True):
        assert len(to) == len(set(to)) == copies
        assert set(to) <= set(brokers)
        assert set(to) <= set(was) or set(was) <= set(to)
        if len(well) >= copies:
            assert set(to) <= well
        elif len(was) >= copies:
            assert well <= set(to)
    assert placed(made, [frozenset(each) for each in made], brokers, copies) == made


def test_more_copies_than_brokers_are_told():
    with pytest.raises(ValueError, match="3 copies want 3 brokers, and there are 2"):
        placed([[0]], [{0}], [0, 1], 3)
