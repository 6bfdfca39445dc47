"""What breaks the other side between two documents of AsyncAPI, versions 2 and 3.

Both versions are read into one form: what the application sends and receives, by the address of the channel. Version 2
tells it from the other side: there, `subscribe` is what the application sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from components.contracts.document import at
from components.contracts.schemas import Breach, Comparison, Way

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.contracts.document import Contract, Node

SENDS, RECEIVES = "sends", "receives"
_WAY = {SENDS: Way.OUT, RECEIVES: Way.IN}
Messages = dict[str, "Node"]


def breaches(compared: Comparison) -> Iterator[Breach]:
    """Channels, messages and payloads."""
    before, after = exchanges(compared.old), exchanges(compared.new)
    for (action, address), messages in before.items():
        where = f"{action} {address}"
        if (action, address) not in after:
            yield Breach("channel-removed", where, "is no more there")
            continue
        yield from _messages(compared, messages, after[action, address], action, where)


def exchanges(contract: Contract) -> dict[tuple[str, str], Messages]:
    """Messages by what is done and where."""
    third = str(contract.data["asyncapi"]).startswith("3")
    found: dict[tuple[str, str], Messages] = {}
    for action, address, messages in _third(contract) if third else _second(contract):
        found.setdefault((action, address), {}).update(messages)
    return found


def _second(contract: Contract) -> Iterator[tuple[str, str, Messages]]:
    for address, item in at(contract.data, "channels").items():
        channel = contract.resolved(item)
        for key, action in (("subscribe", SENDS), ("publish", RECEIVES)):
            if key in channel:
                message = contract.resolved(at(channel, key).get("message"))
                several = message.get("oneOf")
                listed = [contract.resolved(each) for each in several] if isinstance(several, list) else [message]
                yield action, address, {_name(each, index): each for index, each in enumerate(listed)}


def _third(contract: Contract) -> Iterator[tuple[str, str, Messages]]:
    operations = [contract.resolved(each) for each in at(contract.data, "operations").values()]
    for operation in operations:
        channel = contract.resolved(operation.get("channel"))
        action = SENDS if operation.get("action") == "send" else RECEIVES
        known = {name: contract.resolved(each) for name, each in at(channel, "messages").items()}
        listed = operation.get("messages")
        if isinstance(listed, list):
            chosen = [contract.resolved(each) for each in listed]
            known = {name: each for name, each in known.items() if any(each is one for one in chosen)}
        yield action, _address(contract, channel), known


def _address(contract: Contract, channel: Node) -> str:
    own = channel.get("address")
    if isinstance(own, str):
        return own
    names = [name for name, each in at(contract.data, "channels").items() if contract.resolved(each) is channel]
    return names[0] if names else ""


def _name(message: Node, index: int) -> str:
    return str(message.get("name") or message.get("messageId") or message.get("title") or index)


def _messages(compared: Comparison, before: Messages, after: Messages, action: str, where: str) -> Iterator[Breach]:
    if len(before) == len(after) == 1:  # the one message, whatever it is called
        after = dict(zip(before, after.values(), strict=True))
    for name, message in before.items():
        if name not in after:
            yield Breach("message-removed", f"{where} {name}", "is no more there")
        else:
            yield from _message(compared, message, after[name], action, f"{where} {name}")
    if action == SENDS:
        for name in sorted(after.keys() - before.keys()):
            yield Breach("message-added", f"{where} {name}", "comes too")


def _message(compared: Comparison, was: Node, will: Node, action: str, where: str) -> Iterator[Breach]:
    sides = ((compared.old, was), (compared.new, will))
    contents = [str(each.get("contentType") or side.data.get("defaultContentType") or "") for side, each in sides]
    if contents[0] != contents[1] and contents[0]:
        yield Breach("message-content-changed", where, f"{contents[0]} becomes {contents[1] or 'nothing that is said'}")
    for part in ("payload", "headers"):
        old, new = was.get(part, {}), will.get(part, {})
        if part == "payload" and not all(_is_json_schema(side, each) for side, each in sides):
            if old != new:
                yield Breach("payload-not-compared", where, "is of a schema that is not read here, and changed")
            continue
        mark = f"{where} " if part == "payload" else f"{where} header "
        yield from compared.schemas(_inner(old), _inner(new), _WAY[action], mark)


def _inner(schema: Any) -> Any:
    """Version 3 may wrap a schema with its format."""
    wrapped = isinstance(schema, Mapping) and "schemaFormat" in schema
    return schema.get("schema", {}) if wrapped else schema


def _is_json_schema(contract: Contract, message: Node) -> bool:
    payload = contract.resolved(message.get("payload"))
    said = str(payload.get("schemaFormat") or message.get("schemaFormat") or "")
    return not said or "asyncapi" in said or "schema+json" in said or "schema+yaml" in said
