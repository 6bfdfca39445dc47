"""The prober against real sockets: what is well, and each way in which it is not."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
import ssl
import sys
import urllib.request

import pytest

from components.externals.prober.__main__ import main
from components.externals.prober.probe import OUTCOMES, look_at
from components.externals.prober.target import Target
from components.externals.prober.watching import Board
from components.model.credentials import draw
from tests.components.externals import stand_ins


def target(port, scheme, how, **more):
    given = {"endpoint": "main", "url": f"{scheme}://127.0.0.1:{port}/plant", "how": how, "timeout": 5.0, **more}
    return Target(**given)


async def answered(speak, scheme, how, ssl=None, **more):
    """A look at a server that speaks so."""
    async with await stand_ins.serve(speak, ssl=ssl) as server:
        port = server.sockets[0].getsockname()[1]
        return await look_at(target(port, scheme, how, **more))


def saying(data):
    async def speak(reader, writer):
        await reader.read(10)
        writer.write(data)

    return speak


@pytest.mark.parametrize(
    ("speak", "scheme", "how"),
    [
        (stand_ins.tcp, "tcp", "tcp"),
        (stand_ins.http, "http", "http"),
        (stand_ins.mllp, "mllp", "mllp"),
        (stand_ins.opcua, "opc.tcp", "opcua"),
    ],
)
async def test_a_system_that_answers_is_well(speak, scheme, how):
    look = await answered(speak, scheme, how)
    assert (look.outcome, look.said, look.expires) == ("ok", "", None)
    assert look.seconds > 0


@pytest.mark.parametrize(
    ("data", "scheme", "how", "outcome"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n", "http", "http", "protocol"),
        (b"HTTP/1.1 abc no\r\n", "http", "http", "protocol"),
        (b"HTTP/1.1 500 no\r\n", "http", "http", "status"),
        (b"", "http", "http", "protocol"),
        (b"x" * 200_000, "http", "http", "protocol"),
        (b"\x0bMSH|^~\\&|\rMSA|AA|of-another\r\x1c\r", "mllp", "mllp", "protocol"),
        (b"\x0bMSH|^~\\&|\rMSA|AA\r\x1c\r", "mllp", "mllp", "protocol"),
        (b"\x0bMSH|^~\\&|\r\x1c\r", "mllp", "mllp", "protocol"),
        (b"MSH no frame\r", "mllp", "mllp", "protocol"),
        (b"ACKF\xff\xff\xff\xff", "opc.tcp", "opcua", "protocol"),
        (b"ACKF\x1c\x00\x00\x00half", "opc.tcp", "opcua", "protocol"),
        (b"HTTP/1.1 400 Bad Request\r\n", "opc.tcp", "opcua", "protocol"),
        (b"ERRF\x10\x00\x00\x00\x00\x00\x83\x80\xff\xff\xff\xff", "opc.tcp", "opcua", "status"),
    ],
)
async def test_a_wrong_answer_is_told(data, scheme, how, outcome):
    look = await answered(saying(data), scheme, how)
    assert look.outcome == outcome
    assert look.said


async def test_only_the_statuses_that_are_named_are_well():
    assert (await answered(stand_ins.http, "http", "http", statuses=(200,))).said == "answers 401"
    assert (await answered(stand_ins.http, "http", "http", path="/broken")).outcome == "status"
    assert (await answered(stand_ins.http, "http", "http", path="/broken", statuses=(503,))).well


async def test_who_says_nothing_is_given_up():
    look = await answered(stand_ins.http, "http", "http", path="/silent", timeout=0.2)
    assert (look.outcome, look.said) == ("timeout", "no answer within 0.2 s")


async def test_nobody_there_and_no_such_name():
    async with await stand_ins.serve(stand_ins.tcp) as server:
        port = server.sockets[0].getsockname()[1]
    assert (await look_at(target(port, "tcp", "tcp"))).outcome == "refused"
    nowhere = Target(endpoint="main", url="tcp://no-such-host.invalid:1", how="tcp")
    assert (await look_at(nowhere)).outcome == "name"


async def test_a_certificate_is_held_against_its_authority(tmp_path):
    for name, value in draw({"names": "localhost", "ca.crt": "{ca}", "c": "{certificate}", "k": "{key}"}).items():
        (tmp_path / name).write_text(value)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c", tmp_path / "k")
    async with await stand_ins.serve(stand_ins.http, ssl=context) as server:
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}/"
        look = await look_at(Target(endpoint="main", url=url, how="http", authority=str(tmp_path / "ca.crt")))
    assert look.well, look
    assert look.expires is not None
    assert look.expires > dt.datetime.now(dt.UTC).timestamp()
    stranger = await answered(stand_ins.http, "https", "http", ssl=context)
    assert (stranger.outcome, stranger.expires) == ("tls", None)
    assert "certificate" in stranger.said


def sample(board, name, **labels):
    return board.registry.get_sample_value(name, {"endpoint": "main", **labels})


async def test_metrics_say_what_was_seen():
    board, asked = Board(), target(1, "tcp", "tcp")
    board.begin(asked)
    assert sample(board, "external_up") is None
    assert [sample(board, "external_looks_total", outcome=each) for each in OUTCOMES] == [0] * len(OUTCOMES)
    board.take(asked, await answered(stand_ins.tcp, "tcp", "tcp"))
    assert sample(board, "external_up") == 1
    assert sample(board, "external_latency_seconds") > 0
    board.take(asked, await answered(stand_ins.http, "http", "http", path="/broken"))
    assert sample(board, "external_up") == 0
    assert sample(board, "external_latency_seconds") is None
    assert sample(board, "external_looks_total", outcome="status") == 1


async def test_the_program_serves_what_it_sees_until_it_is_stopped(tmp_path):
    async with await stand_ins.serve(stand_ins.mllp) as server, await stand_ins.serve(stand_ins.tcp) as spare:
        port, free = (each.sockets[0].getsockname()[1] for each in (server, spare))
        spare.close()
        given = target(port, "mllp", "mllp", every=0.2, timeout=0.2).model_dump(mode="json")
        (tmp_path / "targets.json").write_text(json.dumps([given]))
        command = [sys.executable, "-m", "components.externals.prober", str(tmp_path / "targets.json"), str(free)]
        process = await asyncio.create_subprocess_exec(*command, env=dict(os.environ), stderr=asyncio.subprocess.PIPE)
        assert process.stderr is not None
        assert (await process.stderr.readline()).decode() == f"main mllp://127.0.0.1:{port}/plant: ok\n"
        url = f"http://127.0.0.1:{free}"
        text = await asyncio.to_thread(lambda: urllib.request.urlopen(f"{url}/metrics").read().decode())
        assert 'external_up{endpoint="main"} 1.0' in text
        server.close()
        assert "refused" in (await process.stderr.readline()).decode()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "No such file"),
        ("[", "Invalid JSON"),
        ('[{"endpoint": "main", "url": "tcp://x:1", "how": "ping"}]', "0.how: Input should be"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path, capsys, data, said):
    path = tmp_path / "targets.json"
    if data is not None:
        path.write_text(data)
    assert main([str(path), "9466"]) == 2
    assert said in capsys.readouterr().err
    assert main(["only-one"]) == 2
