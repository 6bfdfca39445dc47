"""``make landscape``: an integration landscape on this machine, and one order followed through it.

It works in a copy of the project below ``out/``, with an issuer of tokens of its own: nobody has the key of the one
in the repository.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import secrets
import shutil
import sys
import time
from asyncio.subprocess import PIPE
from base64 import b64decode, b64encode, urlsafe_b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from trial.commands import CommandFailedError, Grayling, end_on_sigterm

from kube.cluster import Cluster
from kube.errors import GraylingError
from kube.kinds import NODE, SECRET, SERVICE
from sandbox.box import Sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ROOT = Path(__file__).resolve().parent.parent
STACK, SPACE, HOST = "landscape", "landscape", "checkout.landscape.example.com"
OVERLAY = ROOT / "stacks" / "overlays" / "sandbox.yaml"
EXTRAS = ("kafka", "camel", "flink", "envoy-gateway", "mqtt", "jaeger", "otel-collector", "victorialogs")
ISSUER, AUDIENCE = "https://id.example.com/realms/landscape", "shop"
PATIENCE_SECONDS = 240.0
HTTP, QUERY, OUTSIDE = 80, 16686, 8080
CREATED, UNAUTHORIZED = 201, 401


class LandscapeError(Exception):
    """Something did not come in time; the message says what."""


class Issuer:
    """Signs tokens (RS256), and shows the key that they are checked with."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwks(self) -> str:
        """The public key."""
        numbers = self._key.public_key().public_numbers()
        parts = {"n": _number(numbers.n), "e": _number(numbers.e)}
        return json.dumps({"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one", **parts}]})

    def token(self, seconds: int = 86_400) -> str:
        """One that is taken for so long."""
        now = int(time.time())
        body = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": now - 10, "exp": now + seconds}
        parts = [_text(json.dumps(each).encode()) for each in ({"alg": "RS256", "kid": "one"}, body)]
        signed = ".".join(parts)
        return f"{signed}.{_text(self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def with_issuer(text: str, issuer: Issuer) -> str:
    """A stack file with the key of another issuer.

    Raises:
        LandscapeError: it has no place for one.
    """
    changed, count = re.subn(r"(?m)^(\s+jwks: )'.*'$", lambda found: f"{found[1]}'{issuer.jwks()}'", text)
    if count != 1:
        raise LandscapeError(f"the stack file has {count} keys of issuers, and should have one")
    return changed


