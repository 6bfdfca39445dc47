"""The load generator against servers that behave in every way they can."""

import asyncio
import json
import math
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from load import Answer, Load, Request, TargetError, read_answers, summarise
from load.answers import quantile

from tests.examples.processes import EXAMPLES, free_port

OK = b"HTTP/1.1 200 OK\r\nX-Version: v1\r\nX-Pod: p\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers the bytes that ``reply(number of the request)`` gives; None closes the connection."""

    def __init__(self, reply, *, delay: float = 0.0) -> None:
        self._reply, self._delay = reply, delay
        self.connections = 0
        self.requests: list[bytes] = []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
                body = await reader.readexactly(int(length[0].split(b":")[1])) if length else b""
                self.requests.append(head + body)
                await asyncio.sleep(self._delay)
                if (answer := self._reply(len(self.requests) - 1)) is None:
                    break
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


async def test_answers_carry_version_pod_and_times():
    async with Server(lambda _: OK) as server, Load(server.url, host="checkout.local", rate=100, seconds=0.5) as load:
        await load.finished()
    assert len(load.answers) == 50
    assert {(a.status, a.version, a.pod, a.error) for a in load.answers} == {(200, "v1", "p", "")}
    assert all(a.scheduled <= a.sent <= a.done for a in load.answers)
    assert b"Host: checkout.local\r\n" in server.requests[0]
    assert server.connections < 10


async def test_the_schedule_is_kept_while_the_server_sleeps():
    """Open loop: with answers half a second late, requests still leave every 10 ms."""
    async with Server(lambda _: OK, delay=0.5) as server, Load(server.url, rate=100, seconds=0.6) as load:
        await load.finished()
    assert len(load.answers) == 60
    assert load.summary().late_p99 < 0.1
    assert load.summary().p50 >= 0.5
    due = sorted(answer.scheduled for answer in load.answers)
    gaps = [later - sooner for sooner, later in pairwise(due)]
    assert all(math.isclose(gap, 0.01, abs_tol=1e-4) for gap in gaps)


async def test_without_room_requests_fail_and_are_not_delayed():
    async with (
        Server(lambda _: OK, delay=0.3) as server,
        Load(server.url, rate=100, seconds=0.2, connections=5) as load,
    ):
        await load.finished()
    assert sum(a.error.startswith("no room") for a in load.answers) == 15


async def test_chunked_empty_and_closing_answers_are_read():
    replies = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Version: v2\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
    ]
    async with Server(lambda n: replies[n % 3]) as server, Load(server.url, rate=20, seconds=0.45) as load:
        await load.finished()
    assert [a.status for a in load.answers] == [200, 204, 503] * 3
    assert server.connections == 3
    assert load.summary().failed == 3


async def test_an_answer_in_pieces_is_one_answer():
    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for byte in OK:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with Load(url, rate=10, seconds=0.1) as load:
        await load.finished()
    server.close()
    assert [a.status for a in load.answers] == [200]


async def test_failures_say_why():
    async with Load(f"http://127.0.0.1:{free_port()}/", rate=10, seconds=0.1) as load:
        await load.finished()
    assert load.answers[0].status == 0
    assert load.answers[0].error.startswith("connect: ")
    async with Server(lambda _: b"SSH-2.0-x\r\n\r\n") as server, Load(server.url, rate=10, seconds=0.1) as load:
        await load.finished()
    assert load.answers[0].error.startswith("not HTTP")
    async with Server(lambda _: OK, delay=9) as server, Load(server.url, rate=10, seconds=0.1, timeout=0.3) as load:
        await asyncio.sleep(0.8)
    assert load.answers[0].error == "no answer in 0.3 s"


async def test_what_is_unanswered_at_the_end_is_recorded(monkeypatch):
    monkeypatch.setattr("load.generator.LAST_ANSWERS_SECONDS", 0.1)
    async with Server(lambda _: OK, delay=9) as server, Load(server.url, rate=10, seconds=5) as load:
        await asyncio.sleep(0.05)
    assert [a.error for a in load.answers] == ["still unanswered at the end"]


