"""RabbitMQ by its management API: three requests see all of it, each step is one request or two.

Queues and streams cannot be deleted "only if empty" (quorum queues refuse that, streams ignore it), and counts of
messages are seconds old; so every queue counts as holding data, and goes only where its label is allowed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from topology.api.rabbitmq import BINDING, EXCHANGE, PERMISSION, POLICY, QUEUE, USER, VHOST, binding_name, label_of
from topology.plan import Found, Kind, Op, Step, always
from topology.systems.system import Credentials, StepError, UnauthorizedError, UnreachableError, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from topology.api.spec import Item

SECONDS = 15.0
"""After which a request is given up."""

KINDS = (
    Kind(VHOST, holds_data=True, contains=True),
    Kind(USER),
    Kind(PERMISSION),
    Kind(POLICY),
    Kind(EXCHANGE, fixed=dict.fromkeys(("type", "durable", "autoDelete", "internal", "arguments"), always)),
    Kind(QUEUE, holds_data=True, fixed=dict.fromkeys(("type", "durable", "autoDelete", "arguments"), always)),
    Kind(BINDING),
)
HASHING = "rabbit_password_hashing_sha256"
QUEUE_TYPE = "x-queue-type"
_SALT = 4


@dataclass(slots=True)
class RabbitMQSystem:
    """One broker, under an account that may administer it."""

    address: str
    credentials: Credentials
    kinds: Sequence[Kind] = KINDS

    def prepared(self, items: Sequence[Item], seen: Mapping[str, Found]) -> list[Item]:
        """With the hashes of passwords: that of the broker where it is of the same password.

        Raises:
            UnauthorizedError: there is no password for a declared user.
        """
        return [self._with_password(each, seen.get(each.label)) if each.kind == USER else each for each in items]

    def _with_password(self, item: Item, found: Found | None) -> Item:
        password = self.credentials.text(f"users/{item.name}")
        known = str(found.settings.get("password", "")) if found else ""
        hashed = known if known and same_password(password, known) else hash_of(password, os.urandom(_SALT))
        told = {**item.settings, "tags": sorted(item.settings["tags"]), "password": hashed}
        return item.model_copy(update={"settings": told})

    # ------------------------------------------------------------------ seeing

    async def observe(self) -> Mapping[str, Found]:
        """All that is there, by label.

        Raises:
            UnreachableError: it could not be seen whole.
            UnauthorizedError: the account is not taken.
        """
        async with self._session() as session:
            everything = await self._read(session, "definitions")
            queues = await self._read(session, "queues?columns=name,vhost,type,durable,auto_delete,arguments")
            bindings = await self._read(session, "bindings")
        try:
            return dict(_seen(everything, queues, bindings))
        except (KeyError, TypeError, AttributeError) as error:
            raise UnreachableError(f"{self.address} answers what no RabbitMQ says: {error!r}") from error

    async def _read(self, session: aiohttp.ClientSession, path: str) -> Any:
        status, body = await self._send(session, "GET", path)
        if status != HTTPStatus.OK:
            raise UnreachableError(f"{self.address}/api/{path.split('?', maxsplit=1)[0]}: {status} {said(body)}")
        return body

    # ------------------------------------------------------------------ acting

    async def act(self, step: Step) -> bool:
        """Take one step; whether that made an item that was not there.

        Raises:
            StepError: the broker said no.
            UnreachableError: nobody answered.
            UnauthorizedError: the account is not taken.
        """
        async with self._session() as session:
            if step.op in {Op.DELETE, Op.REPLACE}:
                assert step.found is not None  # noqa: S101 - for the type checker
                await self._written(session, "DELETE", _path(step.found), None, step)
            if step.op is Op.DELETE or step.item is None:
                return False
            method, path, body = _made(step.item)
            status = await self._written(session, method, path, body, step)
        return status == HTTPStatus.CREATED and step.op is not Op.CHANGE

    async def _written(self, session: aiohttp.ClientSession, method: str, path: str, body: Any, step: Step) -> int:
        status, answer = await self._send(session, method, path, body)
        gone = method == "DELETE" and status == HTTPStatus.NOT_FOUND
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise UnreachableError(f"{step.label}: {status} {said(answer)}")
        if status >= HTTPStatus.BAD_REQUEST and not gone:
            raise StepError(said(answer) or f"status {status}")
        return status

    async def _send(self, session: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        try:
            async with session.request(method, URL(f"{self.address}/api/{path}", encoded=True), json=body) as response:
                if response.status == HTTPStatus.UNAUTHORIZED:
                    user = self.credentials.text("username")
                    raise UnauthorizedError(
                        f"{self.address} does not take the account {user}, or it is no administrator there"
                    )
                answer = await response.json(content_type=None) if await response.read() else None
                return response.status, answer
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise UnreachableError(f"{self.address}: {str(error) or 'no answer in time'}") from error

    def _session(self) -> aiohttp.ClientSession:
        login = aiohttp.BasicAuth(self.credentials.text("username"), self.credentials.text("password"), "utf-8")
        trust = self.credentials.trust(self.address) if self.address.startswith("https:") else True
        connector = aiohttp.TCPConnector(ssl=trust, limit=4)
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        return aiohttp.ClientSession(auth=login, connector=connector, timeout=timeout)


# ---------------------------------------------------------------------- what a broker says


def _seen(everything: Any, queues: Any, bindings: Any) -> Iterator[tuple[str, Found]]:
    for each in everything["vhosts"]:
        yield label_of(VHOST, each["name"]), Found(VHOST, {}, each["name"])
    for each in everything["users"]:
        tags = each["tags"].split(",") if isinstance(each["tags"], str) else each["tags"]
        known = {"tags": sorted(filter(None, tags)), "password": each.get("password_hash") or ""}
        yield label_of(USER, each["name"]), Found(USER, known, each["name"])
    for each in everything["permissions"]:
        may = {key: each[key] for key in ("configure", "write", "read")}
        yield _labelled(PERMISSION, each["user"], each["vhost"], may)
    for each in everything["policies"]:
        rule = {"pattern": each["pattern"], "applyTo": each["apply-to"], "priority": each["priority"]}
        yield _labelled(POLICY, each["name"], each["vhost"], {**rule, "definition": each["definition"]})
    for each in everything["exchanges"]:
        shape = {"type": each["type"], "internal": each["internal"], "arguments": each["arguments"]}
        yield _labelled(EXCHANGE, each["name"], each["vhost"], {**shape, **_lasting(each)})
    for each in queues:
        arguments = {key: value for key, value in each["arguments"].items() if key != QUEUE_TYPE}
        shape = {"type": each["type"], "arguments": arguments, **_lasting(each)}
        yield _labelled(QUEUE, each["name"], each["vhost"], shape)
    for each in bindings:
        if each["source"]:  # that of every queue to the default exchange is nobody's
            yield _binding(each)


def _lasting(each: Mapping[str, Any]) -> dict[str, Any]:
    return {"durable": each["durable"], "autoDelete": each["auto_delete"]}


def _labelled(kind: str, name: str, vhost: str, settings: dict[str, Any]) -> tuple[str, Found]:
    return label_of(kind, name, vhost), Found(kind, settings, name, vhost)


def _binding(each: Mapping[str, Any]) -> tuple[str, Found]:
    ends = (each["source"], each["destination_type"], each["destination"])
    name, vhost = binding_name(*ends, each["routing_key"], each["arguments"]), each["vhost"]
    whole = dict(
        zip(("from", "to", "target", "key", "arguments"), (*ends, each["routing_key"], each["arguments"]), strict=False)
    )
    handle = f"{_ends(vhost, *ends)}/{_q(each['properties_key'])}"
    return label_of(BINDING, name, vhost), Found(BINDING, whole, name, vhost, handle)


# ---------------------------------------------------------------------- what it is asked


def _q(text: str) -> str:
    return quote(text, safe="")


def _ends(vhost: str, source: str, to: str, target: str) -> str:
    return f"bindings/{_q(vhost)}/e/{_q(source)}/{to[0]}/{_q(target)}"


def _path(of: Item | Found) -> str:
    if isinstance(of, Found) and of.handle:
        return of.handle
    if of.kind in {VHOST, USER}:
        return f"{of.kind}s/{_q(of.name)}"
    plural = "policies" if of.kind == POLICY else f"{of.kind}s"
    return f"{plural}/{_q(of.within)}/{_q(of.name)}"


def _made(item: Item) -> tuple[str, str, Any]:
    """The request that makes an item as it is declared."""
    told: Mapping[str, Any] = item.settings
    if item.kind == BINDING:
        ends = _ends(item.within, told["from"], told["to"], told["target"])
        return "POST", ends, {"routing_key": told["key"], "arguments": told["arguments"]}
    body: dict[str, Any] = dict(told)
    if item.kind == USER:
        body = {"password_hash": told["password"], "hashing_algorithm": HASHING, "tags": ",".join(told["tags"])}
    elif item.kind == POLICY:
        body = {key: told[key] for key in ("pattern", "priority", "definition")} | {"apply-to": told["applyTo"]}
    elif item.kind in {EXCHANGE, QUEUE}:
        body = {"durable": told["durable"], "auto_delete": told["autoDelete"], "arguments": dict(told["arguments"])}
        if item.kind == EXCHANGE:
            body |= {"type": told["type"], "internal": told["internal"]}
        else:
            body["arguments"][QUEUE_TYPE] = told["type"]
    return "PUT", _path(item), body


def hash_of(password: str, salt: bytes) -> str:
    """As RabbitMQ keeps a password: a salt of four bytes before the SHA-256 of both, in base64."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def same_password(password: str, hashed: str) -> bool:
    """Whether a hash is of this password; one that is no such hash is of none."""
    try:
        salt = base64.b64decode(hashed, validate=True)[:_SALT]
    except ValueError:
        return False
    return hmac.compare_digest(hash_of(password, salt), hashed)


def said(answer: Any) -> str:
    """What a broker gives as the reason, short and printable."""
    found = answer.get("reason") or answer.get("error") if isinstance(answer, dict) else answer
    return printable(str("" if found is None else found))