@dataclass(frozen=True, slots=True)
class Followed:
    """The landscape from outside, and from the box's own network where nothing leads out."""

    cluster: Cluster
    box: Sandbox
    client: aiohttp.ClientSession
    token: str

    async def gateway(self) -> str:
        """Where requests from outside come in."""
        (node, *_) = (await self.cluster.list(NODE)).items
        address = next(each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP")
        ports = (await self.cluster.get(SERVICE, "gateway-envoy", SPACE))["spec"]["ports"]
        return f"http://{address}:{next(each['nodePort'] for each in ports if each['port'] == HTTP)}"

    async def status(self, base: str, **headers: str) -> int:
        """Of an answer to somebody who brings these headers and no token."""
        async with self.client.get(f"{base}/", headers={"Host": HOST, **headers}) as answer:
            return answer.status

    async def order(self, base: str, trace: str) -> str:
        """Place one, as part of a trace; its number.

        Raises:
            LandscapeError: it was not taken.
        """
        headers = {**self._headers(), "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        body = {"item": "smoked grayling", "quantity": 1}
        async with self.client.post(f"{base}/orders", json=body, headers=headers) as answer:
            if answer.status != CREATED:
                raise LandscapeError(f"POST /orders: {answer.status} {(await answer.text())[:200]}")
            return str((await answer.json())["id"])

    async def billed(self, base: str, number: str) -> bool:
        """Whether billing has taken it from its queue."""
        async with self.client.get(f"{base}/orders/{number}", headers=self._headers()) as answer:
            return bool(answer.ok and (await answer.json()).get("billed"))

    def _headers(self) -> dict[str, str]:
        return {"Host": HOST, "Authorization": f"Bearer {self.token}"}

    async def spans(self, trace: str) -> list[str]:
        """Names of the spans that Jaeger has of a trace."""
        kept = (await self.cluster.get(SECRET, "jaeger-auth", SPACE))["data"]
        login = b64encode(b":".join(b64decode(kept[key]) for key in ("username", "password"))).decode()
        found = await self._inside("jaeger", QUERY, f"/api/traces/{trace}", f"Basic {login}")
        return [span["operationName"] for each in found.get("data") or [] for span in each["spans"]]

    async def booked(self) -> list[str]:
        """Orders of the ERP that went through Kafka and came back to it."""
        return list((await self._inside("erp-system", OUTSIDE, "/bookings"))["booked"])

    async def alarms(self) -> list[dict[str, Any]]:
        """Hot machines that Flink found among the measurements, as the MES was told of them."""
        return list((await self._inside("mes-system", OUTSIDE, "/alarms"))["alarms"])

    async def _inside(self, service: str, port: int, path: str, login: str = "") -> Any:
        """JSON of a Service, asked from the network of the box.

        Raises:
            LandscapeError: it gave none.
        """
        address = (await self.cluster.get(SERVICE, service, SPACE))["spec"]["clusterIP"]
        argv = self.box.enter_net_argv((sys.executable, "-c", ASK, f"http://{address}:{port}{path}"))
        process = await asyncio.create_subprocess_exec(*argv, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        out, err = await process.communicate(login.encode())
        if process.returncode:
            raise LandscapeError(f"{service}{path}: {err.decode().strip().splitlines()[-1:]}")
        return json.loads(out)


ASK = """import sys, urllib.request
login = sys.stdin.read()
asked = urllib.request.Request(sys.argv[1], headers={"Authorization": login} if login else {})
sys.stdout.write(urllib.request.urlopen(asked, timeout=10).read().decode())
"""


async def eventually(what: str, look: Callable[[], Awaitable[Any]], seconds: float = PATIENCE_SECONDS) -> Any:
    """What ``look`` finds, as soon as it finds something.

    Raises:
        LandscapeError: it does not, for so long.
    """
    ends, seen = time.monotonic() + seconds, ""
    while time.monotonic() < ends:
        try:
            if found := await look():
                return found
        except (aiohttp.ClientError, GraylingError, LandscapeError, KeyError, StopIteration) as error:
            seen = f": {error!r}"
        await asyncio.sleep(1)
    raise LandscapeError(f"{what} did not come within {seconds:.0f} s{seen}")


async def follow(seen: Followed, say: Callable[[str], None]) -> None:
    """One order from the gateway to its bill and its trace, one of the ERP there and back, and a machine that runs hot.

    Raises:
        LandscapeError: it got stuck.
    """
    base = await eventually("the gateway", seen.gateway)
    trace = secrets.token_hex(16)
    number = await eventually("an order", lambda: seen.order(base, trace))
    say(f"order {number} was taken at {base} by somebody with a token")
    refused = await seen.status(base)
    if refused != UNAUTHORIZED:
        raise LandscapeError(f"somebody without a token was answered {refused}, not {UNAUTHORIZED}")
    say(f"somebody without one was answered {refused}")
    await eventually("its bill", lambda: seen.billed(base, number))
    say("billing took it from its queue in RabbitMQ")
    found = await eventually("its trace", lambda: seen.spans(trace))
    say(f"Jaeger has its trace: {', '.join(found)}")
    booked = await eventually("a booking", seen.booked)
    say(f"orders of the ERP went through the adapter and Kafka and were booked: {len(booked)} so far")
    (first, *_) = await eventually("an alarm", seen.alarms)
    say(f"Flink found a machine that runs hot, and the MES was told: {first['machine']}, {first['celsius']} degrees")


@dataclass(slots=True)
class Landscape:
    """One showing, in the box called ``name``."""

    name: str
    began: float = field(default_factory=time.monotonic)

    @property
    def project(self) -> Path:
        """The copy of the project, with an issuer of its own."""
        return ROOT / "out" / "landscape" / self.name

    def say(self, line: str) -> None:
        """One thing happened."""
        if line.strip():
            minutes, rest = divmod(int(time.monotonic() - self.began), 60)
            print(f"[{minutes:2d}:{rest:02d}] {line}", flush=True)  # noqa: T201 - that is its job

    async def run(self) -> None:
        """Everything, in order."""
        end_on_sigterm()
        grayling = Grayling(self.name, self.project)
        token = self._copied()
        asked = [part for extra in EXTRAS for part in ("--with", extra)]
        self.say("a Kubernetes on this machine, and the systems of the landscape")
        await grayling.run("sandbox", "up", "--name", self.name, *asked, show=self.say)
        self.say("the landscape that stacks/Pulumi.landscape.yaml declares, made small by the overlay")
        await grayling.run("stack", "apply", STACK, "--overlay", str(OVERLAY), "--yes", show=self.say)
        limit = aiohttp.ClientTimeout(total=20)
        async with (
            await Cluster.open(kubeconfig=grayling.kubeconfig) as cluster,
            aiohttp.ClientSession(timeout=limit) as client,
        ):
            await follow(Followed(cluster, Sandbox(self.name), client, token), self.say)
        self.say(f"all of it is up; a token for a day is in {self.project / 'token'}")
        self.say(f"export KUBECONFIG={grayling.kubeconfig}")
        self.say(f"remove it: make landscape-down{'' if self.name == 'landscape' else f' NAME={self.name}'}")

    def _copied(self) -> str:
        """A copy of the project, with a key of an issuer who is here; a token of it."""
        issuer = Issuer()
        shutil.rmtree(self.project, ignore_errors=True)
        shutil.copytree(ROOT / "stacks", self.project / "stacks")
        for name in ("Pulumi.yaml", "__main__.py"):
            shutil.copy(ROOT / name, self.project)
        file = self.project / "stacks" / f"Pulumi.{STACK}.yaml"
        file.write_text(with_issuer(file.read_text(encoding="utf-8"), issuer), encoding="utf-8")
        token = self.project / "token"
        token.touch(mode=0o600)
        token.write_text(issuer.token(), encoding="utf-8")
        return token.read_text(encoding="utf-8")


def main() -> int:
    """The whole program; Ctrl-C stops the showing, not the landscape."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--name", default="landscape", help="the sandbox to use (default landscape)")
    shown = Landscape(parser.parse_args().name)
    try:
        asyncio.run(shown.run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        shown.say("stopped; what was started runs on")
        return 130
    except (CommandFailedError, LandscapeError, GraylingError, aiohttp.ClientError) as error:
        shown.say(f"it stopped: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