@pytest.mark.parametrize(("method", "failed"), [("GET", 0), ("POST", 1)])
async def test_a_get_on_a_dying_kept_connection_is_sent_again_and_a_post_is_not(method, failed):
    async with (
        Server(lambda n: None if n == 1 else OK) as server,
        Load(server.url, rate=20, seconds=0.2, requests=[Request(method, body={"a": 1})]) as load,
    ):
        await load.finished()
    assert load.summary().failed == failed
    assert sum(a.retried for a in load.answers) == 1 - failed
    assert len(load.answers) == 4


async def test_requests_take_turns_and_are_written_as_they_come(tmp_path):
    seen = []
    out = tmp_path / "answers.jsonl"
    mix = [Request(), Request("POST", "/orders", {"item": "tea"})]
    async with (
        Server(lambda _: OK) as server,
        Load(server.url, rate=100, seconds=0.2, requests=mix, out=out, on_answer=seen.append) as load,
    ):
        await load.finished()
        await asyncio.sleep(0.4)
        assert read_answers(out) == load.answers == seen
    assert sum(r.startswith(b"POST /orders ") and r.endswith(b'{"item": "tea"}') for r in server.requests) == 10


def test_a_last_line_not_whole_yet_is_left_out(tmp_path):
    line = Answer(1.0, 1.0, 2.0, 200).to_json()
    (tmp_path / "a").write_text(line + "\n" + line[:20])
    assert read_answers(tmp_path / "a") == [Answer(1.0, 1.0, 2.0, 200)]


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.1:80/", "http://10.255.255.1:80/", "https://127.0.0.1:1/", "http://0.0.0.0:80/", "nonsense",
     "http://no-such-host.invalid:80/"],
)  # fmt: skip
async def test_load_goes_nowhere_else(url):
    with pytest.raises(TargetError):
        async with Load(url):
            pass


async def test_public_networks_cannot_be_allowed():
    with pytest.raises(TargetError):
        async with Load("http://203.0.114.1:80/", allow=["0.0.0.0/0"]):
            pass


async def test_a_named_private_network_is_taken():
    async with Load("http://10.255.255.1:80/", rate=1, seconds=0.01, timeout=0.01, allow=["10.255.255.0/24"]):
        pass


def test_the_summary_tells_versions_apart():
    answers = [Answer(0, 0, 0.1, 200, version="v1"), Answer(0, 0, 0.3, 500, version="v2"), Answer(0, 1, 9, 0, "gone")]
    summary = summarise(answers)
    assert (summary.requests, summary.failed) == (3, 2)
    assert summary.versions["v2"].failed == 1
    assert summary.failures == {"500": 1, "gone": 1}
    assert "3 requests, 2 failed" in str(summary)
    assert "(no version)" in str(summary)
    assert math.isnan(summarise([]).p50)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1), st.floats(0, 1))
def test_a_quantile_covers_its_share_and_no_smaller_value_does(values, share):
    found = quantile(values, share)
    assert sum(v <= found for v in values) >= share * len(values) - 1e-6
    smaller = [v for v in values if v < found]
    assert not smaller or sum(v <= max(smaller) for v in values) < share * len(values) + 1e-6


async def test_the_command_line(tmp_path):
    async with Server(lambda _: OK) as server:
        argv = [sys.executable, "-m", "load", "--url", server.url, "--rate", "50", "--seconds", "0.4"]
        argv += ["--orders-every", "4", "--out", str(tmp_path / "o.jsonl")]
        process = await asyncio.create_subprocess_exec(*argv, cwd=EXAMPLES, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
    assert process.returncode == 0
    assert said.startswith(b"20 requests, 0 failed")
    assert len([json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]) == 20
    assert sum(r.startswith(b"POST /orders") for r in server.requests) == 5


@pytest.mark.parametrize(
    "args", [["--url", "http://192.0.2.1:80/"], *(["--url", "http://127.0.0.1:1/", "--rate", n] for n in ("0", "nan"))]
)
def test_the_command_line_refuses(args):
    done = subprocess.run([sys.executable, "-m", "load", *args], cwd=EXAMPLES, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
